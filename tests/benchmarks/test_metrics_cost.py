"""Evaluation with every metric on against a bare evaluation loop: at most 1.2x is wanted."""

from __future__ import annotations

import numpy as np
import torch
from samples import frames, specification

from harness import Registry
from harness.evaluation import evaluate
from harness.initialisation import initialise
from harness.model import build, context

REGISTRY = Registry.discover()


def test_evaluation_with_all_metrics(duel, benchmark):
    count = 512 if benchmark.enabled else 32
    given = frames(count, steps=70)
    spec = specification("lif", {"hidden": (64, 64)})
    model = build(REGISTRY, spec, (140,), 20).eval()
    initialise(model, REGISTRY, spec, given, np.arange(count), 0)
    metrics = [
        (entry.component, entry.component.choose())
        for entry in REGISTRY.components("metric")
        if "timing" not in entry.component.phases
    ]
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

    def measured():
        return evaluate(model, given, batch_size=128, context=told, metrics=metrics)

    assert measured().accuracy == bare()
    duel({"bare evaluation": bare, "all metrics": measured}, rounds=15, what=f"{count} recordings, lif on sinabs")
