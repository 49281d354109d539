"""Which recordings an inspection shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import UsageError, nearest
from .wording import printable

MOST = 12
_FEW = 4


def chosen_recordings(
    labels: npt.NDArray[np.int64],
    classes: Sequence[str],
    split: str,
    *,
    named: Sequence[str] = (),
    numbers: Sequence[int] = (),
) -> list[int]:
    """The first recording of each class in ``named``, then ``numbers``; where neither is given, the first of up to four
    classes spread over those that the split has.

    Raises :class:`UsageError` for an unknown class, one that has no recording, a number out of range, and for too many.
    """
    found = [_first(labels, classes, split, name) for name in named]
    for number in numbers:
        if not 0 <= number < len(labels):
            raise UsageError(f"recording {number}: the {split} split has 0 to {len(labels) - 1}")
        found.append(int(number))
    if not found:
        there = np.unique(labels)
        spread = there[np.unique(np.linspace(0, len(there) - 1, min(_FEW, len(there))).round().astype(int))]
        found = [int(np.flatnonzero(labels == label)[0]) for label in spread]
    found = list(dict.fromkeys(found))
    if len(found) > MOST:
        raise UsageError(f"{len(found)} recordings are to be shown; {MOST} can be drawn beside each other")
    return found


def _first(labels: npt.NDArray[np.int64], classes: Sequence[str], split: str, name: str) -> int:
    if name not in classes:
        known = [printable(item) for item in classes]
        raise UsageError(f"class {name!r}: no such class{nearest(name, known)}; there are: {_listed(known)}")
    places = np.flatnonzero(labels == list(classes).index(name))
    if not len(places):
        raise UsageError(f"class {name!r}: the {split} split has no recording of it")
    return int(places[0])


def _listed(names: Sequence[str], most: int = 20) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
