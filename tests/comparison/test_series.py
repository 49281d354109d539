"""Series out of a history: what may stand in one, over which seeds, and how one asks for it."""

from __future__ import annotations

import random

import pytest
from made_history import PARAMETERS, PLATFORM, TIME, course, entry, measured

from harness.comparison.series import chosen, series_of
from harness.errors import UsageError

OTHER = {**PLATFORM, "cpu": "another"}
FIGURE = "after.test.accuracy"


def test_datasets_and_configurations_keep_their_order_and_figures_on_test_come_first():
    figures = {"after.train.accuracy": measured(0.6), FIGURE: measured(0.5)}
    entries = [
        entry(number, neuron, figures, dataset=dataset)
        for number in (0, 1)
        for dataset, neuron in (("b", "lif"), ("a", "iaf"), ("b", "alif"))
    ]
    found = [(item.label, item.figure, len(item.points)) for item in series_of(entries)]
    assert found == [
        (label, figure, 2) for label in ("b lif", "b alif", "a iaf") for figure in (FIGURE, "after.train.accuracy")
    ]


def test_noisy_figures_of_two_platforms_never_stand_in_one_series():
    entries = [
        entry(
            number,
            figures={FIGURE: measured(0.5), "timing.test.p50": measured(1.0 + 8 * (number % 2), **TIME)},
            platform=OTHER if number % 2 else PLATFORM,
        )
        for number in range(20)
    ]
    accuracy, here, there = series_of(entries)
    assert (accuracy.platform, len(accuracy.points)) == ("", 20)
    assert ("made" in here.platform, "another" in there.platform) == (True, True)
    for item, value in ((here, 1.0), (there, 9.0)):
        assert {point.mean for point in item.points} == {value}
        assert item.changes == ()


def test_means_are_over_the_seeds_that_all_runs_have():
    # The mean of seed 2 lies far off: without it the lacking run would look like a change.
    entries = [entry(n, figures={FIGURE: measured({0: 0.5, 1: 0.6, 2: 0.9})}) for n in range(10)]
    entries += [entry(10, figures={FIGURE: measured({0: 0.5, 1: 0.6})})]
    (item,) = series_of(entries)
    assert (item.seeds, item.some, item.left_out, item.changes) == ((0, 1), True, 0, ())
    assert {(point.mean, point.low, point.high) for point in item.points} == {(0.55, 0.5, 0.6)}
    (item,) = series_of([*entries, entry(11, figures={FIGURE: measured({7: 0.1})})])
    assert (item.seeds, len(item.points), item.left_out) == ((7,), 1, 11)


def test_another_unit_is_another_figure():
    entries = [entry(0, figures={"f": measured(1.0, unit="s")}), entry(1, figures={"f": measured(1000.0, unit="ms")})]
    assert [(item.unit, len(item.points)) for item in series_of(entries)] == [("s", 1), ("ms", 1)]


def test_exact_figures_change_with_every_difference_however_few_points():
    (item,) = series_of(course([3, 4, 4, 3], name="after.test.parameters", **PARAMETERS))
    assert item.searched
    assert [change.index for change in item.changes] == [1, 3]


def test_a_level_that_moved_is_found_and_few_points_are_not_searched():
    draw = random.Random(0)
    values = [0.5 + draw.gauss(0, 0.01) - 0.1 * (number >= 12) for number in range(24)]
    (item,) = series_of(course(values))
    assert [change.index for change in item.changes] == [12]
    (item,) = series_of(course(values[9:16]))
    assert (item.searched, item.changes) == (False, ())


def test_what_seeds_scatter_by_is_no_change():
    draw = random.Random(1)
    moved = []
    for shift in (0.0, -0.1):
        entries = []
        for number in range(16):
            if number % 8 == 0:  # the same code gives the same values, other code trains anew
                held = {seed: 0.5 + draw.gauss(0, 0.02) + shift * (number == 8) for seed in range(5)}
            entries.append(entry(number, figures={FIGURE: measured(held)}))
        (item,) = series_of(entries)
        moved.append([change.index for change in item.changes])
    assert moved == [[], [8]]


def test_two_configurations_of_one_label_are_told_apart():
    entries = [entry(0, row="a" * 20), entry(0, row="b" * 20), entry(0, "iaf")]
    assert [item.label for item in series_of(entries)] == ["toy lif [aaaaaa]", "toy lif [bbbbbb]", "toy iaf"]


SERIES = series_of(
    [
        entry(0, neuron, {name: measured(0.5) for name in (FIGURE, "after.train.accuracy", "timing.test.p50")})
        for neuron in ("lif", "iaf")
    ]
)


@pytest.mark.parametrize(
    ("figures", "rows", "found"),
    [
        ((), (), ["lif after.test.accuracy", "lif timing.test.p50", "iaf after.test.accuracy", "iaf timing.test.p50"]),
        (("accuracy",), ("lif",), ["lif after.test.accuracy", "lif after.train.accuracy"]),
        (("train.accuracy", "p50"), ("toy iaf",), ["iaf timing.test.p50", "iaf after.train.accuracy"]),
        (("timing.test.p50",), (SERIES[0].row[:8],), ["lif timing.test.p50"]),
    ],
)
def test_figures_and_rows_are_asked_for_by_what_they_are_called(figures, rows, found):
    assert [f"{item.label.split()[1]} {item.figure}" for item in chosen(SERIES, figures, rows)] == found


@pytest.mark.parametrize(
    ("figures", "rows", "message"),
    [
        (("acuracy",), (), "did you mean 'accuracy'"),
        (("xyz",), (), "there are: after.test.accuracy, timing.test.p50, after.train.accuracy"),
        ((), ("toy lf",), "did you mean 'toy lif'"),
        ((), ("alif",), "there are: toy lif, toy iaf"),
    ],
)
def test_what_there_is_not_is_said_with_what_there_is(figures, rows, message):
    with pytest.raises(UsageError) as told:
        chosen(SERIES, figures, rows)
    assert message in str(told.value)


def test_runs_on_other_data_never_stand_in_one_series():
    """A line from before there was an identity stays with the oldest data."""
    entries = [entry(0), entry(1, data="aaaaaaaa"), entry(2, data="bbbbbbbb"), entry(3, data="aaaaaaaa")]
    found = [(item.label, [point.entry.run for point in item.points]) for item in series_of(entries)]
    assert found == [
        ("toy lif (data aaaaaa)", ["run-000", "run-001", "run-003"]),
        ("toy lif (data bbbbbb)", ["run-002"]),
    ]
    (alone,) = series_of(entries[:2])
    assert (alone.label, len(alone.points)) == ("toy lif", 2)
