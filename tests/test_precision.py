"""Mixed precision: weight layers are narrow, neurons and everything else are not, and old specifications stay what they were."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import frames, specification

from harness import Registry, recipe
from harness.evaluation import evaluate, run_batches
from harness.events.splits import hold_out
from harness.initialisation import initialise
from harness.model import build, spiking_layers
from harness.precision import in_precision, loss_scaler
from harness.specification import Specification, stated
from harness.training import fit

REGISTRY = Registry.discover()
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}
BASELINE = Path(__file__).parents[1] / "results" / "baselines" / "synthetic.json"


@pytest.fixture(autouse=True)
def one_thread():
    """Steps of tiny networks on several threads of a busy machine mostly wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(precision, backend="sinabs", neuron="lif", **given):
    spec = specification(neuron, precision=precision, **given)
    spec = spec.with_backend(REGISTRY.find(backend).component.choose())
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, frames(), np.arange(60), 0)
    return spec, model


def inputs():
    return torch.from_numpy(frames().frames[:16].astype(np.float32))


@pytest.mark.parametrize("precision", sorted(NARROW))
@pytest.mark.parametrize("backend", ["sinabs", "fused"])
@pytest.mark.parametrize("neuron", ["lif", "alif"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_weight_layers_are_narrow_and_neurons_exact(precision, backend, neuron, recurrent):
    _, model = made(precision, backend, neuron, network={"hidden": (16,), "recurrent": recurrent})
    calls = {}

    def keep(name):
        return lambda module, given, out: calls.update({name: (given[0].detach(), out.detach())})

    for name, module in model.named_modules():
        module.register_forward_hook(keep(name))
    out = model(inputs())
    out.sum().backward()
    assert out.dtype == torch.float32
    assert calls["weights.0"][1].dtype == NARROW[precision]
    layers = spiking_layers(model)
    for name, layer in layers.items():
        current, spikes = calls[name]
        assert (current.dtype, spikes.dtype) == (NARROW[precision], torch.float32)
        with torch.no_grad():  # outside of the network nothing is narrowed
            assert torch.equal(layer(current.float()), spikes)
    assert all(item.dtype == item.grad.dtype == torch.float32 for item in model.parameters() if item.requires_grad)


def test_the_weights_and_their_names_do_not_depend_on_the_precision():
    states = {precision: made(precision)[1].state_dict() for precision in ("float32", "bfloat16", "float16")}
    for state in states.values():
        assert list(state) == list(states["float32"])
        assert all(torch.equal(value, states["float32"][name]) for name, value in state.items())


def test_float32_is_the_network_as_it_was_made():
    layer = torch.nn.Linear(3, 2)
    assert in_precision(layer, "float32") is layer
    assert type(layer) is torch.nn.Linear
    assert in_precision(layer, "bfloat16") is layer
    assert isinstance(layer, torch.nn.Linear)
    assert type(layer).__name__ == "Linear"


def test_a_copy_computes_alike_and_with_its_own_weights():
    _, model = made("bfloat16")
    other = copy.deepcopy(model)
    assert torch.equal(other(inputs()), model(inputs()))
    with torch.no_grad():
        next(iter(other.parameters())).zero_()
    assert not torch.equal(other(inputs()), model(inputs()))


@pytest.mark.parametrize("precision", sorted(NARROW))
def test_it_learns_and_repeats_to_the_last_bit(precision):
    spec, _ = made(precision, "fused", epochs=6)
    given, curves, states = frames(120, classes=4), [], []
    for _ in range(2):
        train, held, _ = hold_out(given.labels, given.groups, given.recordings, 0.2, 0)
        _, model = made(precision, "fused", epochs=6)
        curves.append(fit(model, given, train, held, spec.recipe, seed=0).curves)
        states.append(model.state_dict())
    assert curves[0] == curves[1]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert curves[0]["train_loss"][-1] < curves[0]["train_loss"][0]
    assert curves[0]["validation_accuracy"][-1] > 0.5


@pytest.mark.parametrize("precision", sorted(NARROW))
def test_evaluation_is_in_the_same_precision_and_gives_float32(precision):
    _, model = made(precision)
    found = evaluate(model, frames(), batch_size=60)
    assert found.counts.dtype == np.float32
    with torch.no_grad():
        np.testing.assert_array_equal(found.counts, model(torch.from_numpy(frames().frames).float()).sum(1).numpy())
    views = []
    run_batches(model, frames(), batch_size=60, needs=frozenset({"spikes", "states", "layers"}), see=views.append)
    for layer in views[0].layers.values():
        if layer.spiking:
            assert layer.output.dtype == torch.float32
            assert all(value.dtype == torch.float32 for value in (layer.states or {}).values())


def test_only_float16_scales_its_loss():
    assert [loss_scaler(name, "cpu") is not None for name in ("float32", "bfloat16", "float16")] == [False, False, True]


def test_a_first_step_that_overflows_is_left_out_in_silence():
    """Warnings are errors here: the schedule must not take the step that was left out for one that was forgotten."""
    spec, model = made("float16", epochs=1)
    before = copy.deepcopy(model.state_dict())
    next(iter(model.parameters())).register_hook(lambda gradient: gradient * torch.inf)
    fit(model, frames(), np.arange(16), np.arange(0), spec.recipe, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_default_leaves_rows_and_stored_specifications_as_they_were():
    for item in json.loads(BASELINE.read_text())["configurations"]:
        found = Specification.from_json(item["specification"])
        assert found.recipe["precision"] == "float32"
        assert (found.to_json(), found.row) == (item["specification"], item["row"])


def test_another_precision_is_another_row_that_comes_back():
    plain, narrow = specification(), specification(precision="bfloat16")
    assert plain.row != narrow.row
    assert "precision" not in plain.to_json()["recipe"]["parameters"]
    for spec in (plain, narrow):
        again = Specification.from_json(json.loads(json.dumps(spec.to_json())))
        assert again == spec
        assert stated(spec.to_json())["recipe"]["parameters"]["precision"] == spec.recipe["precision"]
    assert recipe.choose()["precision"] == "float32"
