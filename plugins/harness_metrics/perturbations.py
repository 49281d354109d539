"""What a sensor or its surroundings do to events: some go missing, move in time, come from nowhere; channels die; all are late.

Each function is ``(bulk, strength, sensor_size, recordings, seed) -> Bulk``, with the id of each recording of ``bulk`` in
``recordings`` and a strength >= 0 (a share, or milliseconds); 0 changes nothing. What is drawn depends on ``seed``, the kind of
change and the recording's id alone, and serves every strength: what a weaker change did, a stronger one does too. Events come,
as sources give them, and go in order of time within each recording.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import Bulk

Ints = npt.NDArray[np.int64]
SensorSize = tuple[int, int, int]
Perturbation = Callable[[Bulk, float, SensorSize, Sequence[int], int], Bulk]

_MICROSECONDS = 1000  # of one millisecond


def drop(bulk: Bulk, strength: float, sensor_size: SensorSize, recordings: Sequence[int], seed: int) -> Bulk:
    """Each event goes with the probability ``strength``, whatever becomes of others."""
    lots = np.empty(len(bulk.t))
    for random, part in _recordings(bulk.offsets, recordings, seed, "drop"):
        random.random(out=lots[part])
    return _taken(bulk, *_left(bulk, lots >= strength))


def jitter(bulk: Bulk, strength: float, sensor_size: SensorSize, recordings: Sequence[int], seed: int) -> Bulk:
    """Each event moves in time by normal noise of ``strength`` ms, in whole microseconds, reflected at time 0."""
    noise = np.empty(len(bulk.t))
    for random, part in _recordings(bulk.offsets, recordings, seed, "jitter"):
        random.standard_normal(out=noise[part])
    moved = np.rint(noise * (strength * _MICROSECONDS)).astype(np.int64)
    late = replace(bulk, t=np.abs(bulk.t + moved))
    return _taken(late, _by_time(late.t, late.offsets), late.offsets)


def spurious(bulk: Bulk, strength: float, sensor_size: SensorSize, recordings: Sequence[int], seed: int) -> Bulk:
    """Events are added, ``strength`` times as many as the recording has: uniform in time up to its last event and over the sensor.

    A recording without events has no span to add to and stays empty.
    """
    width, height, polarities = sensor_size
    sizes = np.diff(bulk.offsets)
    added = np.rint(strength * sizes).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(added)])
    # One row an event: more events are more rows, and the first ones stay as they are.
    lots = np.empty((int(ends[-1]), 4))
    for random, part in _recordings(ends, recordings, seed, "spurious"):
        random.random(out=lots[part])
    times = np.floor(lots[:, 0] * np.repeat(_durations(bulk), added)).astype(np.int64)
    both = Bulk(
        t=np.concatenate([bulk.t, times]),
        x=np.concatenate([bulk.x, _cells(lots[:, 1], width)]),
        y=None if bulk.y is None else np.concatenate([bulk.y, _cells(lots[:, 2], height)]),
        p=None if bulk.p is None else np.concatenate([bulk.p, _cells(lots[:, 3], polarities)]),
        offsets=bulk.offsets,
    )
    # Behind each recording's own events those added to it, then all by time.
    offsets = bulk.offsets + ends
    order = np.empty(len(both.t), dtype=np.int64)
    order[np.arange(len(bulk.t)) + np.repeat(ends[:-1], sizes)] = np.arange(len(bulk.t))
    order[np.arange(len(times)) + np.repeat(bulk.offsets[1:], added)] = np.arange(len(bulk.t), len(both.t))
    return _taken(both, order[_by_time(both.t[order], offsets)], offsets)


def channel_loss(bulk: Bulk, strength: float, sensor_size: SensorSize, recordings: Sequence[int], seed: int) -> Bulk:
    """The share ``strength`` of the sensor's channels, or of its pixels with both polarities, is dead: the same in all recordings."""
    width, height, _ = sensor_size
    places = width * height if bulk.y is not None else width
    dead = np.zeros(places, dtype=np.bool_)
    dead[_generator(seed, "channel loss").permutation(places)[: round(strength * places)]] = True
    place = bulk.x.astype(np.int64)
    if bulk.y is not None:
        place += bulk.y.astype(np.int64) * width
    return _taken(bulk, *_left(bulk, ~dead[place]))


def shift(bulk: Bulk, strength: float, sensor_size: SensorSize, recordings: Sequence[int], seed: int) -> Bulk:
    """Every event comes ``strength`` ms later, to the nearest microsecond."""
    return replace(bulk, t=bulk.t + round(strength * _MICROSECONDS))


def _generator(seed: int, what: str, *recording: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(what.encode()), *recording])


def _recordings(
    offsets: Ints, recordings: Sequence[int], seed: int, what: str
) -> Iterator[tuple[np.random.Generator, slice]]:
    """A generator of its own for each recording, and where the recording lies."""
    for recording, begin, end in zip(recordings, offsets[:-1], offsets[1:], strict=True):
        yield _generator(seed, what, int(recording)), slice(int(begin), int(end))


def _taken(bulk: Bulk, index: npt.NDArray[Any], offsets: Ints) -> Bulk:
    """The events at ``index``, as recordings that begin and end at ``offsets``."""
    return Bulk(
        t=bulk.t[index],
        x=bulk.x[index],
        y=None if bulk.y is None else bulk.y[index],
        p=None if bulk.p is None else bulk.p[index],
        offsets=offsets,
    )


def _left(bulk: Bulk, keep: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """The events that are kept, and where their recordings begin and end."""
    return np.flatnonzero(keep), np.concatenate([[0], np.cumsum(keep)])[bulk.offsets]


def _by_time(t: Ints, offsets: Ints) -> Ints:
    """The order that sorts each recording by time; events of one time stay as they are."""
    order = np.empty(len(t), dtype=np.int64)
    for begin, end in pairwise(offsets.tolist()):
        order[begin:end] = np.argsort(t[begin:end], kind="stable")
        order[begin:end] += begin
    return order


def _durations(bulk: Bulk) -> Ints:
    """Microseconds up to and with each recording's last event, 0 without events."""
    durations = np.zeros(len(bulk.offsets) - 1, dtype=np.int64)
    filled = np.flatnonzero(np.diff(bulk.offsets))
    if len(filled):
        durations[filled] = np.maximum.reduceat(bulk.t, bulk.offsets[:-1][filled]) + 1
    return durations


def _cells(lots: npt.NDArray[np.float64], size: int) -> npt.NDArray[Any]:
    # As narrow as can be and unsigned: joined to what the source uses, it never becomes a float.
    return np.floor(lots * size).astype(np.min_scalar_type(max(size - 1, 0)))
