"""Cross-entropy of the readout."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from harness import Context, MetricValue, View

from .sums import counts_of, labels_of


class Loss:
    """Mean over samples of -log softmax(output spike counts) at the label; summed in float64."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.total, self.samples = 0.0, 0

    def batch(self, view: View) -> None:
        counts = counts_of(view).astype(np.float64)
        labels = labels_of(view)
        # Relative to the largest, so that no exponential overflows.
        counts -= counts.max(1, keepdims=True)
        of_label = counts[np.arange(len(labels)), labels]
        self.total += float((np.log(np.exp(counts).sum(1)) - of_label).sum())
        self.samples += len(labels)

    def merge(self, other: Loss) -> None:
        self.total += other.total
        self.samples += other.samples

    def result(self) -> Mapping[str, MetricValue]:
        return {
            "loss": MetricValue(
                value=self.total / self.samples if self.samples else None,
                reason="no samples",
                unit="nat",
                direction="lower",
                kind="seeded",
                title="loss",
            )
        }
