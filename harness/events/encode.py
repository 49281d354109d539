"""From events to frames: counted straight into the target shape, with no dense intermediate.

The edge rule is integer: bin k holds k·dt <= t < (k + 1)·dt in whole microseconds from the recording's time 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, UsageError

if TYPE_CHECKING:
    from ..components import Encoding
    from ..source import Bulk

Ints = npt.NDArray[np.int64]
# Counting allocates eight bytes a cell; this many stay within a processor's cache.
_CELLS = 50_000


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

    Raises :class:`UsageError` where the factor does not divide the sensor.
    """
    width, height, polarities = sensor_size
    factor = encoding.factor
    if width % factor or (height > 1 and height % factor):
        raise UsageError(f"encoding.factor: {factor} does not divide the sensor of {width} x {height}")
    if height == 1 and polarities == 1:
        return (width // factor,)
    kept = 1 if encoding.polarity == "merge" else polarities
    return (kept, max(height // factor, 1), width // factor)


def encode(events: npt.NDArray[Any], encoding: Encoding, sensor_size: tuple[int, int, int]) -> Encoded:
    """One recording: a structured array with fields t (µs) and x, and y, p where the sensor has them."""
    from ..source import Bulk

    names = events.dtype.names or ()
    bulk = Bulk(
        t=events["t"].astype(np.int64),
        x=events["x"],
        y=events["y"] if "y" in names else None,
        p=events["p"] if "p" in names else None,
        offsets=np.array([0, len(events)], dtype=np.int64),
    )
    return encode_bulk(bulk, encoding, sensor_size)


def encode_bulk(bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int], first: int = 0) -> Encoded:
    """Several recordings at once; ``first`` is the number of the first, for messages.

    Raises :class:`DataError` that names the recording for an event outside the sensor or before time 0.
    """
    shape = sample_shape(encoding, sensor_size)
    owner = np.repeat(np.arange(len(bulk.offsets) - 1), np.diff(bulk.offsets))
    _check(bulk, owner, sensor_size, first)
    place = _place(bulk, encoding, sensor_size)
    if encoding.tonic_window is not None:
        return _like_tonic(bulk.t, place, owner, len(bulk.offsets) - 1, encoding, shape)
    return _from_zero(bulk, place, owner, encoding, shape)


def _check(bulk: Bulk, owner: Ints, sensor_size: tuple[int, int, int], first: int) -> None:
    width, height, polarities = sensor_size
    for name, values, size in (("x", bulk.x, width), ("y", bulk.y, height), ("p", bulk.p, max(polarities, 2))):
        if values is not None and len(values) and (values.min() < 0 or values.max() >= size):
            wrong = int(np.flatnonzero((values < 0) | (values >= size))[0])
            raise DataError(
                f"recording {first + owner[wrong]}: an event at {name} = {values[wrong]} lies outside the sensor "
                f"of {width} x {height} x {polarities}"
            )
    if len(bulk.t) and bulk.t.min() < 0:
        wrong = int(np.flatnonzero(bulk.t < 0)[0])
        raise DataError(f"recording {first + owner[wrong]}: an event at t = {bulk.t[wrong]} µs lies before time 0")


def _place(bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int]) -> Ints:
    """Index of each event's cell within one time step."""
    width, height, polarities = sensor_size
    factor = encoding.factor
    place = _divided(bulk.x, factor)
    if height > 1 and bulk.y is not None:
        place += _divided(bulk.y, factor) * (width // factor)
    if polarities > 1 and encoding.polarity == "keep" and bulk.p is not None:
        place += bulk.p.astype(np.int64) * max(height // factor, 1) * (width // factor)
    return place


def _divided(values: npt.NDArray[Any], factor: int) -> Ints:
    # Division in the stored type first: a narrow integer divides several times faster than a wide one.
    return np.array(values // values.dtype.type(factor) if factor > 1 else values, dtype=np.int64)


def _from_zero(bulk: Bulk, place: Ints, owner: Ints, encoding: Encoding, shape: tuple[int, ...]) -> Encoded:
    dt = encoding.microseconds(encoding.dt)
    t, count = bulk.t, len(bulk.offsets) - 1
    dropped = {"cropped": 0, "incomplete": 0, "incomplete_slices": 0}
    if encoding.slice is None and encoding.steps is not None:
        # One more step takes what the crop leaves out: cheaper than filtering every array.
        step = np.minimum(t // dt, encoding.steps)
        dropped["cropped"] = int(np.count_nonzero(step == encoding.steps))
        frames = _count(owner, step, place, count, encoding.steps, shape, spare=1)
        return Encoded(frames, np.arange(count), None, dropped)
    ends = _ends(t, bulk.offsets)
    if encoding.crop is not None:
        crop = encoding.microseconds(encoding.crop)
        keep = t < crop
        dropped["cropped"] = int(len(t) - np.count_nonzero(keep))
        t, place, owner = t[keep], place[keep], owner[keep]
        ends = np.minimum(ends, crop)
    if encoding.slice is None:
        lengths = -(-ends // dt)
        steps = int(lengths.max(initial=0))
        frames = _count(owner, t // dt, place, count, steps, shape)
        return Encoded(frames, np.arange(count), lengths, dropped)
    window = encoding.microseconds(encoding.slice)
    complete = ends // window
    dropped["incomplete_slices"] = int(np.count_nonzero(ends % window))
    index = t // window
    keep = index < complete[owner]
    dropped["incomplete"] = int(len(t) - np.count_nonzero(keep))
    t, place, owner, index = t[keep], place[keep], owner[keep], index[keep]
    sample = (np.cumsum(complete) - complete)[owner] + index
    total, steps = int(complete.sum()), window // dt
    frames = _count(sample, t % window // dt, place, total, steps, shape)
    return Encoded(frames, np.repeat(np.arange(count), complete), None, dropped)


def _ends(t: Ints, offsets: Ints) -> Ints:
    """Microseconds that each recording covers: up to and with its last event."""
    ends = np.zeros(len(offsets) - 1, dtype=np.int64)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        ends[filled] = np.maximum.reduceat(t, offsets[:-1][filled]) + 1
    return ends


def _like_tonic(t: Ints, place: Ints, owner: Ints, count: int, encoding: Encoding, shape: tuple[int, ...]) -> Encoded:
    """As tonic 1.7: CropTime keeps t <= max; windows start at the first event; the last, incomplete one is dropped."""
    if encoding.steps is None:
        raise UsageError("encoding.tonic_window needs encoding.crop or encoding.slice")
    dropped = {"cropped": 0, "incomplete": 0, "incomplete_slices": 0}
    if encoding.crop is not None:
        keep = t <= encoding.microseconds(encoding.crop)
        dropped["cropped"] = int(len(t) - np.count_nonzero(keep))
        t, place, owner = t[keep], place[keep], owner[keep]
    total, recordings = count, np.arange(count)
    if encoding.slice is not None:
        window = encoding.microseconds(encoding.slice)
        since, windows = _windows(t, owner, count, window)
        keep = since // window < windows[owner]
        sample = (np.cumsum(windows) - windows)[owner] + since // window
        dropped["incomplete"] = int(len(t) - np.count_nonzero(keep))
        t, place, owner = t[keep], place[keep], sample[keep]
        total, recordings = int(windows.sum()), np.repeat(np.arange(count), windows)
    fine = encoding.microseconds(float(encoding.tonic_window or 0))
    per_step = encoding.microseconds(encoding.dt) // fine
    since, windows = _windows(t, owner, total, fine)
    keep = (since // fine < windows[owner]) & (since // fine < encoding.steps * per_step)
    dropped["incomplete"] += int(len(t) - np.count_nonzero(keep))
    step = (since // fine // per_step)[keep]
    frames = _count(owner[keep], step, place[keep], total, encoding.steps, shape)
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


def _count(
    sample: Ints, step: Ints, place: Ints, samples: int, steps: int, shape: tuple[int, ...], spare: int = 0
) -> npt.NDArray[Any]:
    """Events a cell, (samples, steps, *shape), in the narrowest unsigned type that holds every count.

    ``spare`` steps after the last are counted and left out.
    ``sample`` must not decrease, so that samples can be counted in batches that fit the processor's cache.
    """
    cells = int(np.prod(shape))
    size = (steps + spare) * cells
    out: npt.NDArray[Any] = np.zeros((samples, steps * cells), dtype=np.uint8)
    batch = max(1, _CELLS // max(size, 1))
    borders = np.searchsorted(sample, np.arange(0, samples + batch, batch))
    for number, begin in enumerate(range(0, samples, batch)):
        part = slice(borders[number], borders[number + 1])
        end = min(begin + batch, samples)
        flat = sample[part] - begin
        flat *= steps + spare
        flat += step[part]
        flat *= cells
        flat += place[part]
        counts = np.bincount(flat, minlength=(end - begin) * size).reshape(end - begin, size)[:, : steps * cells]
        wanted = np.min_scalar_type(int(counts.max(initial=0)))
        if wanted.itemsize > out.dtype.itemsize:
            out = out.astype(wanted)
        out[begin:end] = counts
    return out.reshape(samples, steps, *shape)
