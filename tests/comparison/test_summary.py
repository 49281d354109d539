"""Folding records: rows, intervals, best marks, and what went wrong."""

from __future__ import annotations

import random

import pytest
from counted import calls_of
from made_records import accuracy, figure, record, seeds

from harness.comparison.statistics import apart
from harness.comparison.summary import alike, summarise


def cell(summary, neuron, key="test.accuracy"):
    (row,) = [row for row in summary.rows if row.names["neuron"] == neuron]
    return row.cells[key]


def test_seeds_become_one_row_with_mean_and_interval():
    summary = summarise(seeds("lif", [0.4, 0.5, 0.6]))
    (row,) = summary.rows
    assert row.trials == "3 ok"
    interval = row.cells["test.accuracy"].interval
    assert (interval.n, interval.mean) == (3, pytest.approx(0.5))
    assert interval.half_width == pytest.approx(0.2484, abs=1e-4)


def test_quality_comes_first_training_beside_it_costs_after_and_details_stay_out():
    keys = [column.key for column in summarise([record()]).columns]
    assert keys == ["test.accuracy", "train.accuracy", "test.synops"]


def test_best_is_marked_only_where_no_interval_touches():
    clear = summarise([*seeds("lif", [0.50, 0.51, 0.52]), *seeds("iaf", [0.30, 0.31, 0.32])])
    assert cell(clear, "lif").best
    assert not cell(clear, "iaf").best
    close = summarise([*seeds("lif", [0.5, 0.6, 0.7]), *seeds("iaf", [0.45, 0.55, 0.65])])
    assert not cell(close, "lif").best
    single = summarise([record("lif", test=0.9), record("iaf", test=0.1)])
    assert not cell(single, "lif").best
    assert "one seed: no interval, and no best; use --seeds 5" in single.footnotes


def test_lower_is_better_where_the_metric_says_so():
    summary = summarise(
        [record("lif", s, synops=100.0 + s) for s in range(3)] + [record("iaf", s, synops=500.0 + s) for s in range(3)]
    )
    assert cell(summary, "lif", "test.synops").best
    assert not cell(summary, "iaf", "test.synops").best


def test_rows_of_different_datasets_do_not_compete():
    summary = summarise([*seeds("lif", [0.5, 0.51], dataset="toy"), *seeds("lif", [0.9, 0.91], dataset="other")])
    assert not any(row.cells["test.accuracy"].best for row in summary.rows)
    assert [row.names["dataset"] for row in summary.rows] == ["toy", "other"]


def test_what_differs_names_the_row_and_what_is_common_stands_above():
    summary = summarise([record(values={"tau_mem": 2.0}), record(values={"tau_mem": 5.0})])
    assert [dict(row.names) for row in summary.rows] == [
        {"neuron": "lif", "tau_mem": "2"},
        {"neuron": "lif", "tau_mem": "5"},
    ]
    assert "toy, mlp, sinabs, learning rate 0.005, epochs 2, batch 64, init calibrated, seed 0" in summary.caption[0]


def test_failed_trials_are_counted_and_named_and_a_row_without_any_is_still_there():
    summary = summarise([*seeds("lif", [0.5, 0.6]), record("lif", 2, status="timeout"), record("iaf", status="failed")])
    lif, iaf = summary.rows
    assert lif.trials == "2 ok, 1 timeout"
    assert lif.cells["test.accuracy"].interval.n == 2
    assert iaf.trials == "1 failed"
    assert iaf.cells["test.accuracy"].interval is None
    assert any("toy iaf s0: failed: boom" in note for note in summary.footnotes)
    assert iaf.notes


def test_a_metric_that_failed_is_an_error_never_a_number():
    broken = record("lif", 1)
    broken.outcome["metrics"][2] = {
        "metric": "synops", "name": "synops", "phase": "after", "split": "test", "error": "TypeError: no",
    }  # fmt: skip
    summary = summarise([record("lif"), broken])
    found = cell(summary, "lif", "test.synops")
    assert (found.error, found.interval) == ("error", None)
    assert "synops: TypeError: no" in summary.footnotes


def test_a_figure_without_a_value_says_why():
    empty = record()
    empty.outcome["metrics"].append(figure("energy", None, reason="no table was named"))
    summary = summarise([empty])
    assert cell(summary, "lif", "test.energy").interval is None
    assert "no table was named" in summary.footnotes


def test_warnings_are_notes_said_once():
    summary = summarise([record(seed=seed, warnings=("spiking.2 is silent: 95%",)) for seed in range(2)])
    assert summary.footnotes.count("spiking.2 is silent: 95%") == 1
    assert summary.rows[0].notes == (1,)


