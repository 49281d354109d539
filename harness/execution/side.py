"""One side of a duel: an interpreter with its own harness and plugins, and a fresh process of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..environment import harness_version
from ..errors import ExitCode, HandledError, UsageError
from .guard import signal_name
from .local import pinned
from .worker import PROTOCOL

# What would make another interpreter import this one's packages.
_LEAKING = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
# Preparing data reports as it goes; nothing else that a side is asked for takes minutes.
PATIENCE = 600.0


class SideError(HandledError):
    """A process that died, or did not answer."""

    exit_code = ExitCode.FAILED


class SideRefusal(HandledError):
    """A side that cannot do what it is asked for: there is nothing to compare with."""

    exit_code = ExitCode.NOT_COMPARABLE


@dataclass(frozen=True, kw_only=True)
class Side:
    """``plugins`` are ``{"block", "only", "files"}`` as a child of a run is given them; ``name`` is what messages call it."""

    python: Path
    plugins: Mapping[str, Any]
    name: str

    @classmethod
    def here(cls, plugins: Mapping[str, Any], name: str = "new") -> Side:
        """This interpreter."""
        return cls(python=Path(sys.executable), plugins=plugins, name=name)


def interpreter(given: str | Path) -> Path:
    """The interpreter at ``given``, or in the environment there; raises :class:`UsageError` where there is none."""
    # Not resolved: the link is what tells an environment from the Python it was made with.
    path = Path(given).expanduser().absolute()
    found = path / "bin" / "python" if path.is_dir() else path
    if not found.is_file() or not os.access(found, os.X_OK):
        raise UsageError(
            f"{given}: no Python interpreter; expected one such as other/.venv/bin/python, or its environment"
        )
    return found


class Fresh:
    """A process of ``side``, started at once and without waiting for it; a context that leaves nothing behind.

    What it prints is added to ``log``. ``report`` is told ``progress`` (stage, done, total).
    """

    def __init__(
        self, side: Side, *, threads: int, log: Path, report: Callable[..., None], patience: float = PATIENCE
    ) -> None:
        self.side = side
        self._log, self._report, self._patience = log, report, patience
        self._buffer = b""
        environment = pinned(threads)
        if side.python != Path(sys.executable):
            environment = {name: value for name, value in environment.items() if name not in _LEAKING}
        with log.open("ab") as file:
            self._began = file.tell()
            try:
                self._process = subprocess.Popen(
                    # -P: a checkout in the working folder must not stand in for what is installed.
                    [str(side.python), "-P", "-m", "harness.execution.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    env=environment,
                    start_new_session=True,  # the terminal's Ctrl-C is the parent's to handle
                )
            except OSError as error:
                raise UsageError(f"{side.python}: cannot be started: {error.strerror or error}") from None

    def __enter__(self) -> Fresh:
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and all that it started; it ends as soon as its input does, whatever it is doing."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        # One of an older revision may be busy.
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says so of a group that has just ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def hello(self) -> Mapping[str, Any]:
        """What it says of itself; raises :class:`SideRefusal` for one that this harness cannot talk to."""
        told = self.answer("starting")
        if told.get("protocol") != PROTOCOL:
            raise SideRefusal(
                f"{self.side.python}: its harness {told.get('harness')} times by protocol {told.get('protocol')}, this one "
                f"({harness_version()}) by {PROTOCOL}; compare revisions that are closer together"
            )
        return told

    def ask(self, do: str, **content: Any) -> None:
        """Send one message."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write((json.dumps({"do": do, **content}) + "\n").encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone(f"asked to {do}") from None

    def answer(self, doing: str) -> Mapping[str, Any]:
        """The next answer; raises :class:`SideRefusal` for a failure, :class:`SideError` where none comes."""
        while True:
            message = self._receive(doing)
            if message["event"] == "progress":
                self._report("progress", stage=message["stage"], done=message["done"], total=message["total"])
            elif message["event"] == "failed":
                said = " ".join(str(message["message"]).split())
                raise SideRefusal(f"the {self.side.name} side ({self.side.python}) failed while {doing}: {said}")
            else:
                return message

    def _receive(self, doing: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._process.stdout], [], [], self._patience)
            if not ready:
                raise SideError(
                    f"the {self.side.name} side ({self.side.python}) has said nothing for {self._patience:g} s while {doing}"
                    f"{self._tail()}; see {self._log}"
                )
            received = os.read(self._process.stdout.fileno(), 1 << 16)
            if not received:
                raise self._gone(doing)
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict) or "event" not in message:
            text = line[:80].decode(errors="replace")
            raise SideRefusal(
                f"{self.side.python}: answered {text!r}, which is no message of a harness that can be timed"
            )
        return message

    def _gone(self, doing: str) -> HandledError:
        code = self._process.wait()
        tail = self._tail()
        if "No module named" in tail and "harness" in tail:
            return SideRefusal(
                f"{self.side.python}: there is no harness in it that can be timed{tail}; install the revision to compare "
                f"with there: {self.side.python} -m pip install ..."
            )
        return SideError(
            f"the {self.side.name} side ({self.side.python}) ended while {doing}: {_ending(code)}{tail}; see {self._log}"
        )

    def _tail(self) -> str:
        """The last line of its own output."""
        with contextlib.suppress(OSError):
            lines = self._log.read_bytes()[self._began :].decode(errors="replace").strip().splitlines()
            return f": {lines[-1].strip()}" if lines else ""
        return ""


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    return f"killed by {signal_name(-code)}"
