"""Times that rows are compared by: one process, warmed up, rounds interleaved over all configurations."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from .components import Choice, Metric
from .devices import synchronise
from .evaluation import batch_of
from .metric_rows import without_collisions
from .model import context
from .observation import View
from .watching import Watched

if TYPE_CHECKING:
    from .events.frames import Frames

_FEWEST = 5
_MOST = 200


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One row to time: a trained model and the frames it is timed on."""

    row: str
    label: str
    key: str
    model: nn.Module
    frames: Frames
    batch_size: int
    classes: tuple[str, ...]
    dt_ms: float


def measure(
    configurations: Sequence[Configuration],
    metrics: Sequence[tuple[Metric, Choice]],
    *,
    device: str = "cpu",
    threads: int,
    seconds: float = 10.0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Time every configuration at batch 1 and at its own batch size and feed the times to ``metrics``.

    As many rounds as fit into ``seconds`` over all configurations, never fewer than 5; each round visits every
    configuration once, in an order drawn anew, so that drift of the machine falls on all alike, and takes the next recordings,
    the same for all. Returns what timings.json holds: ``{"schema", "rounds", "threads", "device", "rows": {row: {"label", "key",
    "metrics"}}}``.
    """
    passes = [
        (configuration, size)
        for configuration in configurations
        for size in dict.fromkeys((1, min(configuration.batch_size, len(configuration.frames))))
    ]
    with torch.inference_mode():
        for _ in range(2):  # warm-up too
            once = sum(_timed(configuration, size, 0, device) for configuration, size in passes)
        rounds = int(min(max(seconds / max(once, 1e-9), _FEWEST), _MOST))
        taken: list[list[float]] = [[] for _ in passes]
        order = random.Random(0)
        for done in range(rounds):
            for index in order.sample(range(len(passes)), len(passes)):
                taken[index].append(_timed(*passes[index], done, device))
            report(done + 1, rounds)
    rows: dict[str, Any] = {}
    for configuration in configurations:
        views = [
            view
            for (timed, size), times in zip(passes, taken, strict=True)
            if timed is configuration
            for view in _views(timed, size, times)
        ]
        told = context(
            configuration.model,
            classes=configuration.classes,
            split="test",
            phase="timing",
            dt_ms=configuration.dt_ms,
            batch_size=min(configuration.batch_size, len(configuration.frames)),
            device=device,
        )
        watching = [Watched(metric, choice, configuration.model, told) for metric, choice in metrics]
        for view in views:
            for item in watching:
                item.batch(view)
        values, _ = without_collisions(item.results() for item in watching)
        rows[configuration.row] = {"label": configuration.label, "key": configuration.key, "metrics": values}
    return {"schema": 1, "rounds": rounds, "threads": threads, "device": device, "rows": rows}


def _samples(configuration: Configuration, size: int, number: int) -> npt.NDArray[np.int64]:
    """The samples of round ``number``: the next ones, from the start again after the last."""
    return (np.arange(size) + number * size) % len(configuration.frames)


def _timed(configuration: Configuration, size: int, number: int, device: str) -> float:
    inputs, _, _ = batch_of(configuration.frames, _samples(configuration, size, number), device)
    model = configuration.model
    synchronise(device)
    started = time.perf_counter()
    model(inputs)
    synchronise(device)
    return time.perf_counter() - started


def _views(configuration: Configuration, size: int, times: Sequence[float]) -> list[View]:
    nothing = torch.zeros(size, 0, len(configuration.classes))
    views = []
    for number, taken in enumerate(times):
        chosen = _samples(configuration, size, number)
        labels = torch.from_numpy(configuration.frames.labels[chosen])
        recordings = torch.from_numpy(configuration.frames.recordings[chosen])
        views.append(View(outputs=nothing, labels=labels, recordings=recordings, seconds=taken))
    return views
