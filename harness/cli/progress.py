"""What a person sees while a run goes on: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..records import Record, Status

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ..running.options import Listener


@contextlib.contextmanager
def make_listener(*, quiet: bool) -> Iterator[Listener]:
    """A listener for standard output: silent, on a terminal, or line by line."""
    if quiet:
        yield Silent()
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    with Bars(console) as bars:
        yield bars


@dataclass
class Estimate:
    """The time that is left, from the share of epochs done since the trials began."""

    total: int = 0
    begun: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)

    def begin(self, total: int) -> None:
        """Start the clock for ``total`` trials."""
        self.total, self.begun = total, time.monotonic()

    def left(self) -> str:
        """``about 2 min left``, or the empty string while nothing can be said."""
        done = sum(self.shares.values())
        if not self.total or done <= 0:
            return ""
        seconds = (time.monotonic() - self.begun) / done * max(self.total - done, 0)
        return f"about {span(seconds)} left" if done < self.total else ""


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def ending(record: Record) -> str:
    """How a trial ended, in a few words."""
    if record.cached:
        return f"cached (from {record.provenance['cached_from']})"
    if record.status is Status.OK:
        return f"ok in {span(sum(record.timings.values()))}"
    return f"{record.status}: {record.message or 'no message'}"


class Silent:
    """Says nothing but what went wrong."""

    def prepared(self, label: str, summary: Mapping[str, Any]) -> None: ...

    def progress(self, label: str, stage: str, done: int, total: int) -> None: ...

    def trials(self, total: int, cached: int, jobs: int, device: str, folder: Path) -> None: ...

    def trial_started(self, label: str) -> None: ...

    def epoch(self, label: str, epoch: int, epochs: int, scores: Mapping[str, float]) -> None: ...

    def trial_finished(self, record: Record) -> None: ...

    def note(self, sentence: str) -> None:
        click.echo(f"warning: {sentence}", err=True)

    def interrupted(self, count: int) -> None:
        words = "finishing what runs; Ctrl-C again to kill it" if count == 1 else "killing what runs"
        click.echo(f"interrupted: {words}", err=True)


class Lines(Silent):
    """One line an event, for logs and pipes."""

    def __init__(self) -> None:
        self.estimate = Estimate()
        self.ended = 0
        self.said = 0.0

    def say(self, text: str) -> None:
        """One line, flushed, since a log is read while it grows."""
        click.echo(text)

    def prepared(self, label: str, summary: Mapping[str, Any]) -> None:
        splits = summary["splits"]
        counts = ", ".join(f"{splits[name]['recordings']} {name}" for name in splits)
        how = f"encoded in {summary['seconds']:.1f} s" if summary.get("built") else "from the cache"
        kind = "synthetic, " if summary.get("synthetic") else ""
        self.say(f"data: {label}: {kind}{counts} recordings, frames {how}")
        for note in summary.get("notes", []):
            self.say(f"  note: {note}")

    def trials(self, total: int, cached: int, jobs: int, device: str, folder: Path) -> None:
        fresh = total - cached
        self.estimate.begin(fresh)
        self.say(f"trials: {total} ({cached} cached), {jobs} at a time on {device}; {folder.name}")

    def epoch(self, label: str, epoch: int, epochs: int, scores: Mapping[str, float]) -> None:
        self.estimate.shares[label] = epoch / max(epochs, 1) * 0.99
        now = time.monotonic()
        if now - self.said < 10:  # a log needs no line for each of hundreds of epochs
            return
        self.said = now
        self.say(f"  {label}: epoch {epoch}/{epochs} {_scores(scores)}; {self.estimate.left()}".rstrip("; "))

    def trial_finished(self, record: Record) -> None:
        self.ended += 1
        if not record.cached:
            self.estimate.shares[record.label] = 1.0
        left = self.estimate.left()
        self.say(f"[{self.ended}] {record.label}: {ending(record)}" + (f"; {left}" if left else ""))


def _scores(scores: Mapping[str, float]) -> str:
    parts = []
    if "train_loss" in scores:
        parts.append(f"loss {scores['train_loss']:.3f}")
    if "validation_accuracy" in scores:
        parts.append(f"validation {scores['validation_accuracy']:.1%}")
    return ", ".join(parts)


class Bars(Lines):
    """Live bars, with a line for everything that is done."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        super().__init__()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)

    def note(self, sentence: str) -> None:
        self.say(f"warning: {sentence}")

    def _bar(self, name: str, done: float, total: float, detail: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, detail="")
        self._progress.update(self._tasks[name], completed=done, total=total, detail=detail)

    def _drop(self, name: str) -> None:
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))

    def progress(self, label: str, stage: str, done: int, total: int) -> None:
        self._bar(label, done, total, stage)
        if done >= total:
            self._drop(label)

    def prepared(self, label: str, summary: Mapping[str, Any]) -> None:
        self._drop(label)
        super().prepared(label, summary)

    def trial_started(self, label: str) -> None:
        self._bar(label, 0, 1, "")

    def epoch(self, label: str, epoch: int, epochs: int, scores: Mapping[str, float]) -> None:
        self.estimate.shares[label] = epoch / max(epochs, 1) * 0.99
        self._bar(label, epoch, epochs, f"{epoch}/{epochs} {_scores(scores)}")
        if self.estimate.total:
            self._bar("all trials", sum(self.estimate.shares.values()), self.estimate.total, self.estimate.left())

    def trial_finished(self, record: Record) -> None:
        self._drop(record.label)
        super().trial_finished(record)
        if self.estimate.total and sum(self.estimate.shares.values()) >= self.estimate.total:
            self._drop("all trials")
