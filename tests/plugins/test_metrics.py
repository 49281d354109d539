"""Metrics against counters that visit every event, and against the faults of other counters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from harness_metrics.accuracy import Accuracy
from harness_metrics.firing_rate import FiringRate
from harness_metrics.footprint import Footprint
from harness_metrics.loss import Loss
from harness_metrics.synops import SynOps
from harness_metrics.wall_clock import WallClock
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import told, view
from samples import frames, specification
from torch import nn

from harness import LayerView, Registry, Training
from harness.evaluation import evaluate
from harness.initialisation import initialise
from harness.model import SpikingLayer, build, context
from harness.testing import measure

REGISTRY = Registry.discover()
PASS = SpikingLayer(nn.Identity(), None)


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


ON = [(entry.component, entry.component.choose()) for entry in REGISTRY.components("metric")]
MEASURED = [pair for pair in ON if not pair[0].needs & {"timing", "events"}]


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


@pytest.mark.parametrize(
    ("neuron", "values", "recurrent", "each"),
    [("iaf", {"tau_syn": None}, False, 4), ("lif", {}, False, 8), ("alif", {}, False, 12), ("lif", {}, True, 12)],
)
@pytest.mark.parametrize("backend", ["sinabs", "fused"])
def test_states_are_what_the_definition_hands_on_whatever_the_backend(neuron, values, recurrent, each, backend):
    spec = specification(neuron, {"hidden": (6,), "recurrent": recurrent}, neuron_values=values, epochs=0)
    spec = spec.with_backend(REGISTRY.find(backend).component.choose())
    model = build(REGISTRY, spec, (140,), 20)
    # Four bytes a state; the output layer has no recurrence.
    wanted = 6 * each + 20 * (each - (4 if recurrent else 0))
    assert measured(model, 60)["state_bytes"][0] == wanted


def test_peak_memory_of_training_is_told_or_why_it_is_not():
    known = Training(peak_memory_bytes=4096, memory="of the process")
    assert measure("footprint", PASS, [[[1]]], training=known)["training_peak_bytes"].value == 4096
    assert measure("footprint", PASS, [[[1]]])["training_peak_bytes"].reason == "what training took was not measured"


def test_bytes_of_parameters_follow_their_type():
    found = measure("footprint", nn.Sequential(nn.Linear(3, 2)), [[[1, 0, 2]]])
    assert (found["parameters"].value, found["parameter_bytes"].value) == (8, 32)


@given(st.integers(0, 2**31), st.booleans(), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_firing_rates_by_neuron_layer_and_class(seed, own_lengths, batch_size):
    random = np.random.default_rng(seed)
    counts, labels = random.poisson(0.6, (6, 5, 4)), random.integers(0, 3, 6)
    lengths = random.integers(1, 6, 6) if own_lengths else np.full(6, 5)
    counts[np.arange(5)[None, :] >= lengths[:, None]] = 0
    model = nn.Sequential(SpikingLayer(nn.Identity(), None), SpikingLayer(Doubled(), None))
    found = measure("firing-rate", model, counts, labels, classes=3, lengths=lengths, batch_size=batch_size)
    steps = lengths.sum()
    first, rate = counts.sum((0, 1)) / steps, found["firing_rate"]
    assert rate.arrays["layers"] == pytest.approx({"0": first.mean(), "1": 2 * first.mean()})
    assert rate.value == pytest.approx(1.5 * first.mean())
    np.testing.assert_allclose(rate.stored["neurons/1"], 2 * first, rtol=1e-6)
    for label, value in enumerate(rate.arrays["per_class"]):
        mine = labels == label
        if mine.any():
            assert value == pytest.approx(1.5 * counts[mine].sum() / 4 / lengths[mine].sum())
        else:
            assert value is None
    assert found["silent_neurons"].value == (first == 0).mean()
    shown = rate.histograms
    assert list(shown) == ["all", "0", "1"]
    assert [sum(histogram.counts) for histogram in shown.values()] == [8, 4, 4]


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


def test_wall_clock_times_are_percentiles_in_ms_by_batch_size():
    observer = WallClock()
    observer.start(nn.Identity(), told(batch_size=4))
    for seconds in (0.001, 0.002, 0.003):
        observer.batch(view(outputs=torch.zeros(1, 0, 3), seconds=seconds))
    observer.batch(view(outputs=torch.zeros(4, 0, 3), seconds=0.008))
    found = {name: value.value for name, value in observer.result().items()}
    assert found["wall_clock_p50"] == pytest.approx(2.0)
    assert found["batch_wall_clock_p50"] == pytest.approx(8.0)
    assert found["throughput"] == pytest.approx(500.0)


def test_a_percentile_needs_as_many_passes_as_it_can_tell():
    few = measure("wall-clock", PASS, [[[1]]], seconds={1: [0.001] * 20}, batch_size=1)
    assert few["wall_clock_p95"].value == pytest.approx(1.0)
    assert few["wall_clock_p99"].value is None
    assert few["wall_clock_p99"].reason == "20 passes were timed; p99 needs 100"
    many = measure("wall-clock", PASS, [[[1]]], seconds={1: [0.001] * 99 + [0.101], 4: [0.008] * 100}, batch_size=4)
    assert many["wall_clock_p99"].value == pytest.approx(1.0 + 100 * 0.01, rel=1e-9)
    assert many["batch_wall_clock_p99"].value == pytest.approx(8.0)


@pytest.mark.parametrize("make", [Accuracy, Loss, FiringRate, SynOps, Footprint, WallClock])
def test_merged_halves_equal_the_whole(make):
    module = nn.Linear(3, 1, bias=False)
    spiking_layer = SpikingLayer(nn.Identity(), None)
    random = torch.Generator().manual_seed(0)
    views = []
    for first in (0, 2):
        spikes = torch.randint(0, 3, (2, 3, 3), generator=random).float()
        layers = {"w": LayerView(module, spikes, spikes, False), "s": LayerView(spiking_layer, spikes, spikes, True)}
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
        observer.start(nn.ModuleDict({"w": nn.Linear(1, 1)}), told())
        for name, value in observer.result().items():
            assert value.title
            assert value.value is not None or value.reason
            assert value.direction in ("higher", "lower", "none")
            assert (value.kind == "noisy") == ("timing" in metric.phases or name == "training_peak_bytes")
