"""First-spike latency: how long until the network says anything."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from harness import Context, Histogram, MetricValue, View

from .readout import readout_of


class FirstSpike:
    """Counts samples by the step of their first output spike."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.dt_ms = context.dt_ms
        self.at = np.zeros(0, dtype=np.int64)
        self.never = 0

    def batch(self, view: View) -> None:
        first = readout_of(view).first
        self.never += int((first < 0).sum())
        self._add(np.bincount(first[first >= 0], minlength=view.shape[1]))

    def merge(self, other: FirstSpike) -> None:
        self.never += other.never
        self._add(other.at)

    def _add(self, more: np.ndarray) -> None:
        if len(self.at) < len(more):
            self.at = np.pad(self.at, (0, len(more) - len(self.at)))
        self.at[: len(more)] += more

    def result(self) -> Mapping[str, MetricValue]:
        spiked = int(self.at.sum())
        samples = spiked + self.never
        # The first step is over one bin after the start.
        steps = float((self.at * np.arange(1, len(self.at) + 1)).sum()) / spiked if spiked else None
        reason = "" if spiked else "no output ever spiked" if samples else "no samples"
        edges = [number * self.dt_ms for number in range(len(self.at) + 1)]
        times = Histogram(
            edges=edges, counts=self.at.tolist(), title="time to the first output spike", unit="ms", what="samples"
        )
        return {
            "first_spike_ms": _value(
                None if steps is None else steps * self.dt_ms,
                "ms",
                "time to first output spike",
                reason,
                {"all": times} if spiked else {},
            ),
            "first_spike_steps": _value(steps, "steps", "steps to first output spike", reason),
            "never_spikes": _value(
                self.never / samples if samples else None,
                "fraction",
                "samples without output spike",
                "" if samples else "no samples",
            ),
        }


def _value(
    value: float | None, unit: str, title: str, reason: str, histograms: Mapping[str, Histogram] | None = None
) -> MetricValue:
    return MetricValue(
        value=value,
        reason=reason,
        unit=unit,
        direction="lower",
        kind="seeded",
        title=title,
        histograms=histograms or {},
    )
