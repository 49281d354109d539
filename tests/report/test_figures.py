"""Every figure, transposed: nothing left out, reasons and notes below, text only, fits its terminal."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner
from made_records import accuracy, figure, record, seeds
from rich.console import Console

from harness.cli.runs import runs
from harness.comparison.figures import all_figures
from harness.comparison.summary import summarise
from harness.errors import UsageError
from harness.report.figures import COLUMNS, csv_text, long_rows, markdown, terminal, write_figures
from harness.store import Store

HOSTILE = "x[red]|_%&<script>$\\"
NOTE = "memory is left out"
REASON = "no table was named"


def with_more(one, *more):
    one.outcome["metrics"].extend(more)
    return one


def rich_record(neuron, seed, value):
    return with_more(
        record(neuron, seed, value),
        accuracy(0.4, "validation"),
        figure("energy", None if neuron == "iaf" else 3e-7, unit="J", title="energy", reason=REASON, note=NOTE),
        figure("synops", 9.0, phase="before", title="SynOps"),
    )


RECORDS = [rich_record(neuron, seed, 0.5 + seed / 50) for neuron in ("iaf", "lif") for seed in range(3)]
LATENCY = figure("latency_p50", 1.5, phase="timing", unit="ms", kind="noisy", title="latency p50")
TIMINGS = {
    "schema": 1,
    "rounds": 7,
    "threads": 1,
    "rows": {one.row: {"label": "x", "key": "k", "metrics": [LATENCY]} for one in RECORDS},
}


def sheet(records=RECORDS, timings=TIMINGS, phases=None):
    return summarise(records, timings), all_figures(records, timings, phases)


def shown(records=RECORDS, timings=TIMINGS, phases=("after", "timing"), width=80):
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(terminal(*sheet(records, timings, phases)))
    return console.export_text()


def test_every_figure_has_a_line_in_order_of_phase_and_split():
    lines = [(line.phase, line.split, line.name) for line in sheet()[1].lines]
    assert lines == [
        ("after", "test", "accuracy"),
        ("after", "validation", "accuracy"),
        ("after", "train", "accuracy"),
        ("after", "test", "synops"),
        ("after", "test", "hidden_detail"),
        ("after", "test", "energy"),
        ("timing", "test", "latency_p50"),
        ("before", "test", "synops"),
    ]


def test_the_terminal_shows_details_splits_reasons_and_notes():
    text = shown()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for expected in (
        "figure unit iaf lif",
        "trials 3 ok 3 ok",
        "accuracy ↑ % 52.0 ± 5.0 52.0 ± 5.0",
        "accuracy ↑, validation % 40.0 ± 0.0 40.0 ± 0.0",
        "energy ↓ [1] J - [2] (3.00 ± 0.00)e-07",
        f"[1] {NOTE}",
        f"[2] {REASON}",
        "mean ± half width of the 95 % interval (Student t over seeds)",
        "latency_p50, timing",
    ):
        assert expected in lines
    assert "before training" not in text


def test_the_untrained_network_is_shown_on_demand():
    text = shown(phases=("before",))
    assert "synops, before training" in text
    assert "accuracy ↑" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_configurations_that_find_no_room_go_on_below(width):
    many = [
        record("lif", seed, values={"tau_mem": float(tau)}, synops=1e4 + 500 * seed)
        for tau in range(10, 19)
        for seed in (0, 1)
    ]
    text = shown(many, None, width=width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    assert text.count("10.2 ± 3.2 k") == 9


def test_a_metric_that_failed_shows_an_error_in_each_of_its_figures_whatever_they_are_called():
    broken = {"metric": "rates", "name": "rates", "phase": "after", "split": "test", "error": "TypeError: no"}
    good = with_more(record("iaf"), figure("rate_a", 1.0, metric="rates"), figure("rate_b", 2.0, metric="rates"))
    lines = {line.name: line for line in sheet([good, with_more(record("lif"), broken)], None)[1].lines}
    assert "rates" not in lines
    for name in ("rate_a", "rate_b"):
        failed = lines[name].cells[record("lif").row]
        assert (failed.error, failed.interval, failed.reasons) == ("error", None, ("rates: TypeError: no",))
    (alone,) = [line for line in sheet([with_more(record(), broken)], None)[1].lines if line.name == "rates"]
    assert [cell.error for cell in alone.cells.values()] == ["error"]


def test_a_configuration_that_failed_is_there_and_says_why():
    records = [record("iaf"), record("lif", status="failed")]
    rows = [row for row in long_rows(*sheet(records, None)) if row["label"] == "toy lif"]
    assert {row["n"] for row in rows} == {0}
    assert all("failed: boom" in row["reason"] for row in rows)
    assert len(rows) == 4
    assert "1 failed [1]" in shown(records, None)


def test_old_records_without_notes_are_read():
    assert "energy" not in shown([record()], None)
    assert long_rows(*sheet([record()], None))[0]["note"] == ""


def test_hostile_text_stays_text():
    records = [with_more(record(HOSTILE), figure("f", None, title=HOSTILE, reason=HOSTILE, note=HOSTILE + " note"))]
    text = shown(records, None, width=200)
    for word in (f"{HOSTILE} ↓ [1]", f"[1] {HOSTILE} note", f"[2] {HOSTILE}"):
        assert word in text
    body = [line for line in markdown(*sheet(records, None)).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in body} == {5}
    assert "<script>" not in markdown(*sheet(records, None)).replace("\\<script\\>", "")


def test_the_csv_has_a_line_a_figure_and_configuration():
    rows = list(csv.DictReader(io.StringIO(csv_text(*sheet()))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 * 8
    found = {(row["label"], row["phase"], row["split"], row["figure"]): row for row in rows}
    best = found["toy lif", "after", "test", "accuracy"]
    assert (best["n"], float(best["mean"]), best["unit"], best["kind"]) == ("3", 0.52, "fraction", "seeded")
    assert float(best["low"]) < 0.52 < float(best["high"])
    empty = found["toy iaf", "after", "test", "energy"]
    assert (empty["n"], empty["mean"], empty["reason"], empty["note"]) == ("0", "", REASON, NOTE)
    assert found["toy lif", "before", "test", "synops"]["mean"] == "9.0"


def test_limited_and_synthetic_are_said_in_every_format(tmp_path):
    records = [record(limit=50, data={"synthetic": True, "classes": ["a", "b", "c"]})]
    paths = write_figures(records, None, summarise(records), tmp_path)
    assert [path.name for path in paths] == ["figures.csv", "figures.md"]
    rows = csv.DictReader(io.StringIO(paths[0].read_text()))
    assert {(row["synthetic"], row["limit"]) for row in rows} == {("yes", "50")}
    for text in (paths[1].read_text(), shown(records, None)):
        assert "toy (synthetic)" in text
        assert "limited to 50 recordings a split" in text


def test_nothing_gives_empty_files(tmp_path):
    assert write_figures([], None, summarise([]), tmp_path)
    assert shown([], None).split() == ["figure", "unit", "trials", "one", "seed:", "no", "interval"]


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path):
    run = Store(tmp_path / "results").create("made")
    run.write_summary({"state": "finished"})
    for one in (*seeds("lif", [0.5, 0.6]), with_more(record("iaf"), figure("synops", 9.0, phase="before"))):
        run.write(one)
    return tmp_path / "results"


def test_the_command_prints_figures_and_json(results):
    asked = ["latest", "--figures", "--results", str(results)]
    told = CliRunner().invoke(runs, asked, env={"COLUMNS": "100"})
    assert told.exit_code == 0, told.output
    assert "hidden_detail" in told.output
    assert "before training" not in told.output
    assert "before training" in CliRunner().invoke(runs, [*asked, "--phase", "before"]).output
    rows = json.loads(CliRunner().invoke(runs, [*asked, "--json"]).output)
    assert {row["phase"] for row in rows} == {"after", "before"}
    rows = json.loads(CliRunner().invoke(runs, [*asked, "--json", "--phase", "before"]).output)
    assert [(row["label"], row["figure"], row["mean"], row["low"]) for row in rows] == [
        ("toy iaf", "synops", 9.0, None)
    ]


@pytest.mark.parametrize("arguments", [["--figures"], ["latest", "--phase", "before"]])
def test_the_command_says_what_is_missing(results, arguments):
    told = CliRunner().invoke(runs, [*arguments, "--results", str(results)])
    assert isinstance(told.exception, UsageError)
    assert "--figures" in str(told.exception)
