"""An event sensor before a drawn scene: changes of log intensity against each pixel's own thresholds.

The scene is soft-edged capsules over a still background, blended in log intensity. A pixel fires ON or OFF whenever its level
has moved a threshold away from where it last fired (the model of Lichtsteiner, Posch, Delbruck: A 128x128 120 dB 15 µs latency
asynchronous temporal contrast vision sensor, IEEE JSSC 43(2), 2008); crossings are interpolated between renderings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

SIDE = 128
STEP = 4000  # µs between renderings: the fastest hands move two pixels, as wide as an edge
_REFRESH = 8  # what moves slowly is rendered at every eighth step
_F = np.float32
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
Floats = npt.NDArray[np.float32]

# Columns of a capsule: its ends, their radii, and how it looks.
AX, AY, BX, BY, RA, RB, TONE, SHADE, STRIPE, COUNT, PHASE = range(11)
COLUMNS = 11


@dataclass(frozen=True)
class Pixels:
    """One sensor, (128, 128) each: ``background`` log intensity, ``on`` and ``off`` thresholds on it."""

    background: Floats
    on: Floats
    off: Floats


@njit("void(float32[:,::1], int64[:,::1], float32)", **_OPTIONS)
def _boxes(capsules, boxes, margin):  # type: ignore[no-untyped-def]  # pragma: no cover
    """First and last row and column that each capsule touches."""
    last = SIDE - 1
    for c in range(len(capsules)):
        reach = max(capsules[c, RA], capsules[c, RB]) + margin
        boxes[c, 0] = min(max(int(min(capsules[c, AY], capsules[c, BY]) - reach), 0), last)
        boxes[c, 1] = min(max(int(max(capsules[c, AY], capsules[c, BY]) + reach) + 1, 0), last)
        boxes[c, 2] = min(max(int(min(capsules[c, AX], capsules[c, BX]) - reach), 0), last)
        boxes[c, 3] = min(max(int(max(capsules[c, AX], capsules[c, BX]) + reach) + 1, 0), last)


@njit("void(float32[:,::1], int64[:,::1], int64, int64, int64, float32[::1])", **_OPTIONS)
def _render(capsules, boxes, y, begin, end, row):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Blend every capsule, the last on top, into columns ``begin`` to ``end`` of row ``y``, which holds the background."""
    zero, half, one = _F(0.0), _F(0.5), _F(1.0)
    for c in range(len(capsules)):
        if y < boxes[c, 0] or y > boxes[c, 1]:
            continue
        ax, ay, radius = capsules[c, AX], capsules[c, AY], capsules[c, RA]
        dx, dy = capsules[c, BX] - ax, capsules[c, BY] - ay
        taper = capsules[c, RB] - radius
        scale = one / max(dx * dx + dy * dy, _F(1e-6))
        tone, shade, stripe = capsules[c, TONE], capsules[c, SHADE], capsules[c, STRIPE]
        count, phase = capsules[c, COUNT], capsules[c, PHASE]
        py = _F(y) - ay
        for x in range(max(begin, boxes[c, 2]), min(end, boxes[c, 3]) + 1):
            px = _F(x) - ax
            along = min(max((px * dx + py * dy) * scale, zero), one)
            ex, ey = px - along * dx, py - along * dy
            apart = np.sqrt(ex * ex + ey * ey)
            here = radius + along * taper
            cover = min(max((here - apart) * half + half, zero), one)
            wave = along * count + phase
            wave -= np.floor(wave)
            across = apart / here
            look = tone - shade * across * across + stripe * (abs(wave - half) * _F(4.0) - one)
            row[x] += cover * (look - row[x])


