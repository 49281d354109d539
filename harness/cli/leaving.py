"""Standard streams whose reader may leave, as the ``head`` of ``| head`` does: that says nothing of the work, and must not end it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Leavable(io.FileIO):
    """A file to write to; what nobody reads any more goes nowhere."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes


def open_missing_streams() -> None:
    """Open the null device in place of every standard stream that the process was started without (``>&-``).

    Otherwise the next file that is opened takes the number of the missing stream and receives what is meant for it.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # open as long as the process


@contextlib.contextmanager
def readers_leave_freely() -> Iterator[None]:
    """Inside, ``sys.stdout`` and ``sys.stderr`` put up with readers that leave; a test's own streams are left alone."""
    open_missing_streams()
    given = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    made = {name: leavable for name, stream in given.items() if (leavable := _leavable(stream)) is not None}
    try:
        for name, stream in made.items():
            setattr(sys, name, stream)
        yield
    finally:
        for name, stream in made.items():
            # What cannot be written is no matter of who reads, and was said where it was written.
            with contextlib.suppress(OSError):
                stream.flush()
            setattr(sys, name, given[name])


def _leavable(stream: object) -> io.TextIOWrapper | None:
    if not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        stream.flush()
        raw = _Leavable(stream.fileno(), "w", closefd=False)
    except (OSError, ValueError):
        return None
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
