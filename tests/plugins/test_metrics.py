"""Metrics against counters that visit every event, and against the faults of other counters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from harness_metrics.accuracy import Accuracy
from harness_metrics.firing_rate import FiringRate
from harness_metrics.footprint import Footprint
from harness_metrics.latency import Latency
from harness_metrics.loss import Loss
from harness_metrics.synops import SynOps
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import frames, specification
from torch import nn

from harness import Context, LayerView, Registry, View
from harness.evaluation import evaluate
from harness.initialisation import initialise
from harness.model import build, context

REGISTRY = Registry.discover()
ON = [(entry.component, entry.component.choose()) for entry in REGISTRY.components("metric")]
MEASURED = [pair for pair in ON if "timing" not in pair[0].phases]


def told(weights=("w",), recurrent=(), spiking=("s",), classes=3, batch_size=4):
    return Context(
        classes=tuple(str(k) for k in range(classes)),
        split="test",
        phase="after",
        dt_ms=10.0,
        batch_size=batch_size,
        device="cpu",
        spiking_layers=tuple(spiking),
        weight_layers=tuple(weights),
        recurrent_layers=tuple(recurrent),
    )


def view(layers=None, outputs=None, labels=None, first=0, mask=None, seconds=None, size=2):
    outputs = torch.zeros(size, 3, 3) if outputs is None else outputs
    count = len(outputs)
    return View(
        outputs=outputs,
        labels=torch.zeros(count, dtype=torch.int64) if labels is None else labels,
        recordings=torch.arange(first, first + count),
        mask=mask,
        layers=layers or {},
        seconds=seconds,
    )


def synops(module, given, recurrent=None, mask=None):
    """Every figure of one batch through one weight layer."""
    observer = SynOps()
    names = ("w",)
    layers = {"w": LayerView(module, given, given, False)}
    if recurrent is not None:
        layers["r"] = LayerView(recurrent[0], recurrent[1], recurrent[1], False)
    observer.start(module, told(names, ("r",) if recurrent else ()))
    observer.batch(view(layers, torch.zeros(len(given), given.shape[1], 3), mask=mask))
    return {name: value.value for name, value in observer.result().items()}


def linear(weight):
    module = nn.Linear(len(weight[0]), len(weight), bias=False)
    module.weight.data = torch.tensor(weight)
    return module


def brute(weight, given):
    """Operations a recording, one event at a time."""
    total = active = multiply = 0
    for recording in given.tolist():
        for step in recording:
            for element, value in enumerate(step):
                fan_out = sum(row[element] != 0 for row in weight.tolist())
                whole = value == round(value)
                total += (abs(value) if whole else 1) * fan_out
                active += (value != 0) * fan_out
                multiply += (not whole) * fan_out
    return total / len(given), active / len(given), multiply / len(given)


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_synops_are_events_times_nonzero_outgoing_weights(seed, batch, steps, inputs, outputs):
    random = torch.Generator().manual_seed(seed)
    weight = torch.randint(-1, 2, (outputs, inputs), generator=random).float()
    given = torch.randint(-2, 4, (batch, steps, inputs), generator=random).float()
    given += 0.5 * (torch.rand(given.shape, generator=random) < 0.2)
    module = linear(weight.tolist())
    found = synops(module, given)
    assert (found["synops"], found["synops_active"], found["multiply_accumulates"]) == brute(weight, given)
    assert found["accumulates"] == found["synops"] - found["multiply_accumulates"]


def test_the_worked_example_of_the_documentation():
    """Two recordings, three inputs, two outputs, one weight pruned."""
    given = torch.tensor([[[1.0, 0, 2], [0, 1, 0]], [[0, 0, 0], [0, 0, 1]]])
    found = synops(linear([[0.5, 0.0, 0.1], [0.2, 0.3, 0.4]]), given)
    # Fan-outs 2, 1, 2: recording 0 has 1·2 + 2·2 + 1·1 = 7 operations, recording 1 has 2.
    assert (found["synops"], found["synops_active"]) == (4.5, 3.5)


def test_signed_events_do_not_cancel():
    assert synops(linear([[1.0, 1.0]]), torch.tensor([[[3.0, -2.0]]]))["synops"] == 5


def test_pruned_weights_are_not_counted():
    assert synops(linear([[0.0, 1.0], [0.0, 0.0]]), torch.ones(1, 1, 2))["synops"] == 1


def test_accumulate_or_multiply_is_decided_by_element_not_by_tensor():
    found = synops(linear([[1.0, 1.0]]), torch.tensor([[[1.0, 0.5], [1.0, 2.0]]]))
    assert (found["accumulates"], found["multiply_accumulates"]) == (4, 1)


def test_recurrent_weights_count_at_every_step_and_apart():
    spikes = torch.tensor([[[1.0, 0], [1, 1], [0, 1]]])
    found = synops(linear([[1.0, 1], [1, 1]]), torch.zeros(1, 3, 2), recurrent=(linear([[1.0, 1], [1, 1]]), spikes))
    assert (found["synops_recurrent"], found["synops_input"], found["synops"]) == (8, 0, 8)


def test_padded_steps_are_not_counted():
    mask = torch.tensor([[True, False]])
    assert synops(linear([[1.0]]), torch.ones(1, 2, 1), mask=mask)["synops"] == 1


def test_slices_of_one_recording_are_one_recording():
    observer = SynOps()
    module = linear([[1.0]])
    observer.start(module, told())
    for _ in range(2):
        observer.batch(
            view({"w": LayerView(module, torch.ones(1, 3, 1), torch.ones(1, 3, 1), False)}, torch.zeros(1, 3, 3))
        )
    assert observer.result()["synops"].value == 6


@pytest.mark.parametrize("module", [nn.Conv1d(2, 2, 1), nn.Bilinear(2, 2, 2)])
def test_a_layer_that_is_not_understood_is_an_error(module):
    with pytest.raises(TypeError, match=f"weight layer w is a {type(module).__name__}"):
        synops(module, torch.ones(1, 1, 2))


def test_a_weight_layer_that_was_not_seen_is_an_error():
    observer = SynOps()
    observer.start(nn.Identity(), told(("w", "hidden")))
    with pytest.raises(ValueError, match=r"\['hidden'\] were not seen"):
        observer.batch(view({"w": LayerView(linear([[1.0]]), torch.ones(2, 3, 1), torch.ones(2, 3, 1), False)}))


@pytest.fixture(scope="module")
def network():
    spec = specification(network={"hidden": (16, 8), "recurrent": True}, epochs=0)
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, frames(), np.arange(60), 0)
    return model


def measured(model, size, indices=None, given=None):
    where = context(
        model,
        classes=[str(k) for k in range(20)],
        split="test",
        phase="after",
        dt_ms=10.0,
        batch_size=size,
        device="cpu",
    )
    rows = evaluate(model, given or frames(), indices, batch_size=size, context=where, metrics=MEASURED).metrics
    assert not [row for row in rows if "error" in row]
    return {row["name"]: (row["value"], row["arrays"]) for row in rows}


def test_no_batch_size_and_no_order_changes_a_digit(network):
    whole = measured(network, 60)
    assert whole["synops"][0] > 0
    for size, order in ((1, None), (7, None), (60, np.random.default_rng(0).permutation(60))):
        other = measured(network, size, order)
        for name, (value, arrays) in whole.items():
            if name == "loss":
                assert other[name][0] == pytest.approx(value, rel=1e-12)
            else:
                assert other[name] == (value, arrays), name


@pytest.mark.parametrize("fill", [0, 255])
def test_silent_and_saturated_input_give_figures(network, fill):
    given = frames()
    given.frames[:] = fill
    found = measured(network, 16, given=given)
    assert np.isfinite(found["synops"][0])
    if fill == 0:
        assert (found["synops"][0], found["firing_rate"][0], found["silent_neurons"][0]) == (0, 0, 1)


def test_footprint_counts_what_is_there(network):
    found = measured(network, 60)
    expected = 140 * 16 + 16 * 8 + 8 * 20 + 16 * 16 + 8 * 8
    assert (found["parameters"][0], found["nonzero_weights"][0], found["neurons"][0]) == (expected, expected, 44)


def spiking(spikes):
    return {"s": LayerView(nn.Identity(), spikes, spikes, True)}


def test_firing_rate_is_spikes_per_neuron_and_step():
    observer = FiringRate()
    observer.start(nn.Identity(), told())
    spikes = torch.zeros(2, 3, 4)
    spikes[0, :, 0] = 1
    spikes[1, :, 0] = 1
    spikes[1, 2, 1] = 2
    observer.batch(view(spiking(spikes)))
    found = {name: value.value for name, value in observer.result().items()}
    assert found["firing_rate"] == 8 / (4 * 6)
    assert found["firing_rate_hz"] == pytest.approx(found["firing_rate"] * 100)
    assert (found["silent_neurons"], found["saturated_neurons"]) == (0.5, 0.25)


def test_padded_steps_do_not_dilute_the_rate():
    observer = FiringRate()
    observer.start(nn.Identity(), told())
    spikes, mask = torch.ones(1, 4, 2), torch.tensor([[True, True, False, False]])
    observer.batch(view(spiking(spikes), torch.zeros(1, 4, 3), mask=mask))
    assert observer.result()["firing_rate"].value == 1.0


def test_without_spiking_layers_there_is_a_reason_not_a_zero():
    observer = FiringRate()
    observer.start(nn.Identity(), told(spiking=()))
    observer.batch(view())
    value = observer.result()["firing_rate"]
    assert value.value is None
    assert value.reason == "no spiking layer was seen"


def test_accuracy_counts_the_first_class_on_a_tie():
    observer = Accuracy()
    observer.start(nn.Identity(), told())
    outputs = torch.zeros(3, 1, 3)
    outputs[0, 0, 2] = outputs[1, 0, 1] = 1
    observer.batch(view(outputs=outputs, labels=torch.tensor([2, 2, 0])))
    value = observer.result()["accuracy"]
    assert value.value == pytest.approx(2 / 3)
    assert value.arrays["confusion"] == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert value.arrays["per_class"] == [1.0, None, 0.5]


def test_loss_is_the_mean_over_recordings_whatever_the_batches():
    outputs, labels = torch.rand(5, 4, 3), torch.tensor([0, 1, 2, 1, 0])
    observer = Loss()
    observer.start(nn.Identity(), told())
    observer.batch(view(outputs=outputs[:4], labels=labels[:4]))
    observer.batch(view(outputs=outputs[4:], labels=labels[4:]))
    expected = nn.functional.cross_entropy(outputs.sum(1).double(), labels)
    assert observer.result()["loss"].value == pytest.approx(float(expected))


def test_latency_is_percentiles_in_ms_by_batch_size():
    observer = Latency()
    observer.start(nn.Identity(), told(batch_size=4))
    for seconds in (0.001, 0.002, 0.003):
        observer.batch(view(outputs=torch.zeros(1, 0, 3), seconds=seconds))
    observer.batch(view(outputs=torch.zeros(4, 0, 3), seconds=0.008))
    found = {name: value.value for name, value in observer.result().items()}
    assert found["latency_p50"] == pytest.approx(2.0)
    assert found["batch_latency_p50"] == pytest.approx(8.0)
    assert found["throughput"] == pytest.approx(500.0)


@pytest.mark.parametrize("make", [Accuracy, Loss, FiringRate, SynOps, Footprint, Latency])
def test_merged_halves_equal_the_whole(make):
    module = linear([[1.0, 0.0, 1.0]])
    random = torch.Generator().manual_seed(0)
    views = []
    for first in (0, 2):
        spikes = torch.randint(0, 3, (2, 3, 3), generator=random).float()
        layers = {"w": LayerView(module, spikes, spikes, False), "s": LayerView(module, spikes, spikes, True)}
        views.append(view(layers, spikes, torch.tensor([0, 2]), first, seconds=0.001 * (first + 1)))
    whole, first, second = make(), make(), make()
    modules = nn.ModuleDict({"w": module})
    for observer in (whole, first, second):
        observer.start(modules, told(batch_size=2))
    for item in views:
        whole.batch(item)
    first.batch(views[0])
    second.batch(views[1])
    first.merge(second)
    assert {n: v.to_json() for n, v in first.result().items()} == {n: v.to_json() for n, v in whole.result().items()}


def test_every_figure_declares_what_it_is():
    for metric, choice in ON:
        from harness.components import load_reference

        observer = load_reference(metric.observer)(**choice.values)
        observer.start(nn.ModuleDict({"w": linear([[1.0]])}), told())
        for value in observer.result().values():
            assert value.title
            assert value.value is not None or value.reason
            assert value.direction in ("higher", "lower", "none")
            assert (value.kind == "noisy") == ("timing" in metric.phases)
