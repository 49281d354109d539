"""The frames of one split, as trials see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .packed import PackedFrames

Counts = npt.NDArray[Any] | PackedFrames


@dataclass(frozen=True)
class Frames:
    """N samples of T time steps.

    ``frames`` (N, T, *shape) unsigned counts, usually mapped from disk: an array, or packed ones that are read like one;
    ``labels`` and ``recordings`` (N,) int64; ``groups`` (N,) speaker or subject as text, or None; ``lengths`` (N,) real steps
    where recordings keep their own length, or None where the window is fixed.
    """

    frames: Counts
    labels: npt.NDArray[np.int64]
    recordings: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_] | None = None
    lengths: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)
