"""A run on a terminal: a table that is drawn anew while trials run, and left behind when they have ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..records import Record, Status
from ..text import clean, one_line
from .estimate import span
from .progress import Lines

_BAR = 14
# Below these widths of the terminal columns go, so that names stay.
_WITH_BAR, _WITH_LOSS = 76, 56
_REFRESHES = 4  # a second


@dataclass(frozen=True)
class _Look:
    """How one kind of row is marked; the second mark is for terminals that know ASCII alone."""

    mark: str
    plain: str
    style: str


_OK = _Look("✓", "+", "green")
_CACHED = _Look("↺", "=", "cyan")
_SKIPPED = _Look("-", "-", "dim")
_FAILED = _Look("✗", "x", "bold red")
_INTERRUPTED = _Look("■", "o", "yellow")
_NOT_STARTED = _Look("·", ".", "dim")
_RUNNING = _Look("▸", ">", "")


@dataclass
class _Row:
    """One line of the table: a trial, or a stage such as encoding."""

    label: str
    look: _Look = _RUNNING
    state: str = ""
    done: float = 0.0
    total: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    took: str = ""
    message: str = ""


class LiveTable(Lines):
    """Progress of every trial that runs, marks of those that have ended, and how long it takes yet.

    What is done stays on the terminal when the run ends; what does not fit its height is counted, failures last.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._running: dict[str, _Row] = {}
        self._ended: list[_Row] = []
        # rich draws in a thread of its own.
        self._lock = threading.Lock()
        self._live = Live(
            get_renderable=self._now, console=console, transient=True, refresh_per_second=_REFRESHES, auto_refresh=True
        )

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()
        if self._ended:
            self._console.print(self._drawn(self._ended, [], height=None))

    def say(self, text: str) -> None:
        self._console.print(Text(clean(text)))

    def note(self, sentence: str) -> None:
        self._console.print(Text(one_line(f"warning: {sentence}"), style="yellow"))

    def interrupted(self, count: int) -> None:
        words = "finishing what runs; Ctrl-C again to kill it" if count == 1 else "killing what runs"
        text = Text(f"interrupted: {words}", style="bold")
        # A signal handler must not wait for rich's lock: the thread that holds it may wait for ours.
        threading.Thread(target=self._console.print, args=(text,), daemon=True).start()

    def progress(self, label: str, stage: str, done: int, total: int) -> None:
        with self._lock:
            row = self._running.setdefault(label, _Row(label))
            row.state, row.done, row.total = stage, done, total
            if done >= total:
                del self._running[label]

    def prepared(self, label: str, summary: Mapping[str, Any]) -> None:
        with self._lock:
            self._running.pop(label, None)
        super().prepared(label, summary)

    def trials(self, total: int, cached: int, jobs: int, device: str, folder: Path) -> None:
        with self._lock:
            self.total = total
            self.estimate.begin(total - cached, jobs)
        self.say(f"trials: {total}, {jobs} at a time on {device}; {folder.name}")

    def trial_started(self, label: str) -> None:
        with self._lock:
            super().trial_started(label)
            self._running[label] = _Row(label, state="starting")

    def epoch(self, label: str, epoch: int, epochs: int, scores: Mapping[str, float]) -> None:
        with self._lock:
            self.estimate.epoch(label, epoch, epochs)
            row = self._running.setdefault(label, _Row(label))
            row.state = f"{epoch}/{epochs}" if epoch < epochs else "finishing"
            row.done, row.total, row.scores = epoch, epochs, scores

    def trial_finished(self, record: Record) -> None:
        with self._lock:
            self.count(record)
            self._running.pop(record.label, None)
            self._ended.append(_ended(record))

    def _now(self) -> RenderableType:
        with self._lock:
            return self._drawn(self._ended, list(self._running.values()), height=self._console.size.height - 1)

    def _drawn(self, ended: Sequence[_Row], running: Sequence[_Row], *, height: int | None) -> RenderableType:
        """The table, messages of what failed, and the line that counts; in ``height`` lines, or in as many as it takes."""
        if not ended and not running:
            return Text("")
        shown_running, shown_ended, failures = list(running), list(ended), [row for row in ended if row.message]
        left_out = 0
        if height is not None:
            room = max(height - 3, 1)  # heading, counts, what was left out
            shown_running = shown_running[:room]
            told = (room - len(shown_running)) // 2
            failures = failures[-told:] if told else []
            room -= len(shown_running) + len(failures)
            # The latest, but what failed before what went well.
            chosen = sorted(range(len(ended)), key=lambda index: (ended[index].look is _FAILED, index), reverse=True)[
                : max(room, 0)
            ]
            shown_ended = [ended[index] for index in sorted(chosen)]
            left_out = len(ended) - len(shown_ended) + len(running) - len(shown_running)
        parts: list[RenderableType] = []
        if left_out:
            parts.append(Text(f"... and {left_out} more", style="dim"))
        if shown_ended or shown_running:
            parts.append(self._table([*shown_ended, *shown_running]))
        for row in failures:
            parts.append(
                Text(
                    one_line(f"{self._mark(row.look)} {row.label}: {row.message}"),
                    style="red" if row.look is _FAILED else "dim",
                    no_wrap=height is not None,
                    overflow="ellipsis",
                )
            )
        if height is not None and self.total:
            parts.append(self._counts(running))
        return Group(*parts)

    def _counts(self, running: Sequence[_Row]) -> Text:
        looks = [row.look for row in self._ended]
        counts = [
            f"{len(self._ended) - looks.count(_NOT_STARTED)} of {self.total} done",
            *(f"{looks.count(look)} {word}" for look, word in _COUNTED if look in looks),
            f"{len(self.estimate.running)} running",
            *([f"{self.estimate.waiting} waiting"] if self.estimate.waiting else []),
            *filter(None, [self.estimate.left()]),
        ]
        return Text(", ".join(counts), style="bold", no_wrap=True, overflow="ellipsis")

    def _table(self, rows: Sequence[_Row]) -> Table:
        width = self._console.size.width
        bars, losses = width >= _WITH_BAR and any(row.total for row in rows), width >= _WITH_LOSS
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", width=None)
        table.add_column("", no_wrap=True)
        table.add_column("trial", no_wrap=True, overflow="ellipsis", ratio=None)
        if bars:
            table.add_column("", width=_BAR, no_wrap=True)
        table.add_column("epoch", no_wrap=True)
        if losses:
            table.add_column("loss", justify="right", no_wrap=True)
        table.add_column("validation", justify="right", no_wrap=True, overflow="ellipsis")
        table.add_column("time", no_wrap=True, overflow="ellipsis")
        for row in rows:
            loss, held = row.scores.get("train_loss"), row.scores.get("validation_accuracy")
            cells: list[RenderableType] = [
                Text(self._mark(row.look), style=row.look.style),
                Text(one_line(row.label)),
            ]
            if bars:
                running = row.look is _RUNNING
                cells.append(ProgressBar(total=row.total or 1, completed=row.done, width=_BAR) if running else Text(""))
            cells.append(Text(row.state, style=row.look.style))
            if losses:
                cells.append(Text("" if loss is None else f"{loss:.3f}"))
            cells.append(Text("" if held is None else f"{held:.1%}"))
            cells.append(Text(self._time(row), style="" if row.look is _RUNNING else "dim"))
            table.add_row(*cells)
        return table

    def _time(self, row: _Row) -> str:
        if row.look is not _RUNNING:
            return row.took
        return ", ".join(filter(None, [span(time.monotonic() - row.begun), self.estimate.of(row.label)]))

    def _mark(self, look: _Look) -> str:
        return look.plain if self._console.options.ascii_only else look.mark


_COUNTED = (
    (_CACHED, "cached"),
    (_FAILED, "failed"),
    (_SKIPPED, "skipped"),
    (_INTERRUPTED, "interrupted"),
    (_NOT_STARTED, "not started"),
)


def _ended(record: Record) -> _Row:
    """The row of a trial that has ended, with the scores of the epoch whose weights were kept."""
    curves = record.outcome.get("curves") or {}
    epoch = int(record.outcome.get("selected_epoch") or 0)
    scores = {name: values[epoch - 1] for name, values in curves.items() if 0 < epoch <= len(values)}
    seconds = span(sum(record.timings.values()))
    if record.cached:
        return _Row(record.label, _CACHED, "cached", scores=scores)
    if record.status is Status.OK:
        return _Row(record.label, _OK, "ok", scores=scores, took=seconds)
    if record.not_started:  # the state says it all
        return _Row(record.label, _NOT_STARTED, record.ending)
    look = {Status.SKIPPED: _SKIPPED, Status.INTERRUPTED: _INTERRUPTED}.get(record.status, _FAILED)
    took = seconds if record.timings else ""
    return _Row(record.label, look, record.ending, took=took, message=record.message_and_log or "no message")
