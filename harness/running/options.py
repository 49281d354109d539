"""How a run is asked for, shown, and given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..devices import check_name
from ..errors import ExitCode, UsageError
from ..gate import Gate
from ..records import Record
from ..store import Run


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run; what decides no outcome but device and threads, which are recorded. ``gate`` is kept for later checks."""

    device: str = "auto"
    threads: int = 1
    jobs: int | None = None
    force: bool = False
    data: str | None = None
    cache: str | None = None
    results: str | None = None
    time_limit: float | None = None
    prepare_limit: float | None = None
    timing_limit: float | None = None
    memory_limit_mb: float | None = None
    executor: str = "local"
    timing: bool = True
    plots: bool = True
    gate: Gate = field(default_factory=Gate)


class Listener(Protocol):
    """What shows a run to a person."""

    def prepared(self, label: str, summary: Mapping[str, Any]) -> None: ...

    def progress(self, label: str, stage: str, done: int, total: int) -> None: ...

    def trials(self, total: int, cached: int, jobs: int, device: str, folder: Path) -> None: ...

    def trial_started(self, label: str) -> None: ...

    def epoch(self, label: str, epoch: int, epochs: int, scores: Mapping[str, float]) -> None: ...

    def trial_finished(self, record: Record) -> None: ...

    def note(self, sentence: str) -> None: ...

    def interrupted(self, count: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that has ended; ``frames`` are the folders of the frames that trials ran on, by key."""

    run: Run
    records: tuple[Record, ...]
    timings: Mapping[str, Any] | None
    exit_code: ExitCode
    files: tuple[Path, ...] = ()
    summary: Any = None
    frames: Mapping[str, str] = field(default_factory=dict)


def check_options(options: Options) -> None:
    """Raise :class:`UsageError` for a value that cannot be meant."""
    for name, value in (("threads", options.threads), ("jobs", options.jobs)):
        if value is not None and value < 1:
            raise UsageError(f"--{name} {value}: expected a whole number >= 1")
    for name, limit in (
        ("time-limit", options.time_limit),
        ("prepare-limit", options.prepare_limit),
        ("timing-limit", options.timing_limit),
        ("memory-limit", options.memory_limit_mb),
    ):
        if limit is not None and not limit > 0:
            raise UsageError(f"--{name} {limit:g}: expected a number > 0")
    check_name(options.device)
