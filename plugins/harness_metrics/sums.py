"""Recordings by class: what means are taken over, since several samples may be slices of one recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    import numpy.typing as npt

    from harness import View


class ByClass:
    """Which recordings were seen, each once, by class."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._seen: list[npt.NDArray[np.int64]] = [np.zeros((0, 2), dtype=np.int64)]

    def add(self, view: View) -> None:
        """Take in the recordings of a batch."""
        self._seen.append(view.once("harness_metrics.recordings", lambda: _labelled(view)))

    def merge(self, other: ByClass) -> None:
        """Take over what another has seen."""
        self._seen += other._seen

    @property
    def counts(self) -> list[int]:
        """How many recordings each class has."""
        labels, recordings = np.concatenate(self._seen).T
        # One number a pair: sorting pairs is slow.
        each = np.unique(labels + self._classes * recordings) % self._classes
        return np.bincount(each, minlength=self._classes).tolist()

    @property
    def count(self) -> int:
        """How many recordings there are."""
        return sum(self.counts)

    def means(self, totals: Sequence[float]) -> list[float | None]:
        """A total of each class as its mean over the class's recordings; None for a class without any."""
        return [total / count if count else None for total, count in zip(totals, self.counts, strict=True)]


def _labelled(view: View) -> npt.NDArray[np.int64]:
    return torch.stack([view.labels.cpu(), view.recordings.cpu()], 1).numpy()


def steps_of(view: View) -> torch.Tensor:
    """Real time steps of every sample of a batch, (B,) int64 on the CPU."""
    batch, time = view.outputs.shape[:2]
    return torch.full((batch,), time) if view.mask is None else view.mask.sum(1).cpu()


def steps_in(view: View) -> int:
    """Real time steps of a batch, all samples together."""
    return view.once("harness_metrics.steps", lambda: int(steps_of(view).sum()))
