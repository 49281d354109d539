"""A source's recordings, some at a time: which, and how many fit a processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..source import Bulk
from ..specification import seed_for
from .encode import check_whole, counts_of

if TYPE_CHECKING:
    from ..components import Encoding
    from .validation import CheckedSource

Ints = npt.NDArray[np.int64]
# Recordings, and about as many events, read at a time: enough to amortise a read, few enough to stay in a processor's cache
# and, where recordings are long, not to need much memory.
_CHUNK = 32
_EVENTS = 500_000
# Counts that recordings which are encoded together may make; one that makes more is encoded alone.
_COUNTS = 64 * 2**20


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


def chunks(source: CheckedSource, chosen: Ints) -> Iterator[tuple[Ints, Bulk]]:
    """Chunks of recordings, checked, by the bulk reader if there is one and every recording is read."""
    whole = len(chosen) == len(source)
    begin, size, longest = 0, 1, 1
    while begin < len(chosen):
        indices = chosen[begin : begin + size]
        bulk = source.read(indices, bulk=whole)
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
