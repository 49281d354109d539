"""Run code of plugins and users without letting it end the process, and describe what it raised."""

from __future__ import annotations

import os
import signal
import traceback
from types import FrameType, TracebackType
from typing import NoReturn

from .text import one_line


class ForeignExit(Exception):
    """Foreign code raised what would have ended the process: ``SystemExit``, ``KeyboardInterrupt`` or ``GeneratorExit``."""


class foreign_code:
    """Turn what would end the process into an ordinary exception: ``with foreign_code(): plugin.hook()``.

    Exceptions pass unchanged. Any other ``BaseException`` becomes :class:`ForeignExit`, except the user's own Ctrl-C.
    A class and not a generator, since ``GeneratorExit`` cannot be thrown through one.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Exception) or is_users_interrupt(error):
            return
        raise ForeignExit(f"it raised {describe(error)}, which may not end the harness") from error


def raise_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Handle SIGINT as Python does, from a frame by which :func:`is_users_interrupt` recognises the user's own signal."""
    raise KeyboardInterrupt


def is_users_interrupt(error: BaseException) -> bool:
    """Return True if ``error`` is a ``KeyboardInterrupt`` that a signal raised, not the code that was running.

    Where :func:`raise_interrupt` is the handler, the innermost frame tells. Where Python's own handler is (a notebook,
    a script), a ``KeyboardInterrupt`` cannot be told apart and counts as the user's.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return True
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is raise_interrupt.__code__ for frame, _ in frames)


def describe(error: BaseException) -> str:
    """Return one line that names an exception's type, its message and where it was raised: ``ValueError: no (mine.py:12)``.

    The place is the innermost frame outside the standard library, torch, numpy and the harness; without one, the innermost.
    """
    message = one_line(error)
    place = _place(error)
    return f"{type(error).__name__}{f': {message}' if message else ''}{f' ({place})' if place else ''}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    strangers = [frame for frame in frames if not _is_library(frame.filename)]
    frame = strangers[-1] if strangers else frames[-1]
    return one_line(f"{os.path.basename(frame.filename)}:{frame.lineno}")


def _is_library(file: str) -> bool:
    if file.startswith((f"{os.path.dirname(__file__)}{os.sep}", "<")):
        return True
    _, installed, inside = file.rpartition(f"{os.sep}site-packages{os.sep}")
    if installed:
        return inside.split(os.sep)[0] in ("torch", "numpy")
    return file.startswith(f"{os.path.dirname(os.__file__)}{os.sep}")
