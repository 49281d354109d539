"""SynOps by structure: averages however they reach a layer, weights however they are used, at every batch size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness import Registry
from harness.model import SpikingLayer
from harness.testing import measure

REGISTRY = Registry.discover()
X = np.random.default_rng(0).poisson(0.7, (3, 4, 4))
# All recordings together.
EVENTS = int(X.sum())
PAIRS = X.reshape(3, 4, 2, 2)


class Around(nn.Module):
    """A network whose forward pass is a function of its parts and the input."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


def ones(inputs, outputs=3):
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def figures(net, x=X):
    """SynOps and multiply-accumulates, which no batch size changes."""
    found = []
    for size in range(1, len(x) + 1):
        values = measure("synops", net, x, batch_size=size, registry=REGISTRY)
        found.append({name: value.to_json() for name, value in values.items()})
    assert all(one == found[0] for one in found)
    return found[0]["synops"]["value"], found[0]["multiply_accumulates"]["value"]


def steps(net, y):
    return torch.stack([net.last(y[:, step]) for step in range(y.shape[1])], 1)


def written(y, made):
    for step in range(y.shape[1]):
        made[:, step, :2] = y[:, step]
    return made


def doubled(y):
    y = y + 0
    y[:, :, 0].mul_(2)
    return y


def stepped_neurons(y):
    v, spikes = torch.zeros_like(y[:, 0]), []
    for step in range(y.shape[1]):
        v = v + y[:, step]
        spikes.append((v >= 1).float())
        v = v - spikes[-1]
    return torch.stack(spikes, 1)


