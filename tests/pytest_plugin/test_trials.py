"""A trial as tests see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_records import accuracy, figure, record

from harness.errors import UsageError
from harness.pytest_plugin.trials import Trial, TrialFailed


def trial(**more):
    return Trial(record(**more), Path("record.json"))


def with_metrics(*rows):
    return Trial(record(outcome={"metrics": list(rows)}), Path("record.json"))


def test_figures_are_named_by_split_and_of_untrained_networks_by_phase():
    found = with_metrics(accuracy(0.5), accuracy(0.75, "train"), accuracy(0.25, phase="before"))
    assert found.figures == {"test.accuracy": 0.5, "train.accuracy": 0.75, "before.test.accuracy": 0.25}
    assert found["train.accuracy"] == 0.75


def test_two_metrics_may_offer_one_name():
    found = with_metrics(figure("cost", 1.0), figure("cost", 2.0) | {"metric": "other"})
    assert found.figures == {"test.cost": 1.0, "test.other.cost": 2.0}


def test_what_has_no_value_says_why():
    failed = {
        "metric": "synops",
        "name": "synops",
        "phase": "after",
        "split": "test",
        "error": "a layer is not understood",
    }
    found = with_metrics(figure("latency", None, reason="no output spikes"), failed)
    assert found.figures == {"test.latency": None, "test.synops": None}
    with pytest.raises(UsageError, match=r"test\.latency has no value: no output spikes"):
        found["test.latency"]
    with pytest.raises(UsageError, match=r"test\.synops has no value: a layer is not understood"):
        found["test.synops"]
    with pytest.raises(UsageError, match=r"no figure 'test\.synop' \(did you mean 'test\.synops'"):
        found["test.synop"]


def test_a_trial_that_did_not_finish_says_how_it_ended():
    found = trial(status="failed")
    assert found.figures == {}
    with pytest.raises(TrialFailed, match=r"toy lif s0: failed: boom \[red\]"):
        found["test.accuracy"]
