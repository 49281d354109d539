"""Initial weights: one rule for every neuron, drawn without the backend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from samples import frames, specification

from harness import Registry
from harness.errors import UsageError
from harness.initialisation import initialise
from harness.model import build, build_reference, spiking_layers, weight_layers

REGISTRY = Registry.discover()


def start(spec, seed=0, given=None, classes=20):
    given = given or frames()
    model = build(REGISTRY, spec, (140,), classes)
    sentences = initialise(model, REGISTRY, spec, given, np.arange(len(given)), seed)
    return model, sentences


def weights(model):
    return {name: module.weight.detach().clone() for name, module in weight_layers(model).items()}


def outputs(model, given):
    seen = {}
    for name, layer in spiking_layers(model).items():
        layer.register_forward_hook(lambda module, x, out, name=name: seen.update({name: out.detach()}))
    with torch.no_grad():
        model(torch.from_numpy(given.frames.astype(np.float32)))
    return seen


def rates(model, given):
    return {name: float(spikes.mean()) for name, spikes in outputs(model, given).items()}


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("rate", [0.02, 0.1])
@pytest.mark.parametrize("neuron", ["iaf", "lif", "alif"])
def test_every_layer_of_every_neuron_starts_at_the_stated_rate(neuron, rate, recurrent):
    spec = specification(neuron, {"hidden": (24, 16), "recurrent": recurrent}, init_rate=rate)
    model, sentences = start(spec)
    assert sentences == []
    for measured in rates(model, frames()).values():
        assert measured == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("at_once", [2**22, 2**12], ids=["at once", "in parts"])
def test_steps_that_pad_recordings_decide_nothing(monkeypatch, at_once):
    """The same recordings in longer arrays start alike, and fire at the stated rate over their own steps."""
    monkeypatch.setattr("harness.initialisation._AT_ONCE", at_once)
    lengths = np.arange(60) % 7 + 8
    short = frames(steps=14, lengths=lengths)
    padded = np.pad(short.frames, [(0, 0), (0, 50), (0, 0)])
    spec = specification(network={"hidden": (24, 16)}, init_rate=0.1)
    model, sentences = start(spec, given=short)
    longer, _ = start(spec, given=replace(short, frames=padded))
    for name, value in weights(model).items():
        torch.testing.assert_close(value, weights(longer)[name], rtol=1e-5, atol=0)
    assert sentences == []
    real = torch.from_numpy(np.arange(14) < lengths[:, None])
    for spikes in outputs(model, short).values():
        assert float(spikes[real].mean()) == pytest.approx(0.1, rel=0.1)


def test_backends_start_bit_equal_and_seeds_differ():
    first, _ = start(specification())
    second, _ = start(specification(backend={"layout": "flattened"}))
    other, _ = start(specification(), seed=1)
    for name, value in weights(first).items():
        assert torch.equal(value, weights(second)[name])
        assert not torch.equal(value, weights(other)[name])


def test_torchs_own_start_is_the_same_for_all_neurons_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, _ = start(specification("lif", init="torch"))
    assert torch.equal(torch.rand(3), expected)
    second, _ = start(specification("iaf", init="torch"))
    for name, value in weights(first).items():
        assert torch.equal(value, weights(second)[name])
        assert float(value.abs().max()) <= value.shape[1] ** -0.5


def test_a_rate_that_cannot_be_reached_is_said():
    _, sentences = start(specification("iaf", init_rate=0.99, neuron_values={"tau_syn": None}))
    assert sentences
    assert "not 0.99" in sentences[0]


def test_silent_recordings_are_said():
    silent = frames()
    silent.frames[:] = 0
    _, sentences = start(specification(), given=silent)
    assert any("starts at 0 spikes" in sentence for sentence in sentences)


def test_the_reference_network_has_the_same_weights_by_name():
    spec = specification(network={"hidden": (8, 8), "recurrent": True})
    assert list(weight_layers(build(REGISTRY, spec, (140,), 20))) == list(
        weight_layers(build_reference(REGISTRY, spec, (140,), 20))
    )


def test_a_neuron_without_a_definition_needs_another_start(tmp_path):
    from harness import Neuron

    class Plugin:
        component = Neuron(name="mystery", summary="s")

    class Stub:
        @staticmethod
        def find(name):
            return Plugin if name == "lif" else REGISTRY.find(name)

    with pytest.raises(UsageError, match=r"mystery has no reference, .* recipe\.init=torch"):
        build_reference(Stub, specification(), (140,), 20)
