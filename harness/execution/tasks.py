"""What an executor is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

TaskKind = Literal["prepare", "trial", "timing"]
Message = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of work for a process of its own. ``payload`` is JSON; ``log`` receives what it prints."""

    id: str
    kind: TaskKind
    label: str
    payload: Mapping[str, Any]
    log: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a task ended: ``done`` with its ``result``, or the reason in ``detail``."""

    how: Literal["done", "failed", "crashed", "timeout", "oom", "interrupted"]
    detail: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one task may use; None is no limit.

    ``seconds`` limits a trial, ``prepare_seconds`` the preparation of one encoded dataset, ``timing_seconds`` the timing phase;
    ``private_bytes`` the memory that any task, with all the processes that it started, shares with no other process.
    """

    seconds: float | None = None
    prepare_seconds: float | None = None
    timing_seconds: float | None = None
    private_bytes: int | None = None

    def seconds_of(self, kind: TaskKind) -> float | None:
        """Return the time limit of a task of ``kind`` in seconds, or None."""
        return {"prepare": self.prepare_seconds, "trial": self.seconds, "timing": self.timing_seconds}[kind]


class Executor(Protocol):
    """Runs tasks. ``make_executor`` plugins return one; the harness's own is :class:`harness.execution.local.Local`."""

    def start(self) -> Mapping[str, Any]:
        """Get ready; returns facts: ``devices``, ``failed`` (modules that could not be imported, with the cause) and, where there is
        no CUDA device, ``no_cuda``: why.
        """

    def run(
        self,
        tasks: Sequence[Task],
        *,
        jobs: int,
        on_message: Callable[[Task, Message], None],
        on_outcome: Callable[[Task, Outcome], None],
    ) -> None:
        """Run every task, ``jobs`` at a time, and report each outcome once; an interrupted task is reported too."""

    def close(self) -> None:
        """Let go of everything."""
