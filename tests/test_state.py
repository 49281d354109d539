"""What models keep between batches: reset by the library that keeps it, put back, or found and named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sinabs import layers as sinabs_layers
from torch import nn

from harness import Registry
from harness.evaluation import run_batches
from harness.events.frames import Frames
from harness.state import carried_state, kept_state
from harness.testing import measure

REGISTRY = Registry.discover()
X = np.random.default_rng(0).poisson(2.0, (5, 6, 4))
SIZES = (1, 2, 3, 5)


class Neurons(nn.Module):
    """Integrators that begin with ``before`` (self) and hand what is left to ``after`` (self, v)."""

    def __init__(self, before, after):
        super().__init__()
        self.before, self.after = before, after
        self.register_buffer("held", torch.zeros(1))
        self.plain, self.number, self.many, self.named, self.array = None, 0.0, [], {}, np.zeros(1)

    def forward(self, x):
        v, spikes = self.before(self), []
        v = torch.zeros_like(x[:, 0]) if not isinstance(v, float) and v.shape != x[:, 0].shape else v
        for step in range(x.shape[1]):
            v = v + x[:, step]
            spikes.append((v >= 1.5).float())
            v = v - 1.5 * spikes[-1]
        self.after(self, v)
        return torch.stack(spikes, 1)


def nothing(neurons):
    return 0.0


OUTSIDE = {}
# How state is carried, and under which name it is found.
CARRIED = {
    "buffer": (lambda n: n.held, lambda n, v: setattr(n, "held", v), "1.held"),
    "attribute": (lambda n: 0.0 if n.plain is None else n.plain, lambda n, v: setattr(n, "plain", v), "1.plain"),
    "number": (lambda n: n.number, lambda n, v: setattr(n, "number", float(v.mean())), "1.number"),
    "list": (lambda n: n.many[-1] if n.many else 0.0, lambda n, v: n.many.append(v), "1.many"),
    "numbers": (lambda n: float(sum(n.many)), lambda n, v: n.many.append(float(v.mean())), "1.many"),
    "array": (lambda n: float(n.array[0]), lambda n, v: n.array.__iadd__(float(v.mean())), "1.array"),
    "dictionary": (lambda n: n.named.get("v", 0.0), lambda n, v: n.named.update(v=v), "1.named"),
    "outside": (lambda n: OUTSIDE.get("v", 0.0), lambda n, v: OUTSIDE.update(v=v), "a value that is no attribute"),
}
# What is written and never read, and what is computed once.
HARMLESS = {
    "records": (nothing, lambda n, v: (setattr(n, "plain", v), n.many.append(v))),
    "counter": (nothing, lambda n, v: setattr(n, "number", n.number + 1)),
    "table": (
        lambda n: 0.0 if n.plain is None else 0.0 * float(n.plain[0]),
        lambda n, v: setattr(n, "plain", torch.ones(4)),
    ),
}


def network(neurons, gain=1.0):
    torch.manual_seed(0)
    first, last = nn.Linear(4, 4), nn.Linear(4, 3)
    with torch.no_grad():
        first.weight.mul_(gain)
    return nn.Sequential(first, neurons, last)


@pytest.mark.parametrize("how", CARRIED)
@pytest.mark.parametrize("gain", [1.0, 0.01], ids=["spiking", "silent"])
def test_state_that_a_network_carries_is_refused_by_name(how, gain):
    """Silent neurons carry state that changes nothing that they put out on the recordings at hand."""
    before, after, name = CARRIED[how]
    OUTSIDE.clear()
    for size in SIZES:
        with pytest.raises(ValueError, match=f"carries state from one batch into the next, in .*{name}"):
            measure("synops", network(Neurons(before, after), gain), X, batch_size=size, registry=REGISTRY)


@pytest.mark.parametrize("how", HARMLESS)
def test_what_is_only_written_or_computed_once_is_no_state(how):
    found = {
        measure("synops", network(Neurons(*HARMLESS[how])), X, batch_size=size, registry=REGISTRY)["synops"].value
        for size in SIZES
    }
    assert len(found) == 1


def test_random_networks_are_no_false_alarm_and_draw_what_they_drew():
    class Noisy(nn.Module):
        def forward(self, x):
            return (x + torch.rand(x.shape) > 1).float()

    torch.manual_seed(1)
    measure("accuracy", nn.Sequential(Noisy(), nn.Linear(4, 3)), X, classes=3, batch_size=5, registry=REGISTRY)
    after = torch.rand(1)
    torch.manual_seed(1)
    nn.Linear(4, 3)
    torch.rand(X.shape)
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: sinabs_layers.IAF(),
        lambda: sinabs_layers.LIF(tau_mem=torch.tensor([5.0, 6.0, 7.0, 8.0])),
        lambda: sinabs_layers.LIFRecurrent(tau_mem=5.0, rec_connect=nn.Linear(4, 4)),
        lambda: sinabs_layers.ALIF(tau_mem=5.0, tau_adapt=9.0),
    ],
    ids=["iaf", "lif", "recurrent", "alif"],
)
def test_layers_of_sinabs_are_reset_before_every_batch(make):
    found = [
        measure("synops", network(make(), 5.0), X, batch_size=size, registry=REGISTRY)["synops"].arrays["layers"]
        for size in SIZES
    ]
    assert found[0]["2"] > 0
    assert all(one == found[0] for one in found)


def test_an_evaluation_resets_them_too():
    model = network(sinabs_layers.IAF(), 5.0).eval()
    frames = Frames(X.astype(np.uint8), np.zeros(5, dtype=np.int64), np.arange(5), None, None)

    def outputs(size):
        found = []
        run_batches(model, frames, batch_size=size, see=lambda view: found.append(view.outputs.clone()))
        return torch.cat(found)

    for size in SIZES:
        torch.testing.assert_close(outputs(size), outputs(5), msg="a batch began where another ended")


@pytest.mark.parametrize("mode", ["s", "m"])
def test_neurons_of_spikingjelly_are_reset(mode):
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.spikes, self.last = nn.Linear(4, 4), neuron.LIFNode(step_mode=mode), nn.Linear(4, 3)

        def forward(self, x):
            y = 5 * self.first(x)
            if mode == "m":
                return self.last(self.spikes(y.transpose(0, 1)).transpose(0, 1))
            return torch.stack([self.last(self.spikes(y[:, step])) for step in range(x.shape[1])], 1)

    assert _alike(Net)


@pytest.mark.parametrize("hidden", [True, False])
def test_neurons_of_snntorch_are_reset(hidden):
    snntorch = pytest.importorskip("snntorch")

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)
            self.spikes = snntorch.Leaky(beta=0.9, init_hidden=hidden)

        def forward(self, x):
            out = []
            for step in range(x.shape[1]):
                spikes = self.spikes(5 * self.first(x[:, step]))
                out.append(self.last(spikes if hidden else spikes[0]))
            return torch.stack(out, 1)

    assert _alike(Net)


def test_neurons_of_norse_keep_nothing_unless_the_network_does():
    norse = pytest.importorskip("norse.torch")

    class Net(nn.Module):
        def __init__(self, keeps=False):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.spikes, self.last = nn.Linear(4, 4), norse.LIF(), nn.Linear(4, 3)
            self.keeps, self.state = keeps, None

        def forward(self, x):
            fits = self.keeps and self.state is not None and self.state.v.shape[0] == x.shape[0]
            out, state = self.spikes(5 * self.first(x).transpose(0, 1), self.state if fits else None)
            if self.keeps:
                self.state = state
            return self.last(out.transpose(0, 1))

    assert _alike(Net)
    with pytest.raises(ValueError, match="in state"):
        measure("synops", Net(True), X, registry=REGISTRY)


def _alike(make):
    found = [measure("synops", make(), X, batch_size=size, registry=REGISTRY)["synops"].value for size in SIZES]
    return len(set(found)) == 1


def test_state_is_put_back_as_it_was():
    model = Neurons(nothing, lambda n, v: None)
    inner = torch.ones(3)
    model.many, model.named, model.plain = [inner, 2], {"a": inner, "b": (inner,)}, inner
    held, many, named = model.held, model.many, model.named
    with kept_state(model):
        inner.zero_()
        model.many.append(3)
        model.named["c"], model.named["a"] = 1, 0.0
        model.held, model.plain, model.fresh = torch.ones(9), None, 1
    assert model.held is held
    assert model.plain is inner
    assert torch.equal(inner, torch.ones(3))
    assert model.many is many
    assert many == [inner, 2]
    assert model.named is named
    assert named.keys() == {"a", "b"}
    assert named["a"] is inner
    assert not hasattr(model, "fresh")


def test_a_network_that_refuses_a_strong_drive_is_still_judged():
    class Bounded(nn.Module):
        def forward(self, x):
            if x.max() > 50:
                raise ValueError("too many")
            return x

    assert carried_state(nn.Sequential(Bounded()), torch.ones(2, 3, 4)) == []


def test_measuring_leaves_batch_normalisation_as_it_is():
    model = nn.Sequential(nn.Flatten(0, 1), nn.BatchNorm1d(4), nn.Unflatten(0, (-1, 6)), nn.Linear(4, 3)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure("accuracy", model, X, registry=REGISTRY)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
