"""Cross-entropy of the readout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from torch import nn

from harness import Context, MetricValue, View

from .sums import counts_of, labels_of

if TYPE_CHECKING:
    from .sums import Floats, Ints


class Loss:
    """Mean over samples of -log softmax(output spike counts) at the label; one number a sample in float64, added exactly at the end."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.losses: list[Floats] = []

    def batch(self, view: View) -> None:
        self.losses.append(_losses(counts_of(view), labels_of(view)))

    def merge(self, other: Loss) -> None:
        self.losses += other.losses

    def result(self) -> Mapping[str, MetricValue]:
        losses = np.concatenate([np.zeros(0), *self.losses])
        return {
            "loss": MetricValue(
                # Rounded once, so that neither order nor batches change a digit.
                value=math.fsum(losses.tolist()) / len(losses) if len(losses) else None,
                reason="no samples",
                unit="nat",
                direction="lower",
                kind="seeded",
                title="loss",
            )
        }


def _losses(counts: npt.NDArray[np.floating], labels: Ints) -> Floats:
    """The cross-entropy of each sample, (B,), computed alike whatever samples lie beside it."""
    # Classes first and contiguous: every step is element by element, and classes are added one after the other.
    by_class = np.ascontiguousarray(counts.T, dtype=np.float64)
    # Relative to the largest, so that no exponential overflows.
    by_class = by_class - by_class.max(0)
    total = np.zeros(len(labels))
    for of_class in np.exp(by_class):
        total += of_class
    losses: Floats = np.log(total) - by_class[labels, np.arange(len(labels))]
    return losses
