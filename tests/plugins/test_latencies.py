"""First-spike, anytime and decision latency against counters that walk every sample step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from harness.model import SpikingLayer
from harness.testing import measure

PASS = SpikingLayer(nn.Identity(), None)


@st.composite
def spikes(draw):
    """Output spikes (B, T, C), labels, and real lengths or None; some samples silent."""
    batch, steps, classes = draw(st.integers(1, 6)), draw(st.integers(1, 7)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    counts = random.poisson(draw(st.sampled_from([0.1, 0.5, 2.0])), (batch, steps, classes))
    counts[random.random(batch) < 0.2] = 0
    lengths = random.integers(1, steps + 1, batch) if draw(st.booleans()) else None
    if lengths is not None:
        counts[np.arange(steps)[None, :] >= lengths[:, None]] = 0
    return counts, random.integers(0, classes, batch), lengths, draw(st.integers(1, batch))


def told(name, case, **parameters):
    counts, labels, lengths, batch_size = case
    return measure(
        name,
        PASS,
        counts,
        labels,
        lengths=lengths,
        batch_size=batch_size,
        classes=counts.shape[2],
        dt_ms=5.0,
        **parameters,
    )


def growing(case):
    """For each sample: predictions, margins and spikes after every real step, the slow way."""
    counts, _, lengths, _ = case
    for index, sample in enumerate(counts.tolist()):
        total, predictions, margins, spiked = [0] * len(sample[0]), [], [], []
        for row in sample[: None if lengths is None else lengths[index]]:
            total = [a + b for a, b in zip(total, row, strict=True)]
            ranked = sorted(total, reverse=True)
            predictions.append(total.index(ranked[0]))
            margins.append(ranked[0] - ranked[1])
            spiked.append(sum(row) > 0)
        yield predictions, margins, spiked


@given(spikes())
@settings(max_examples=80, deadline=None)
def test_the_first_spike_is_the_first_step_with_an_output_spike(case):
    first = [spiked.index(True) + 1 for _, _, spiked in growing(case) if any(spiked)]
    found = told("first-spike", case)
    samples = len(case[0])
    assert found["never_spikes"].value == (samples - len(first)) / samples
    if first:
        assert found["first_spike_steps"].value == sum(first) / len(first)
        assert found["first_spike_ms"].value == pytest.approx(5.0 * sum(first) / len(first))
        assert sum(found["first_spike_ms"].histograms["all"].counts) == len(first)
    else:
        assert found["first_spike_ms"].value is None
        assert found["first_spike_ms"].reason == "no output ever spiked"


@given(spikes())
@settings(max_examples=80, deadline=None)
def test_anytime_accuracy_is_that_of_the_readout_so_far(case):
    counts, labels, _, _ = case
    steps = counts.shape[1]
    right = np.zeros(steps)
    for (predictions, _, _), label in zip(growing(case), labels, strict=True):
        longer = predictions + predictions[-1:] * (steps - len(predictions))
        right += [prediction == label for prediction in longer]
    accuracy = right / len(labels)
    found = told("anytime", case)
    curve = found["anytime_area"].curves["accuracy"]
    assert curve.y == pytest.approx(accuracy.tolist())
    assert curve.x == [5.0 * step for step in range(1, steps + 1)]
    assert found["anytime_area"].value == pytest.approx(accuracy.mean())
    assert curve.y[-1] == told("accuracy", case)["accuracy"].value
    if accuracy[-1]:
        first = next(step for step, value in enumerate(accuracy, 1) if value >= 0.95 * accuracy[-1])
        assert found["time_to_95"].value == 5.0 * first
    else:
        assert found["time_to_95"].reason == "no prediction is right"


@given(spikes(), st.integers(1, 16))
@settings(max_examples=80, deadline=None)
def test_decisions_and_stops(case, margin):
    labels = case[1]
    decided, stopped, right, early = [], [], [], []
    for (predictions, margins, _), label in zip(growing(case), labels, strict=True):
        changes = [step for step, value in enumerate(predictions) if value != predictions[-1]]
        decided.append(changes[-1] + 2 if changes else 1)
        stop = next((step for step, value in enumerate(margins) if value >= margin), len(margins) - 1)
        stopped.append(stop + 1)
        early.append(stop < len(margins) - 1)
        right.append(predictions[stop] == label)
    found = {name: value.value for name, value in told("decision", case, margin=margin).items()}
    samples = len(labels)
    assert found["decision_steps"] == sum(decided) / samples
    assert found["decision_ms"] == pytest.approx(5.0 * sum(decided) / samples)
    assert found["stop_ms"] == pytest.approx(5.0 * sum(stopped) / samples)
    assert found["stop_accuracy"] == sum(right) / samples
    assert found["stop_share"] == sum(early) / samples


def test_synops_at_the_stop_are_those_up_to_and_with_it():
    weights = nn.Linear(2, 2, bias=False)
    weights.weight.data = torch.eye(2)
    model = nn.Sequential(weights, PASS)
    counts = [[[1, 0], [1, 0], [5, 5]], [[0, 1], [1, 0], [1, 0]]]
    found = measure("decision", model, counts, [0, 0], margin=2)
    # The first is two ahead after its second step, having sent two events; the second never is and sends three.
    assert found["stop_synops"].value == (2 + 3) / 2
    assert found["stop_ms"].value == (20 + 30) / 2
    assert found["stop_share"].value == 0.5


def test_synops_that_cannot_be_counted_cost_that_figure_alone():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(2, 2)

        def forward(self, x):
            return x

    found = measure("decision", Odd(), [[[1, 0]], [[0, 1]]], [0, 1])
    assert found["stop_accuracy"].value == 1.0
    assert found["stop_synops"].value is None
    assert "weight layer gru is a GRU" in found["stop_synops"].reason


def test_output_spikes_that_are_not_finite_are_an_error():
    class Broken(nn.Module):
        def forward(self, x):
            return x / 0

    for name in ("first-spike", "anytime", "decision"):
        with pytest.raises(ValueError, match="not finite"):
            measure(name, Broken(), [[[0, 1]]])
