"""sinabs and fused beside each other: one start, equal spikes, equal training for as long as rounding lets it be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import frames, specification
from torch import nn

import harness
from harness import Registry
from harness.components import load_reference
from harness.evaluation import batch_of
from harness.initialisation import initialise
from harness.model import build, spiking_layers
from harness.observation import readout
from harness.seen import layers_seen
from harness.testing.rules import spikes_differ

NEURONS = ("iaf", "lif", "alif")
RECORDINGS = frames(count=120, steps=40)


def models(neuron, network=None, values=None):
    """The same network on either backend, as a trial of seed 0 starts."""
    registry = Registry.discover()
    made = {}
    for backend in ("sinabs", "fused"):
        spec = specification(neuron, network=network, neuron_values=values)
        spec = type(spec)(**{**vars(spec), "backend": registry.find(backend).component.choose()})
        torch.manual_seed(0)
        made[backend] = build(registry, spec, (140,), 20)
        initialise(made[backend], registry, spec, RECORDINGS, np.arange(len(RECORDINGS)), 0)
    return made


@pytest.mark.parametrize("network", [{"hidden": (32, 16)}, {"hidden": (32,), "recurrent": True}])
@pytest.mark.parametrize("values", [{}, {"train_taus": True, "spikes": "multi"}])
@pytest.mark.parametrize("neuron", NEURONS)
def test_weights_are_equal_and_so_are_spikes_before_training(neuron, values, network):
    both = models(neuron, network, values)
    for (name, mine), (_, theirs) in zip(
        both["fused"].weights.named_parameters(), both["sinabs"].weights.named_parameters(), strict=True
    ):
        assert torch.equal(mine, theirs), name
    inputs, _, _ = batch_of(RECORDINGS, np.arange(32), "cpu")
    with torch.no_grad(), layers_seen(both["sinabs"]) as seen:
        seen.begin(inputs)
        both["sinabs"](inputs)
        views = seen.views()
        for name, layer in spiking_layers(both["fused"]).items():
            # Layer by layer on one current, so that a spike that rounding moved in one layer does not blur the next.
            view = views[name]
            neuron_of = layer.inner.neuron
            weights = None if layer.recurrent is None else layer.recurrent.double()
            exact = load_reference(Registry.discover().find(neuron).component.reference)(
                neuron_of, view.input.shape[2:], weights
            ).double()
            margins = exact.margins(view.input.double())
            expected = exact(view.input.double())
            if weights is not None:
                weights.float()
            assert expected.sum() > 0
            for spikes in (view.output, layer(view.input)):
                assert spikes_differ(spikes, expected, margins, feedback=weights is not None) is None, name


@pytest.mark.parametrize("neuron", NEURONS)
def test_the_first_ten_losses_agree(neuron):
    losses = {}
    for backend, model in models(neuron, {"hidden": (32, 16)}, {"train_taus": True}).items():
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        losses[backend] = []
        for step in range(10):
            inputs, labels, mask = batch_of(RECORDINGS, np.arange(step * 12, step * 12 + 12), "cpu")
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(readout(model(inputs), mask), labels)
            loss.backward()
            optimiser.step()
            losses[backend].append(float(loss.detach()))
    assert losses["fused"] == pytest.approx(losses["sinabs"], abs=1e-4)
    assert len(set(losses["fused"])) == 10


def test_after_training_the_backends_differ_less_than_seeds_do(tmp_path):
    frame = harness.run(
        "shd-synthetic,lif,sinabs,fused,accuracy",
        {"mlp.hidden": "[32]", "recipe.batch_size": 32},
        seeds=4,
        epochs=4,
        limit=120,
        timing=False,
        plots=False,
        results=tmp_path,
        quiet=True,
    )
    assert set(frame["status"]) == {"ok"}
    by_backend = frame.groupby("backend")["train.accuracy"]
    assert set(by_backend.groups) == {"sinabs", "fused"}
    means, spread = by_backend.mean(), by_backend.std().max()
    assert spread > 0
    assert abs(means["fused"] - means["sinabs"]) < spread
