"""The state of a run that nobody ended properly, as its readers derive it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from made_records import record, seeds
from made_runs import made_run

from harness.baselines.reduction import unfinished
from harness.cli.main import main
from harness.errors import DataError, UsageError
from harness.history import entries_of
from harness.processes import Life, life_of, this_process
from harness.records import Status
from harness.run_state import ended_as, shown


@pytest.fixture(scope="module")
def dead():
    """A process of this machine that has ended."""
    code = "import json; from harness.processes import this_process; print(json.dumps(this_process()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def left_running(folder, records, process, planned=None):
    """A run whose run.json says running, as it was before any trial ended."""
    labels = planned or [one.label for one in records]
    keys = {one.label: one.key for one in records}
    trials = [{"label": label, "key": keys.get(label), "status": None, "cached": False} for label in labels]
    more = {} if process is None else {"process": process}
    return made_run(folder, records, state="running", trials=trials, **more)


def test_processes_are_told_apart_by_their_start(dead):
    assert life_of(this_process()) is Life.ALIVE
    assert life_of(dead) is Life.DEAD
    # Another process that has the number of an earlier one.
    assert life_of({**this_process(), "started": "1"}) is Life.DEAD
    assert life_of({**this_process(), "boot": "an earlier one"}) is Life.DEAD
    assert life_of({**this_process(), "host": "elsewhere"}) is Life.UNKNOWN
    assert life_of({**this_process(), "namespace": "pid:[1]"}) is Life.UNKNOWN


def test_a_killed_run_whose_trials_are_done_is_finished_for_every_reader(tmp_path, dead):
    run = left_running(tmp_path, seeds("lif", [0.5, 0.6]), dead)
    summary = run.summary()
    assert summary["state"] == "finished"
    assert [trial["status"] for trial in summary["trials"]] == ["ok", "ok"]
    assert unfinished(run) is None
    assert len(entries_of(run)[0]) == 1
    # Written back, for readers that only look at the file.
    assert json.loads((run.path / "run.json").read_text())["state"] == "finished"


@pytest.mark.parametrize(
    ("status", "state"), [("failed", "failed"), ("interrupted", "interrupted"), ("timeout", "failed")]
)
def test_the_state_follows_from_the_records(tmp_path, dead, status, state):
    records = [record("lif"), record("iaf", status=status)]
    assert left_running(tmp_path, records, dead).summary()["state"] == state


def test_a_killed_run_with_trials_left_was_interrupted(tmp_path, dead):
    run = left_running(tmp_path, [record("lif")], dead, planned=["toy lif s0", "toy lif s1"])
    assert [trial["status"] for trial in run.summary()["trials"]] == ["ok", None]
    assert unfinished(run) == "was interrupted"


def test_a_run_that_goes_on_is_left_alone(tmp_path):
    run = left_running(tmp_path, [record("lif")], this_process())
    before = (run.path / "run.json").read_bytes()
    assert unfinished(run) == f"is still running (process {os.getpid()})"
    with pytest.raises(UsageError, match="has not ended, or was killed"):
        entries_of(run)
    assert (run.path / "run.json").read_bytes() == before


def test_a_run_of_another_host_is_finished_once_its_records_are_there(tmp_path):
    elsewhere = {**this_process(), "host": "node7"}
    run = left_running(tmp_path / "some", [record("lif")], elsewhere, planned=["toy lif s0", "toy lif s1"])
    assert shown(run.summary()) == "running on node7?"
    assert unfinished(run) == "is still running on node7?, or was killed"
    assert left_running(tmp_path / "all", [record("lif")], elsewhere).summary()["state"] == "finished"


def test_runs_of_earlier_versions_are_matched_by_label(tmp_path):
    run = left_running(tmp_path, [replace(record("lif"), key="k" * 20)], None)
    summary = json.loads((run.path / "run.json").read_text())
    summary["trials"][0]["key"] = None
    run.write_summary(summary)
    assert run.summary()["state"] == "finished"


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("trials", [{"label": "toy lif s0", "status": "lost"}], "trials[0].status: expected one of ok, failed"),
        ("experiment", {"metrics": "accuracy"}, "experiment.metrics: expected a list, not 'accuracy'"),
    ],
)
def test_what_run_json_cannot_hold_is_named(tmp_path, dead, part, value, message):
    run = left_running(tmp_path, [record("lif")], dead)
    run.write_summary({**json.loads((run.path / "run.json").read_text()), part: value})
    with pytest.raises(DataError, match=re.escape(message)):
        run.summary()


def test_a_list_of_runs_says_what_is_wrong_with_one_and_shows_the_others(tmp_path, capsys):
    made_run(tmp_path, [record("lif")], name="20260101-000000-sound-0001")
    broken = made_run(tmp_path, [record("lif")], name="20260102-000000-broken-0001")
    (broken.path / "run.json").unlink()
    os.mkfifo(broken.path / "run.json")
    assert main(["runs", "--results", str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "20260101-000000-sound-0001  finished  1 ok"
    assert second == f"{broken.id}  damaged  {broken.path / 'run.json'}: a named pipe, not a file"


def test_a_run_without_a_finished_trial_failed():
    assert ended_as([Status.OK, Status.SKIPPED]) == "finished"
    assert ended_as([Status.SKIPPED]) == "failed"
