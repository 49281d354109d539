"""Fields as whole numbers: every kind of time and coordinate is converted exactly or refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Encoding
from harness.errors import DataError
from harness.events.encode import encode
from harness.events.fields import bulk_of, check_names, coordinates, microseconds


def owner(event):
    return f"recording 7 ({event})"


@given(
    times=st.lists(st.integers(0, 2**53 - 1), max_size=20), kind=st.sampled_from(["i8", "u8", ">i8", "f8", ">f8", "g"])
)
@settings(max_examples=80, deadline=None)
def test_whole_times_are_exact_in_any_type_that_can_hold_them(times, kind):
    found = microseconds(np.array(times, dtype=kind), owner)
    assert found.dtype == np.int64
    assert found.tolist() == times


@given(
    ticks=st.lists(st.integers(-(10**6), 10**12), max_size=20),
    unit=st.sampled_from(["ns", "us", "ms", "s", "7ns", "250us", "ps", "m"]),
)
@settings(max_examples=80, deadline=None)
def test_timedelta_is_converted_by_its_unit_and_rounded_down(ticks, unit):
    nanoseconds = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "7ns": 7, "250us": 250_000, "m": 60 * 10**9}
    given_times = np.array(ticks, dtype=np.int64).view(f"m8[{unit}]")
    wanted = [tick // 10**6 if unit == "ps" else tick * nanoseconds[unit] // 1000 for tick in ticks]
    assert microseconds(given_times, owner).tolist() == wanted


@given(
    whole=st.lists(st.integers(0, 10**6), min_size=1, max_size=20),
    wrong=st.floats(0, 10**6).filter(lambda value: value != int(value))
    | st.sampled_from([np.nan, np.inf, -np.inf, 2.0**53]),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_the_first_time_that_is_no_whole_number_is_named(whole, wrong, data):
    place = data.draw(st.integers(0, len(whole) - 1))
    times = np.array(whole, dtype=float)
    times[place] = wrong
    with pytest.raises(DataError, match=rf"^recording 7 \({place}\): an event at t = .* whole number of microseconds"):
        microseconds(times, owner)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.array([0.000273, 0.0051]), r"multiply seconds by 1e6 and round, or give them as numpy\.timedelta64"),
        (np.array([0.5], np.float16), r"t = 0\.5 is not at a whole number"),
        (np.array([np.nan]), "t = nan is not at a whole number of microseconds; mend it"),
        (
            np.array([0, 2**63], np.uint64),
            r"\(1\): an event at t = 9223372036854775808 µs is later than int64 can hold",
        ),
        (np.array([2**62], "m8[s]"), "later than int64 can hold"),
        (np.array(["NaT", 5], "m8[us]"), "t = NaT"),
        (np.array([5], "m8[M]"), "a unit that is no fixed number"),
        (np.array([5], "m8"), "a unit that is no fixed number"),
        (np.array(["2020-01-01"], "M8[us]"), r"times are dates .* t - t\[0\] is timedelta64"),
        (np.array(["12"]), "times are <U2"),
        (np.array([12], object), "times are object"),
        (np.array([True]), "times are bool"),
        (np.array([1j]), "times are complex128"),
    ],
)
def test_what_is_no_time_is_one_line(times, message):
    with pytest.raises(DataError, match=message) as raised:
        microseconds(times, owner)
    assert "\n" not in str(raised.value)


def test_times_and_coordinates_that_are_right_are_not_copied():
    events = np.zeros(5, dtype=[("t", "i8"), ("x", "u2"), ("p", "?")])
    bulk = bulk_of(events)
    assert all(np.shares_memory(values, events) for values in (bulk.t, bulk.x, bulk.p))


@pytest.mark.parametrize("wrong", [0.5, np.nan, np.inf, -np.inf, 2.0**60])
@pytest.mark.parametrize("name", ["x", "y", "p"])
def test_coordinates_that_are_no_whole_numbers_are_named(name, wrong):
    values = np.array([0, 1, wrong])
    with pytest.raises(DataError, match=rf"recording 7 \(2\): an event at {name} = .* counts in whole numbers from 0"):
        coordinates(name, values, owner)
    assert coordinates(name, values[:2], owner).tolist() == [0, 1]


@pytest.mark.parametrize("values", [np.array(["1"]), np.array([1], object), np.array([1j]), np.array([1], "m8[us]")])
def test_coordinates_of_other_kinds_are_refused(values):
    with pytest.raises(DataError, match=r"its field x is .*, not whole numbers"):
        coordinates("x", values, owner)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("t", "x", "y", "polarity"), "no field p; they have t, x, y, polarity .*; rename polarity to p$"),
        (("ts", "x", "y", "p"), "no field t; .*; rename ts to t$"),
        (("T", "X", "Y", "P"), "no field t, x, y, p; .*; rename T to t, X to x, Y to y, P to p$"),
        (("t", "x", "p"), "no field y; they have t, x, p and the sensor needs t, x, y, p$"),
    ],
)
def test_a_missing_field_is_named_with_the_one_that_is_meant(names, message):
    with pytest.raises(DataError, match=message):
        check_names(names, ("t", "x", "y", "p"), "toy train, recording 0")


@pytest.mark.parametrize(
    ("fields", "sensor", "message"),
    [
        ([("t", "i8"), ("x", "i2")], (8, 8, 1), "no field y"),
        ([("t", "i8"), ("x", "i2"), ("y", "i2")], (8, 8, 2), "no field p"),
        (
            [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i2")],
            (8, 8, 1),
            "one polarity, and events have p = 0 and p = 1",
        ),
        ([("t", "f8"), ("x", "i2"), ("y", "i2"), ("p", "i2")], (8, 8, 2), "t = 0.5 is not at a whole number"),
        ([("t", "i8"), ("x", "f4"), ("y", "i2"), ("p", "i2")], (8, 8, 2), "x = 0.5, and x counts in whole numbers"),
    ],
)
def test_encoding_refuses_what_it_would_count_elsewhere(fields, sensor, message):
    """Also where events reach it without a source, as from a notebook."""
    events = np.zeros(2, dtype=fields)
    for name, kind in fields:
        events[name] = [0, 0.5] if "f" in kind else [0, 1]
    with pytest.raises(DataError, match=f"^recording 0: .*{message}"):
        encode(events, Encoding(crop=1, dt=1), sensor)


def test_polarities_of_minus_one_are_told_what_to_become():
    events = np.zeros(1, dtype=[("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")])
    events["p"] = -1
    with pytest.raises(DataError, match=r"p = -1 lies outside .*; polarities count from 0, so -1 must become 0"):
        encode(events, Encoding(crop=1, dt=1), (8, 8, 2))
