"""What slices say of the recording that they were cut from: spikes summed over them, or their majority."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .sums import counts_of, labelled_recordings

if TYPE_CHECKING:
    from harness import View

    from .sums import Ints


@dataclass(frozen=True)
class ByRecording:
    """R recordings, each (R,): ``labels``, and the classes predicted by ``summed`` spikes and by ``majority``."""

    labels: Ints
    summed: Ints
    majority: Ints


class Slices:
    """Output spikes of every sample, until it is known which of them belong together.

    Nothing is added up before: batches cut recordings anywhere.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._recordings: list[Ints] = []
        self._counts: list[npt.NDArray[np.floating]] = []

    def add(self, view: View) -> None:
        """Take in a batch."""
        self._recordings.append(labelled_recordings(view, self._classes))
        self._counts.append(counts_of(view))

    def merge(self, other: Slices) -> None:
        """Take over what another has seen."""
        self._recordings += other._recordings
        self._counts += other._counts

    def together(self) -> ByRecording | None:
        """The predictions of whole recordings; None where every sample is a recording of its own.

        ``summed``: the class with the most output spikes over all slices, the first on a tie. ``majority``: the class that the
        most slices predict (each its own most spikes, the first class on a tie); of several the one with more spikes over all
        slices, the first on a tie. Sums are of whole numbers in float64, so that no batch and no order changes one.
        """
        if not self._recordings:
            return None
        names = np.concatenate(self._recordings)
        order = np.argsort(names, kind="stable")
        found, first = np.unique(names[order], return_index=True)
        if len(found) == len(names):
            return None
        counts = np.concatenate(self._counts)[order].astype(np.float64)
        votes = counts.argmax(1)[:, None] == np.arange(counts.shape[1])
        summed, voted = np.add.reduceat(counts, first), np.add.reduceat(votes.astype(np.int64), first)
        leading = voted == voted.max(1, keepdims=True)
        return ByRecording(
            labels=found % self._classes,
            summed=summed.argmax(1),
            majority=np.where(leading, summed, -np.inf).argmax(1),
        )
