"""Plots: what is drawn, the same bytes again, nothing where there is nothing."""

from __future__ import annotations

import pytest
from made_records import record, seeds

from harness.comparison.summary import summarise
from harness.report.plots import write_plots

GOOD = [
    *seeds("iaf", [0.50, 0.52, 0.54]),
    *seeds("lif", [0.40, 0.43, 0.41], data={"synthetic": True, "classes": ["a", "b", "c"]}),
]


def names(paths):
    return sorted(path.name for path in paths)


def test_every_figure_is_written_in_both_formats(tmp_path):
    paths = write_plots(GOOD, summarise(GOOD), tmp_path)
    assert names(paths) == sorted(
        f"toy-{name}.{kind}"
        for name in ("accuracy-against-cost", "learning-curves", "accuracy-by-class")
        for kind in ("svg", "png")
    )
    for path in paths:
        assert path.stat().st_size > 1000


def test_titles_say_dataset_version_and_that_it_is_synthetic(tmp_path):
    write_plots(GOOD, summarise(GOOD), tmp_path)
    for path in tmp_path.glob("*.svg"):
        assert "toy (synthetic) - snn-harness 9.9" in path.read_text()
    text = (tmp_path / "toy-accuracy-against-cost.svg").read_text()
    for word in ("test accuracy (%)", "SynOps (operations/recording)", "iaf (n=3)", "lif (n=3)"):
        assert word in text


def test_the_same_records_give_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        write_plots(GOOD, summarise(GOOD), tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_datasets_have_figures_of_their_own(tmp_path):
    records = [record(dataset="one"), record(dataset="two")]
    paths = write_plots(records, summarise(records), tmp_path)
    assert {path.name.split("-")[0] for path in paths} == {"one", "two"}


@pytest.mark.parametrize("records", [[], [record(status="failed")]])
def test_nothing_to_draw_is_no_file_and_no_error(tmp_path, records):
    assert write_plots(records, summarise(records), tmp_path) == []


def test_hostile_names_are_text(tmp_path):
    records = [record("$x_{<script>&", dataset="../$d")]
    paths = write_plots(records, summarise(records), tmp_path)
    assert all(path.parent == tmp_path for path in paths)
    for path in tmp_path.glob("*.svg"):
        assert "<script>" not in path.read_text()


def test_many_rows_are_drawn(tmp_path):
    records = [record("lif", values={"tau_mem": float(tau)}, test=0.3 + tau / 50) for tau in range(1, 13)]
    assert write_plots(records, summarise(records), tmp_path)


def test_untrained_trials_have_no_curves(tmp_path):
    untrained = record()
    untrained.outcome["curves"] = {}
    assert "toy-learning-curves.svg" not in names(write_plots([untrained], summarise([untrained]), tmp_path))
