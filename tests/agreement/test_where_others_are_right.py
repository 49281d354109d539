"""Figures that other libraries' counters get right are ours to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import peers
from agreement.models import Neurons, Timed, passing, random_weights, whole_weights
from samples import frames, specification
from sinabs import layers as sinabs_layers
from torch import nn

from harness import Registry
from harness.initialisation import initialise
from harness.model import SpikingLayer, build
from harness.testing import measure

REGISTRY = Registry.discover()
# Means over a power of two of recordings lose no digit in single precision.
RECORDINGS, STEPS = 4, 6

CONVOLUTIONS = {
    "plain": {},
    "padded": {"padding": 1},
    "strided": {"stride": 2, "padding": 1},
    "oblong": {"stride": (1, 2), "padding": (2, 0), "dilation": (2, 1)},
    "grouped": {"groups": 2, "padding": 1},
    "depthwise": {"groups": 4, "padding": 1, "stride": 2},
}


def counts(*shape, most=255, rate=0.6):
    return np.minimum(np.random.default_rng(0).poisson(rate, (RECORDINGS, STEPS, *shape)), most)


def spiking():
    return SpikingLayer(Neurons(0, 3), None)


def convolutional(kind, pool=None, spikes=spiking, linear=True):
    """Two convolutions, the second of ``kind``, and a linear layer unless that is left out."""
    random = torch.Generator().manual_seed(0)
    first = random_weights(nn.Conv2d(2, 4, 3), random)
    second = random_weights(nn.Conv2d(4, 4, 3, **CONVOLUTIONS[kind]), random)
    net = [first, spikes(), *([] if pool is None else [pool]), second, spikes()]
    if linear:
        elements = nn.Sequential(*net, nn.Flatten())(torch.zeros(1, 2, 9, 8)).shape[1]
        net += [nn.Flatten(), random_weights(nn.Linear(elements, 3), random), spikes()]
    return nn.Sequential(*net)


def by_layer(figures):
    return figures["synops"].arrays["layers"]


def test_sinabs_analyzer_on_the_mlp_of_the_harness():
    spec, given = specification(network={"hidden": (16, 8)}), frames(count=RECORDINGS, steps=STEPS)
    model, x = build(REGISTRY, spec, (140,), 20), given.frames
    initialise(model, REGISTRY, spec, given, np.arange(RECORDINGS), 0)
    found = measure("synops", model, x, registry=REGISTRY)
    analyzer = peers.analyzer(model, torch.from_numpy(x).float())
    layers = analyzer.get_layer_statistics()["parameter"]
    assert found["synops"].value > found["synops_input"].value > 0
    assert {name: layer["synops"].item() for name, layer in layers.items()} == by_layer(found)
    assert analyzer.get_model_statistics()["synops"].item() == found["synops"].value


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_sinabs_analyzer_on_convolutions(kind):
    # Its own layers tell it that time is flattened into the batch, and keep their state from call to call.
    def network():
        def spikes():
            return SpikingLayer(sinabs_layers.IAFSqueeze(batch_size=RECORDINGS, min_v_mem=-1.0), None)

        return convolutional(kind, spikes=spikes, linear=False)

    x = counts(2, 9, 8)
    found = measure("synops", Timed(network()), x, classes=3, batch_size=RECORDINGS, registry=REGISTRY)
    analyzer = peers.analyzer(network(), torch.from_numpy(x).float().flatten(0, 1))
    layers = analyzer.get_layer_statistics()["parameter"]
    assert found["synops_hidden"].value > 0
    assert {f"net.{name}": layer["synops"].item() for name, layer in layers.items()} == by_layer(found)
    assert analyzer.get_model_statistics()["synops"].item() == found["synops"].value


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("pool", [None, nn.AvgPool2d(2)], ids=["unpooled", "averaged"])
def test_sinabs_hooks(kind, pool):
    net, x = convolutional(kind, pool), counts(2, 9, 8)
    found = measure("synops", Timed(net), x, registry=REGISTRY)
    total = peers.hooks(net, torch.from_numpy(x).float().flatten(0, 1))
    assert found["synops_hidden"].value > 0
    assert found["multiply_accumulates"].value == 0
    assert total * STEPS == pytest.approx(found["synops"].value, rel=1e-6)  # a mean in single precision
    assert round(total * STEPS * RECORDINGS) == found["synops"].value * RECORDINGS


def networks_of_every_dimension():
    random = torch.Generator().manual_seed(0)
    for space, kind in enumerate((nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        shape = (2, *(5, 4, 4)[:space])
        if space == 0:
            net = [whole_weights(nn.Linear(2, 4), random), SpikingLayer(Neurons(0, 1), None)]
        else:
            more = {"stride": 2, "padding": 1, "groups": 2}
            net = [whole_weights(kind(2, 4, 3, **more), random), SpikingLayer(Neurons(0, 1), None), nn.Flatten()]
        elements = nn.Sequential(*net)(torch.zeros(1, *shape)).shape[1]
        yield pytest.param(
            nn.Sequential(*net, whole_weights(nn.Linear(elements, 3), random), passing()), shape, id=kind.__name__
        )


@pytest.mark.parametrize(("net", "shape"), list(networks_of_every_dimension()))
@pytest.mark.parametrize("size", [1, RECORDINGS])
def test_neurobench_on_spikes(net, shape, size):
    """One spike an element is an accumulate for both; weights of zero are none for either."""
    model, x = Timed(net), counts(*shape, most=1)
    found = measure("synops", model, x, registry=REGISTRY)
    theirs = peers.neurobench(model, torch.from_numpy(x).float(), batch_size=size)["SynapticOperations"]
    assert found["synops_hidden"].value > 0
    assert theirs["Effective_ACs"] == found["accumulates"].value == found["synops"].value
    assert theirs["Effective_MACs"] == found["multiply_accumulates"].value == 0


@pytest.mark.parametrize(("net", "shape"), list(networks_of_every_dimension()))
def test_neurobench_on_active_elements(net, shape):
    """Where counts above one are about, it counts elements, and its two figures together are our active operations."""
    model, x = Timed(net), counts(*shape, rate=1.5)
    found = measure("synops", model, x, registry=REGISTRY)
    theirs = peers.neurobench(model, torch.from_numpy(x).float(), batch_size=RECORDINGS)["SynapticOperations"]
    assert found["synops"].value > found["synops_active"].value
    assert theirs["Effective_ACs"] + theirs["Effective_MACs"] == found["synops_active"].value


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_spikingjelly_on_spikes_and_weights_that_are_neither_zero_nor_one(kind):
    net = convolutional(kind, spikes=lambda: SpikingLayer(Neurons(0, 1), None))
    x = counts(2, 9, 8, most=1)
    found = measure("synops", Timed(net), x, registry=REGISTRY)
    assert found["synops_hidden"].value > 0
    assert peers.spikingjelly(Timed(net), torch.from_numpy(x).float()) == found["synops"].value * RECORDINGS
