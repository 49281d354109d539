"""One training step of the tutorial's gesture network: fused, sinabs, the tutorial's own layers, and convolutions and pools alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from samples import specification
from sinabs import layers as sinabs_layers
from torch import nn

from harness import Registry
from harness.components import load_reference
from harness.events.frames import Frames
from harness.initialisation import initialise
from harness.model import build

STEPS, SHAPE, CLASSES = 10, (2, 64, 64), 11


def ours(backend, neuron):
    """The network conv with this backend's neurons, or none."""
    registry = Registry.discover()
    network, chosen = registry.find("conv").component, registry.find(neuron).component.choose(v_min=-1.0)
    make = None if backend is None else load_reference(registry.find(backend).component.layer)

    def layer(shape, recurrent=None):
        return nn.Identity() if make is None else make(chosen, shape)

    return load_reference(network.build)(SHAPE, CLASSES, layer, **network.choose().values)


def start(models, neuron, counts):
    """Give all the weights of a trial's start, with which every layer spikes."""
    registry = Registry.discover()
    spec = specification(neuron, neuron_values={"v_min": -1.0})
    spec = replace(spec, network=registry.find("conv").component.choose())
    frames = Frames(counts, np.arange(len(counts)) % CLASSES, np.arange(len(counts)), None, None)
    model = build(registry, spec, SHAPE, CLASSES)
    initialise(model, registry, spec, frames, np.arange(len(counts)), 0)
    weights = [module.weight.detach() for module in model.modules() if isinstance(module, nn.Conv2d)]
    for side in models.values():
        own = [module.weight.data for module in side.modules() if isinstance(module, nn.Conv2d)]
        for weight, value in zip(own, weights, strict=True):
            weight.copy_(value)


class Tutorial(nn.Module):
    """The same as the tutorial writes it, on sinabs' own layers for flattened time, its iaf alone."""

    def __init__(self, batch):
        super().__init__()
        layers = []
        for given, made, kernel in ((2, 8, 5), (8, 16, 3), (16, 32, 3), (32, 64, 3)):
            layers += [nn.Conv2d(given, made, kernel, padding=1, bias=False), self._iaf(batch)]
            layers.append(sinabs_layers.SumPool2d(2))
        layers += [nn.Conv2d(64, CLASSES, 3, bias=False), self._iaf(batch), nn.Flatten()]
        self.net = nn.Sequential(*layers)

    @staticmethod
    def _iaf(batch):
        return sinabs_layers.IAFSqueeze(batch_size=batch, min_v_mem=-1)

    def forward(self, x):
        for module in self.net:
            if isinstance(module, sinabs_layers.StatefulLayer):
                module.reset_states()
        return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2])


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore")  # sinabs' own
@pytest.mark.parametrize(("neuron", "batch"), [("iaf", 32), ("iaf", 128), ("lif", 32), ("alif", 32)])
@pytest.mark.parametrize("threads", [1, 2], indirect=True)
def test_conv_step(duel, benchmark, capsys, threads, neuron, batch):
    if not benchmark.enabled and batch > 32:
        pytest.skip("where nothing is timed all batches are of two recordings")
    torch.set_num_threads(threads)
    batch = batch if benchmark.enabled else 2
    models = {"fused": ours("fused", neuron), "sinabs": ours("sinabs", neuron)}
    floor = "convolutions and pools alone"
    models[floor] = ours(None, neuron)
    if neuron == "iaf":
        models["the tutorial's own"] = Tutorial(batch)
    counts = np.random.default_rng(0).poisson(0.1, (batch, STEPS, *SHAPE)).astype(np.uint8)
    start(models, neuron, counts)
    x, labels = torch.from_numpy(counts).float(), torch.arange(batch) % CLASSES
    with torch.no_grad():
        mine, theirs = models["fused"](x), models["sinabs"](x)
    assert torch.equal(mine, theirs)
    assert mine.sum() > 0

    def step_of(model):
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

        def step():
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x).sum(1) / 10, labels).backward()
            optimiser.step()

        return step

    sides = {name: step_of(model) for name, model in models.items()}
    took = duel(
        sides,
        rounds=7,
        what=f"a training step of conv with {neuron}, {batch} recordings, {threads} thread{'s' * (threads > 1)}",
    )
    with capsys.disabled():
        others = "".join(
            f"{took[name] / took['fused']:.2f}x as fast as {name}, " for name in took if name not in ("fused", floor)
        )
        print(f"  fused is {others}and takes {took['fused'] / took[floor]:.2f}x the {floor}")
