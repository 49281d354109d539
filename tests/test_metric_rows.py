"""What enters a record as a metric's value, what becomes an error, and what is read back from disk."""

from __future__ import annotations

import decimal
import fractions
import json
import math

import numpy as np
import pytest
import torch
from made_records import accuracy, figure, record, seeds

from harness import Curve, Histogram, MetricValue
from harness.comparison.figures import all_figures
from harness.comparison.summary import summarise
from harness.metric_rows import finite_number, result_rows, sound_rows, without_collisions
from harness.records import Record
from harness.report.dataframe import to_dataframe
from harness.report.page.document import write_page
from harness.report.tables import csv_text
from harness.store import Store

WHERE = {"metric": "mine", "phase": "after", "split": "test"}


def value(given=0.5, **more):
    parts = {"unit": "u", "direction": "higher", "kind": "seeded", "title": "mine", "role": "quality"}
    return MetricValue(value=given, **{**parts, **more})


def only_row(**more):
    ((row,), stored) = result_rows(WHERE, {"mine": value(**more)})
    return row, stored


NUMBERS = [
    (3, 3, int),
    (0.25, 0.25, float),
    (True, 1, int),
    (np.bool_(False), 0, int),
    (np.float32(0.5), 0.5, float),
    (np.float16(0.5), 0.5, float),
    (np.longdouble(0.5), 0.5, float),
    (np.uint8(200), 200, int),
    (np.int64(-5), -5, int),
    (np.array(0.5, dtype=np.float32), 0.5, float),
    (np.array([[7]]), 7, int),
    (torch.tensor(0.5), 0.5, float),
    (torch.tensor([2]), 2, int),
    (torch.tensor(0.5, dtype=torch.bfloat16, requires_grad=True), 0.5, float),
    (fractions.Fraction(1, 4), 0.25, float),
    (decimal.Decimal("0.25"), 0.25, float),
]


@pytest.mark.parametrize(("given", "expected", "kind"), NUMBERS, ids=lambda item: str(item)[:30])
def test_whatever_is_a_number_becomes_a_plain_one(given, expected, kind):
    row, _ = only_row(given=given)
    assert row["value"] == expected
    assert type(row["value"]) is kind
    assert "error" not in row
    json.dumps(row, allow_nan=False)


NOT_NUMBERS = [
    (float("nan"), "is nan"),
    (-math.inf, "is -inf"),
    (np.float32("nan"), "is nan"),
    (torch.tensor(math.inf), "is inf"),
    (10**400, "no double holds"),
    (decimal.Decimal("sNaN"), "Decimal"),
    (fractions.Fraction(10**400), "Fraction"),
    ("0.5", "the text '0.5'"),
    ("\x1b[31m" + "x" * 10_000, r"\x1b[31m"),
    ([0.5], "list ([0.5])"),
    ({"a": 1}, "dict"),
    (1 + 0j, "complex"),
    (np.complex64(1), "complex64"),
    (np.ma.masked, "MaskedConstant"),
    (np.timedelta64(5, "ns"), "timedelta64"),
    (np.array("a"), "ndarray"),
    (np.array([1.0, 2.0]), "shape (2,)"),
    (torch.zeros(0), "shape (0,)"),
    (torch.zeros(1, device="meta"), "Tensor"),
    (object(), "object"),
]


@pytest.mark.parametrize(
    ("given", "said"), NOT_NUMBERS, ids=lambda item: repr(item)[:30] if isinstance(item, str) else ""
)
def test_anything_else_is_an_error_in_its_own_row_that_says_what_is_expected(given, said):
    rows, _ = result_rows(WHERE, {"first": value(1), "mine": value(given), "last": value(2)})
    assert [(row["name"], row["value"]) for row in rows] == [("first", 1), ("mine", None), ("last", 2)]
    error = rows[1]["error"]
    assert said in error
    assert error.startswith("the value 'mine' ")
    assert error.endswith("a value is a finite number, or None with a reason")
    assert len(error) < 300
    assert "\x1b" not in error
    assert rows[1]["metric"] == "mine"


