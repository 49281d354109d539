"""Exit codes, and the errors that a user sees as one line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """What a ``harness`` process says with its exit status."""

    OK = 0
    REGRESSION = 1
    INTERRUPTED = 2
    FAILED = 3
    USAGE = 4
    NOTHING_RAN = 5
    NOT_COMPARABLE = 6


class HandledError(Exception):
    """A mistake that the user can mend; its message is one line: what, where, what to do."""

    exit_code: ExitCode = ExitCode.USAGE

    def _render_traceback_(self, *_: object) -> list[str]:
        """What IPython shows in a traceback's place."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(HandledError):
    """An unknown name, a wrong value, or arguments that contradict each other."""


class DataError(HandledError):
    """Data that is missing, damaged or foreign."""


class TrainingError(HandledError):
    """A network that cannot be trained, or that training left unusable."""

    exit_code = ExitCode.FAILED


class PluginError(HandledError):
    """A plugin that failed to load, or handed over something malformed."""


class PluginCodeError(PluginError):
    """Code of a plugin raised something while the harness called it; the message names what, its type and its place."""

    exit_code = ExitCode.FAILED


def nearest(name: str, candidates: Iterable[str]) -> str:
    """``" (did you mean 'x', 'y'?)"`` for the candidates closest to ``name``, or the empty string."""
    close = get_close_matches(name, sorted(set(candidates)), n=3, cutoff=0.5)
    return f" (did you mean {', '.join(repr(item) for item in close)}?)" if close else ""
