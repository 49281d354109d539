"""The plot of confusions: what stands in its cells, what is framed, and what it does with strangers' matrices and names."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import figure, record, seeds

from harness.comparison.summary import summarise
from harness.report.classes import class_name
from harness.report.confusion import confusions
from harness.report.plots import write_plots
from harness.report.style import styled

CLASSES = ["left", "right", "up"]


def with_matrix(one, matrix, name="accuracy", classes=CLASSES, **more):
    """``one`` whose figure ``name`` alone has a confusion matrix."""
    one.outcome["metrics"] = [row for row in one.outcome["metrics"] if row["name"] != name]
    for row in one.outcome["metrics"]:
        row["arrays"] = {}
    one.outcome["metrics"].append(
        figure(name, 0.5, **{"role": "quality", "title": name, "arrays": {"confusion": matrix}, **more})
    )
    one.data["classes"] = classes
    return one


def drawn(records):
    """The figures by name, as matplotlib holds them."""
    with styled():
        return list(confusions(summarise(records).rows, records, "toy"))


def panels(figure):
    return [axis for axis in figure.axes if axis.images]


def shares(axis):
    return axis.images[0].get_array().filled(math.nan).tolist()


def framed(axis):
    """(label, prediction) of every framed cell."""
    return sorted((round(patch.get_y() + 0.5), round(patch.get_x() + 0.5)) for patch in axis.patches)


def test_rows_are_per_cent_of_the_label_over_all_seeds():
    records = [
        with_matrix(one, matrix)
        for one, matrix in zip(
            seeds("lif", [0.5, 0.6]),
            ([[1, 1, 0], [0, 2, 0], [0, 0, 0]], [[5, 1, 0], [1, 1, 0], [0, 0, 0]]),
            strict=True,
        )
    ]
    ((name, made),) = drawn(records)
    (axis,) = panels(made)
    assert name == "accuracy"
    assert axis.get_title() == "lif (n=2)"
    assert shares(axis)[:2] == [[75, 25, 0], [25, 75, 0]]
    assert all(math.isnan(share) for share in shares(axis)[2])
    assert [text.get_text() for text in axis.texts] == ["75", "25", "25", "75"]
    assert [text.get_text() for text in axis.get_yticklabels()] == CLASSES
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("prediction", "label")


def test_little_is_not_nothing():
    ((_, made),) = drawn([with_matrix(record(), [[999, 1, 0], [0, 1, 0], [0, 0, 1]])])
    assert [text.get_text() for text in panels(made)[0].texts] == ["100", "<1", "100", "100"]


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
def test_the_most_frequent_confusions_are_framed_and_none_that_is_right(matrix):
    made = drawn([with_matrix(record(), matrix)])
    if not sum(map(sum, matrix)):
        assert made == []
        return
    (axis,) = panels(made[0][1])
    found = framed(axis)
    wrong = {(i, j): matrix[i][j] / sum(matrix[i]) for i in range(3) for j in range(3) if i != j and matrix[i][j]}
    assert set(found) <= set(wrong)
    assert bool(found) == bool(wrong)
    if wrong:
        assert min(wrong[place] for place in found) > max(
            [wrong[place] for place in wrong if place not in found], default=0
        )


def test_where_all_are_equally_frequent_none_is_singled_out():
    matrix = [[8, *[1] * 4], [1, 8, *[1] * 3], [1, 1, 8, 1, 1], [*[1] * 3, 8, 1], [*[1] * 4, 8]]
    ((_, made),) = drawn([with_matrix(record(), matrix, classes=list("abcde"))])
    assert framed(panels(made)[0]) == []


def test_any_figure_with_a_matrix_is_drawn_on_test_after_training_alone():
    one = with_matrix(record(), [[1, 1, 0], [0, 1, 0], [0, 0, 1]], "taken_for", role="detail")
    for where in ({"split": "train"}, {"phase": "before"}):
        one.outcome["metrics"].append(figure("other", 1.0, arrays={"confusion": [[1, 0, 0]] * 3}, **where))
    assert [name for name, _ in drawn([one])] == ["taken_for"]


@pytest.mark.parametrize(
    "matrix",
    [
        [],
        [[1, 2], [3, 4]],
        [[1, 2, 3], [1, 2], [1, 2, 3]],
        [[0, 0, 0]] * 3,
        ["abc", "abc", "abc"],
        [[1, None, 1]] * 3,
        [[-1, 2, 2]] * 3,
        [[math.inf, 1, 1]] * 3,
        [[10**400, 1, 1]] * 3,
        {"a": 1, "b": 2, "c": 3},
        7,
    ],
)
def test_what_is_no_matrix_of_counts_is_left_out(matrix):
    assert drawn([with_matrix(record(), matrix)]) == []


def test_configurations_without_one_have_no_panel_and_others_keep_their_names():
    some = with_matrix(record("iaf"), [[1, 0, 0]] * 3)
    ((_, made),) = drawn([record("lif", status="failed"), some])
    assert [axis.get_title() for axis in panels(made)] == ["iaf (n=1)"]


def test_other_classes_are_another_plot():
    one = with_matrix(record(values={"tau_mem": 1.0}), [[1, 0, 0]] * 3)
    other = with_matrix(record(values={"tau_mem": 3.0}), [[1, 0]] * 2, classes=["yes", "no"])
    assert [len(panels(made)[0].get_yticklabels()) for _, made in drawn([one, other])] == [3, 2]


@pytest.mark.parametrize(("size", "count", "numbers"), [(11, 1, True), (11, 7, True), (20, 3, True), (20, 7, False)])
def test_cells_hold_numbers_where_these_can_be_read(size, count, numbers):
    matrix = [[3 if i == j else 1 for j in range(size)] for i in range(size)]
    records = [
        with_matrix(record(values={"tau_mem": float(k)}), matrix, classes=[f"class {k}" for k in range(size)])
        for k in range(count)
    ]
    ((_, made),) = drawn(records)
    assert len(panels(made)) == count
    assert all(bool(axis.texts) == numbers for axis in panels(made))
    assert max(made.get_size_inches()) < 20


def test_more_configurations_than_a_plot_holds_go_on_in_the_next(tmp_path):
    records = [with_matrix(record(values={"tau_mem": float(k)}), [[1, 1, 0]] * 3) for k in range(13)]
    assert [len(panels(made)) for _, made in drawn(records)] == [12, 1]
    titles = [made.get_suptitle().splitlines()[0] for _, made in drawn(records)]
    assert titles == ["toy, 1 of 2", "toy, 2 of 2"]
    records = records[:2]
    write_plots(records, summarise(records), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"toy-accuracy-confusion.svg", "toy-accuracy-confusion.png"}


def test_nothing_is_written_over_or_beyond_the_edge():
    names = ["m" * 40, "WWWW " * 8, *(f"class number {k}" for k in range(9))]
    matrix = [[3 if i == j else 1 for j in range(11)] for i in range(11)]
    records = [with_matrix(record(values={"tau_mem": float(k)}), matrix, classes=names) for k in range(6)]
    with styled():
        ((_, made),) = confusions(summarise(records).rows, records, "a title that is as long as titles are " * 4)
        made.draw_without_rendering()
        whole = made.bbox
        head, *_ = made.texts
        boxes = [axis.get_tightbbox() for axis in made.axes]
    for box in (*boxes, head.get_window_extent()):
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1
    titles = [axis.title.get_window_extent() for axis in panels(made)]
    assert all(head.get_window_extent().y0 > title.y1 for title in titles)
    cells = [axis.get_window_extent() for axis in panels(made)]
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for index, other in enumerate(cells) if index != place)


HOSTILE = ["$x$", "$x_{", "<script>alert(1)</script>", "a" * 40, "two\nlines", "[red]b[/red]"]


def test_hostile_names_are_text_and_bytes_are_the_same_again(tmp_path):
    matrix = [[3 if i == j else 1 for j in range(6)] for i in range(6)]
    records = [with_matrix(record("$n_{"), matrix, name="$f$", title="<b>$t_{", classes=HOSTILE)]
    for folder in ("a", "b"):
        write_plots(records, summarise(records), tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    text = (tmp_path / "a" / "toy-f-confusion.svg").read_text()
    assert "<script>" not in text
    assert "<b>" not in text
    assert ">$x_{<" in text
    assert ">two lines<" in text


@given(st.text(max_size=80))
def test_a_long_name_keeps_its_ends_and_stands_on_one_line(name):
    shown = class_name(name)
    assert len(shown) <= 28
    assert not re.search(r"[\n\r\t]", shown)
    plain = " ".join(name.split())
    assert shown == plain or (plain.startswith(shown.partition("…")[0]) and plain.endswith(shown[-13:]))
