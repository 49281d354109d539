"""Whole numbers in a wrong unit, or from another zero, are found by what the encoding keeps; right ones are left alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Encoding
from harness.events.encode import encode_bulk
from harness.events.fields import bulk_of, join
from harness.events.plausibility import Plausibility

WINDOW = Encoding(crop=700, dt=10)
FREE = Encoding(dt=10)


def recordings(duration=600_000, begin=0, count=10, factor=1.0):
    """Events from ``begin`` to about ``begin + duration`` µs, all times multiplied by ``factor``."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        own = np.zeros(50, dtype=[("t", "i8"), ("x", "u1")])
        own["t"] = np.sort(random.integers(0, int(duration * random.uniform(0.7, 1.3)), 50) + begin) * factor
        made.append(own)
    return made


def judged(made, encoding):
    """The refusal and the warnings for a split of these recordings."""
    judge = Plausibility("train", encoding)
    bulk = join([bulk_of(own) for own in made])
    judge.add(join([bulk_of(own) for own in made[: len(made) // 2]]))
    judge.add(join([bulk_of(own) for own in made[len(made) // 2 :]]))
    crop = np.inf if encoding.crop is None else encoding.crop * 1000
    cropped = int(np.count_nonzero(bulk.t >= crop))
    return judge.refusal(len(bulk.t), len(bulk.t) - cropped), judge.warnings(len(bulk.t), cropped)


@given(
    duration=st.integers(150_000, 5_000_000),
    begin=st.integers(0, 60_000),
    dt=st.sampled_from([1, 5, 10, 20, 50]),
    crop=st.sampled_from([None, 700, 1000, 2000]),
)
@settings(max_examples=60, deadline=None)
def test_times_in_microseconds_raise_no_doubt(duration, begin, dt, crop):
    made = recordings(duration, begin)
    kept = 1 if crop is None else np.mean([np.mean(own["t"] < crop * 1000) for own in made])
    refusal, warnings = judged(made, Encoding(crop=crop, dt=dt))
    assert refusal is None
    assert kept <= 0.1 or warnings == []


@pytest.mark.parametrize("encoding", [WINDOW, FREE, Encoding(crop=1000, dt=100)])
@pytest.mark.parametrize("factor", [1e-3, 1e3], ids=["ms", "ns"])
def test_another_unit_is_doubted(factor, encoding):
    refusal, warnings = judged(recordings(factor=factor), encoding)
    text = refusal or " ".join(warnings)
    assert text.startswith("all of its 500 events" if refusal else "train: ")
    assert "times must be in µs and count from each recording's start" in text
    assert "\n" not in text


def test_milliseconds_and_nanoseconds_are_described_by_what_they_do():
    (short,) = judged(recordings(factor=1e-3), WINDOW)[1]
    assert "half of its recordings lie within one bin of 10 ms (at the median a recording's first event is at" in short
    (late,) = judged(recordings(factor=1e3, begin=100), WINDOW)[1] or [
        judged(recordings(factor=1e3, begin=100), WINDOW)[0]
    ]
    assert "% of its events lie after encoding.crop = 700 ms" in late or "all of its 500 events lie after" in late
    (long,) = judged(recordings(factor=1e3, duration=900_000), FREE)[1]
    assert "too long for one sample" in long


def test_times_of_day_leave_nothing_and_are_refused():
    refusal, _ = judged(recordings(begin=1_700_000_000_000_000), WINDOW)
    assert refusal == (
        "all of its 500 events lie after encoding.crop = 700 ms (at the median a recording's first event is at "
        "1.7e+09 s, its last at 1.7e+09 s); times must be in µs and count from each recording's start"
    )


def test_times_that_do_not_begin_at_zero_are_doubted_without_a_crop():
    (warning,) = judged(recordings(begin=3_000_000), FREE)[1]
    assert "begin later than they last" in warning


def test_recordings_out_of_order_are_counted():
    made = recordings()
    made[3] = made[3][:0]
    made[0] = made[0][::-1]
    made[9] = made[9][::-1]
    assert judged(made, WINDOW)[1] == [
        "train: the events of 2 recordings are not in order of time; they are counted all the same",
    ]
    assert judged([own[:0] for own in made], WINDOW)[0] == "none of its 10 recordings holds an event"


@given(order=st.permutations(range(8)), sizes=st.lists(st.integers(0, 3), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_order_within_recordings_changes_only_the_remark_on_it(order, sizes):
    times = np.array(order, dtype=np.int64) * 1000
    offsets = np.minimum(np.cumsum([0, *sizes]), len(times))
    made = []
    for begin, end in pairwise(offsets):
        own = np.zeros(end - begin, dtype=[("t", "i8"), ("x", "u1")])
        own["t"] = times[begin:end]
        made.append(own)
    bulk = join([bulk_of(own) for own in made])
    both = []
    for given_bulk in (bulk, join([bulk_of(np.sort(own, order="t")) for own in made])):
        judge = Plausibility("train", WINDOW)
        judge.add(given_bulk)
        both.append(judge.warnings(len(bulk.t), 0))
    unsorted = sum(bool((np.diff(own["t"]) < 0).any()) for own in made)
    assert [text for text in both[0] if "order of time" not in text] == both[1]
    assert sum("order of time" in text for text in both[0]) == (unsorted > 0)
    assert encode_bulk(bulk, WINDOW, (8, 1, 1)).frames.sum() == len(bulk.t)
