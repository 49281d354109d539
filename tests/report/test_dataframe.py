"""Records as a data frame."""

from __future__ import annotations

import math

from made_records import figure, record

from harness.report.dataframe import to_dataframe


def test_a_row_a_trial_with_parameters_and_figures():
    before = record(seed=1)
    before.outcome["metrics"].append(figure("synops", 3.0, phase="before"))
    frame = to_dataframe([record(), before, record("iaf", status="failed")])
    assert frame["status"].tolist() == ["ok", "ok", "failed"]
    assert frame["test.accuracy"].tolist()[:2] == [0.5, 0.5]
    assert math.isnan(frame["test.accuracy"][2])
    assert frame["before.test.synops"][1] == 3.0
    assert frame["lif.tau_mem"][0] == 2.0
    assert frame["recipe.epochs"][0] == 2
    assert frame["encoding.dt"][0] == 10.0
    assert frame["error"][2].startswith("boom")
    assert frame.attrs["units"]["test.accuracy"] == "fraction"


def test_no_records_give_an_empty_frame():
    assert len(to_dataframe([])) == 0
