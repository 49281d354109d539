"""Evaluation with every metric against a bare evaluation loop: at most 1.2x is wanted. Robustness evaluates again, so it is apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from samples import frames, specification

from harness import Registry
from harness.evaluation import evaluate
from harness.events.frames import Frames
from harness.initialisation import initialise
from harness.model import build, context

REGISTRY = Registry.discover()


def metrics(*, on: bool):
    return [
        (entry.component, entry.component.choose())
        for entry in REGISTRY.components("metric")
        if not entry.component.needs & {"timing", "events"} and (entry.component.on or not on)
    ]


@pytest.mark.parametrize("neuron", ["lif", "alif"])
@pytest.mark.parametrize("backend", ["sinabs", "fused"])
def test_evaluation_with_all_metrics(duel, benchmark, backend, neuron):
    count = 2264 if benchmark.enabled else 32  # SHD's test recordings
    given = frames(count, steps=70)
    spec = specification(neuron, {"hidden": (64, 64)}).with_backend(REGISTRY.find(backend).component.choose())
    model = build(REGISTRY, spec, (140,), 20).eval()
    initialise(model, REGISTRY, spec, given, np.arange(count), 0)
    sides = sides_of(model, given, 20, 128)
    duel(sides, rounds=15, what=f"{count} recordings, {neuron} on {backend}")


@pytest.mark.parametrize(("batch", "threads"), [(32, 1), (128, 1), (32, 2), (128, 2)])
def test_evaluation_of_gestures_with_all_metrics(duel, benchmark, batch, threads):
    """The default conv network, whose layers keep channels last, on fused."""
    count = 384 if benchmark.enabled else 4
    counts = np.random.default_rng(0).poisson(0.1, (count, 10, 2, 64, 64)).astype(np.uint8)
    given = Frames(counts, np.arange(count) % 11, np.arange(count), None, None)
    spec = replace(
        specification("iaf", neuron_values={"v_min": -1.0}), network=REGISTRY.find("conv").component.choose()
    )
    spec = spec.with_backend(REGISTRY.find("fused").component.choose())
    model = build(REGISTRY, spec, (2, 64, 64), 11).eval()
    initialise(model, REGISTRY, spec, given, np.arange(min(count, 64)), 0)
    torch.set_num_threads(threads)
    sides = sides_of(model, given, 11, batch)
    duel(sides, rounds=9, what=f"{count} gestures, batch {batch}, {threads} thread{'s' * (threads > 1)}")


def sides_of(model, given, classes, batch):
    """A bare loop over ``given``, and evaluations with and without metrics, which all find one accuracy."""
    count = len(given)
    told = context(
        model,
        classes=[str(k) for k in range(classes)],
        split="test",
        phase="after",
        dt_ms=10.0,
        batch_size=batch,
        device="cpu",
    )

    def bare():
        right = 0
        with torch.inference_mode():
            for begin in range(0, count, batch):
                inputs = torch.from_numpy(given.frames[begin : begin + batch].astype(np.float32))
                predicted = model(inputs).sum(1).argmax(1)
                right += int((predicted == torch.from_numpy(given.labels[begin : begin + batch])).sum())
        return right / count

    def measured(*, on):
        found = evaluate(model, given, batch_size=batch, context=told, metrics=metrics(on=on))
        assert not [row for row in found.metrics if "error" in row]
        return found.accuracy

    sides = {
        "bare evaluation": bare,
        "evaluation without metrics": lambda: evaluate(model, given, batch_size=batch).accuracy,
        "metrics on by default": lambda: measured(on=True),
        "and every table of energies": lambda: measured(on=False),
    }
    assert len({side() for side in sides.values()}) == 1
    return sides
