"""Runs that end by SIGKILL, in real processes: what finished is reused, and no reader takes them for running."""

from __future__ import annotations

import json

import pytest
from small_job import UNTIMED
from torture.kills import ENDED, KILLER, check_killed, finished_keys

ARGUMENTS = ("run", "-P", "killer.py", "--plugins", "shd-synthetic,lif", "--seeds", "2", "--jobs", "1", *UNTIMED)


@pytest.mark.parametrize("phase", ["prepare", "trials", "tables"])
def test_a_run_that_is_killed_loses_nothing_and_is_known_as_such(fresh, phase):
    (fresh.folder / "killer.py").write_text(KILLER)
    killed = fresh(*ARGUMENTS, KILL_IN=phase)
    assert killed.returncode == -9, killed.stderr
    (run,) = fresh.runs()
    state, finished = ENDED.get(phase, ("interrupted", 0))
    assert len(finished_keys(run)) == finished
    if phase != "tables":
        assert json.loads((run / "run.json").read_text())["state"] == "running"
    assert check_killed(fresh, ARGUMENTS, run) == []
    assert json.loads((run / "run.json").read_text())["state"] == state
