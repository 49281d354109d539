"""Run code of plugins and users without letting it end the process, and describe what it raised."""

from __future__ import annotations

import dis
import os
import signal
import traceback
from types import FrameType, TracebackType
from typing import NoReturn

from .errors import HandledError, PluginCodeError
from .text import one_line

_RAISE = dis.opmap["RAISE_VARARGS"]
_OWN_FOLDER = f"{os.path.dirname(__file__)}{os.sep}"


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


class plugin_code(foreign_code):
    """Name the plugin's part that raised: ``with plugin_code("dataset mine"): source[0]``.

    A :class:`HandledError` passes, as does the user's own Ctrl-C; anything else becomes a :class:`PluginCodeError` with the
    part, the type, the message and the place.
    """

    def __init__(self, part: str) -> None:
        self.part = part

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, HandledError) or is_users_interrupt(error):
            return
        raise PluginCodeError(f"{self.part}: {describe(error)}") from error


def raise_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Handle SIGINT as Python does, from a frame by which :func:`is_users_interrupt` recognises the user's own signal."""
    raise KeyboardInterrupt


def is_users_interrupt(error: BaseException) -> bool:
    """Return True if ``error`` is a ``KeyboardInterrupt`` that a signal raised, not the code that was running.

    Where :func:`raise_interrupt` is the handler, the innermost frame decides. Where Python's own handler is (a notebook,
    a script, pytest), it is the user's unless the innermost frame stands at a ``raise`` statement. A handler of the user's
    own that raises is the innermost frame itself.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    innermost = error.__traceback__
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    if innermost is not None and innermost.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        return True  # raise_interrupt, or the harness that hands an interruption on
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler:
        return innermost is not None and innermost.tb_frame.f_code is getattr(handler, "__code__", None)
    return innermost is None or innermost.tb_frame.f_code.co_code[innermost.tb_lasti] != _RAISE


def describe(error: BaseException) -> str:
    """Return one line that names an exception's type, its message and where it was raised: ``ValueError: no (mine.py:12)``.

    The place is the innermost frame outside the standard library, torch, numpy and the harness; without one, the innermost.
    """
    error = origin(error)
    message = one_line(error)
    place = _place(error)
    return f"{one_line(type(error).__name__)}{f': {message}' if message else ''}{f' ({place})' if place else ''}"


def origin(error: BaseException) -> BaseException:
    """Return what foreign code raised, where ``error`` is a :class:`ForeignExit`; ``error`` itself otherwise."""
    return error.__cause__ if isinstance(error, ForeignExit) and error.__cause__ is not None else error


def _place(error: BaseException) -> str:
    """Return ``file:line`` of the innermost frame that is neither the harness's nor a library's, or the empty string."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    strangers = [frame for frame in frames if not _is_library(frame.filename)]
    frame = strangers[-1] if strangers else frames[-1]
    return one_line(f"{os.path.basename(frame.filename)}:{frame.lineno}")


def _is_library(file: str) -> bool:
    if file.startswith((_OWN_FOLDER, "<")):
        return True
    _, installed, inside = file.rpartition(f"{os.sep}site-packages{os.sep}")
    if installed:
        return inside.split(os.sep)[0] in ("torch", "numpy")
    return file.startswith(f"{os.path.dirname(os.__file__)}{os.sep}")
