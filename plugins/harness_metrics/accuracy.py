"""Accuracy, per class and as a confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from harness import Context, MetricValue, View

from .sums import labels_of


class Accuracy:
    """Counts (label, prediction) pairs; a sample's prediction is the class with the most output spikes, first on a tie."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.classes = len(context.classes)
        self.confusion = np.zeros((self.classes, self.classes), dtype=np.int64)

    def batch(self, view: View) -> None:
        predicted = view.counts.cpu().numpy().argmax(1)
        pairs = labels_of(view) * self.classes + predicted
        self.confusion += np.bincount(pairs, minlength=self.classes**2).reshape(self.classes, self.classes)

    def merge(self, other: Accuracy) -> None:
        self.confusion += other.confusion

    def result(self) -> Mapping[str, MetricValue]:
        total, right = int(self.confusion.sum()), int(self.confusion.trace())
        of_class = self.confusion.sum(1)
        per_class = [
            float(hit) / float(count) if count else None
            for hit, count in zip(self.confusion.diagonal(), of_class, strict=True)
        ]
        return {
            "accuracy": MetricValue(
                value=right / total if total else None,
                reason="no samples",
                unit="fraction",
                direction="higher",
                kind="seeded",
                title="accuracy",
                role="quality",
                arrays={"per_class": per_class, "confusion": self.confusion.tolist()},
            )
        }
