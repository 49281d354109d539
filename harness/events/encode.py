"""From events to frames: counted straight into the target shape, with nothing between.

The edge rule is integer: bin k holds k·dt <= t < (k + 1)·dt in whole microseconds from the recording's time 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import DataError, UsageError
from .fields import bulk_of, check_names, required_fields, whole_bulk

if TYPE_CHECKING:
    from ..components import Encoding
    from ..source import Bulk

Ints = npt.NDArray[np.int64]
Narrow = TypeVar("Narrow", bound=np.unsignedinteger[Any])
_FROM_ZERO = "; polarities count from 0, so -1 must become 0"
# What fits no memory comes of a time that was misread, not of a long recording.
_MOST = 8 * 2**30


@dataclass(frozen=True)
class Encoded:
    """Frames of several recordings.

    ``frames`` (samples, steps, *shape) uint8, or uint16 / uint32 where a count overflows; ``recordings`` (samples,) index of
    each sample's recording in the batch; ``lengths`` (samples,) real steps where recordings keep their own length, else
    None; ``dropped`` counts what was left out by reason.
    """

    frames: npt.NDArray[Any]
    recordings: Ints
    lengths: Ints | None = None
    dropped: dict[str, int] = field(default_factory=dict)


def sample_shape(encoding: Encoding, sensor_size: tuple[int, int, int]) -> tuple[int, ...]:
    """The shape of one time step: (channels,), or (polarities, height, width).

    Raises :class:`UsageError` where the factor does not divide the sensor, or that has more than 65,536 pixels a side.
    """
    width, height, polarities = sensor_size
    factor = encoding.factor
    if max(width, height) > 2**16:
        raise UsageError(f"a sensor of {width} x {height} is wider than the 65,536 that can be counted")
    if width % factor or (height > 1 and height % factor):
        raise UsageError(f"encoding.factor: {factor} does not divide the sensor of {width} x {height}")
    if height == 1 and polarities == 1:
        return (width // factor,)
    kept = 1 if encoding.polarity == "merge" else polarities
    return (kept, max(height // factor, 1), width // factor)


def encode(events: npt.NDArray[Any], encoding: Encoding, sensor_size: tuple[int, int, int]) -> Encoded:
    """One recording: a structured array with fields t (µs) and x, and y, p where the sensor has them.

    Raises as :func:`encode_bulk`, and :class:`DataError` for values that are no whole numbers.
    """
    return encode_bulk(bulk_of(events), encoding, sensor_size)


def encode_bulk(
    bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int], numbers: Ints | None = None
) -> Encoded:
    """Several recordings at once; ``numbers`` are what messages call them, from 0 where there are none.

    Raises :class:`DataError` that names the recording for an event outside the sensor or before time 0, and for one so late
    that its frames would fit no memory.
    """
    counter = _Counter(bulk, encoding, sensor_size, np.arange(len(bulk.offsets) - 1) if numbers is None else numbers)
    return _like_tonic(counter) if encoding.tonic_window is not None else _from_zero(counter)


def check_whole(bulk: Bulk, numbers: Ints) -> None:
    """Raises :class:`DataError` where the arrays of a bulk reader do not belong together."""
    count, offsets = len(bulk.t), bulk.offsets
    whole = all(values is None or len(values) == count for values in (bulk.x, bulk.y, bulk.p))
    if not whole or offsets[0] != 0 or offsets[-1] != count or (np.diff(offsets.astype(np.int64)) < 0).any():
        raise DataError(
            f"{called(numbers)}: the bulk reader's arrays differ in length, or its offsets do not "
            f"divide their {count} events"
        )


def check_fields(bulk: Bulk, sensor_size: tuple[int, int, int], numbers: Ints) -> Bulk:
    """Return ``bulk`` in whole numbers, with every coordinate of the sensor and no polarities that the sensor would merge.

    Args:
        bulk: recordings end to end.
        sensor_size: (width, height, polarities).
        numbers: what messages call the recordings.

    Raises:
        DataError: y or p is missing, a value is no whole number, or a sensor of one polarity has events of several.
    """
    names = tuple(name for name in ("t", "x", "y", "p") if getattr(bulk, name) is not None)
    check_names(names, required_fields(sensor_size), called(numbers))
    whole = whole_bulk(bulk, lambda event: f"recording {numbers[_owner(bulk, event)]}")
    if sensor_size[2] == 1 and whole.p is not None and len(whole.p):
        low, high = int(whole.p.min()), int(whole.p.max())
        if low != high:
            other = int(np.argmax(whole.p != whole.p[0]))
            raise DataError(f"recording {numbers[_owner(bulk, other)]}: {merged_polarities(low, high)}")
    return whole


def merged_polarities(low: int, high: int) -> str:
    """What to say of events of several polarities on a sensor of one."""
    return (
        f"the sensor has one polarity, and events have p = {low} and p = {high}; declare two polarities in sensor_size, and "
        "set encoding.polarity=merge to add them up"
    )


def called(numbers: Ints) -> str:
    """``recording 3``, or ``recordings 3 to 34``."""
    if not len(numbers):
        return "no recording"
    return f"recording {numbers[0]}" if len(numbers) == 1 else f"recordings {numbers[0]} to {numbers[-1]}"


def counts_of(bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int], enough: int) -> list[tuple[int, int]]:
    """For each recording of ``bulk``, how many samples and how many counts a sample it makes at most.

    Events are looked at only where the encoding alone would let ``bulk`` make ``enough`` counts.
    """
    recordings, cells = len(bulk.offsets) - 1, math.prod(sample_shape(encoding, sensor_size))
    crop = None if encoding.crop is None else encoding.microseconds(encoding.crop)
    window = None if encoding.slice is None else encoding.microseconds(encoding.slice)
    if crop is not None:
        samples, counts = 1 if window is None else max(crop // window, 1), (encoding.steps or 0) * cells
        if window is None or recordings * samples * counts < enough:
            return [(samples, counts)] * recordings
    ends = [max(min(end, crop or end), 0) for end in ends_of(bulk.t, bulk.offsets).tolist()]
    if window is not None:
        return [(max(end // window, 1), (encoding.steps or 0) * cells) for end in ends]
    return [(1, -(-end // encoding.microseconds(encoding.dt)) * cells) for end in ends]


def _check(bulk: Bulk, sensor_size: tuple[int, int, int], numbers: Ints) -> None:
    """Raises :class:`DataError` for the first event that cannot be."""
    width, height, polarities = sensor_size
    for name, values, size in (("x", bulk.x, width), ("y", bulk.y, height), ("p", bulk.p, max(polarities, 2))):
        if values is not None and len(values) and (values.min() < 0 or values.max() >= size):
            wrong = int(np.flatnonzero((values < 0) | (values >= size))[0])
            raise DataError(
                f"recording {numbers[_owner(bulk, wrong)]}: an event at {name} = {values[wrong]} lies outside the sensor "
                f"of {width} x {height} x {polarities}{_FROM_ZERO if name == 'p' and values[wrong] < 0 else ''}"
            )
    if len(bulk.t) and bulk.t.min() < 0:
        wrong = int(np.flatnonzero(bulk.t < 0)[0])
        raise DataError(
            f"recording {numbers[_owner(bulk, wrong)]}: an event at t = {bulk.t[wrong]} µs lies before time 0"
        )


def _owner(bulk: Bulk, event: int) -> int:
    return int(np.searchsorted(bulk.offsets, event, side="right")) - 1


class _Counter:
    """Events ready for the compiled pass, and the shape that they are counted into."""

    def __init__(self, bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int], numbers: Ints) -> None:
        self.encoding, self.sensor_size, self.numbers = encoding, sensor_size, numbers
        self.shape = sample_shape(encoding, sensor_size)
        # The compiled pass looks at no bounds but the sensor's.
        check_whole(bulk, numbers)
        self.bulk = bulk = check_fields(bulk, sensor_size, numbers)
        self.offsets, count = np.ascontiguousarray(bulk.offsets, dtype=np.int64), len(bulk.t)
        safe = _safe(bulk.x, np.uint16) and _safe(bulk.y, np.uint16) and _safe(bulk.p, np.uint8)
        if encoding.tonic_window is not None or not safe:
            _check(bulk, sensor_size, numbers)
        self.t = bulk.t
        self.x, self.y = _as(bulk.x, np.uint16, count), _as(bulk.y, np.uint16, count)
        self.p = _as(bulk.p, np.uint8, count)

    @property
    def recordings(self) -> int:
        return len(self.offsets) - 1

    def tables(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """What each x, each y and each p adds to the index of a cell within its step."""
        width, height, polarities = self.sensor_size
        factor = self.encoding.factor
        columns = np.arange(width, dtype=np.uint32) // factor
        rows = np.arange(height, dtype=np.uint32) // factor * (width // factor)
        planes = np.zeros(max(polarities, 2), dtype=np.uint32)
        if polarities > 1 and self.encoding.polarity == "keep":
            planes[:] = np.arange(polarities) * max(height // factor, 1) * (width // factor)
        return columns.astype(np.uint32), rows.astype(np.uint32), planes

    def count(self, samples: Ints, steps: int, limits: Ints) -> tuple[npt.NDArray[Any], int]:
        """Frames (all samples, steps, *shape) of the events before each recording's limit (µs), and how many those are."""
        from .counting import count_cells

        cells = int(np.prod(self.shape))
        total = self.room(samples, steps, limits)
        firsts = (np.cumsum(samples) - samples) * steps
        found = count_cells(
            (self.t, self.x, self.y, self.p),
            self.offsets,
            firsts,
            limits,
            self.encoding.microseconds(self.encoding.dt),
            self.tables(),
            (total * steps, cells),
        )
        if found is None:
            _check(self.bulk, self.sensor_size, self.numbers)
            raise AssertionError("an event that cannot be was counted")
        frames, kept = found
        return frames.reshape(total, steps, *self.shape), kept

    def room(self, samples: Ints, steps: int, limits: Ints) -> int:
        """How many samples there are; raises :class:`DataError` where they would fit no memory."""
        total, cells = int(samples.sum()), int(np.prod(self.shape))
        room = total * steps * cells
        if room > _MOST:
            longest = int(np.argmax(limits))
            alone = int(samples[longest]) * steps * cells
            if alone <= _MOST:
                raise DataError(
                    f"recordings {self.numbers[0]} to {self.numbers[-1]}: frames of all of them would take "
                    f"{room / 2**30:.0f} GiB; take fewer at a time"
                )
            raise DataError(
                f"recording {self.numbers[longest]}: with an event {limits[longest] / 1e6:g} s from its start, frames "
                f"would take {alone / 2**30:.0f} GiB; times must be microseconds from the recording's start"
            )
        return total

    def keep(self, chosen: npt.NDArray[np.bool_], t: Ints, owner: Ints, owners: int) -> Ints:
        """Go on with the chosen events at times ``t``, each belonging to ``owner``, which must not decrease; the owners left."""
        self.t, self.x, self.y, self.p = t[chosen], self.x[chosen], self.y[chosen], self.p[chosen]
        kept = owner[chosen]
        if (np.diff(kept) < 0).any():
            raise DataError("events are not in order of time, which encoding.tonic_window needs")
        self.offsets = np.searchsorted(kept, np.arange(owners + 1)).astype(np.int64)
        return kept


