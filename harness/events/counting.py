"""Events counted into cells, in one compiled pass over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types

_LATEST = np.iinfo(np.int64).max
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}


def _read(kind: Any) -> Any:
    # Any stride, alignment and writability: fields of structured events are counted where they lie.
    return types.Array(kind, 1, "A", readonly=True, aligned=False)


@njit(
    types.Tuple((types.int64, types.int64))(  # type: ignore[no-untyped-call]  # numba leaves it untyped
        _read(types.int64),
        _read(types.uint16),
        _read(types.uint16),
        _read(types.uint8),
        types.int64[::1],
        types.int64[::1],
        types.int64[::1],
        types.int64,
        types.uint32[::1],
        types.uint32[::1],
        types.uint32[::1],
        types.uint8[:, ::1],
        types.int64[::1],
    ),
    **_OPTIONS,
)
def _fill(t, x, y, p, offsets, firsts, limits, dt, columns, rows, planes, out, wraps):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Adds to ``out`` and lists the cells that went from 255 to 0; how many did and how many events are kept.

    For an event outside the sensor or before 0: minus one less its index, and 0.
    """
    # Unsigned indices spare numba's look for negative ones, and events that share a step spare a division each.
    cells = np.uint64(out.shape[1])
    width, height, depth = np.uint64(len(columns)), np.uint64(len(rows)), np.uint64(len(planes))
    flat = out.reshape(-1)
    wrapped = np.int64(0)
    kept = np.int64(0)
    for recording in range(len(offsets) - 1):
        event = np.uint64(offsets[recording])
        last = np.uint64(offsets[recording + 1])
        while event < last:
            time = t[event]
            if time < 0:
                return -1 - np.int64(event), np.int64(0)
            step = time // dt
            begin = step * dt
            end = min(begin + dt, limits[recording])
            counted = time < end
            if not counted:
                begin, end = time, np.int64(_LATEST)
            until = event
            while until < last and t[until] >= begin and t[until] < end:
                until += np.uint64(1)
            if until == event:  # the latest time there is
                until += np.uint64(1)
            if counted:
                base = np.uint64(firsts[recording] + step) * cells
                frame = flat[base : base + cells]
                kept += np.int64(until - event)
                for item in range(event, until):
                    column, row, plane = np.uint64(x[item]), np.uint64(y[item]), np.uint64(p[item])
                    if column >= width or row >= height or plane >= depth:
                        return -1 - np.int64(item), np.int64(0)
                    cell = np.uint64(columns[column] + rows[row] + planes[plane])
                    count = np.uint8(frame[cell] + np.uint8(1))
                    frame[cell] = count
                    if count == 0:
                        wraps[wrapped] = np.int64(base + cell)
                        wrapped += 1
            else:
                for item in range(event, until):
                    if np.uint64(x[item]) >= width or np.uint64(y[item]) >= height or np.uint64(p[item]) >= depth:
                        return -1 - np.int64(item), np.int64(0)
            event = until
    return wrapped, kept


def count_cells(
    events: tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16], npt.NDArray[np.uint16], npt.NDArray[np.uint8]],
    offsets: npt.NDArray[np.int64],
    firsts: npt.NDArray[np.int64],
    limits: npt.NDArray[np.int64],
    dt: int,
    tables: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint32]],
    shape: tuple[int, int],
) -> tuple[npt.NDArray[Any], int] | None:
    """Counts (steps of all samples, cells) in the narrowest unsigned type, and how many events they hold.

    ``events`` are t, x, y and p end to end, recording k at ``[offsets[k], offsets[k + 1])``. Those of recording k with
    t < ``limits[k]`` are counted in row ``firsts[k] + t // dt`` and the column that is the sum of ``tables`` at x, y and p. None where
    an event lies before 0 or outside the tables.
    """
    out = np.zeros(shape, dtype=np.uint8)
    # A cell wraps once in 256 events: this many entries always suffice.
    wraps = np.empty(len(events[0]) // 256 + 1, dtype=np.int64)
    wrapped, kept = _fill(*events, offsets, firsts, limits, dt, *tables, out, wraps)
    if wrapped < 0:
        return None
    if not wrapped:
        return out, kept
    cells, times = np.unique(wraps[:wrapped], return_counts=True)
    whole = out.reshape(-1)[cells] + 256 * times.astype(np.int64)
    wide = out.astype(np.min_scalar_type(int(whole.max())))
    wide.reshape(-1)[cells] = whole
    return wide, kept
