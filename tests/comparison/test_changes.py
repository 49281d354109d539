"""Changes of level: found where they are, none where nothing is, no series too odd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import ruptures  # noqa: F401  (its import takes longer than an example may)
from hypothesis import given
from hypothesis import strategies as st

from harness.comparison.changes import FEWEST, Change, changes, steps

VALUE = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 0.5])
SERIES = st.lists(VALUE, min_size=FEWEST, max_size=40)


@given(SERIES | st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=30))
def test_any_series_gives_changes_in_order_that_say_what_changed(values):
    found = changes(values)
    indices = [change.index for change in found]
    assert indices == sorted(set(indices))
    assert all(0 < index < len(values) for index in indices)
    assert all(math.isfinite(change.before) and math.isfinite(change.after) for change in found)


@given(SERIES, st.integers(-8, 8), st.sampled_from([0.0, 0.01]))
def test_the_unit_does_not_matter(values, power, scatter):
    scaled = [value * 2.0**power for value in values]
    assert [c.index for c in changes(scaled, scatter * 2.0**power)] == [c.index for c in changes(values, scatter)]


@given(SERIES)
def test_more_scatter_never_shows_more(values):
    counts = [len(changes(values, scatter)) for scatter in (0.0, 1.0, 1e3, 1e12)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e-320, 1e300])
def test_a_constant_series_has_no_changes(value):
    assert changes([value] * 20) == []


@given(st.integers(FEWEST, 60), st.data(), st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_one_step_in_a_constant_series_is_found_wherever_it_is(count, data, before, after):
    index = data.draw(st.integers(1, count - 1))
    expected = [Change(index, before, after)] if before != after else []
    assert changes([before] * index + [after] * (count - index)) == expected


def test_levels_that_come_and_go_are_found():
    found = changes([5.0] * 10 + [6.0] * 10 + [7.0] * 10 + [5.0] * 10)
    assert [(c.index, c.before, c.after) for c in found] == [(10, 5.0, 6.0), (20, 6.0, 7.0), (30, 7.0, 5.0)]


def test_one_run_that_is_off_is_no_level():
    assert changes([5.0] * 6 + [9.0] + [5.0] * 6) == []


def test_too_few_points_tell_nothing_and_nan_is_refused():
    assert changes([0.0] * 4 + [1.0] * 3) == []
    with pytest.raises(ValueError, match="finite"):
        changes([0.0] * 8 + [math.nan])


def test_a_shift_is_found_in_noise_also_beside_an_outlier():
    draw = np.random.default_rng(0)
    values = draw.normal(size=40)
    values[20:] += 4.0
    assert [change.index for change in changes(list(values))] == [20]
    values[10] = 30.0
    assert [change.index for change in changes(list(values))] == [20]


def test_what_seeds_explain_is_no_change_unless_many_draws_agree():
    draws = np.random.default_rng(1).normal(size=8)
    held = list(np.repeat(draws, 5))  # a value that is redrawn with every fifth run
    assert changes(held)
    assert changes(held, 1.0) == []
    values = np.random.default_rng(2).normal(size=60)
    values[30:] += 2.0
    assert [change.index for change in changes(list(values), 1.0)] == [30]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=30))
def test_steps_are_all_that_differs_from_the_one_before(values):
    expected = [index for index in range(1, len(values)) if values[index] != values[index - 1]]
    found = steps(values)
    assert [change.index for change in found] == expected
    assert all((c.before, c.after) == (values[c.index - 1], values[c.index]) for c in found)
