"""Fields of events as whole numbers: convert what says its unit, refuse what is no whole number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..source import Bulk
from ..text import one_line

Ints = npt.NDArray[np.int64]
# Names the recording that holds the event of a given index, for messages.
Owner = Callable[[int], str]
_COORDINATES = ("x", "y", "p")
_LATEST = np.iinfo(np.int64).max
# From here on neighbouring whole numbers are the same float64.
_EXACT = 2**53
# Attoseconds of a unit of timedelta64; those of months and years vary.
_UNITS = {
    "W": 604_800 * 10**18,
    "D": 86_400 * 10**18,
    "h": 3600 * 10**18,
    "m": 60 * 10**18,
    "s": 10**18,
    "ms": 10**15,
    "us": 10**12,
    "ns": 10**9,
    "ps": 10**6,
    "fs": 10**3,
    "as": 1,
}
# Names under which other libraries and files keep the same quantity.
_ALIASES = {
    "t": ("ts", "time", "times", "timestamp", "timestamps", "t_us", "us"),
    "x": ("xs", "x_pos", "col", "column", "unit", "units", "channel", "channels", "address", "addr"),
    "y": ("ys", "y_pos", "row", "line"),
    "p": ("ps", "pol", "polarity", "polarities", "on", "sign"),
}


def required_fields(sensor_size: tuple[int, int, int]) -> tuple[str, ...]:
    """Return the fields that events of a sensor (width, height, polarities) must have: t, x, and y, p if it has them."""
    _, height, polarities = sensor_size
    return ("t", "x", *(("y",) if height > 1 else ()), *(("p",) if polarities > 1 else ()))


def check_names(names: tuple[str, ...], required: tuple[str, ...], where: str) -> None:
    """Check that event fields have the names that count.

    Args:
        names: the fields that the events have.
        required: the fields that they must have.
        where: what the message calls the recording.

    Raises:
        DataError: a required field is missing; the message names a likely alias, such as ``polarity`` for ``p``.
    """
    missing = [name for name in required if name not in names]
    if not missing:
        return
    found = [(name, alias) for name in missing for alias in names if alias.lower() in (name, *_ALIASES[name])]
    rename = "; rename " + ", ".join(f"{one_line(alias)} to {name}" for name, alias in found) if found else ""
    raise DataError(
        f"{where}: its events have no field {', '.join(missing)}; they have {one_line(', '.join(names), 200) or 'none'} "
        f"and the sensor needs {', '.join(required)}{rename}"
    )


def microseconds(t: npt.NDArray[Any], owner: Owner) -> Ints:
    """Convert times to int64 microseconds.

    Integers are microseconds already, floats too if every one is a whole number below 2**53; ``timedelta64`` is
    converted by its unit and rounded down to whole microseconds. An int64 array is returned as it is.

    Args:
        t: times of events (events,), of any dtype.
        owner: names the recording of an event in messages.

    Returns:
        Times (events,), int64.

    Raises:
        DataError: for the first time that is no whole number of microseconds, or that int64 cannot hold.
    """
    kind = t.dtype.kind
    if kind in "iu":
        if t.dtype == np.uint64 and len(t) and t.max() > _LATEST:
            wrong = int(np.argmax(t))
            raise DataError(f"{owner(wrong)}: an event at t = {t[wrong]} µs is later than int64 can hold")
        return t.astype(np.int64, copy=False)
    if kind == "m":
        return _from_timedelta(t, owner)
    if kind == "M":
        raise DataError(
            f"{owner(0)}: its times are dates ({t.dtype}), and times count from a recording's start; subtract the start: "
            f"t - t[0] is timedelta64"
        )
    if kind != "f":
        raise DataError(f"{owner(0)}: its times are {t.dtype}, not whole microseconds (int64)")
    wide = t.astype(np.promote_types(t.dtype, np.float64), copy=False)
    with np.errstate(invalid="ignore"):
        wrongs = np.flatnonzero(~((np.abs(wide) < _EXACT) & (wide == np.trunc(wide))))
    if len(wrongs):
        wrong = int(wrongs[0])
        value = wide[wrong]
        raise DataError(
            f"{owner(wrong)}: an event at t = {value:.10g} is not at a whole number of microseconds; "
            + (
                "multiply seconds by 1e6 and round, or give them as numpy.timedelta64"
                if abs(value) < _EXACT
                else "mend it, or leave the event out"
            )
        )
    return wide.astype(np.int64)


def _from_timedelta(t: npt.NDArray[Any], owner: Owner) -> Ints:
    unit, count = np.datetime_data(t.dtype)
    if unit not in _UNITS:
        raise DataError(f"{owner(0)}: its times are {t.dtype}, a unit that is no fixed number of microseconds")
    missing = np.isnat(t)
    if missing.any():
        raise DataError(f"{owner(int(np.argmax(missing)))}: an event at t = NaT; mend it, or leave the event out")
    ticks = t.astype(t.dtype.newbyteorder("=")).view(np.int64)
    share = Fraction(_UNITS[unit] * count, _UNITS["us"])
    wrongs = np.flatnonzero(np.abs(ticks) > _LATEST // share.numerator)
    if len(wrongs):
        raise DataError(f"{owner(int(wrongs[0]))}: an event at t = {t[wrongs[0]]} is later than int64 can hold in µs")
    return np.asarray(ticks * share.numerator // share.denominator)


def coordinates(name: str, values: npt.NDArray[Any], owner: Owner) -> npt.NDArray[Any]:
    """Return x, y or p as integers or booleans; floats are converted if every one is a whole number.

    Args:
        name: the field, for messages.
        values: its values (events,), of any dtype; integers and booleans are returned as they are.
        owner: names the recording of an event in messages.

    Raises:
        DataError: for the first value that is no whole number.
    """
    if values.dtype.kind in "iub":
        return values
    if values.dtype.kind != "f":
        raise DataError(f"{owner(0)}: its field {name} is {values.dtype}, not whole numbers")
    with np.errstate(invalid="ignore"):
        wrongs = np.flatnonzero(~((np.abs(values.astype(np.float64)) < _EXACT) & (values == np.trunc(values))))
    if len(wrongs):
        wrong = int(wrongs[0])
        raise DataError(
            f"{owner(wrong)}: an event at {name} = {float(values[wrong]):.10g}, and {name} counts in whole numbers from 0; "
            "round it, or leave the event out"
        )
    return values.astype(np.int64)


def bulk_of(events: npt.NDArray[Any], number: int = 0) -> Bulk:
    """One recording as a :class:`Bulk`; views if its times are int64.

    Args:
        events: a structured array with fields t and x, and y, p if the sensor has them.
        number: what messages call the recording.

    Raises:
        DataError: for a value that is no whole number.
    """
    where = f"recording {number}"

    def owner(event: int) -> str:
        return where

    names = events.dtype.names or ()
    return Bulk(
        t=microseconds(events["t"], owner),
        offsets=np.array([0, len(events)], dtype=np.int64),
        **{name: coordinates(name, events[name], owner) for name in _COORDINATES if name in names},
    )


def join(parts: Sequence[Bulk]) -> Bulk:
    """Recordings end to end, of parts that all have the same coordinates."""
    if len(parts) == 1:
        return parts[0]
    sizes = np.concatenate([[0], *(np.diff(part.offsets) for part in parts)])
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in _COORDINATES
        if getattr(parts[0], name) is not None
    }
    return Bulk(t=np.concatenate([part.t for part in parts]), offsets=np.cumsum(sizes).astype(np.int64), **columns)


def whole_bulk(bulk: Bulk, owner: Owner) -> Bulk:
    """Return ``bulk`` with times in int64 microseconds and whole coordinates; itself if it is so already."""
    found = {
        name: coordinates(name, values, owner)
        for name in _COORDINATES
        if (values := getattr(bulk, name)) is not None and values.dtype.kind not in "iub"
    }
    if bulk.t.dtype == np.int64 and not found:
        return bulk
    kept: dict[str, Any] = {name: getattr(bulk, name) for name in _COORDINATES}
    return Bulk(t=microseconds(bulk.t, owner), offsets=bulk.offsets, **{**kept, **found})