def _safe(values: npt.NDArray[Any] | None, kind: type[np.unsignedinteger[Any]]) -> bool:
    """Whether no value can become another one in ``kind`` that the sensor might have: what is negative becomes too large."""
    return values is None or (values.dtype.kind in "iub" and values.dtype.itemsize <= np.dtype(kind).itemsize)


def _as(values: npt.NDArray[Any] | None, kind: type[Narrow], count: int) -> npt.NDArray[Narrow]:
    if values is None:  # a coordinate that the sensor lacks is 0 everywhere, and takes no room
        return np.broadcast_to(kind(0), count)
    same = values.dtype.kind in "iub" and values.dtype.itemsize == np.dtype(kind).itemsize and values.dtype.isnative
    return values.view(kind) if same else values.astype(kind)


def _from_zero(counter: _Counter) -> Encoded:
    encoding, t, count = counter.encoding, counter.t, counter.recordings
    dropped = {"cropped": 0, "incomplete": 0, "incomplete_slices": 0}
    crop = None if encoding.crop is None else encoding.microseconds(encoding.crop)
    one = np.ones(count, dtype=np.int64)
    if encoding.slice is None and encoding.steps is not None:
        frames, kept = counter.count(one, encoding.steps, one * (crop or 0))
        dropped["cropped"] = len(t) - kept
        return Encoded(frames, np.arange(count), None, dropped)
    ends = ends_of(t, counter.offsets)
    if encoding.slice is None:
        lengths = -(-ends // encoding.microseconds(encoding.dt))
        frames, _ = counter.count(one, int(lengths.max(initial=0)), ends)
        return Encoded(frames, np.arange(count), lengths, dropped)
    if crop is not None:
        if ends.max(initial=0) > crop:
            dropped["cropped"] = int(np.count_nonzero(t >= crop))
        ends = np.minimum(ends, crop)
    window = encoding.microseconds(encoding.slice)
    complete = ends // window
    frames, kept = counter.count(complete, encoding.steps or 0, complete * window)
    dropped["incomplete_slices"] = int(np.count_nonzero(ends % window))
    dropped["incomplete"] = len(t) - dropped["cropped"] - kept
    return Encoded(frames, np.repeat(np.arange(count), complete), None, dropped)


def ends_of(t: Ints, offsets: Ints) -> Ints:
    """Microseconds (recordings,) that each recording covers: up to and with its last event, 0 where it has none."""
    # By recording: a maximum of one run is several times faster than numpy's of many.
    ends = [int(t[begin:end].max()) + 1 if end > begin else 0 for begin, end in pairwise(offsets.tolist())]
    return np.array([min(end, np.iinfo(np.int64).max) for end in ends], dtype=np.int64)


def _like_tonic(counter: _Counter) -> Encoded:
    """As tonic 1.7: CropTime keeps t <= max; windows start at the first event; the last, incomplete one is dropped."""
    encoding = counter.encoding
    if encoding.steps is None:
        raise UsageError("encoding.tonic_window needs encoding.crop or encoding.slice")
    dropped = {"cropped": 0, "incomplete": 0, "incomplete_slices": 0}
    count = counter.recordings
    owner = np.repeat(np.arange(count), np.diff(counter.offsets))
    if encoding.crop is not None:
        keep = counter.t <= encoding.microseconds(encoding.crop)
        dropped["cropped"] = int(len(keep) - np.count_nonzero(keep))
        owner = counter.keep(keep, counter.t, owner, count)
    total, recordings = count, np.arange(count)
    if encoding.slice is not None:
        window = encoding.microseconds(encoding.slice)
        since, windows = _windows(counter.t, owner, count, window)
        keep = since // window < windows[owner]
        sample = (np.cumsum(windows) - windows)[owner] + since // window
        dropped["incomplete"] = int(len(keep) - np.count_nonzero(keep))
        dropped["incomplete_slices"] = len(np.unique(owner[~keep]))
        total = counter.room(windows, encoding.steps, windows * window)
        recordings = np.repeat(np.arange(count), windows)
        owner = counter.keep(keep, counter.t, sample, total)
    fine = encoding.microseconds(float(encoding.tonic_window or 0))
    since, windows = _windows(counter.t, owner, total, fine)
    keep = since < np.minimum(windows * fine, encoding.steps * encoding.microseconds(encoding.dt))[owner]
    dropped["incomplete"] += int(len(keep) - np.count_nonzero(keep))
    counter.keep(keep, since, owner, total)
    frames, _ = counter.count(
        np.ones(total, dtype=np.int64), encoding.steps, np.full(total, np.iinfo(np.int64).max, dtype=np.int64)
    )
    return Encoded(frames, recordings, None, dropped)


def _windows(t: Ints, owner: Ints, count: int, window: int) -> tuple[Ints, Ints]:
    """Time since each owner's first event, and how many windows tonic cuts for each owner."""
    first = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
    last = np.full(count, -1, dtype=np.int64)
    np.minimum.at(first, owner, t)
    np.maximum.at(last, owner, t)
    seen = last >= 0
    windows = np.where(seen, np.maximum((last - np.where(seen, first, 0)) // window, 1), 0)
    return t - first[owner], windows
