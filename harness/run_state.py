"""Derive the state of a run whose run.json says that it is running from its records and from the life of its process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .processes import Life, life_of
from .records import Record, Status

RUNNING = "running"
_LOST = {Status.FAILED, Status.TIMEOUT, Status.OOM}


def ended_as(statuses: Collection[Status]) -> str:
    """Return the state of a run whose trials have all ended, as run.json holds it: finished, failed or interrupted."""
    if Status.INTERRUPTED in statuses:
        return "interrupted"
    return "failed" if _LOST & set(statuses) or Status.OK not in statuses else "finished"


def life_of_run(summary: Mapping[str, Any]) -> Life:
    """Return if the process that writes the run still lives; earlier versions did not record it."""
    process = summary.get("process")
    return Life.UNKNOWN if process is None else life_of(process)


def settle(summary: Mapping[str, Any], records: Sequence[Record], life: Life) -> dict[str, Any]:
    """Return ``summary``, which says running, with the trials as ``records`` have them and the state that follows.

    A run whose planned trials all have records has ended, unless its process is alive: it may still take times.
    """
    by_key = {record.key: record for record in records}
    # A run that was stopped before its keys were known, or of an earlier version, names trials by label only.
    by_label = {record.label: record for record in records}
    trials = []
    for trial in summary.get("trials", ()):
        found = by_key.get(trial["key"]) if trial.get("key") else by_label.get(trial["label"])
        ended = {"key": found.key, "status": str(found.status), "cached": found.cached} if found else {}
        trials.append({**trial, **ended})
    settled = {**summary, "trials": trials}
    if life is Life.ALIVE:
        return settled
    if trials and all(trial.get("status") for trial in trials):
        settled["state"] = ended_as({Status(trial["status"]) for trial in trials})
    elif life is Life.DEAD:
        settled["state"] = "interrupted"
    return settled


def shown(summary: Mapping[str, Any]) -> str:
    """Return the state for a person: of a run on another host it says where it runs, if it does."""
    state = str(summary.get("state"))
    process = summary.get("process")
    if state == RUNNING and process and life_of(process) is Life.UNKNOWN:
        return f"running on {process['host']}?"
    return state
