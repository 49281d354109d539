"""Accuracy, per class and as a confusion matrix; by slice and by recording where recordings are cut into slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from harness import Context, MetricValue, View

from .slices import Slices
from .sums import counts_of, labels_of, means

if TYPE_CHECKING:
    from harness.observation import Role

    from .sums import Ints


class Accuracy:
    """Counts (label, prediction) pairs; a sample's prediction is the class with the most output spikes, first on a tie."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.classes = len(context.classes)
        self.confusion = np.zeros((self.classes, self.classes), dtype=np.int64)
        self.slices = Slices(self.classes)

    def batch(self, view: View) -> None:
        self.confusion += _pairs(labels_of(view), counts_of(view).argmax(1), self.classes)
        self.slices.add(view)

    def merge(self, other: Accuracy) -> None:
        self.confusion += other.confusion
        self.slices.merge(other.slices)

    def result(self) -> Mapping[str, MetricValue]:
        whole = self.slices.together()
        if whole is None:
            return {"accuracy": _value(self.confusion, "accuracy", "quality")}
        summed = _pairs(whole.labels, whole.summed, self.classes)
        majority = _pairs(whole.labels, whole.majority, self.classes)
        title = "accuracy by recording"
        return {
            "accuracy": _value(self.confusion, "accuracy (slices)", "quality", note="every slice is one sample"),
            "accuracy_by_recording": _value(
                summed, title, "quality", note="output spikes are summed over a recording's slices"
            ),
            "accuracy_by_recording_majority": _value(
                majority,
                f"{title}, majority",
                "detail",
                arrays={},
                note="the class that most of a recording's slices predict; of several, the one with more output spikes",
            ),
        }


def _pairs(labels: Ints, predicted: Ints, classes: int) -> Ints:
    """How often each label met each prediction, (C, C)."""
    found: Ints = np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    return found


def _value(
    confusion: Ints, title: str, role: Role, *, note: str = "", arrays: Mapping[str, Any] | None = None
) -> MetricValue:
    """The share on the diagonal; ``arrays`` stand in for those of ``confusion``."""
    total, right = int(confusion.sum()), int(confusion.trace())
    own = {
        "per_class": means(confusion.diagonal().tolist(), confusion.sum(1).tolist()),
        "confusion": confusion.tolist(),
    }
    return MetricValue(
        value=right / total if total else None,
        reason="no samples",
        unit="fraction",
        direction="higher",
        kind="seeded",
        title=title,
        role=role,
        note=note,
        arrays=own if arrays is None else arrays,
    )
