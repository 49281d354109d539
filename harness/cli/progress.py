"""What a person sees while a run goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..records import Record, Status
from .estimate import Estimate, span

if TYPE_CHECKING:
    from ..running.options import Listener


@contextlib.contextmanager
def make_listener(*, quiet: bool) -> Iterator[Listener]:
    """A listener for standard output: silent, on a terminal, or line by line (off one, and in CI)."""
    if quiet:
        yield Silent()
        return
    if not sys.stdout.isatty() or os.environ.get("CI"):
        yield Lines()
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines()
        return
    from .live import LiveTable

    with LiveTable(console) as table:
        yield table


def ending(record: Record) -> str:
    """How a trial ended, in a few words."""
    if record.cached:
        return f"cached (from {record.provenance['cached_from']})"
    if record.status is Status.OK:
        return f"ok in {span(sum(record.timings.values()))}"
    if record.not_started:
        return record.message or record.ending
    return f"{record.status}: {record.message_and_log or 'no message'}"


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
        self.total = 0
        self.ended = 0
        self.said = 0.0

    def say(self, text: str) -> None:
        """One line, flushed, since a log is read while it grows."""
        click.echo(text)

    def prepared(self, label: str, summary: Mapping[str, Any]) -> None:
        splits = summary["splits"]
        counts = ", ".join(f"{_counted(splits[name])} {name}" for name in splits)
        how = f"encoded in {summary['seconds']:.1f} s" if summary.get("built") else "from the cache"
        kind = "synthetic, " if summary.get("synthetic") else ""
        self.say(f"data: {label}: {kind}{counts} recordings, frames {how}")
        for note in summary.get("notes", []):
            self.say(f"  note: {note}")

    def trials(self, total: int, cached: int, jobs: int, device: str, folder: Path) -> None:
        self.total = total
        self.estimate.begin(total - cached, jobs)
        self.say(f"trials: {total} ({cached} cached), {jobs} at a time on {device}; {folder.name}")

    def trial_started(self, label: str) -> None:
        self.estimate.started(label)

    def epoch(self, label: str, epoch: int, epochs: int, scores: Mapping[str, float]) -> None:
        self.estimate.epoch(label, epoch, epochs)
        now = time.monotonic()
        if now - self.said < 10:  # a log needs no line for each of hundreds of epochs
            return
        self.said = now
        self.say(f"  {label}: epoch {epoch}/{epochs} {_scores(scores)}; {self.estimate.left()}".rstrip("; "))

    def trial_finished(self, record: Record) -> None:
        self.count(record)
        left = self.estimate.left()
        self.say(f"[{self.ended}/{self.total}] {record.label}: {ending(record)}" + (f"; {left}" if left else ""))

    def count(self, record: Record) -> None:
        """Take in that a trial has ended."""
        self.ended += 1
        self.total = max(self.total, self.ended)
        if not record.cached:
            self.estimate.ended(record.label)


def _counted(split: Mapping[str, Any]) -> str:
    """Return how many recordings of a split are in the numbers, of how many where some are not."""
    total, without = split["recordings"], split.get("without_sample", {}).get("count", 0)
    return f"{total - without} of {total}" if without else f"{total}"


def _scores(scores: Mapping[str, float]) -> str:
    parts = []
    if "train_loss" in scores:
        parts.append(f"loss {scores['train_loss']:.3f}")
    if "validation_accuracy" in scores:
        parts.append(f"validation {scores['validation_accuracy']:.1%}")
    return ", ".join(parts)
