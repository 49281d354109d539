"""The table in every format: readable, honest, and text only."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from made_records import figure, record, seeds
from rich.console import Console

from harness.comparison.statistics import Interval
from harness.comparison.summary import Cell, Column, summarise
from harness.report.formats import cell_text, interval_text
from harness.report.tables import csv_text, latex, markdown, terminal, write_tables

HOSTILE = "x[red]|_%&<script>$\\"


def shown(summary, width=80):
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(terminal(summary))
    return console.export_text()


STANDARD = summarise(
    [*seeds("iaf", [0.50, 0.52, 0.54]), *seeds("lif", [0.40, 0.43, 0.41]), *seeds("alif", [0.44, 0.47, 0.40])]
)


def test_the_standard_case_fits_80_columns_without_a_cut():
    text = shown(STANDARD)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text
    for part in ("iaf", "52.0 ± 5.0", "12.4 ± 0.0 k", "3 ok", "accuracy ↑", "SynOps ↓", "(%)"):
        assert part in text


def many_columns():
    records = seeds("iaf", [0.50, 0.52, 0.54]) + seeds("a_neuron_of_a_long_name", [0.4, 0.43, 0.41])
    for one in records:
        one.outcome["metrics"] += [
            figure(f"cost_{number}", 12_345.0 + one.seed * 400 * number, title=f"operations of kind {number}")
            for number in range(7)
        ]
    return summarise(records)


@pytest.mark.parametrize("width", [50, 80, 120, 300])
def test_columns_that_find_no_room_go_on_below_and_no_figure_is_cut(width):
    text = shown(many_columns(), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    for part in ("52.0 ± 5.0", "12.75 ± 0.99 k", "14.7 ± 6.0 k", "3 ok"):
        assert part in text
    headings = [line for line in text.splitlines() if line.startswith("neuron")]
    assert len(headings) == 1 or width < 300
    assert all(len(line.split()) > 1 for line in headings)


def test_notes_of_figures_stand_below_every_table_but_the_csv():
    one = record()
    one.outcome["metrics"].append(figure("energy", 1.0, title="energy", note="memory _x_ is left out"))
    summary = summarise([one])
    assert "\nenergy: memory _x_ is left out\none seed: no interval" in shown(summary)
    assert "\n\nenergy: memory \\_x\\_ is left out\n\none seed: no interval" in markdown(summary)
    assert r"\footnotesize energy: memory \_x\_ is left out\\" in latex(summary)
    assert "left out" not in csv_text(summary)


def test_only_notes_that_a_row_is_marked_with_have_a_number():
    summary = summarise([record("iaf"), record("lif", status="failed")])
    general = "one seed: no interval, and no best; use --seeds 5"
    for text, numbered in ((shown(summary), "[1] "), (latex(summary), "[1] "), (markdown(summary), "1. ")):
        assert f"{numbered}toy lif s0: failed" in text
        assert f"\n{general}" in text.replace(r"\footnotesize ", "")
        assert "[2]" not in text


@pytest.mark.parametrize(
    ("interval", "unit", "text"),
    [
        (Interval(0.523, 0.505, 0.541, 5), "fraction", "52.3 ± 1.8"),
        (Interval(0.5, None, None, 1), "fraction", "50.0"),
        (Interval(12_400, 12_160, 12_640, 5), "operations", "12.40 ± 0.24 k"),
        (Interval(12_400, None, None, 1), "operations", "12.4 k"),
        (Interval(2_500_000, None, None, 1), "", "2.50 M"),
        (Interval(0.01234, 0.0120, 0.01268, 5), "ms", "0.01234 ± 0.00034"),
        (Interval(0.0, 0.0, 0.0, 5), "ms", "0.0 ± 0.0"),
        (Interval(7, None, None, 1), "", "7.00"),
        (Interval(123_456_789, 123_456_786, 123_456_792, 5), "B", "123.46 ± 0.00 M"),
        (Interval(1.234e-5, None, None, 1), "J", "1.23e-05"),
        (Interval(1.2e-5, 1.09e-5, 1.31e-5, 5), "J", "(1.20 ± 0.11)e-05"),
        (Interval(9.996e-4, None, None, 1), "", "1.00e-03"),
        (Interval(-2e-4, -3e-4, -1e-4, 5), "", "(-2.0 ± 1.0)e-04"),
        (Interval(1e-5, -0.05, 0.05002, 5), "ms", "0.000 ± 0.050"),
        (Interval(0.0002, None, None, 1), "fraction", "0.0200"),
        (Interval(2e-7, None, None, 1), "fraction", "2.00e-05"),
    ],
)
def test_digits_follow_the_interval(interval, unit, text):
    assert interval_text(interval, unit) == text


def test_cells_say_error_or_nothing_rather_than_zero():
    column = Column("test.x", "x", "ms", "lower", "noisy", "cost")
    assert cell_text(Cell(error="error"), column) == "error"
    assert cell_text(Cell(), column) == "-"
    assert cell_text(Cell(Interval(1, 0.9, 1.1, 3), best=True), column) == "1.00 ± 0.10*"


@pytest.fixture
def hostile():
    return summarise([record(HOSTILE, warnings=(HOSTILE,)), record("lif", status="failed")])


def test_hostile_names_are_text_in_a_terminal(hostile):
    text = shown(hostile, 200)
    assert HOSTILE in text
    assert "boom [red] | _x_" in text


def test_hostile_names_are_text_in_markdown(hostile):
    text = markdown(hostile)
    body = [line for line in text.splitlines() if line.startswith("|")]
    columns = {line.replace("\\|", "").count("|") for line in body}
    assert len(columns) == 1
    assert "<script>" not in text.replace("\\<script\\>", "")


def test_hostile_names_are_text_in_latex(hostile):
    text = latex(hostile)
    assert r"x[red]|\_\%\&<script>\$\textbackslash{}" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_csv_is_for_machines(hostile):
    rows = list(csv.DictReader(io.StringIO(csv_text(hostile))))
    assert rows[0]["neuron"] == HOSTILE
    assert float(rows[0]["test.accuracy [fraction]"]) == 0.5
    assert rows[0]["test.accuracy low"] == ""
    assert rows[1]["test.accuracy [fraction]"] == ""
    assert "boom" in rows[1]["error"]
    assert rows[1]["trials"] == "1 failed"


def test_no_cell_of_the_csv_is_a_formula():
    failed = replace(record("-2+3", status="failed"), error={"type": "E", "message": "@SUM(A1)", "traceback": None})
    text = csv_text(summarise([record("=1+1"), failed]))
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            assert not cell.startswith(("=", "+", "@")), cell
            assert not cell.startswith("-") or float(cell) < 0
    assert "'=1+1" in text


def test_all_three_are_written(tmp_path):
    paths = write_tables(STANDARD, tmp_path)
    assert [path.name for path in paths] == ["table.md", "table.csv", "table.tex"]
    assert "± 5.0" in paths[0].read_text()
    assert r"$\pm$ 5.0" in paths[2].read_text()


def test_an_empty_run_has_an_empty_table(tmp_path):
    assert write_tables(summarise([]), tmp_path)
    assert shown(summarise([])).strip() == "trials"
