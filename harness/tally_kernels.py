"""Compiled passes over (B, T, N) in the order of memory that count events; each does the recordings from ``first`` to ``last``.

Rows are taken in pieces that stay in the first cache. Sums of whole numbers below 2**24 are exact in single precision in any order;
a piece's sum that reaches it is taken again in double precision, in which pieces are added up. Each returns False, and leaves its
results unfinished, where a value is not what it counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

# Whole numbers below this are exact in single precision, and so is every sum that stays below: rounding never leads back.
EXACT = 2**24
# Values that a byte each holds, and steps of ones that a byte holds.
MOST, STEPS = 255, 8
_F = np.float32
_PIECE = 2048
_ZERO, _ONE, _TWO, _MOST, _EXACT = _F(0), _F(1), _F(2), _F(MOST), _F(EXACT)
# Without leave to reorder sums, nothing is vectorised.
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"reassoc"}}
_REAL_STEPS = types.boolean[:, ::1]
_PART = (types.intp, types.intp)
_BY_ELEMENT, _BY_STEP, _BYTES = types.float32[:, ::1], types.float64[:, ::1], types.uint8[:, :, ::1]


@njit(
    types.boolean(types.float32[:, :, ::1], _REAL_STEPS, *_PART, types.uint16[:, ::1], _BY_STEP, _BYTES),
    **_OPTIONS,
)
def ones(x, real_steps, first, last, events, events_at, bits):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of zeros and ones: sums by element (B, N) and step (B, T), and ``bits`` (B, T / 8, N): eight steps a byte, the first lowest."""
    # Unsigned, since an index that might count from the end keeps a loop from being vectorised; and four steps at once, since
    # otherwise reading and writing the sums takes as long as reading the values.
    time, size, piece, one, four = (
        np.uintp(x.shape[1]),
        np.uintp(x.shape[2]),
        np.uintp(_PIECE),
        np.uintp(1),
        np.uintp(4),
    )
    flat = x.reshape(-1)
    packed, of_element = np.empty(_PIECE, _F), np.empty(_PIECE, _F)
    at, places, counts = np.empty(4, np.uintp), np.empty(4, _F), np.empty(4, _F)
    for b in range(np.uintp(first), np.uintp(last)):
        broken = _ZERO
        for start in range(np.uintp(0), size, piece):
            width = min(piece, size - start)
            of_element[:width] = _ZERO
            for group in range(np.uintp(bits.shape[1])):
                packed[:width] = _ZERO
                place = _ONE
                for t in range(group * np.uintp(STEPS), min((group + one) * np.uintp(STEPS), time), four):
                    for k in range(four):
                        there = t + k < time
                        at[k] = (b * time + (t + k if there else t)) * size + start
                        places[k] = place if there else _ZERO
                        counts[k] = _ONE if there and real_steps[b, t + k] else _ZERO
                        place *= _TWO
                    at0, at1, at2, at3 = at[0], at[1], at[2], at[3]
                    place0, place1, place2, place3 = places[0], places[1], places[2], places[3]
                    counts0, counts1, counts2, counts3 = counts[0], counts[1], counts[2], counts[3]
                    sum0, sum1, sum2, sum3 = _ZERO, _ZERO, _ZERO, _ZERO
                    for n in range(width):
                        v0, v1, v2, v3 = flat[at0 + n], flat[at1 + n], flat[at2 + n], flat[at3 + n]
                        broken += _ZERO if v0 * v0 == v0 else _ONE
                        broken += _ZERO if v1 * v1 == v1 else _ONE
                        broken += _ZERO if v2 * v2 == v2 else _ONE
                        broken += _ZERO if v3 * v3 == v3 else _ONE
                        packed[n] += v0 * place0 + v1 * place1 + v2 * place2 + v3 * place3
                        of_element[n] += v0 * counts0 + v1 * counts1 + v2 * counts2 + v3 * counts3
                        sum0 += v0
                        sum1 += v1
                        sum2 += v2
                        sum3 += v3
                    if not sum0 + sum1 + sum2 + sum3 < _EXACT:  # infinity is its own square
                        return False
                    sums = (sum0 * counts0, sum1 * counts1, sum2 * counts2, sum3 * counts3)
                    for k in range(min(four, time - t)):
                        events_at[b, t + k] += sums[k]
                for n in range(width):
                    bits[b, group, start + n] = np.uint8(np.int32(packed[n]))
            for n in range(width):
                events[b, start + n] = np.uint16(np.int32(of_element[n]))
            if broken > _ZERO:
                return False
    return True


