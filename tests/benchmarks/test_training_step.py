"""One training step of the tutorial's network: fused, sinabs, other libraries where installed, and the matrix products alone.

``tox -e peers`` installs the other libraries. They run their own neurons nearest to ours, most of which do less: only Norse's and
sinabs's filter the current as ours do. Each gets its own memory order, and linear layers over all steps at once.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from itertools import pairwise

import pytest
import torch
from torch import nn

from harness import Registry
from harness.components import load_reference

SIZES = (140, 64, 64, 20)
BATCH, STEPS = 128, 70
PEERS = ("snnTorch", "SpikingJelly", "Norse")


class _Layers(nn.Module):
    """Linear layers with ``make()`` behind each; (batch, time, ·), or (time, batch, ·) where ``time_first``."""

    def __init__(self, make, *, time_first=False):
        super().__init__()
        self.time_first = time_first
        self.linear = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise(SIZES))
        self.spiking = nn.ModuleList(make(size) for size in SIZES[1:])

    def forward(self, x):
        for linear, spiking in zip(self.linear, self.spiking, strict=True):
            x = spiking(linear(x))
        return x.sum(0 if self.time_first else 1)


class _Stepped(nn.Module):
    """A module that computes one step of (input, state), over time; time first."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        state, out = self.cell.reset_mem(), []
        for current in x:
            spikes, state = self.cell(current, state)
            out.append(spikes)
        return torch.stack(out)


class _First(nn.Module):
    """The first of the two things that a Norse module returns."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class _Reset(nn.Module):
    """A SpikingJelly node, its state reset before every call."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        self.inner.reset()
        return self.inner(x)


def ours(backend, neuron):
    registry = Registry.discover()
    chosen = registry.find(neuron).component.choose()
    make = load_reference(registry.find(backend).component.layer)
    return _Layers(lambda size: make(chosen, (size,)))


def snntorch(neuron):
    if neuron == "alif" or find_spec("snntorch") is None:
        return None
    import snntorch

    beta = {"iaf": 1.0, "lif": math.exp(-0.5)}[neuron]
    return _Layers(lambda size: _Stepped(snntorch.Leaky(beta=beta)), time_first=True)


def spikingjelly(neuron):
    if neuron == "alif" or find_spec("spikingjelly") is None:
        return None
    from spikingjelly.activation_based import neuron as nodes

    kinds = {"iaf": nodes.IFNode, "lif": nodes.LIFNode}
    return _Layers(lambda size: _Reset(kinds[neuron](v_reset=None, step_mode="m")), time_first=True)


def norse(neuron):
    if find_spec("norse") is None:
        return None
    import norse.torch as norse

    kinds = {"iaf": norse.IAF, "lif": norse.LIF, "alif": norse.LSNN}
    return _Layers(lambda size: _First(kinds[neuron]()), time_first=True)


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore")  # the other libraries' own
@pytest.mark.parametrize("neuron", ["iaf", "lif", "alif"])
@pytest.mark.parametrize("threads", [1, 2], indirect=True)
def test_training_step(duel, benchmark, capsys, threads, neuron):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    models = {
        "fused": ours("fused", neuron),
        "sinabs": ours("sinabs", neuron),
        "snnTorch": snntorch(neuron),
        "SpikingJelly": spikingjelly(neuron),
        "Norse": norse(neuron),
        "matrix products alone": _Layers(lambda size: nn.Identity()),
    }
    x = (torch.rand(BATCH, STEPS, SIZES[0]) < 0.05).float()
    turned = x.transpose(0, 1).contiguous()
    labels = torch.randint(0, SIZES[-1], (BATCH,))

    def step_of(model):
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        given = turned if model.time_first else x

        def step():
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(given), labels).backward()
            optimiser.step()

        return step

    sides = {name: step_of(model) for name, model in models.items() if model is not None}
    took = duel(sides, rounds=21, what=f"a training step of {neuron}, {threads} thread{'s' * (threads > 1)}")
    best = min((name for name in took if name not in ("fused", "matrix products alone")), key=took.get)
    floor = took["fused"] / took["matrix products alone"]
    with capsys.disabled():
        print(
            f"  fused is {took['sinabs'] / took['fused']:.2f}x as fast as sinabs, {took[best] / took['fused']:.2f}x as the best "
            f"peer here ({best}), and takes {floor:.2f}x the matrix products alone"
        )
