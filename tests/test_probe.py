"""Networks of plugins that cannot be trained, evaluated or labelled: one line each, before anything is trained."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from odd_network import ODD
from samples import frames, specification

from harness import Registry
from harness.errors import PluginError, TrainingError
from harness.foreign import ForeignExit
from harness.initialisation import initialise, seed_of_weights
from harness.model import build
from harness.probe import probe
from harness.training import fit

GIVEN = frames(count=20, steps=6)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    path = tmp_path_factory.mktemp("odd") / "odd.py"
    path.write_text(ODD)
    yield Registry.discover(files=[path])
    del sys.modules["odd"]


def built(registry, fault, seed=0, **recipe):
    spec = specification("lif", **recipe)
    spec = replace(spec, network=registry.find("odd").component.choose(fault=fault))
    with torch.random.fork_rng():
        torch.manual_seed(seed_of_weights(spec, (140,), seed))
        return spec, build(registry, spec, (140,), 20)


def probed(registry, fault, *, trained=True):
    spec, model = built(registry, fault)
    return probe(model, spec, GIVEN, classes=20, device="cpu", trained=trained)


@pytest.mark.parametrize("fault", ["none", "in-place", "frozen", "brings", "constant"])
def test_a_sound_network_passes_in_silence(registry, fault):
    assert probed(registry, fault) == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("ignores", "network odd runs no spiking layer, so that its results would say nothing about lif on sinabs"),
        ("unused", "its output does not depend on the spiking layers that it runs"),
        ("tuple", "expected a tensor (batch, time, classes) = (2, 6, 20) as output, got a tuple"),
        ("rank", "expected an output of shape (batch, time, classes) = (2, 6, 20), got (2, 20)"),
        ("outputs", "expected an output of shape (batch, time, classes) = (2, 6, 20), got (2, 6, 23)"),
        ("few", "expected an output of shape (batch, time, classes) = (2, 6, 20), got (2, 6, 17)"),
        ("time", "expected an output of shape (batch, time, classes) = (2, 6, 20), got (2, 5, 20)"),
        ("integers", "expected an output of a float type, got torch.int64"),
        ("meta", "expected an output on cpu, got one on meta"),
        ("returns-none", "network odd: build returned None, not a torch.nn.Module"),
        ("no-module", "network odd: build returned a function, not a torch.nn.Module"),
        ("shape", "spikes was made for (batch, time, 9), got a tensor of shape (2, 6, 8)"),
        ("int-shape", "spiking_layer expects the shape of one time step of one recording, such as (64,), got 8"),
        ("recurrent", "the recurrent weights of spikes are no submodule of the network"),
        ("detached", "its output has no gradient, so nothing can be trained; evaluate it with --epochs 0"),
    ],
)
def test_a_network_that_cannot_be_used_is_one_line(registry, fault, sentence):
    with pytest.raises(PluginError) as caught:
        probed(registry, fault)
    assert str(caught.value).startswith("network odd")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_output_without_gradient_may_be_evaluated(registry):
    assert probed(registry, "detached", trained=False) == []


def test_a_network_that_ends_the_process_raises_an_ordinary_error(registry):
    with pytest.raises(ForeignExit, match=r"SystemExit: 3 \(odd.py:"):
        built(registry, "exits")


def test_layers_that_never_run_and_neurons_of_other_libraries_are_named(registry):
    assert probed(registry, "idle") == ["network odd: spiking layers that never run: spikes"]
    assert probed(registry, "own") == ["network odd has neurons of its own besides lif on sinabs: mine (IAF)"]


def test_a_probe_draws_nothing_from_the_generator(registry):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    probed(registry, "none")
    assert torch.equal(before, torch.get_rng_state())


# --- weights that a network brings


def started(registry, fault, init, seed=0):
    spec, model = built(registry, fault, seed, init=init)
    _, other = built(registry, fault, seed + 1000, init=init)
    sentences = initialise(model, registry, spec, GIVEN, np.arange(len(GIVEN)), seed, classes=20, other=other)
    return model, sentences


def test_keep_leaves_every_weight_as_the_network_was_built(registry):
    model, sentences = started(registry, "brings", "keep")
    assert sentences == []
    assert torch.equal(model.first.weight, torch.linspace(-1, 1, 8 * 140).reshape(8, 140))


def test_under_keep_what_the_network_draws_depends_on_the_seed_alone(registry):
    first, again, another = (started(registry, "none", "keep", seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first.first.weight, again.first.weight)
    assert not torch.equal(first.first.weight, another.first.weight)


@pytest.mark.parametrize(
    ("fault", "init", "named"),
    [
        ("brings", "calibrated", "first.weight"),
        ("brings", "torch", "first.weight"),
        ("frozen", "calibrated", "first.weight, first.bias"),
        ("none", "calibrated", None),
        ("none", "torch", None),
        ("constant", "calibrated", None),
        ("constant", "torch", None),
    ],
)
def test_weights_of_the_network_are_not_replaced_without_a_word(registry, fault, named, init):
    _, sentences = started(registry, fault, init)
    expected = (
        f"initialisation: init={init} replaces weights that the network odd brings ({named}); "
        f"keep them with -o recipe.init=keep"
    )
    assert [sentence for sentence in sentences if "brings" in sentence] == ([expected] if named else [])


@pytest.mark.parametrize("init", ["calibrated", "torch", "keep"])
def test_a_network_without_weights_is_evaluated_and_not_trained(registry, init):
    model, sentences = started(registry, "weightless", init)
    assert sentences == []
    everything, nothing = np.arange(len(GIVEN)), np.arange(0)
    fitted = fit(model, GIVEN, everything, nothing, specification(epochs=0).recipe, seed=0)
    assert (fitted.selected_epoch, fitted.epochs_trained) == (0, 0)
    with pytest.raises(TrainingError, match="no parameters to train; evaluate it as it is with --epochs 0"):
        fit(model, GIVEN, everything, nothing, specification(epochs=1).recipe, seed=0)


# --- neurons that a reference alone defines


def test_a_neuron_with_a_reference_alone_is_trained_within_its_range(registry):
    mine = registry.find("mine").component
    spec = replace(
        specification(epochs=3, learning_rate=10.0, schedule="constant"),
        neuron=mine.choose(),
        backend=registry.find("definition").component.choose(),
    )
    model = build(registry, spec, (140,), 20)
    initialise(model, registry, spec, GIVEN, np.arange(len(GIVEN)), 0, classes=20)
    fit(model, GIVEN, np.arange(len(GIVEN)), np.arange(0), spec.recipe, seed=0)
    leaks = [float(value.detach()) for name, value in model.named_parameters() if name.endswith("leak")]
    lowest, highest = mine.parameters[0].trained_range(0.9)
    assert (lowest, highest) == (pytest.approx(0.009), 1.0)
    assert leaks
    assert all(lowest - 1e-7 <= leak <= highest for leak in leaks)
    assert any(leak in (np.float32(lowest), highest) for leak in leaks)
