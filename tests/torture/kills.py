"""Kill a run with SIGKILL at any phase: no finished trial is lost, and every reader knows what became of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.records import Status, read

KILLER = '''
"""Kill the process that drives a run when it comes to a phase; a single-file plugin."""

import os
import signal

from harness import hookimpl

PHASE = os.environ.get("KILL_IN", "")


def _kill(*arguments, **more):
    os.kill(os.getpid(), signal.SIGKILL)


if PHASE in ("prepare", "timing"):
    # The steps of a run are imported by its driver only.
    import harness.running.orchestrate as steps

    setattr(steps._Running, {"prepare": "_name", "timing": "_time"}[PHASE], _kill)


@hookimpl
def trial_started(trial):
    if PHASE == "first trial":
        _kill()


@hookimpl
def trial_finished(record):
    if PHASE == "trials":
        _kill()
    if PHASE == "tables":
        import harness.report.tables

        harness.report.tables.write_tables = _kill
    if PHASE == "page":
        import harness.report.page.document

        harness.report.page.document.write_page = _kill


@hookimpl
def run_finished(run):
    if PHASE == "end":
        _kill()
'''
PHASES = ("prepare", "first trial", "trials", "timing", "tables", "page", "end")
"""Where :data:`KILLER` strikes; ``page`` needs a run with plots."""

ENDED = {"trials": ("interrupted", 1), "timing": ("finished", 2), "tables": ("finished", 2), "end": ("finished", 2)}
"""State and finished trials of a run of two trials, one at a time, that was killed in a phase; none before."""


def finished_keys(run: Path) -> set[str]:
    """Return the keys of the finished trials of a run."""
    records = (read(path) for path in (run / "trials").glob("*.json"))
    return {record.key for record in records if record.status is Status.OK}


def check_killed(harness: Callable[..., Any], arguments: Sequence[str], run: Path) -> list[str]:
    """Return what is wrong after ``run`` was killed.

    Args:
        harness: runs the command with these arguments to its end and returns status and output.
        arguments: those of the run that was killed.
        run: its folder.
    """
    faults = []
    before = finished_keys(run)
    listed = json.loads(harness("runs", "--json").stdout)
    state = {item["id"]: item["state"] for item in listed}[run.name]
    if state not in ("finished", "interrupted", "failed"):
        faults.append(f"'harness runs' says {state}")
    whole = state == "finished"
    for command, refused in ((("track", run.name), 0), (("baseline", "save", "killed", run.name, "--replace"), 4)):
        done = harness(*command)
        wanted = {0} if whole else {refused, 4, 5}
        if done.returncode not in wanted or "internal error" in done.stderr:
            faults.append(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
    again = harness(*arguments)
    if again.returncode != 0:
        faults.append(f"the run again: status {again.returncode}: {again.stderr}")
        return faults
    listed = json.loads(harness("runs", "--json").stdout)
    cached = listed[-1]["trials"].get("cached", 0)
    if cached < len(before):
        faults.append(f"{len(before)} trials had finished and {cached} were reused")
    return faults