# What becomes of averages of pairs, and how many events reach the three weights behind every element.
COPIES = {
    "as they are": (lambda net, y: y, EVENTS),
    "clone": (lambda net, y: y.clone(), EVENTS),
    "stack": (lambda net, y: torch.stack(list(y.unbind(1)), 1), EVENTS),
    "concatenated": (lambda net, y: torch.cat([y[:, :1], y[:, 1:]], 1), EVENTS),
    "dropout": (lambda net, y: F.dropout(y, 0.5, net.training), EVENTS),
    "contiguous": (lambda net, y: y.permute(2, 0, 1).contiguous().permute(1, 2, 0), EVENTS),
    "index": (lambda net, y: y[:, :, [1, 0]], EVENTS),
    "rolled": (lambda net, y: y.roll(1, 2).flip(2), EVENTS),
    "rectified": (lambda net, y: F.relu(y), EVENTS),
    "another type and back": (lambda net, y: y.double().float(), EVENTS),
    "written into zeros": (lambda net, y: written(y, torch.zeros_like(y)), EVENTS),
    "written into anything": (lambda net, y: written(y, torch.empty_like(y)), EVENTS),
    "where": (lambda net, y: torch.where(torch.tensor([True, False]), y, 0.0), X[..., :2].sum()),
    "masked": (lambda net, y: y * torch.tensor([1.0, 0.0]), X[..., :2].sum()),
    "part doubled is part a sum": (lambda net, y: doubled(y), EVENTS),
    "times the window is a sum": (lambda net, y: y * 2, EVENTS),
    "added to other averages": (lambda net, y: y + y.flip(2), 2 * EVENTS),
    "floor": (lambda net, y: y.floor(), np.floor(PAIRS.mean(-1)).sum()),
    "threshold": (lambda net, y: (y > 0.6).float(), (PAIRS.mean(-1) > 0.6).sum()),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("pool", [nn.AvgPool1d(2), lambda x: F.avg_pool1d(x, 2)], ids=["module", "function"])
@pytest.mark.parametrize("stepwise", [False, True])
def test_averages_are_events_however_they_reach_a_layer(how, pool, stepwise):
    change, events = COPIES[how]

    def run(net, x):
        y = change(net, net.pool(x))
        return steps(net, y) if stepwise else net.last(y)

    assert figures(Around(run, pool=pool, last=ones(2))) == (events * 3 / 3, 0)


AVERAGES = {
    "mean": (lambda x: x.unflatten(2, (2, 2)).mean(-1), EVENTS),
    "mean of all": (lambda x: x.mean(2, keepdim=True), EVENTS),
    "mean of windows": (lambda x: x.unfold(2, 2, 2).mean(-1), EVENTS),
    "sum over its number": (lambda x: x.unflatten(2, (2, 2)).sum(-1) / 2, EVENTS),
    "half of two added": (lambda x: 0.5 * (x[..., ::2] + x[..., 1::2]), EVENTS),
    "adaptive": (lambda x: F.adaptive_avg_pool1d(x, 3), EVENTS + X[..., 1:3].sum()),
    "adaptive, flipped": (lambda x: F.adaptive_avg_pool1d(x, 3).flip(2), EVENTS + X[..., 1:3].sum()),
    "sum": (lambda x: F.lp_pool1d(x, 1, 2), EVENTS),
    "maximum": (lambda x: F.max_pool1d(x, 2), PAIRS.max(-1).sum()),
    "maximum of averages": (lambda x: F.max_pool1d(F.avg_pool1d(x, 2), 2), PAIRS.sum(-1).max(-1).sum()),
    "averages of a copy of averages": (lambda x: F.avg_pool1d(F.avg_pool1d(x, 2).clone(), 2), EVENTS),
    "windows of three": (lambda x: F.avg_pool1d(F.pad(x, (0, 2)), 3).clone(), EVENTS),
    "padded behind": (lambda x: F.pad(F.avg_pool1d(x, 2), (1, 1)), EVENTS),
    "padded around": (lambda x: F.pad(F.avg_pool1d(x, 2), (2, 0), mode="circular"), 2 * EVENTS),
    "padded with ones": (lambda x: F.pad(F.avg_pool1d(x, 2), (1, 1), value=1.0), EVENTS + 3 * 2 * 4),
    "beside counts": (lambda x: torch.cat([F.avg_pool1d(x, 2), x], 2), 2 * EVENTS),
    "over time": (lambda x: x.mean(1, keepdim=True).expand(-1, 4, -1), 4 * EVENTS),
    "behind neurons of one's own": (
        lambda x: stepped_neurons(F.avg_pool1d(x, 2)),
        stepped_neurons(torch.tensor(PAIRS.mean(-1))).sum().item(),
    ),
}


@pytest.mark.parametrize("how", AVERAGES)
def test_averages_that_no_module_makes_are_known(how):
    average, events = AVERAGES[how]
    width = average(torch.zeros(1, 4, 4)).shape[2]
    assert figures(Around(lambda net, x: net.last(average(x)), last=ones(width))) == (events * 3 / 3, 0)


CHANGES = {
    "scaled": lambda y, x: y * 0.37,
    "shifted": lambda y, x: y + 1,
    "added to counts": lambda y, x: y + x[..., :2],
    "bounded": lambda y, x: y.clamp(0, 1),
    "bent": lambda y, x: y.sigmoid(),
    "squared": lambda y, x: y**2,
    "gated": lambda y, x: y * y.sigmoid(),
    "normalised": lambda y, x: F.layer_norm(y, [2]),
    "pooled unevenly": lambda y, x: F.avg_pool1d(torch.cat([y, x], 2), 2, 4)[..., :2],
    "selected by values": lambda y, x: torch.where(y > 0.6, y, 0.0),
    "filled by values": lambda y, x: y.masked_fill(y < 0.6, 0.0),
    "selected beside counts": lambda y, x: torch.where(y >= 1, x[..., :2], y),
    "gathered by values": lambda y, x: torch.cat([y, x], 2).gather(2, torch.cat([y, x], 2).argsort(2)[..., :2]),
}


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("x", [X, 2 * X, 0 * X], ids=["any", "whole averages", "silent"])
def test_averages_that_were_changed_are_an_error_whatever_the_data(how, x):
    """With ``2 * X`` every average is whole, and nothing in its values tells that it is one."""
    change = CHANGES[how]
    if how == "pooled unevenly":
        net = Around(lambda net, x: net.last(F.avg_pool1d(torch.cat([F.avg_pool1d(x, 2), x], 2), 3)), last=ones(2))
    else:
        net = Around(lambda net, x: net.last(change(F.avg_pool1d(x, 2), x)), last=ones(2))
    for size in (1, 3):
        with pytest.raises(
            TypeError, match="weight layer last is given averages that are no numbers of events any more"
        ):
            measure("synops", net, x, batch_size=size, registry=REGISTRY)


def test_what_a_network_decides_by_values_is_followed_batch_by_batch():
    """The recordings that are pooled are counted as the events that they held, the others as they are."""
    middle = sorted(one.sum() for one in X)[1]

    def run(net, x):
        return net.last(F.avg_pool1d(x, 2).clone() if x.sum() > middle else x[..., :2])

    net = Around(run, last=ones(2))
    expected = sum(one.sum() if one.sum() > middle else one[..., :2].sum() for one in X)
    assert measure("synops", net, X, batch_size=1, registry=REGISTRY)["synops"].value == expected * 3 / 3


WEIGHTS = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))