def test_no_value_needs_a_reason():
    assert only_row(given=None, reason="no spikes")[0]["reason"] == "no spikes"
    assert "None without a reason" in only_row(given=None)[0]["error"]


WRONG = [
    ({"unit": None}, "unit"),
    ({"title": ""}, "title"),
    ({"title": 3}, "title"),
    ({"direction": "up"}, "direction"),
    ({"direction": ["higher"]}, "direction"),
    ({"kind": "sure"}, "kind"),
    ({"role": "main"}, "role"),
    ({"note": 5}, "note"),
    ({"tolerance": math.nan}, "tolerance"),
    ({"tolerance": -1.0}, "tolerance"),
    ({"tolerance": "0.1"}, "tolerance"),
    ({"arrays": [1, 2]}, "arrays"),
    ({"arrays": {(1, 2): [2]}}, "arrays"),
    ({"arrays": {"a": [math.inf]}}, "arrays['a']"),
    ({"arrays": {"a": {1, 2}}}, "arrays['a']"),
    ({"arrays": {"a": np.zeros((2000, 2000))}}, "1,000,000"),
    ({"curves": {"c": [1, 2]}}, "curves['c']"),
    ({"curves": {"c": Curve(x=[math.nan], y=[1.0], x_title="", x_unit="", y_title="", y_unit="")}}, "curves['c'].x"),
    ({"curves": {"c": Curve(x=["1"], y=[1.0], x_title="", x_unit="", y_title="", y_unit="")}}, "curves['c'].x"),
    ({"histograms": {"h": {"edges": [0, 1]}}}, "histograms['h']"),
    ({"histograms": {"h": Histogram(edges=[0, math.inf], counts=[1], title="", unit="", what="")}}, "edges"),
    ({"stored": {"s": np.array([object()])}}, "stored['s']"),
    ({"stored": {"s": [1, 2]}}, "stored['s']"),
]


@pytest.mark.parametrize(("parts", "said"), WRONG, ids=lambda item: item if isinstance(item, str) else "")
def test_every_other_field_is_checked_too(parts, said):
    row, stored = only_row(**parts)
    assert said in row["error"]
    assert row["value"] is None
    assert not stored


def test_nested_lists_do_not_go_on_for_ever():
    endless = []
    endless.append(endless)
    assert "nested" in only_row(arrays={"a": endless})[0]["error"]


def test_arrays_curves_and_histograms_become_plain_json_and_nan_a_gap():
    row, stored = only_row(
        arrays={
            "": 0,
            3: [1],
            "a": np.array([1.0, np.nan]),
            "b": {"layer": torch.tensor(2)},
            "c": (1, "x", None, True),
        },
        curves={
            "c": Curve(x=np.arange(2), y=[np.float32(0.5), math.nan], x_title="t", x_unit="ms", y_title="a", y_unit="")
        },
        histograms={"h": Histogram(edges=np.arange(3), counts=np.array([1, 2]), title="r", unit="", what="neurons")},
        stored={"s": torch.arange(3)},
        note="two\nlines \x1b",
    )
    assert row["arrays"] == {"": 0, "3": [1], "a": [1.0, None], "b": {"layer": 2}, "c": [1, "x", None, True]}
    assert row["curves"]["c"] == {
        "x": [0, 1],
        "y": [0.5, None],
        "x_title": "t",
        "x_unit": "ms",
        "y_title": "a",
        "y_unit": "",
    }
    assert row["histograms"]["h"]["counts"] == [1, 2]
    assert row["note"] == r"two lines \x1b"
    assert stored["mine/s"].tolist() == [0, 1, 2]
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("found", [None, [("a", 1)], 0.5, "text"])
def test_a_result_that_is_no_mapping_is_refused_in_one_line(found):
    with pytest.raises(ValueError, match=r"returns a mapping from names to MetricValue"):
        result_rows(WHERE, found)