@njit(
    types.void(types.uint16[:, ::1], types.int64[::1], *_PART, types.float64[:, ::1]),
    **_OPTIONS,
)
def grouped(events, groups, first, last, sums):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add rows of (B, N) to those of ``sums`` (K, N) that ``groups`` (B,) names; the elements from ``first`` to ``last``."""
    for start in range(first, last, _PIECE):
        stop = min(start + _PIECE, last)
        for b in range(len(events)):
            row, to = events[b, start:stop], sums[groups[b], start:stop]
            for n in range(stop - start):
                to[n] += np.float64(row[n])


@njit(
    types.boolean(types.float32[:, :, ::1], _REAL_STEPS, *_PART, _BY_ELEMENT, _BY_ELEMENT, _BY_STEP, _BY_STEP, _BYTES),
    **_OPTIONS,
)
def wholes(x, real_steps, first, last, events, active, events_at, active_at, narrow):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of whole numbers from 0 to 255: sums and how many are not 0, by element and by step, and a byte for each."""
    _, time, size = x.shape
    for b in range(first, last):
        broken = _ZERO
        for start in range(0, size, _PIECE):
            stop = min(start + _PIECE, size)
            of_element, of_active = events[b, start:stop], active[b, start:stop]
            of_element[:] = _ZERO
            of_active[:] = _ZERO
            for t in range(time):
                row, to = x[b, t, start:stop], narrow[b, t, start:stop]
                total, present = _ZERO, _ZERO
                counts = _ONE if real_steps[b, t] else _ZERO
                for n in range(stop - start):
                    value = row[n]
                    whole = np.int32(min(max(value, _ZERO), _MOST))
                    broken += _ZERO if _F(whole) == value else _ONE
                    to[n] = np.uint8(whole)
                    there = _ONE if value > _ZERO else _ZERO
                    of_element[n] += value * counts
                    of_active[n] += there * counts
                    total += value
                    present += there
                events_at[b, t] += total * counts
                active_at[b, t] += present * counts
            if broken > _ZERO:
                return False
    return True


@njit(
    types.boolean(types.float32[:, :, ::1], _REAL_STEPS, *_PART, types.float32[::1], _BY_STEP, _BY_STEP),
    **_OPTIONS,
)
def weighted(x, real_steps, first, last, weights, events_at, active_at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of whole numbers >= 0: sums and how many are not 0 by step, each element times its whole weight (N,) below 2**24."""
    _, time, size = x.shape
    for b in range(first, last):
        for t in range(time):
            if not real_steps[b, t]:
                continue
            for start in range(0, size, _PIECE):
                stop = min(start + _PIECE, size)
                row, by = x[b, t, start:stop], weights[start:stop]
                total, present, broken = _ZERO, _ZERO, _ZERO
                for n in range(stop - start):
                    value, weight = row[n], by[n]
                    broken += _ZERO if _F(np.int32(min(max(value, _ZERO), _EXACT))) == value else _ONE
                    total += value * weight
                    present += weight if value > _ZERO else _ZERO
                if broken > _ZERO:
                    return False
                if total < _EXACT and present < _EXACT:
                    events_at[b, t] += total
                    active_at[b, t] += present
                    continue
                for n in range(stop - start):
                    events_at[b, t] += np.float64(row[n]) * np.float64(by[n])
                    active_at[b, t] += np.float64(by[n] if row[n] > _ZERO else _ZERO)
    return True


@njit(
    types.boolean(
        types.Array(types.uint8, 3, "C", readonly=True),  # frames are mapped from disk
        _REAL_STEPS,
        *_PART,
        types.float32[::1],
        _BY_STEP,
        _BY_STEP,
    ),
    **_OPTIONS,
)
def weighted_counts(x, real_steps, first, last, weights, events_at, active_at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The same of counts in a byte each."""
    _, time, size = x.shape
    for b in range(first, last):
        for t in range(time):
            if not real_steps[b, t]:
                continue
            for start in range(0, size, _PIECE):
                stop = min(start + _PIECE, size)
                row, by = x[b, t, start:stop], weights[start:stop]
                total, present = _ZERO, _ZERO
                for n in range(stop - start):
                    # Single precision: numba makes every sum of integers one of 64 bit, four a vector.
                    value = _F(row[n])
                    total += value * by[n]
                    present += min(value, _ONE) * by[n]
                if total < _EXACT and present < _EXACT:
                    events_at[b, t] += total
                    active_at[b, t] += present
                    continue
                for n in range(stop - start):
                    events_at[b, t] += np.float64(row[n]) * np.float64(by[n])
                    active_at[b, t] += np.float64(by[n] if row[n] > 0 else _ZERO)
    return True
