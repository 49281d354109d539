"""Cross-entropy of the readout."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from harness import Context, MetricValue, View


class Loss:
    """Mean over samples of -log softmax(output spike counts) at the label; summed in float64."""

    def start(self, model: torch.nn.Module, context: Context) -> None:
        self.total, self.samples = 0.0, 0

    def batch(self, view: View) -> None:
        outputs = view.outputs if view.mask is None else view.outputs * view.mask[:, :, None]
        counts = outputs.sum(1).double()
        self.total += float(torch.nn.functional.cross_entropy(counts, view.labels, reduction="sum"))
        self.samples += len(view.labels)

    def merge(self, other: Loss) -> None:
        self.total += other.total
        self.samples += other.samples

    def result(self) -> Mapping[str, MetricValue]:
        return {
            "loss": MetricValue(
                value=self.total / self.samples if self.samples else None,
                reason="" if self.samples else "no samples",
                unit="nat",
                direction="lower",
                kind="seeded",
                title="loss",
            )
        }
