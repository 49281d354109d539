"""Recordings' files: each an array (events, 4) of x, y, p and t in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import Bulk, DataError
from harness.reading import check_regular

_SIDE = 128
# The longest recording of the original lasts about 18 s; times of more ms than ten minutes have are in another unit.
_LAST = {"x": _SIDE - 1, "y": _SIDE - 1, "p": 1, "t": 600_000}
_LIMITS = np.array(list(_LAST.values()), dtype=np.float64)
# Events at a time: enough to amortise numpy's calls, few enough to stay in a processor's cache from one to the next.
_BLOCK = 8192
_FOLD = 64


def read(paths: Sequence[Path]) -> Bulk:
    """The events of several files; raises :class:`DataError` that names the first that is damaged or something else.

    Nothing in a file is executed, and no more memory is taken than its bytes account for.
    """
    # Opened again below: a mapped file keeps a descriptor, and processes may have no more than 1,024.
    offsets = np.cumsum([0, *(len(_open(path)) for path in paths)]).astype(np.int64)
    t = np.empty(offsets[-1], dtype=np.int64)
    # A polarity is whether it is not 0, as in tonic.
    x, y, p = (np.empty(offsets[-1], dtype=dtype) for dtype in (np.uint8, np.uint8, np.bool_))
    for path, begin, end in zip(paths, offsets[:-1], offsets[1:], strict=True):
        array = _open(path)[: end - begin]
        for first in range(0, len(array), _BLOCK):
            block = np.asarray(array[first : first + _BLOCK])
            _check(path, block)
            part = slice(begin + first, begin + first + len(block))
            x[part], y[part], p[part] = block[:, 0], block[:, 1], block[:, 2]
            t[part] = _microseconds(block[:, 3])
        own = slice(begin, end)
        if (t[own][1:] < t[own][:-1]).any():
            order = np.argsort(t[own], kind="stable")
            for field in (t, x, y, p):
                field[own] = field[own][order]
    return Bulk(t=t, x=x, y=y, p=p.view(np.uint8), offsets=offsets)


def _open(path: Path) -> npt.NDArray[Any]:
    """The file's array, mapped: one shorter than its header says is refused before anything of that size is allocated."""
    check_regular(path)  # numpy would wait for a pipe
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise
    except Exception as error:  # what damaged headers raise is not listed anywhere
        cause = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: not a recording, or a truncated one ({cause}); fetch it again") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{path}: an archive of arrays, not a recording; fetch it again")
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "iuf":
        raise DataError(f"{path}: holds {array.dtype} {array.shape}, not x, y, p, t of each event; fetch it again")
    return array


def _check(path: Path, block: npt.NDArray[Any]) -> None:
    low, high = _extremes(block)
    # What is no number is in no range.
    if (low >= 0).all() and (high <= _LIMITS).all():
        return
    for (name, last), values in zip(_LAST.items(), block.T, strict=True):
        wrong = values[~((values >= 0) & (values <= last))]
        if len(wrong):
            unit = " ms; is it in another unit?" if name == "t" else ""
            raise DataError(f"{path}: an event has {name} = {wrong[0]}, which is not from 0 to {last}{unit}")


def _extremes(block: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Least and greatest of each column; several rows side by side are reduced three times as fast as narrow columns."""
    whole = len(block) // _FOLD * _FOLD
    folded, rest = block[:whole].reshape(-1, 4 * _FOLD), block[whole:]
    if not whole:
        return rest.min(0), rest.max(0)
    low, high = folded.min(0).reshape(_FOLD, 4), folded.max(0).reshape(_FOLD, 4)
    return np.concatenate([low, rest]).min(0), np.concatenate([high, rest]).max(0)


def _microseconds(t: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """As tonic computes them, in the file's own type; in a wider one where that would overflow."""
    wide = t.astype(np.int64) if t.dtype.kind in "iu" else t.astype(np.promote_types(t.dtype, np.float32), copy=False)
    return np.asarray(wide * wide.dtype.type(1000))
