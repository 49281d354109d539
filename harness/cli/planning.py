"""Progress of planning, on standard error, for sweeps that take longer than a moment to plan."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

_QUIET_S = 1.0  # what is planned within it needs no progress
_TERMINAL_S, _LOG_S = 0.2, 10.0  # between two reports: on a terminal in place, elsewhere a line each


@contextlib.contextmanager
def planning(*, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """Yield the ``progress`` of :func:`harness.plan.make_plan`; it prints nothing if ``quiet`` or within the first second."""
    if quiet:
        yield None
        return
    terminal = sys.stderr.isatty()
    due = time.monotonic() + _QUIET_S
    width = 0

    def report(done: int) -> None:
        nonlocal due, width
        now = time.monotonic()
        if now < due:
            return
        due = now + (_TERMINAL_S if terminal else _LOG_S)
        text = f"planning: {done:,} configurations"
        click.echo(f"\r{text}" if terminal else text, err=True, nl=not terminal)
        width = len(text) if terminal else 0

    try:
        yield report
    finally:
        if width:
            click.echo(f"\r{' ' * width}\r", err=True, nl=False)
