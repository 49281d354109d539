"""Sums that grow chunk by chunk, so that a split of any size is counted in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..events.encode import Encoded, encode_bulk, sample_shape
from ..events.reading import portions
from ..source import Bulk
from .findings import FrameCounts, Losses, TimeHistogram

if TYPE_CHECKING:
    from ..components import Encoding

Ints = npt.NDArray[np.int64]
_BIN = 1000  # µs: as fine as any dataset's times need to be looked at
_BINS = 2**16  # half a megabyte; beyond, bins are merged in pairs


class TimeSums:
    """Events by time: bins of 1 ms, merged in pairs whenever an event lies past the 65,536th."""

    def __init__(self) -> None:
        self._bin = _BIN
        self._counts = np.zeros(1, dtype=np.int64)
        self._latest = -1

    def add(self, t: Ints) -> None:
        """Take in events at times ``t`` (µs), in any order."""
        if not len(t):
            return
        self._latest = max(self._latest, int(t.max()))
        while self._latest // self._bin >= _BINS:
            self._counts = np.pad(self._counts, (0, len(self._counts) % 2)).reshape(-1, 2).sum(axis=1)
            self._bin *= 2
        found = np.bincount(t // self._bin)
        if len(found) > len(self._counts):
            self._counts = np.pad(
                self._counts, (0, min(max(len(found), 2 * len(self._counts)), _BINS) - len(self._counts))
            )
        self._counts[: len(found)] += found

    def result(self, percentile: float) -> TimeHistogram:
        """What was taken in, without empty bins at its end."""
        counts = self._counts[: self._latest // self._bin + 1] if self._latest >= 0 else self._counts[:0]
        total = int(counts.sum())
        reached = None
        if total:
            # In whole numbers, and 99.9 as written: the bin that holds the last of the events needed.
            needed = max(ceil(Fraction(str(float(percentile))) * total / 100), 1)
            reached = int(np.searchsorted(np.cumsum(counts), needed)) + 1
        return TimeHistogram(
            counts=counts,
            bin_us=self._bin,
            percentile=percentile,
            percentile_ms=None if reached is None else reached * self._bin / 1000,
            t_max_ms=None if self._latest < 0 else self._latest / 1000,
        )


class EncodingSums:
    """What one encoding makes of recordings and leaves out; a portion's frames lie in memory at a time."""

    def __init__(self, encoding: Encoding, sensor_size: tuple[int, int, int]) -> None:
        self.encoding, self.sensor_size = encoding, sensor_size
        self.shape = sample_shape(encoding, sensor_size)
        self._dropped = {"cropped": 0, "incomplete": 0, "incomplete_slices": 0}
        self._events = self._samples = self._cells = self._occupied = self._several = self._largest = 0
        self._steps = encoding.steps or 0
        self._width = 1
        self._sampled: list[Ints] = []

    def sampled(self) -> Ints:
        """Return the recordings that made a sample so far."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self._sampled])

    def add(self, bulk: Bulk, numbers: Ints) -> None:
        """Encode these recordings and count; raises :class:`DataError` that names one by its number."""
        for indices, part in portions(numbers, bulk, self.encoding, self.sensor_size):
            self._count(encode_bulk(part, self.encoding, self.sensor_size, indices), indices)
            self._events += len(part.t)

    def _count(self, encoded: Encoded, indices: Ints) -> None:
        """Frames are let go of on return, so that no two parts lie in memory together."""
        frames = encoded.frames
        steps = len(frames) * frames.shape[1] if encoded.lengths is None else int(encoded.lengths.sum())
        self._samples += len(frames)
        self._cells += steps * prod(self.shape)
        self._occupied += int(np.count_nonzero(frames))
        self._several += int(np.count_nonzero(frames > 1))
        self._largest = max(self._largest, int(frames.max(initial=0)))
        self._steps = max(self._steps, frames.shape[1])
        self._width = max(self._width, frames.itemsize)
        self._sampled.append(np.unique(indices[encoded.recordings]))
        for reason, count in encoded.dropped.items():
            self._dropped[reason] += count

    def losses(self) -> Losses:
        """What was left out so far."""
        return Losses(events=self._events, **self._dropped)

    def frames(self) -> FrameCounts:
        """What lies in frames so far."""
        return FrameCounts(
            samples=self._samples,
            cells=self._cells,
            occupied=self._occupied,
            several=self._several,
            events=self.losses().kept,
            largest=self._largest,
            bytes=self._samples * self._steps * prod(self.shape) * self._width,
        )


def together(parts: Sequence[EncodingSums]) -> tuple[Losses, FrameCounts]:
    """The sums of several splits under one encoding as one."""
    losses, frames = [part.losses() for part in parts], [part.frames() for part in parts]
    return (
        Losses(**{name: sum(getattr(item, name) for item in losses) for name in Losses.__dataclass_fields__}),
        FrameCounts(
            largest=max((item.largest for item in frames), default=0),
            **{
                name: sum(getattr(item, name) for item in frames)
                for name in FrameCounts.__dataclass_fields__
                if name != "largest"
            },
        ),
    )
