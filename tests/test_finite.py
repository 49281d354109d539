"""Training keeps neuron parameters in range, and what is not finite is no result."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import frames, specification
from torch import nn

from harness import Registry
from harness.components import load_reference
from harness.errors import TrainingError
from harness.finite import FiniteCheck, NotFiniteError, check_states
from harness.initialisation import initialise
from harness.model import SpikingLayer, build, spiking_layers, trained_ranges
from harness.training import Step, fit

REGISTRY = Registry.discover()
GIVEN = frames(count=40, steps=12)
TRAIN, HELD = np.arange(32), np.arange(32, 40)
BACKENDS = ("sinabs", "fused", "definition")
TAUS = ("tau_syn", "tau_mem", "tau_adapt")


def made(backend="fused", neuron="lif", values=None, **recipe):
    spec = specification(neuron, network={"hidden": (6,)}, neuron_values=values, **recipe)
    spec = spec.with_backend(REGISTRY.find(backend).component.choose())
    torch.manual_seed(0)
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, GIVEN, TRAIN, 0, classes=20)
    return spec, model


def taus(model):
    return {name: value for name, value in model.named_parameters() if name.rpartition(".")[2] in TAUS}


# --- parameters in range


@pytest.mark.parametrize("neuron", ["iaf", "lif", "alif"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_time_constants_stay_in_range_whatever_the_step(backend, neuron):
    spec, model = made(backend, neuron, {"train_taus": True}, learning_rate=10.0, batch_size=8)
    fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)
    found = [float(value.detach()) for value in taus(model).values()]
    assert all(tau >= np.float32(0.01) for tau in found)
    assert np.float32(0.01) in found or neuron == "iaf"  # whose constants grow here


@given(
    start=st.floats(0.05, 20.0), rate=st.sampled_from([0.05, 0.5, 5.0]), neuron=st.sampled_from(["iaf", "lif", "alif"])
)
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
def test_a_time_constant_a_neuron_stays_in_range_from_any_start(start, rate, neuron):
    values = {"train_taus": True, "taus": "neuron", "tau_syn": start}
    spec, model = made("fused", neuron, values, learning_rate=rate, batch_size=8, epochs=2)
    fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)
    lowest = np.float32(min(0.01, start / 100))
    for name, value in taus(model).items():
        assert bool((value >= (lowest if name.endswith("tau_syn") else np.float32(0.01))).all()), name


def test_backends_and_the_definition_agree_on_ranges():
    neuron = REGISTRY.find("alif").component
    chosen = neuron.choose(train_taus=True)
    expected = {"tau_syn": (0.01, None), "tau_mem": (0.01, None), "tau_adapt": (0.01, None)}
    for backend in BACKENDS:
        inner = REGISTRY.find(backend).component.layer_of(neuron)(chosen, (3,), None)
        ranges = trained_ranges(neuron, chosen, inner)
        assert {name.rpartition(".")[2]: ends for name, ends in ranges.items()} == expected, backend
    lif = REGISTRY.find("lif").component
    exodus = load_reference("harness_exodus.layer:layer")(lif.choose(train_taus=True), (3,))
    assert trained_ranges(lif, lif.choose(), exodus) == {"tau_syn": (0.01, None), "tau_mem": (0.01, None)}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_inside_the_range_is_the_optimisers_to_the_bit(backend):
    results = []
    for projected in (True, False):
        values = {"train_taus": True, "taus": "layer" if backend == "sinabs" else "neuron"}
        spec, model = made(backend, "alif", values, learning_rate=0.01)
        step = Step(model, spec.recipe, 8)
        assert len(step.ranged) == 6
        if not projected:
            step.ranged = []
        inputs = torch.from_numpy(GIVEN.frames[:16].astype(np.float32))
        for _ in range(8):
            step(inputs, torch.from_numpy(GIVEN.labels[:16]), None)
        results.append({name: value.clone() for name, value in model.state_dict().items()})
    assert all(torch.equal(value, results[1][name]) for name, value in results[0].items())
    started = taus(made(backend, "alif", values)[1])
    assert any(not torch.equal(value, started[name]) for name, value in taus(model).items())


def test_a_range_of_a_parameter_that_is_not_trained_costs_nothing():
    spec, model = made()
    assert any(layer.ranges for layer in spiking_layers(model).values())
    assert Step(model, spec.recipe, 1).ranged == []


# --- what is not finite


def test_a_learning_rate_that_overflows_the_step_is_one_line():
    spec, model = made(learning_rate=1e38)
    with pytest.raises(TrainingError, match=r"^a step of the optimiser overflows float32 in epoch 1; try a smaller"):
        fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("rate", [1e25, 1e30, 1e36, 1e37, 1e38, 1e300])
def test_no_learning_rate_leaves_anything_that_is_not_finite(optimiser, rate):
    spec, model = made(optimiser=optimiser, learning_rate=rate, epochs=2)
    message = ""
    try:
        fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)
        check_states(model, GIVEN, batch_size=8, device="cpu")
    except TrainingError as error:
        message = str(error)
    assert "\n" not in message
    assert message or FiniteCheck(model).first() is None
    assert message or rate < 1e38


def poisoned(model, name, when):
    """Set the parameter ``name`` to NaN after ``when`` calls of the model in training."""
    calls = []

    def hook(module, given, out):
        calls.append(1)
        if module.training and len(calls) == when:
            with torch.no_grad():
                module.get_parameter(name).fill_(float("nan"))

    model.register_forward_hook(hook)


def test_a_parameter_that_is_not_finite_is_named_with_its_epoch():
    spec, model = made(values={"train_taus": True}, epochs=1, batch_size=32)
    poisoned(model, "spiking.0.inner.tau_mem", 1)
    with pytest.raises(NotFiniteError, match=r"^spiking.0.inner.tau_mem is not finite after epoch 1; try a smaller"):
        fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)


def test_a_refit_is_checked_as_the_first_training_is():
    spec, model = made(values={"train_taus": True}, epochs=1, batch_size=64, refit=True)
    poisoned(
        model, "spiking.1.inner.tau_syn", 3
    )  # the first step of the refit: one of training and one of validation before
    with pytest.raises(NotFiniteError, match=r"^spiking.1.inner.tau_syn is not finite after epoch 1"):
        fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)


def test_a_validation_loss_that_is_not_finite_fails():
    spec, model = made(epochs=1)
    model.register_forward_hook(lambda module, given, out: out if module.training else out * float("nan"))
    with pytest.raises(NotFiniteError, match=r"^the validation loss is not finite in epoch 1"):
        fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)


def test_a_buffer_that_training_spoils_fails_and_a_constant_does_not():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    model.frozen = nn.Parameter(torch.tensor(torch.inf), requires_grad=False)
    check = FiniteCheck(model)
    check(0)
    model[1].running_var.fill_(torch.inf)
    with pytest.raises(NotFiniteError, match=r"^1.running_var is not finite after epoch 2"):
        check(2)


def test_a_weight_that_starts_without_a_value_fails_before_training():
    spec, model = made()
    with torch.no_grad():
        model.weights[0].weight[0, 0] = torch.nan
    with pytest.raises(NotFiniteError, match=r"^weights.0.weight is not finite before training"):
        fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)


def test_gradients_of_float16_that_never_become_finite_fail():
    spec, model = made(precision="float16", epochs=20, batch_size=32)
    next(iter(model.parameters())).register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(NotFiniteError, match=r"^gradients are not finite in every step up to epoch 17; .*bfloat16"):
        fit(model, GIVEN, TRAIN, HELD, spec.recipe, seed=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("neuron", ["iaf", "lif", "alif"])
def test_a_membrane_that_overflows_in_silence_fails(backend, neuron):
    """Without a floor it goes to minus infinity: no spike, no loss, no weight that is not finite."""
    _, model = made(backend, neuron, {"v_min": None})
    with torch.no_grad():
        model.weights[0].weight.fill_(-1e38)
    inputs = torch.from_numpy(GIVEN.frames.astype(np.float32))
    with torch.no_grad():
        assert bool(torch.isfinite(model(inputs)).all())
    with pytest.raises(NotFiniteError, match=r" of spiking.0 is not finite after training; try a smaller"):
        check_states(model, GIVEN, batch_size=16, device="cpu")


def test_a_layer_without_states_is_checked_by_what_it_receives():
    class Silent(nn.Module):
        def forward(self, x):
            return torch.zeros_like(x)

    model = nn.Sequential(nn.Linear(140, 20), SpikingLayer(Silent(), None))
    check_states(model, GIVEN, batch_size=16, device="cpu")
    with torch.no_grad():
        model[0].weight.fill_(1e38)
    with pytest.raises(NotFiniteError, match=r"^input of 1 is not finite"):
        check_states(model, GIVEN, batch_size=16, device="cpu")


@pytest.mark.parametrize("backend", BACKENDS)
def test_sound_states_pass_and_a_check_leaves_the_model_as_it_was(backend):
    _, model = made(backend, "alif", {"spikes": "multi"})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    check_states(model, GIVEN, batch_size=16, device="cpu")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(layer._forward_hooks for layer in spiking_layers(model).values())
