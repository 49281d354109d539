"""What a forked child does: one task, then gone."""

from __future__ import annotations

import faulthandler
import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import HandledError
from ..exhausted import is_out_of_memory
from ..foreign import describe, foreign_code
from ..places import RESULTS, writing
from ..records import Status
from ..registry import PluginWarning, Registry
from ..store import Run, write_atomically
from ..text import clean_json
from .messages import Sender


def perform(task: Mapping[str, Any], registry: Registry, send: Sender) -> int:
    """Do ``task`` and report its result or its failure; returns the exit status."""
    faulthandler.enable()
    name = task["id"]
    try:
        with foreign_code():
            result = _KINDS[task["kind"]](registry, task, _reporter(name, send))
    except HandledError as error:
        # Code of a plugin raised: the log is where its traceback can be read.
        traced = error.__cause__ is not None and not isinstance(error.__cause__, OSError)
        if traced:
            traceback.print_exc()
        send(name, "failed", detail=str(error), handled=True, traced=traced, exit_code=int(error.exit_code))
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        traceback.print_exc()
        send(name, "failed", detail=describe(error), handled=False, memory=is_out_of_memory(error))
        return 1
    send(name, "result", result=result)
    return 0


def open_registry(config: Mapping[str, Any]) -> Registry:
    """The registry that the run's parent loaded; what it warned about is not warned about again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        return Registry.discover(
            block=config["block"], only=config["only"], files=[Path(path) for path in config["files"]]
        )


def _reporter(name: str, send: Sender) -> Callable[..., None]:
    last = [0.0]

    def report(event: str, **content: Any) -> None:
        now = time.monotonic()
        # Progress of a fast loop would fill the pipe; the last step of one always passes.
        if event == "progress" and content.get("done") != content.get("total") and now - last[0] < 0.1:
            return
        last[0] = now
        send(name, event, **content)

    return report


def _prepare(registry: Registry, task: Mapping[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    payload = task["payload"]
    from ..components import Choice, Encoding
    from ..events.prepare import prepare

    summary = prepare(
        registry.find(payload["dataset"]).component,  # type: ignore[arg-type]  # a plan holds datasets here
        Choice.from_json("dataset", payload["choice"]),
        Encoding(**payload["encoding"]),
        data=Path(payload["data"]),
        cache=Path(payload["cache"]),
        limit=payload["limit"],
        report=lambda stage, done, total: report("progress", stage=stage, done=done, total=total),
    )
    # Too long for a message: it goes through a file.
    _write(Path(payload["summary"]), json.dumps(clean_json(summary)))
    return {"built": summary["built"]}


def _trial(registry: Registry, task: Mapping[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    from ..trial import TrialJob, run_trial

    job = TrialJob(**task["payload"])
    record, arrays = run_trial(registry, job, report)
    run = Run(Path(job.run))
    if record.status is Status.FAILED and record.error and record.error["traceback"]:
        record = replace(record, error={**record.error, **log_of(task["log"], run)})
    path = run.write(record, arrays)
    return {"record": str(path), "status": str(record.status)}


def log_of(log: str, run: Run) -> dict[str, str]:
    """Return ``{"log": path}``, relative to the folder of ``run``; nothing for a log that lies elsewhere."""
    path = Path(log)
    return {"log": str(path.relative_to(run.path))} if path.is_relative_to(run.path) else {}


def _timing(registry: Registry, task: Mapping[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    from .timing_phase import measure_run

    payload = task["payload"]
    timings = measure_run(registry, payload, report)
    _write(Path(payload["path"]), json.dumps(clean_json(timings), indent=1, allow_nan=False) + "\n")
    return {"rounds": timings.get("rounds", 0)}


def _write(path: Path, text: str) -> None:
    with writing(path.parent, RESULTS):
        write_atomically(path, text.encode())


_KINDS: dict[str, Callable[[Registry, Mapping[str, Any], Callable[..., None]], dict[str, Any]]] = {
    "prepare": _prepare,
    "trial": _trial,
    "timing": _timing,
}
