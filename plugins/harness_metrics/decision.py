"""Decision latency: from when a prediction no longer changes, and what stopping as soon as it is clear would cost and save."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from torch import nn

from harness import Context, Curve, MetricValue, View
from harness.observation import Direction

from .operations import Operations
from .readout import MARGINS, readout_of
from .sums import ByClass


class Decision:
    """Sums over samples, for every margin from 1 to 16 spikes; ``margin`` is the one that figures are told for."""

    def __init__(self, margin: int) -> None:
        self.margin = margin

    def start(self, model: nn.Module, context: Context) -> None:
        self.dt_ms = context.dt_ms
        self.samples = self.decided = 0
        self.right, self.steps, self.early = (np.zeros(MARGINS, dtype=np.int64) for _ in range(3))
        self.synops = np.zeros(MARGINS)
        self.recordings = ByClass(len(context.classes))
        self.cannot_count = ""
        try:
            self.operations: Operations | None = Operations(model, context)
        except TypeError as error:
            self.operations, self.cannot_count = None, str(error)

    def batch(self, view: View) -> None:
        read = readout_of(view)
        self.recordings.add(view)
        batch = np.arange(len(read.labels))
        last = np.maximum(read.lengths - 1, 0)
        self.samples += len(batch)
        if not read.predictions.shape[1]:
            return
        self.decided += int((read.settled + 1).sum())
        stops = np.where(read.at_margin >= 0, read.at_margin, last[:, None])
        self.right += (read.predictions[batch[:, None], stops] == read.labels[:, None]).sum(0)
        self.steps += (stops + 1).sum(0)
        self.early += (stops < last[:, None]).sum(0)
        self._count(view, stops)

    def _count(self, view: View, stops: npt.NDArray[np.integer]) -> None:
        if self.operations is None:
            return
        try:
            layers = self.operations.of(view)
        except (TypeError, ValueError) as error:
            self.operations, self.cannot_count = None, str(error)
            return
        if layers:
            spent = sum(layer.events for layer in layers.values()).cumsum(1)
            self.synops += np.take_along_axis(spent, stops, 1).sum(0)

    def merge(self, other: Decision) -> None:
        self.samples += other.samples
        self.decided += other.decided
        for name in ("right", "steps", "early", "synops"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.recordings.merge(other.recordings)
        if other.operations is None:
            self.operations, self.cannot_count = None, other.cannot_count

    def result(self) -> Mapping[str, MetricValue]:
        steps = self._mean(self.decided)
        at = self.margin - 1
        accuracy, times = self.right / max(self.samples, 1), self.steps * self.dt_ms / max(self.samples, 1)
        curve = Curve(
            x=times.tolist(),
            y=accuracy.tolist(),
            x_title="mean time of stopping at a margin of 1 to 16 spikes",
            x_unit="ms",
            y_title="accuracy when stopped",
            y_unit="fraction",
        )
        rule = f"stopping {self.margin} spike{'s' * (self.margin != 1)} ahead"
        spent = None if self.operations is None else float(self.synops[at]) / max(sum(self.recordings.counts()), 1)
        return {
            "decision_ms": self._value(None if steps is None else steps * self.dt_ms, "ms", "time to decision"),
            "decision_steps": self._value(steps, "steps", "steps to decision"),
            "stop_accuracy": self._value(
                self._mean(int(self.right[at])), "fraction", f"accuracy {rule}", "higher", curves={"accuracy": curve}
            ),
            "stop_ms": self._value(self._mean(int(self.steps[at]), self.dt_ms), "ms", f"time {rule}"),
            "stop_synops": self._value(
                spent if self.samples else None,
                "operations/recording",
                f"SynOps {rule}",
                reason=self.cannot_count,
            ),
            "stop_share": self._value(
                self._mean(int(self.early[at])), "fraction", f"samples stopped early, {self.margin} ahead", "none"
            ),
        }

    def _mean(self, total: int, factor: float = 1.0) -> float | None:
        return total * factor / self.samples if self.samples else None

    def _value(
        self,
        value: float | None,
        unit: str,
        title: str,
        direction: Direction = "lower",
        reason: str = "",
        curves: Mapping[str, Curve] | None = None,
    ) -> MetricValue:
        return MetricValue(
            value=value,
            reason=reason or "no samples",
            unit=unit,
            direction=direction,
            kind="seeded",
            title=title,
            curves=(curves or {}) if self.samples else {},
        )