def test_cached_limited_and_synthetic_are_said():
    summary = summarise(
        [record(provenance={"cached_from": "earlier"}, limit=50, data={"synthetic": True, "classes": ["a", "b", "c"]})]
    )
    assert summary.rows[0].trials == "1 ok (1 cached)"
    assert "toy (synthetic)" in summary.caption[0]
    assert "limited to 50 recordings a split: no number here is comparable" in summary.caption[1]
    assert (summary.limit, summary.synthetic) == (50, {"toy"})


def test_times_come_from_the_timing_phase():
    one = record()
    timed = {"schema": 1, "rounds": 7, "threads": 2, "rows": {one.row: {"label": "x", "key": "k", "metrics": [
        figure("latency_p50", 1.5, phase="timing", unit="ms", kind="noisy", title="latency p50"),
        figure("throughput", 9.0, "detail", phase="timing"),
    ]}}}  # fmt: skip
    summary = summarise([one], timed)
    assert [column.key for column in summary.columns][-1] == "timing.latency_p50"
    assert cell(summary, "lif", "timing.latency_p50").interval.mean == 1.5
    assert "times: 7 interleaved rounds, 2 threads, cpu" in summary.caption


def test_nothing_gives_an_empty_summary():
    assert summarise([]).rows == ()


def test_a_validation_figure_is_no_column():
    one = record()
    one.outcome["metrics"].append(accuracy(0.3, "validation"))
    assert "validation.accuracy" not in [column.key for column in summarise([one]).columns]


# -- notes ------------------------------------------------------------------------------------------------------------


def noted(neuron, note, seed=0, name="energy", role="cost", **more):
    one = record(neuron, seed)
    one.outcome["metrics"].append(figure(name, 1.0, role, title=name, note=note, **more))
    return one


def test_a_note_is_said_once_below_all_rows_and_only_for_columns():
    summary = summarise([noted("lif", "no memory", seed) for seed in range(2)] + [noted("iaf", "no memory")])
    assert summary.footnotes[0] == "energy: no memory"
    assert [row.notes for row in summary.rows] == [(), ()]
    assert "hidden" not in " ".join(summarise([noted("lif", "hidden", role="detail")]).footnotes)


def test_figures_of_one_note_share_it():
    one = record()
    one.outcome["metrics"] = [accuracy(0.5, note="by count"), accuracy(0.8, "train", note="by count")]
    assert "test accuracy, train accuracy: by count" in summarise([one]).footnotes


def test_notes_that_differ_stand_at_their_rows():
    summary = summarise([noted("lif", "on cpu"), noted("iaf", "on cuda")])
    assert summary.footnotes[:2] == ("energy: on cpu", "energy: on cuda")
    assert [row.notes for row in summary.rows] == [(1,), (2,)]


def test_a_reason_beside_a_number_says_of_how_many_seeds():
    good, empty = noted("lif", "", 0), record("lif", 1)
    empty.outcome["metrics"].append(figure("energy", None, title="energy", reason="nothing spiked"))
    summary = summarise([good, empty])
    assert cell(summary, "lif", "test.energy").interval.n == 1
    assert "1 of 2 seeds: nothing spiked" in summary.footnotes


def test_a_metric_that_failed_for_one_seed_fails_all_its_figures_whatever_they_are_called():
    broken = record("lif", 1)
    broken.outcome["metrics"].append(
        {"metric": "joules", "name": "joules", "phase": "after", "split": "test", "error": "TypeError: no"}
    )
    summary = summarise([noted("lif", "", metric="joules"), broken])
    found = cell(summary, "lif", "test.energy")
    assert (found.error, found.interval) == ("error", None)
    assert "joules: TypeError: no" in summary.footnotes


def test_the_best_row_is_apart_from_every_other_one():
    drawn = random.Random(3)
    marked = 0
    for _ in range(60):
        means = [drawn.choice([0.2, 0.5, 0.9]) for _ in range(drawn.choice([1, 2, 4]))]
        spread = drawn.choice([0.0, 0.001, 0.02])
        records = [
            record("lif", seed, test=mean + shift, values={"tau_mem": float(index)})
            for index, mean in enumerate(means)
            for seed, shift in enumerate((-spread, 0.0, spread))
        ]
        rows = summarise(records).rows
        intervals = [row.cells["test.accuracy"].interval for row in rows]
        for index, (row, own) in enumerate(zip(rows, intervals, strict=True)):
            others = [other for place, other in enumerate(intervals) if place != index]
            best = bool(others) and all(
                apart(own, other, "higher") and not alike(own.mean, other.mean) for other in others
            )
            assert row.cells["test.accuracy"].best == best
            marked += best
    assert marked > 5


def test_a_summary_takes_as_many_calls_per_configuration_for_many_as_for_few():
    def per_configuration(count):
        records = [
            record("lif", seed, values={"tau_mem": float(index)}, warnings=(f"of its own: {index}",))
            for index in range(count)
            for seed in range(2)
        ]
        return calls_of(lambda: summarise(records)) / count

    assert per_configuration(128) < 1.5 * per_configuration(16)
