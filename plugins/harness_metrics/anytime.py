"""Anytime accuracy: what the readout would have scored, had it been asked earlier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from harness import Context, Curve, MetricValue, View
from harness.observation import Direction

from .readout import readout_of

# Of the final accuracy, the share whose first time is told.
_MOST = 0.95


class Anytime:
    """Right predictions after every step; a sample that is shorter than others keeps its last one."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.dt_ms = context.dt_ms
        self.right = np.zeros(0, dtype=np.int64)
        self.samples = 0

    def batch(self, view: View) -> None:
        read = readout_of(view)
        self._add((read.predictions == read.labels[:, None]).sum(0), len(read.labels))

    def merge(self, other: Anytime) -> None:
        if other.samples:
            self._add(other.right, other.samples)

    def _add(self, right: np.ndarray, samples: int) -> None:
        if self.samples and len(right) != len(self.right):
            raise ValueError(f"one batch has {len(self.right)} steps and another {len(right)}")
        self.right = right + self.right if self.samples else right
        self.samples += samples

    def result(self) -> Mapping[str, MetricValue]:
        if not self.samples or not len(self.right):
            return {
                "anytime_area": _value(None, "fraction", "anytime accuracy", "higher", "no samples"),
                "time_to_95": _value(None, "ms", _TITLE, "lower", "no samples"),
            }
        accuracy = self.right / self.samples
        times = [float(step * self.dt_ms) for step in range(1, len(accuracy) + 1)]
        reached = int(np.argmax(self.right >= _MOST * self.right[-1])) if self.right[-1] else None
        curve = Curve(
            x=times, y=accuracy.tolist(), x_title="time", x_unit="ms", y_title="anytime accuracy", y_unit="fraction"
        )
        return {
            "anytime_area": _value(
                float(accuracy.mean()), "fraction", "anytime accuracy", "higher", curves={"accuracy": curve}
            ),
            "time_to_95": _value(
                None if reached is None else times[reached], "ms", _TITLE, "lower", "no prediction is right"
            ),
        }


_TITLE = "time to 95 % of the final accuracy"


def _value(
    value: float | None,
    unit: str,
    title: str,
    direction: Direction,
    reason: str = "",
    curves: Mapping[str, Curve] | None = None,
) -> MetricValue:
    return MetricValue(
        value=value,
        reason=reason,
        unit=unit,
        direction=direction,
        kind="seeded",
        title=title,
        curves=curves or {},
    )
