"""Trends as they are shown: the terminal at any width, JSON, plots."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_history import PARAMETERS, PLATFORM, TIME, course, entry, measured
from rich.console import Console

from harness.comparison.series import series_of
from harness.report import trends
from harness.report.trend_plots import write_plots
from harness.report.trends import Trends, difference, long_rows

FIGURE = "after.test.accuracy"
HOSTILE = "[red]a|b$x$"
MOVED = series_of(course([0.5] * 20 + [0.4] * 10))


def shown(series, width=120):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(Trends(series))
    return capture.get()


def test_a_line_says_how_many_first_last_and_where_it_changed():
    lines = shown(MOVED).splitlines()
    assert lines[2].strip() == "toy lif"
    words = lines[3].split()
    assert words == ["accuracy", "↑", "(%)", "30", "50.0", "40.0", "same", "█" * 20 + "│" + "▁" * 10, "[1]"]
    assert "[1] toy lif, accuracy: 50.0 → 40.0 % (-10.0 points) since 2026-01-01 20:00, commit" in shown(MOVED, 200)
    assert lines[-1] == trends.HINT


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_it_fits_the_terminal_and_cuts_nothing(width):
    figures = {
        FIGURE: {"title": "accuracy"},
        "after.test.synops": {"unit": "operations/recording", "title": "SynOps on non-zero elements"},
        "timing.test.p50": TIME,
    }
    entries = [
        entry(
            number,
            neuron,
            {name: measured(0.5 if number < 25 else 0.7, **words) for name, words in figures.items()},
            platform={**PLATFORM, "cpu": f"cpu {number % 2}"},
        )
        for number in range(50)
        for neuron in ("iaf", "lif")
    ]
    text = shown(series_of(entries), width)
    assert all(len(line) <= width for line in text.splitlines())
    for word in ("toy iaf", "toy lif", "SynOps", "[8]", "│" if width > 40 else "…"):
        assert word in text
    said = " ".join(text.split())
    assert "platform 1: cpu 0, x86_64, cpu, threads 1" in said
    assert "platform 2: cpu 1" in said


def test_what_is_not_searched_or_not_over_all_seeds_says_so():
    text = shown(series_of(course([0.5, 0.6])))
    assert "too few points (2 of 8)" in text
    assert trends.HINT not in text
    mixed = [entry(0, figures={FIGURE: measured({0: 1.0, 1: 0.0})}), entry(1, figures={FIGURE: measured(1.0)})]
    assert "[1] toy lif, accuracy: over seed 0 alone, which all its runs have" in shown(series_of(mixed))
    mixed.append(entry(2, figures={FIGURE: measured({9: 0.1})}))
    assert "over seed 9 alone" not in shown(series_of(mixed))
    assert "2 runs with other seeds left out" in shown(series_of(mixed))


def test_synthetic_data_uncommitted_changes_and_notes_are_said():
    values = [0.5] * 9 + [0.9] * 3
    entries = [
        entry(number, figures={FIGURE: measured(value)}, synthetic=True, dirty=True, note="new\nrecipe")
        for number, value in enumerate(values)
    ]
    text = shown(series_of(entries), 250)
    assert "toy lif (synthetic)" in text
    assert "with uncommitted changes, run run-009 (new recipe)" in text


def test_hostile_text_stays_text(tmp_path):
    entries = [entry(number, label=HOSTILE, figures={"f.test.x": measured(1.0, title=HOSTILE)}) for number in range(3)]
    assert shown(series_of(entries)).count(HOSTILE) == 2
    write_plots(series_of(entries), tmp_path)
    assert HOSTILE in (tmp_path / "toy-trend.svg").read_text()


@pytest.mark.parametrize(
    ("before", "after", "unit", "text"),
    [
        (0.5, 0.5, "fraction", "same"),
        (0.5, 0.512, "fraction", "+1.2 points"),
        (0.5, 0.49999, "fraction", "-0.001 points"),
        (200.0, 210.0, "ms", "+5.0 %"),
        (-200.0, -210.0, "ms", "-5.0 %"),
        (0.0, 3.0, "ms", "+3.00"),
        (1.0, -1.0, "ms", "-2.00"),
    ],
)
def test_differences_are_read_with_their_sign(before, after, unit, text):
    assert difference(before, after, unit) == text


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=80), st.sets(st.integers(1, 79)), st.integers(10, 48))
def test_a_course_is_never_wider_than_asked_and_shows_the_newest(values, changes, width):
    marks = [index for index in changes if index < len(values)]
    drawn = trends.course(values, marks, width)
    assert len(drawn) == min(len(values) + len(marks), width)
    assert drawn.startswith("…") == (len(values) + len(marks) > width)
    assert drawn.endswith(trends.course(values, marks, 1000)[-(width - 1) :])


def test_a_course_of_nearly_equal_values_is_flat():
    assert trends.course([0.0, 0.0]) == "▅▅"
    assert set(trends.course([100.0, 100.1, 99.9])) <= set("▄▅")
    assert trends.course([0.0, 1.0]) == "▁█"


def test_json_holds_every_point_and_change():
    (row,) = json.loads(json.dumps(long_rows(MOVED), allow_nan=False))
    assert (row["label"], row["figure"], row["kind"], row["platform"], row["seeds"]) == (
        *("toy lif", FIGURE, "seeded", None),
        [0],
    )
    assert [point["mean"] for point in row["points"]] == [0.5] * 20 + [0.4] * 10
    assert [(change["run"], change["before"], change["after"]) for change in row["changes"]] == [("run-020", 0.5, 0.4)]


def test_plots_are_a_file_a_dataset_and_the_same_bytes_again(tmp_path):
    entries = [
        entry(
            number,
            neuron,
            {
                FIGURE: measured({0: 0.5 - 0.1 * (number > 9), 1: 0.6}),
                "after.test.parameters": measured(9, **PARAMETERS),
                "timing.test.p50": measured(1.0, **TIME),
            },
            dataset=dataset,
            platform={**PLATFORM, "threads": 1 + number % 2},
        )
        for number in range(20)
        for dataset, neuron in (("toy", "lif"), ("toy", "iaf"), ("other", "lif"))
    ]
    series = series_of(entries)
    paths = write_plots(series, tmp_path / "a")
    assert [path.name for path in paths] == ["toy-trend.svg", "toy-trend.png", "other-trend.svg", "other-trend.png"]
    text = paths[0].read_text()
    for word in ("toy - trend over 20 runs", "toy iaf", "accuracy (%)", "wall clock p50 (ms)", "a line a platform"):
        assert word in text
    assert entries[0].commit[:7] in text
    for path in write_plots(series, tmp_path / "b"):
        assert path.read_bytes() == (tmp_path / "a" / path.name).read_bytes()


def test_one_run_gives_a_plot_too(tmp_path):
    assert all(path.stat().st_size > 1000 for path in write_plots(series_of([entry()]), tmp_path))
