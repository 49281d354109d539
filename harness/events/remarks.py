"""Sentences on recordings and classes that the numbers of a split do not speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..text import one_line
from .encode import ends_of

if TYPE_CHECKING:
    from ..components import Encoding
    from ..source import Bulk

MOST = 20  # recordings, or classes, that are listed
_SHOWN = 8


class Unseen:
    """Recordings of one split that leave no trace, or an empty one, in its frames."""

    def __init__(self, encoding: Encoding) -> None:
        self.crop = None if encoding.crop is None else encoding.microseconds(encoding.crop)
        self.empty: list[int] = []
        self.cropped: list[int] = []

    def add(self, bulk: Bulk, numbers: npt.NDArray[np.int64]) -> None:
        """Look at the recordings of ``bulk``, which are called ``numbers``."""
        offsets = np.asarray(bulk.offsets, dtype=np.int64)
        sizes = np.diff(offsets)
        self.empty += numbers[sizes == 0].tolist()
        if self.crop is None or not len(bulk.t):
            return
        held = np.flatnonzero(sizes)
        if ends_of(bulk.t, offsets).max(initial=0) > self.crop:
            earliest = np.minimum.reduceat(bulk.t, offsets[:-1][held])
            self.cropped += numbers[held[earliest >= self.crop]].tolist()

    def facts(self, chosen: npt.NDArray[np.int64], samples: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return how many recordings there are of each sort and which, without the sorts that do not occur.

        Args:
            chosen: (recordings,) the recordings that were encoded.
            samples: (samples,) the recording of every sample that they made.
        """
        sorts = {
            "without_sample": np.setdiff1d(chosen, samples).tolist(),
            "without_event": self.empty,
            "wholly_cropped": self.cropped,
        }
        return {
            name: {"count": len(numbers), "first": numbers[:MOST]}
            for name, numbers in sorts.items()
            if len(numbers) > 0
        }


def missing_classes(labels: npt.NDArray[np.int64], classes: int) -> list[int]:
    """Return the classes that no sample of a split is of."""
    present = set(np.unique(labels).tolist())
    return [label for label in range(classes) if label not in present]


def sentences(
    split: str, facts: Mapping[str, Any], encoding: Encoding, classes: Sequence[str], limit: int | None
) -> list[str]:
    """Return what a reader of this split's numbers would otherwise take wrongly.

    Args:
        facts: what the manifest of the split holds.
        limit: recordings that the run was limited to, or None.
    """
    total, found = facts["recordings"], []
    short = facts.get("without_sample")
    if short:
        found.append(
            f"{split}: {_of(short, total)} shorter than one slice of {encoding.slice:g} ms, and so in no metric value: "
            f"{_numbers(short)}"
        )
    empty = facts.get("without_event")
    if empty:
        counted = "" if encoding.slice is not None else "; they count in every metric value, as silence"
        found.append(f"{split}: {_of(empty, total)} without an event{counted}: {_numbers(empty)}")
    cropped = facts.get("wholly_cropped")
    if cropped:
        silent = encoding.slice is None or encoding.tonic_window is None
        counted = "; they count in every metric value, as silence" if silent else ""
        found.append(
            f"{split}: {_of(cropped, total)} without an event before the crop at {encoding.crop:g} ms{counted}: "
            f"{_numbers(cropped)}"
        )
    missing = facts.get("missing_classes")
    if missing:
        names = ", ".join(one_line(classes[index], 40) for index in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        why = f", limited to {limit}" if limit is not None else ""
        effect = (
            "the network is never trained on them"
            if split == "train"
            else f"an accuracy on {split} is one of the other {len(classes) - len(missing)}"
        )
        found.append(f"{split}: no sample of {len(missing)} of {len(classes)} classes{why}: {names}{more}; {effect}")
    return found


def _of(sort: Mapping[str, Any], total: int) -> str:
    count = sort["count"]
    return f"{count} of {total} recordings {'is' if count == 1 else 'are'}"


def _numbers(sort: Mapping[str, Any]) -> str:
    shown = ", ".join(str(number) for number in sort["first"][:_SHOWN])
    return shown + (f" and {sort['count'] - _SHOWN} more" if sort["count"] > _SHOWN else "")
