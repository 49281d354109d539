"""A source's recordings, some at a time: which, by what labels, and how many fit a processor's cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..source import Bulk
from ..specification import seed_for
from .encode import bulk_of, check_whole, counts_of

if TYPE_CHECKING:
    from ..components import Encoding

Ints = npt.NDArray[np.int64]
# Recordings, and about as many events, read at a time: enough to amortise a read, few enough to stay in a processor's cache
# and, where recordings are long, not to need much memory.
_CHUNK = 32
_EVENTS = 500_000
# Counts that recordings which are encoded together may make; one that makes more is encoded alone.
_COUNTS = 64 * 2**20


def checked_labels(source: Any, classes: int, split: str, read: Sequence[Any] | None = None) -> Ints:
    """Every recording's label (recordings,), ``read`` if they were read already; raises :class:`DataError` for one that is none
    of ``classes``.
    """
    given = getattr(source, "labels", None) if read is None else read
    if given is None:
        given = [source[index][1] for index in range(len(source))]
    try:
        told = np.asarray(given)
        with np.errstate(invalid="ignore"):  # what is not a number becomes one, which the comparison finds
            labels = told.astype(np.int64)
        whole = told.dtype.kind in "iub" or not told.size or np.array_equal(told, labels)
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise DataError(f"{split}: labels are no whole numbers, one a recording")
    if labels.shape != (len(source),):
        raise DataError(f"{split}: labels of shape {labels.shape} for {len(source)} recordings")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(f"{split} recording {wrong[0]} has label {labels[wrong[0]]}; there are {classes} classes")
    return labels


def checked_groups(source: Any, split: str) -> npt.NDArray[np.str_] | None:
    """Every recording's speaker or subject (recordings,), None where the source names none; raises :class:`DataError`."""
    given = getattr(source, "groups", None)
    if given is None:
        return None
    named = [str(group) for group in given]
    if len(named) != len(source):
        raise DataError(f"{split}: {len(named)} groups for {len(source)} recordings")
    return np.array(named, dtype=np.str_)


def subset(labels: Ints, limit: int | None) -> Ints:
    """All recordings, or ``limit`` of them: the same ones every time, classes in turn."""
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    order = np.random.default_rng(seed_for(0, "limit")).permutation(len(labels))
    turn = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turn[of_class] = np.arange(len(of_class))
    by_turn = np.lexsort((np.argsort(order), turn))
    return np.sort(by_turn[:limit])


def chunks(source: Any, chosen: Ints) -> Iterator[tuple[Ints, Bulk]]:
    """Chunks of recordings, by the bulk reader where there is one and the recordings lie together."""
    whole = len(chosen) == len(source)
    begin, size, longest = 0, 1, 1
    while begin < len(chosen):
        indices = chosen[begin : begin + size]
        if whole and hasattr(source, "bulk"):
            bulk = source.bulk(int(indices[0]), int(indices[-1]) + 1)
        elif len(indices) == 1:
            bulk = bulk_of(source[int(indices[0])][0])
        else:
            bulk = gather([source[int(index)][0] for index in indices])
        yield indices, bulk
        begin += len(indices)
        longest = max(longest, int(np.diff(bulk.offsets).max(initial=0)))
        # The first chunks are small, since nothing is known yet of how long recordings are.
        size = min(2 * size, _CHUNK, max(_EVENTS // longest, 1))


def portions(
    indices: Ints, bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int], most: int = _COUNTS
) -> Iterator[tuple[Ints, Bulk]]:
    """``bulk`` in parts whose frames hold at most ``most`` counts, or one recording's; however few events, frames may be long.

    ``indices`` are what the recordings are called. Raises :class:`DataError` where the arrays of ``bulk`` do not belong together.
    """
    check_whole(bulk, indices)
    begin = samples = longest = 0
    for index, (more, counts) in enumerate(counts_of(bulk, encoding, sensor_size, most)):
        if index > begin and (samples + more) * max(longest, counts) > most:
            yield indices[begin:index], _part(bulk, begin, index)
            begin, samples, longest = index, 0, 0
        samples, longest = samples + more, max(longest, counts)
    yield indices[begin:], _part(bulk, begin, len(indices))


def _part(bulk: Bulk, begin: int, end: int) -> Bulk:
    if begin == 0 and end == len(bulk.offsets) - 1:
        return bulk
    first, last = int(bulk.offsets[begin]), int(bulk.offsets[end])
    return Bulk(
        t=bulk.t[first:last],
        x=bulk.x[first:last],
        y=None if bulk.y is None else bulk.y[first:last],
        p=None if bulk.p is None else bulk.p[first:last],
        offsets=bulk.offsets[begin : end + 1] - first,
    )


def gather(recordings: Sequence[npt.NDArray[Any]]) -> Bulk:
    """Recordings' events end to end."""
    names = recordings[0].dtype.names or ()
    fields: Mapping[str, Any] = {
        name: np.concatenate([recording[name] for recording in recordings]) for name in ("x", "y", "p") if name in names
    }
    times = np.concatenate([recording["t"] for recording in recordings]).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(recording) for recording in recordings])]).astype(np.int64)
    return Bulk(t=times, offsets=offsets, **fields)
