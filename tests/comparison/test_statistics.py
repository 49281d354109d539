"""Intervals against scipy and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.comparison.statistics import Interval, apart, mean_interval, paired_difference

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=2, max_size=30), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_is_student_ts(values, confidence):
    found = mean_interval(values, confidence)
    error = stats.sem(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-6)
    if error > 1e-9:
        low, high = stats.t.interval(confidence, len(values) - 1, np.mean(values), error)
        assert (found.low, found.high) == (
            pytest.approx(low, rel=1e-6, abs=1e-6),
            pytest.approx(high, rel=1e-6, abs=1e-6),
        )


def test_it_covers_as_often_as_it_says():
    random = np.random.default_rng(0)
    intervals = [mean_interval(random.normal(3, 2, 5).tolist()) for _ in range(4000)]
    covered = np.mean([interval.low <= 3 <= interval.high for interval in intervals])
    assert 0.94 < covered < 0.96


def test_one_value_has_no_interval_and_equal_ones_a_point():
    assert mean_interval([2.0]) == Interval(2.0, None, None, 1)
    assert mean_interval([0.3, 0.3, 0.3]) == Interval(pytest.approx(0.3), pytest.approx(0.3), pytest.approx(0.3), 3)


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0, float("inf")]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)


@given(st.lists(st.tuples(finite, finite), min_size=2, max_size=10))
def test_a_paired_difference_is_the_interval_of_differences(pairs):
    first, second = zip(*pairs, strict=True)
    assert paired_difference(first, second) == mean_interval([a - b for a, b in pairs])


def test_pairs_need_partners():
    with pytest.raises(ValueError, match="not 2 and 1"):
        paired_difference([1, 2], [1])


def test_apart_needs_both_intervals_and_the_right_side():
    low, high, one = Interval(1, 0, 2, 3), Interval(5, 4, 6, 3), Interval(9, None, None, 1)
    assert apart(high, low, "higher")
    assert apart(low, high, "lower")
    for better, worse, direction in (
        (low, high, "higher"),
        (high, low, "lower"),
        (high, low, "none"),
        (one, low, "higher"),
        (high, one, "lower"),
        (Interval(3, 2, 4, 3), low, "higher"),  # they touch
    ):
        assert not apart(better, worse, direction)


def test_values_whose_squares_no_float_holds_have_a_mean_and_no_interval():
    assert mean_interval([1e200, 3e200]) == Interval(2e200, None, None, 2)
    assert mean_interval([1.5e308, 1.7e308]).mean == pytest.approx(1.6e308)