@pytest.mark.parametrize("name", [3, "", None, "a\nb", "x" * 500, "\x1b"])
def test_a_name_is_one_line_of_text(name):
    with pytest.raises(ValueError, match="a name is one line"):
        result_rows(WHERE, {name: value()})


def test_a_bare_number_is_no_metric_value():
    ((row,), _) = result_rows(WHERE, {"mine": 0.5})
    assert "harness.MetricValue" in row["error"]


def test_one_name_belongs_to_the_first_metric_and_the_other_has_an_error():
    first = result_rows({**WHERE, "metric": "accuracy"}, {"accuracy": value(0.1, stored={"s": np.ones(1)})})
    second = result_rows(WHERE, {"accuracy": value(0.9, stored={"s": np.zeros(1)}), "own": value(1)})
    rows, stored = without_collisions([first, second])
    assert [(row["metric"], row["name"], row["value"]) for row in rows] == [
        ("accuracy", "accuracy", 0.1),
        ("mine", "accuracy", None),
        ("mine", "own", 1),
    ]
    assert (
        rows[1]["error"] == "the metric accuracy returns a value 'accuracy' too and comes first; rename the one of mine"
    )
    assert stored["accuracy/s"].tolist() == [1]


# -- tables of records that hold a name twice --------------------------------------------------------------------------


def two_of_one_name(seed=0):
    one = record(seed=seed)
    one.outcome["metrics"].append(accuracy(0.9, metric="mine"))
    return one


def test_two_metrics_of_one_name_are_two_columns_and_never_averaged():
    summary = summarise([two_of_one_name(0), two_of_one_name(1)])
    cells = {key: cell.interval for key, cell in summary.rows[0].cells.items()}
    assert (cells["test.accuracy"].mean, cells["test.accuracy"].n) == (0.5, 2)
    assert (cells["test.mine.accuracy"].mean, cells["test.mine.accuracy"].n) == (0.9, 2)
    titles = {column.key: column.title for column in summary.columns}
    assert titles["test.accuracy"] == "test accuracy (accuracy)"
    assert titles["test.mine.accuracy"] == "test accuracy (mine)"
    assert "test.mine.accuracy n" in csv_text(summary)
    lines = {
        line.column.key: line.cells[summary.rows[0].row].interval.mean
        for line in all_figures([two_of_one_name()]).lines
    }
    assert lines["after.test.accuracy"] == 0.5
    assert lines["after.test.mine.accuracy"] == 0.9
    frame = to_dataframe([two_of_one_name(0), two_of_one_name(1)])
    assert frame["test.accuracy"].tolist() == [0.5, 0.5]
    assert frame["test.mine.accuracy"].tolist() == [0.9, 0.9]


def test_runs_in_which_different_metrics_return_one_name_are_kept_apart():
    other = record("alif")
    other.outcome["metrics"][:] = [accuracy(0.9, metric="mine")]
    summary = summarise([record("lif"), other])
    lif, alif = summary.rows
    assert lif.cells["test.accuracy"].interval.mean == 0.5
    assert alif.cells["test.accuracy"].interval is None
    assert alif.cells["test.mine.accuracy"].interval.mean == 0.9


def test_one_metric_that_changed_its_unit_is_kept_apart():
    other = record("lif", seed=1)
    other.outcome["metrics"][:] = [accuracy(50.0, unit="percent")]
    summary = summarise([record("lif", seed=0), other])
    found = [(column.unit, summary.rows[0].cells[column.key].interval) for column in summary.columns]
    assert [(unit, interval.mean, interval.n) for unit, interval in found if unit in ("fraction", "percent")][:2] == [
        ("fraction", 0.5, 1),
        ("percent", 50.0, 1),
    ]


