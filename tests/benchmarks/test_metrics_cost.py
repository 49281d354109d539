"""Evaluation with every metric against a bare evaluation loop: at most 1.2x is wanted. Robustness evaluates again, so it is apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import frames, specification

from harness import Registry
from harness.evaluation import evaluate
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
    told = context(
        model,
        classes=[str(k) for k in range(20)],
        split="test",
        phase="after",
        dt_ms=10.0,
        batch_size=128,
        device="cpu",
    )

    def bare():
        right = 0
        with torch.inference_mode():
            for begin in range(0, count, 128):
                inputs = torch.from_numpy(given.frames[begin : begin + 128].astype(np.float32))
                predicted = model(inputs).sum(1).argmax(1)
                right += int((predicted == torch.from_numpy(given.labels[begin : begin + 128])).sum())
        return right / count

    def measured(*, on):
        found = evaluate(model, given, batch_size=128, context=told, metrics=metrics(on=on))
        assert not [row for row in found.metrics if "error" in row]
        return found.accuracy

    sides = {
        "bare evaluation": bare,
        "evaluation without metrics": lambda: evaluate(model, given, batch_size=128).accuracy,
        "metrics on by default": lambda: measured(on=True),
        "and every table of energies": lambda: measured(on=False),
    }
    assert len({side() for side in sides.values()}) == 1
    duel(sides, rounds=15, what=f"{count} recordings, {neuron} on {backend}")