@njit(
    "int64(float32[:,:,::1], boolean[::1], float32[:,::1], float32[:,::1], float32[:,::1], int64, int64, int64[::1])",
    **_OPTIONS,
)
def _watch(scene, quick, background, on, off, duration, refractory, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write events as ``t << 15 | pixel << 1 | polarity`` to ``out``, unsorted; returns how many there are, also beyond its end.

    ``scene`` (steps, capsules, columns); only capsules that are ``quick`` are looked at every step.
    """
    steps, capsules, _ = scene.shape
    row = np.empty(SIDE, dtype=np.float32)
    level, fired_at = np.empty((SIDE, SIDE), dtype=np.float32), np.empty((SIDE, SIDE), dtype=np.float32)
    seen = np.zeros((SIDE, SIDE), dtype=np.int64)
    free = np.zeros((SIDE, SIDE), dtype=np.int64)
    boxes = np.empty((capsules, 4), dtype=np.int64)
    before = np.empty((capsules, 4), dtype=np.int64)
    # Columns of each row that are looked at.
    begin, end = np.empty(SIDE, dtype=np.int64), np.empty(SIDE, dtype=np.int64)
    found = 0
    for s in range(steps):
        now = s * STEP
        _boxes(scene[s], boxes, _F(3.0))
        whole = s % _REFRESH == 0 or s == steps - 1
        for y in range(SIDE):
            begin[y], end[y] = (0, SIDE - 1) if whole else (SIDE, -1)
        if not whole:
            for c in range(capsules):
                if quick[c]:
                    for y in range(min(boxes[c, 0], before[c, 0]), max(boxes[c, 1], before[c, 1]) + 1):
                        begin[y] = min(begin[y], boxes[c, 2], before[c, 2])
                        end[y] = max(end[y], boxes[c, 3], before[c, 3])
        for y in range(SIDE):
            if begin[y] > end[y]:
                continue
            row[begin[y] : end[y] + 1] = background[y, begin[y] : end[y] + 1]
            _render(scene[s], boxes, y, begin[y], end[y], row)
            for x in range(begin[y], end[y] + 1):
                value = row[x]
                if s == 0:
                    level[y, x], fired_at[y, x] = value, value
                    continue
                last, start = level[y, x], seen[y, x]
                level[y, x], seen[y, x] = value, now
                up, down = on[y, x], off[y, x]
                while True:
                    if value - fired_at[y, x] >= up:
                        fired_at[y, x] += up
                        polarity = 1
                    elif fired_at[y, x] - value >= down:
                        fired_at[y, x] -= down
                        polarity = 0
                    else:
                        break
                    part = min(max((fired_at[y, x] - last) / (value - last), _F(0.0)), _F(1.0))
                    t = start + int(part * _F(now - start))
                    # A pixel that is still refractory follows the level and is silent.
                    if t >= free[y, x] and t < duration:
                        free[y, x] = t + refractory
                        if found < len(out):
                            out[found] = (t << 15) | (y << 8) | (x << 1) | polarity
                        found += 1
        before[:] = boxes
    return found


def watch(
    scene: Floats, quick: npt.NDArray[np.bool_], pixels: Pixels, duration: int, refractory: int
) -> npt.NDArray[np.int64]:
    """Events of a scene in ``[0, duration)`` µs, packed as ``t << 15 | y << 8 | x << 1 | polarity``, unsorted.

    ``scene`` (steps, capsules, :data:`COLUMNS`) holds a rendering every :data:`STEP` µs; ``quick`` (capsules,) says which
    capsules move fast. ``refractory`` is in µs.
    """
    room = duration // 5  # 200,000 events a second
    while True:
        out = np.empty(room, dtype=np.int64)
        found = _watch(scene, quick, pixels.background, pixels.on, pixels.off, duration, refractory, out)
        if found <= room:
            return out[:found]
        room = found


def stray(
    random: np.random.Generator, rates: npt.NDArray[np.float64], duration: int, flicker: float, depth: float
) -> npt.NDArray[np.int64]:
    """Noise events in the same form: Poisson at each pixel's own rate, (128, 128) in events a second, either polarity.

    ``flicker`` in Hz of the lamps bunches them in time by ``depth``, from 0 to below 1.
    """
    until = np.cumsum(rates.ravel())
    count = int(random.poisson(until[-1] * duration / 1e6))
    pixel = np.minimum(np.searchsorted(until, random.uniform(0, until[-1], count), side="right"), SIDE * SIDE - 1)
    t = random.uniform(0, duration, count)
    if flicker:
        turn = 2 * np.pi * flicker / 1e6
        t += depth / turn * np.sin(turn * t)
    t = np.clip(t, 0, duration - 1).astype(np.int64)
    return (t << 15) | (pixel.astype(np.int64) << 1) | random.integers(0, 2, count)


def unpack(
    events: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """``t`` (µs), ``x``, ``y``, ``p`` of packed events, sorted in time; events that are alike are one."""
    ordered = np.sort(events)
    ordered = ordered[np.diff(ordered, prepend=-1) != 0]
    x, y, p = (ordered >> 1 & 127, ordered >> 8 & 127, ordered & 1)
    return ordered >> 15, x.astype(np.uint8), y.astype(np.uint8), p.astype(np.uint8)
