"""How long a run still takes, from how long its epochs and trials have taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Timed:
    """A trial that runs. The first epoch is no measure of the others: it compiles, and warms what can be warm."""

    begun: float
    epoch: int = 0
    epochs: int = 0
    first: float = 0.0
    latest: float = 0.0

    @property
    def pace(self) -> float | None:
        """Seconds an epoch, or None before there is one to tell from."""
        if self.epoch > 1:
            return (self.latest - self.first) / (self.epoch - 1)
        return self.latest - self.begun if self.epoch else None

    def left(self, now: float) -> float | None:
        """Seconds to its last epoch, or None while nothing can be said."""
        if self.pace is None:
            return None
        return max(self.pace * (self.epochs - self.epoch) - (now - self.latest), 0.0)


@dataclass
class Estimate:
    """The time that is left of trials that run ``jobs`` at a time; cached ones take none."""

    clock: Callable[[], float] = time.monotonic
    waiting: int = 0
    jobs: int = 1
    running: dict[str, Timed] = field(default_factory=dict)
    ended_count: int = 0
    ended_seconds: float = 0.0  # together

    def begin(self, fresh: int, jobs: int) -> None:
        """``fresh`` trials wait."""
        self.waiting, self.jobs = fresh, max(jobs, 1)

    def started(self, label: str) -> None:
        """A trial has left the queue."""
        self.running[label] = Timed(self.clock())
        self.waiting = max(self.waiting - 1, 0)

    def epoch(self, label: str, epoch: int, epochs: int) -> None:
        """A trial has finished an epoch."""
        now = self.clock()
        trial = self.running.setdefault(label, Timed(now))
        if trial.epoch == 0:
            trial.first = now
        trial.epoch, trial.epochs, trial.latest = epoch, epochs, now

    def ended(self, label: str) -> None:
        """A trial has ended; one that never started was skipped."""
        trial = self.running.pop(label, None)
        if trial is None:
            self.waiting = max(self.waiting - 1, 0)
        else:
            self.ended_count += 1
            self.ended_seconds += self.clock() - trial.begun

    def of(self, label: str) -> str:
        """``20 s left`` for one trial, or nothing."""
        trial = self.running.get(label)
        left = None if trial is None else trial.left(self.clock())
        return "" if left is None else f"{span(left)} left"

    def seconds(self) -> float | None:
        """Seconds to the end of the last trial, or None while nothing can be said."""
        now = self.clock()
        known = [left for trial in self.running.values() if (left := trial.left(now)) is not None]
        whole = [now - trial.begun + left for trial in self.running.values() if (left := trial.left(now)) is not None]
        count = self.ended_count + len(whole)
        if not count:
            return None
        mean = (self.ended_seconds + sum(whole)) / count
        unknown = [max(mean - (now - trial.begun), 0.0) for trial in self.running.values() if trial.left(now) is None]
        together = sum(known) + sum(unknown) + self.waiting * mean
        return max([together / self.jobs, *known, *unknown])

    def left(self) -> str:
        """``about 2 min left``, or the empty string while nothing can be said or nothing is left."""
        seconds = self.seconds() if self.running or self.waiting else None
        return "" if seconds is None else f"about {span(seconds)} left"


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