def test_the_error_of_one_value_leaves_the_other_values_of_its_metric():
    one = record()
    failed = {
        "metric": "synops",
        "name": "extra",
        "phase": "after",
        "split": "test",
        "value": None,
        "error": "it is nan",
    }
    one.outcome["metrics"].append(failed)
    summary = summarise([one])
    assert summary.rows[0].cells["test.synops"].interval.mean == 12_400.0
    assert "synops: it is nan" in summary.footnotes
    lines = {line.name: line.cells[one.row] for line in all_figures([one]).lines}
    assert lines["extra"].reasons == ("synops: it is nan",)
    assert lines["synops"].interval.mean == 12_400.0
    assert to_dataframe([one])["test.synops"].tolist() == [12_400.0]


# -- what lies on disk already -----------------------------------------------------------------------------------------

ON_DISK = ['"0.9"', "[1]", "{}", "true", 'null, "more": 1, "tolerance": []']


@pytest.mark.parametrize("text", ON_DISK, ids=lambda text: text[:12])
def test_a_stored_value_that_is_no_number_is_an_error_of_its_row_and_breaks_nothing(tmp_path, text):
    run = Store(tmp_path).create("old")
    run.write_summary({"state": "ok", "trials": [], "experiment": {}, "environment": {}, "harness": "1"})
    one = record()
    one.outcome["metrics"].append(figure("mine", 123.5, arrays={"per_class": [456.5]}))
    # As an earlier harness wrote it, without a checksum.
    content = json.dumps(one.to_json()).replace(
        '"tolerance": 0.0, "reason": "", "arrays": {"per_class": [456.5]}', '"arrays": {}'
    )
    content = content.replace("123.5", text)
    (run.trials / f"{one.key}.1.json").write_text(content, encoding="utf-8")
    (found,) = run.records()
    row = next(row for row in found.figures() if row["name"] == "mine")
    assert row["value"] is None
    assert row["error"].startswith("the record cannot be used: ")
    assert summarise([found]).rows[0].cells["test.accuracy"].interval.mean == 0.5
    assert any("mine" in note for note in summarise([found]).footnotes)
    assert all_figures([found]).lines
    assert to_dataframe([found])["test.accuracy"].tolist() == [0.5]
    write_page([run], tmp_path / "report.html")
    assert "mine: the record cannot be used" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert Record.from_text(found.to_text(), "again").figures() == found.figures()


def test_stored_times_that_are_no_numbers_are_errors_of_their_rows(tmp_path):
    run = Store(tmp_path).create("old")
    good, bad = figure("clock", 2.0, phase="timing"), figure("wait", 3.5, phase="timing")
    timings = {"rounds": 1, "threads": 1, "rows": {record().row: {"key": "k", "metrics": [good, bad]}}}
    (run.path / "timings.json").write_text(json.dumps(timings).replace("3.5", '"3.5"'), encoding="utf-8")
    summary = summarise([record()], run.timings())
    assert summary.rows[0].cells["timing.clock"].interval.mean == 2.0
    (line,) = (line for line in all_figures([record()], run.timings()).lines if line.name == "wait")
    assert "expected a number, not '3.5'" in line.cells[record().row].reasons[0]


def test_rows_without_a_shape_become_errors():
    assert [row["error"] for row in sound_rows([3, {}])] == ["the record cannot be used: metric: missing"] * 2
    assert "unit: expected a string, not 3" in sound_rows([figure("mine", 1.0, unit=3)])[0]["error"]
    assert "value: not finite" in sound_rows([figure("mine", 10**400)])[0]["error"]
    assert "value: not finite" in sound_rows([figure("mine", math.nan)])[0]["error"]
    assert sound_rows(seeds("lif", [0.5])[0].outcome["metrics"]) == seeds("lif", [0.5])[0].outcome["metrics"]


def test_a_number_keeps_every_digit():
    assert finite_number(2**60 + 1) == 2**60 + 1
    assert finite_number(0.1 + 0.2) == 0.1 + 0.2
