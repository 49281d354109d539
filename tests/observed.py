"""Views and contexts made by hand, for observers that are tested alone."""

from __future__ import annotations

import torch

from harness import Context, View


def told(weights=("w",), recurrent=(), spiking=("s",), classes=3, batch_size=4, **more):
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
        **more,
    )


def view(layers=None, outputs=None, labels=None, first=0, mask=None, seconds=None, size=2, inputs=None):
    outputs = torch.zeros(size, 3, 3) if outputs is None else outputs
    count = len(outputs)
    return View(
        outputs=outputs,
        labels=torch.zeros(count, dtype=torch.int64) if labels is None else labels,
        recordings=torch.arange(first, first + count),
        mask=mask,
        inputs=inputs,
        layers=layers or {},
        seconds=seconds,
    )
