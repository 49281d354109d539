"""One recording's file: an array (events, 4) of x, y, p and t in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness import DataError

_SIDE = 128
# The longest recording of the original lasts about 18 s; times of this many ms are in another unit.
_LONGEST = 600_000
_FOLD = 64


class Events(NamedTuple):
    """Sorted times in µs, (events,), and x, y, p of each."""

    t: npt.NDArray[np.int64]
    x: npt.NDArray[np.uint8]
    y: npt.NDArray[np.uint8]
    p: npt.NDArray[np.uint8]


def read(path: Path) -> Events:
    """The events in ``path``; raises :class:`DataError` that names the file where it is damaged or something else.

    Nothing in the file is executed, and no more memory is taken than it has bytes.
    """
    try:
        # Mapped, a file shorter than its header says is refused before anything of that size is allocated.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # what damaged headers raise is not listed anywhere
        cause = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: not a recording, or a truncated one ({cause}); fetch it again") from None
    if not isinstance(mapped, np.ndarray):
        mapped.close()
        raise DataError(f"{path}: an archive of arrays, not a recording; fetch it again")
    if mapped.ndim != 2 or mapped.shape[1] != 4 or mapped.dtype.kind not in "iuf":
        raise DataError(f"{path}: holds {mapped.dtype} {mapped.shape}, not x, y, p, t of each event; fetch it again")
    columns = np.array(mapped)
    _check(path, columns)
    microseconds = _microseconds(columns[:, 3])
    if (microseconds[1:] < microseconds[:-1]).any():
        order = np.argsort(microseconds, kind="stable")
        columns, microseconds = columns[order], microseconds[order]
    x, y, p = (columns[:, place] for place in range(3))
    # A polarity is whether it is not 0, as in tonic.
    return Events(microseconds, x.astype(np.uint8), y.astype(np.uint8), (p != 0).astype(np.uint8))


def _check(path: Path, columns: npt.NDArray[Any]) -> None:
    if not len(columns):
        return
    low, high = _extremes(columns)
    for place, (name, last) in enumerate((("x", _SIDE - 1), ("y", _SIDE - 1), ("p", 1), ("t", _LONGEST))):
        # What is no number is in no range.
        if not (float(low[place]) >= 0 and float(high[place]) <= last):
            values = columns[:, place]
            wrong = values[np.flatnonzero(~((values >= 0) & (values <= last)))[0]]
            unit = " ms; is it in another unit?" if name == "t" else ""
            raise DataError(f"{path}: an event has {name} = {wrong}, which is not from 0 to {last}{unit}")


def _extremes(columns: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Least and greatest of each column; several rows side by side are reduced three times as fast as narrow columns."""
    whole = len(columns) // _FOLD * _FOLD
    folded, rest = columns[:whole].reshape(-1, 4 * _FOLD), columns[whole:]
    parts = [(folded.min(0).reshape(_FOLD, 4), folded.max(0).reshape(_FOLD, 4))] if whole else []
    low, high = (np.concatenate(side) for side in zip(*parts, (rest, rest), strict=True))
    return low.min(0), high.max(0)


def _microseconds(t: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """As tonic computes them, in the file's own type; in a wide one where that would overflow."""
    wide = t.astype(np.int64) if t.dtype.kind in "iu" else t.astype(np.promote_types(t.dtype, np.float32))
    return np.asarray(wide * wide.dtype.type(1000)).astype(np.int64)