# Weights that are no call of a weight layer's module.
USES = {
    "module and function": lambda net, x: net.layer(x) + F.linear(x, net.layer.weight),
    "module and product": lambda net, x: net.layer(x) + x @ net.layer.weight.T,
    "forward alone": lambda net, x: net.layer(x) + net.layer.forward(x),
    "buffer": lambda net, x: net.layer(x) + x @ net.held.T,
    "plain tensor": lambda net, x: net.layer(x) + x @ net.plain.T,
    "tensor of nobody": lambda net, x: net.layer(x) + F.linear(x, WEIGHTS),
    "masked": lambda net, x: net.layer(x) + F.linear(x, net.plain * net.held),
    "einsum": lambda net, x: net.layer(x) + torch.einsum("btc,oc->bto", x, net.held),
    "convolution": lambda net, x: net.layer(x) + F.conv1d(x.transpose(1, 2), net.plain[..., None]).transpose(1, 2),
    "bilinear": lambda net, x: net.layer(x) + F.bilinear(x, x, torch.ones(3, 4, 4)),
    "embedding": lambda net, x: net.layer(x) + F.embedding(x.long(), torch.ones(20, 3)).sum(2),
    "product and sum": lambda net, x: net.layer(x) + (x[..., None, :] * net.plain).sum(-1),
    "one product and sum": lambda net, x: net.layer(x) + (x * net.plain[0]).sum(-1, keepdim=True),
    "one weight each": lambda net, x: net.layer(x) + (x * net.plain[0])[..., :3],
    "of two inputs": lambda net, x: net.layer(x) + (x @ x.transpose(1, 2))[..., :3],
    "in a list": lambda net, x: net.layer(x) + net.others[0](x),
    "matrix times vector": lambda net, x: net.layer(x) + torch.stack([torch.mv(net.plain, x[0, 0])]),
    "out of torch": lambda net, x: torch.from_numpy(x.numpy() @ WEIGHTS.numpy().T),
}


@pytest.mark.parametrize("how", USES)
@pytest.mark.parametrize("behind", [False, True], ids=["input", "hidden"])
def test_weights_that_belong_to_no_module_are_an_error_never_a_silent_zero(how, behind):
    use = USES[how]
    spikes = SpikingLayer(nn.Identity(), None)
    net = Around(
        lambda net, x: use(net, net.spikes(x) if behind else x),
        layer=ones(4),
        plain=WEIGHTS.clone(),
        spikes=spikes,
        others=[ones(4)],
    )
    net.register_buffer("held", WEIGHTS.clone())
    with pytest.raises((TypeError, ValueError), match="weight"):
        measure("synops", net, X, registry=REGISTRY)


def test_the_error_names_the_weights_and_where_they_are_used():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("w", WEIGHTS.clone())

        def forward(self, x):
            return x @ self.w.T

    with pytest.raises(TypeError, match=r"multiplied with the tensor 1\.w by mm in 1"):
        measure("synops", nn.Sequential(SpikingLayer(nn.Identity(), None), Inner()), X, registry=REGISTRY)


def test_weights_that_two_modules_share_count_in_both():
    one, other = ones(4, 4), ones(4, 4)
    other.weight = one.weight
    net = Around(lambda net, x: net.one(x) + net.other(x) + net.one(x), one=one, other=other)
    assert figures(net) == (EVENTS * 4 * 3 / 3, 0)


def test_neurons_of_ones_own_and_gains_of_membranes_are_no_weights():
    decay = torch.tensor([0.5, 0.6, 0.7])

    def run(net, x):
        y, v, out = net.layer(x), 0.0, []
        for step in range(x.shape[1]):
            v = v * decay + y[:, step]
            spikes = (v >= 4).float()
            v = v - 4 * spikes
            out.append(spikes)
        return torch.stack(out, 1)

    assert figures(Around(run, layer=ones(4))) == (EVENTS * 3 / 3, 0)


def test_spikes_in_another_order_are_not_taken_for_those_that_a_layer_put_out():
    """Both lie at the same place; the weights meet the first column alone."""
    column = nn.Conv2d(1, 1, 1, stride=(1, 2), bias=False)
    nn.init.ones_(column.weight)

    def run(net, x):
        return net.column(net.spikes(x).transpose(3, 4).flatten(0, 1)).unflatten(0, x.shape[:2]).flatten(2)

    x = np.zeros((3, 4, 1, 2, 2), dtype=int)
    x[:, :, 0, 0, 1] = 1
    for inner in (nn.Identity(), nn.ReLU()):
        net = Around(run, column=column, spikes=SpikingLayer(inner, None))
        assert figures(net, x) == (4, 0)


def test_whether_a_layer_reads_the_input_does_not_depend_on_the_batch():
    """Contiguous already where there is one recording alone, a copy where there are more."""
    net = Around(lambda net, x: net.last(x.transpose(0, 1).contiguous().transpose(0, 1)), last=ones(4))
    for size in (1, 3):
        found = measure("synops", net, X, batch_size=size, registry=REGISTRY)
        assert found["synops_input"].value == found["synops"].value == EVENTS * 3 / 3


def test_following_a_network_draws_no_random_number_and_changes_nothing_in_it():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = ones(4)
            self.register_buffer("last", torch.zeros(1))
            self.history = []

        def forward(self, x):
            self.last = x.sum()[None]
            self.history.append(len(x))
            return self.layer(x) + torch.rand(3)

    def outputs(metric):
        net = Noisy()
        torch.manual_seed(3)
        measure(metric, net, X, batch_size=2, registry=REGISTRY)
        return torch.rand(1).item(), net.last.item(), net.history

    assert outputs("synops") == outputs("accuracy")
