"""Sums by class, and means over recordings, since several samples may be slices of one recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from harness import View

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]


class ByClass:
    """Which recordings were seen, each once, by class."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._seen: list[Ints] = []

    def add(self, view: View) -> None:
        """Take in the recordings of a batch."""
        self._seen.append(labelled_recordings(view, self._classes))

    def merge(self, other: ByClass) -> None:
        """Take over what another has seen."""
        self._seen += other._seen

    def counts(self) -> list[int]:
        """How many recordings each class has."""
        each = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *self._seen])) % self._classes
        found: list[int] = np.bincount(each, minlength=self._classes).tolist()
        return found


def means(totals: Sequence[float], counts: Sequence[int]) -> list[float | None]:
    """A total of each class over its count; None for a class without any."""
    return [total / count if count else None for total, count in zip(totals, counts, strict=True)]


def labelled_recordings(view: View, classes: int) -> Ints:
    """Recordings of a batch with their labels, (B,): ``classes`` x id + label."""
    # One number a pair of recording and label: sorting pairs is slow.
    return view.once(
        "harness_metrics.recordings", lambda: labels_of(view) + classes * view.recordings.cpu().numpy().astype(np.int64)
    )


def counts_of(view: View) -> npt.NDArray[np.floating]:
    """Output spikes of a batch over real time steps, (B, C), on the CPU; not to be written into."""
    return view.once("harness_metrics.counts", lambda: view.counts.cpu().numpy())


def labels_of(view: View) -> Ints:
    """Labels of a batch, (B,)."""
    return view.once("harness_metrics.labels", lambda: view.labels.cpu().numpy())


def by_label(view: View, values: Floats, classes: int) -> Floats:
    """Sums of whole ``values`` (B, K) over the samples of each class, (C, K)."""
    one_hot = view.once("harness_metrics.one-hot", lambda: _one_hot(labels_of(view), classes))
    return one_hot @ values


def _one_hot(labels: Ints, classes: int) -> Floats:
    return (np.arange(classes)[:, None] == labels).astype(np.float64)


def steps_of(view: View) -> Floats:
    """Real time steps of every sample of a batch, (B,)."""
    return view.once("harness_metrics.steps", lambda: _steps(view))


def _steps(view: View) -> Floats:
    batch, time, _ = view.shape
    return np.full(batch, float(time)) if view.mask is None else view.mask.sum(1).cpu().numpy().astype(np.float64)


def steps_in(view: View) -> int:
    """Real time steps of a batch, all samples together."""
    return int(steps_of(view).sum())
