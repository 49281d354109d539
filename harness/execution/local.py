"""The harness's own executor: children of a warm server on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal, cast

import psutil

from ..errors import ExitCode, HandledError, UsageError
from ..places import cache_folder, kernels_environment
from ..text import clean_json, one_line
from .guard import signal_name
from .tasks import Limits, Message, Outcome, Task

_POLL = 0.25
# Seconds that the server may take to report the end of a task that was killed.
_GRACE = 15.0
# Far more than any message: what a task writes into the pipe without end of line must not fill memory.
_LONGEST_LINE = 1 << 20
_FIELDS: Mapping[str, Mapping[str, type]] = {
    "forked": {"pid": int},
    "result": {"result": dict},
    "exit": {"code": int},
    "phase": {"phase": str},
    "progress": {"stage": str, "done": int, "total": int},
    "epoch": {"epoch": int, "epochs": int, "scores": dict},
}
_LIMITED = {"prepare": " for preparation", "trial": "", "timing": " for the timing phase"}
# glibc gives large blocks back to the system when they are freed, and every step of training asks for them anew: page faults
# would cost as much as the arithmetic on them. What a user sets wins.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31)}


class ServerError(HandledError):
    """The process that trials are forked from did not start, or is gone."""

    exit_code = ExitCode.FAILED


@dataclass
class _Active:
    """A task that runs."""

    task: Task
    started: float
    pid: int | None = None
    result: Mapping[str, Any] | None = None
    failure: Message | None = None
    killed: Literal["timeout", "oom", "interrupted"] | None = None
    killed_at: float = 0.0


class Local:
    """Runs tasks in children of a warm server. ``interrupts`` counts Ctrl-C: the first drains, the second kills."""

    def __init__(
        self,
        registry: Mapping[str, Any],
        *,
        preload: Sequence[str],
        threads: int,
        limits: Limits,
        log: Path,
        on_interrupt: Callable[[int], None] = lambda count: None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``environment`` is set in the server and its children, over this process's own."""
        self._config = {"registry": dict(registry), "preload": list(preload)}
        self._threads = threads
        self._limits = limits
        self._log = log
        self._on_interrupt = on_interrupt
        self._environment = environment or {}
        self._server: subprocess.Popen[bytes] | None = None
        self._messages = -1
        self._buffer = b""
        self.interrupts = 0

    def launch(self) -> None:
        """Start the server without waiting for it."""
        reading, writing = os.pipe()
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "harness.execution.server"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                env={**pinned(self._threads), **self._environment},
                start_new_session=True,  # the terminal's Ctrl-C is the run's to handle
            )
        os.close(writing)
        self._messages = reading
        self._tell({**self._config, "messages": writing})

    def start(self) -> Mapping[str, Any]:
        """Wait until the server is warm; returns its devices and the modules it failed to import."""
        if self._server is None:
            self.launch()
        while True:
            for message in self._receive(1.0):
                if message["event"] == "hello":
                    return message
            if self.interrupts:
                raise KeyboardInterrupt

    def _tell(self, content: Mapping[str, Any]) -> None:
        assert self._server is not None
        assert self._server.stdin is not None
        try:
            self._server.stdin.write((json.dumps(content) + "\n").encode())
            self._server.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def _gone(self) -> ServerError:
        tail = ""
        with contextlib.suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            tail = f": {one_line(lines[-1], 300)}" if lines else ""
        return ServerError(f"the process that trials are forked from ended{tail}; see {self._log}")

    def _receive(self, timeout: float) -> Iterator[Message]:
        """Messages that arrive within ``timeout`` seconds; raises :class:`ServerError` when there can be no more."""
        assert self._server is not None
        ready, _, _ = select.select([self._messages], [], [], timeout)
        if not ready:
            # Whoever inherited the pipe may hold it open for ever; the server's own end is what counts.
            if self._server.poll() is not None and not select.select([self._messages], [], [], 0)[0]:
                raise self._gone()
            return
        received = os.read(self._messages, 1 << 16)
        if not received:
            raise self._gone()
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        self._buffer = self._buffer[-_LONGEST_LINE:]
        for line in lines:
            message = _message(line)
            if message is not None:
                yield message

    def run(
        self,
        tasks: Sequence[Task],
        *,
        jobs: int,
        on_message: Callable[[Task, Message], None],
        on_outcome: Callable[[Task, Outcome], None],
    ) -> None:
        """Run ``tasks``, ``jobs`` at a time; see :class:`harness.execution.tasks.Executor`.

        A server that dies costs the tasks that were running; the others run on a new one. Raises :class:`ServerError`, after every
        task has its outcome, if a new server does not start.
        """
        waiting = list(reversed(tasks))
        while waiting:
            active: dict[str, _Active] = {}
            try:
                if self._server is None:
                    with contextlib.suppress(KeyboardInterrupt):  # counted in ``interrupts``
                        self.start()
                self._work(waiting, active, jobs, on_message, on_outcome)
            except ServerError as error:
                self.close()
                for entry in active.values():
                    on_outcome(entry.task, self._outcome(entry, None, str(error)))
                if active:  # each death costs at least one task, so this ends
                    continue
                for task in reversed(waiting):
                    on_outcome(task, Outcome(how="crashed", detail=str(error)))
                raise

    def _work(
        self,
        waiting: list[Task],
        active: dict[str, _Active],
        jobs: int,
        on_message: Callable[[Task, Message], None],
        on_outcome: Callable[[Task, Outcome], None],
    ) -> None:
        """Take from the end of ``waiting`` until it and ``active`` are empty."""
        polled = 0.0
        while waiting or active:
            if self.interrupts:
                for task in reversed(waiting):
                    on_outcome(task, Outcome(how="interrupted", detail="not started: the run was interrupted"))
                waiting.clear()
                if self.interrupts > 1:
                    for entry in active.values():
                        self._kill(entry, "interrupted")
            while waiting and len(active) < jobs:
                task = waiting[-1]
                self._tell({"id": task.id, "kind": task.kind, "payload": task.payload, "log": task.log})
                active[task.id] = _Active(waiting.pop(), time.monotonic())
            if not active:
                return
            for message in self._receive(_POLL):
                self._handle(message, active, on_message, on_outcome)
            if time.monotonic() - polled > _POLL:
                polled = time.monotonic()
                self._enforce(active)

    def _handle(
        self,
        message: Message,
        active: dict[str, _Active],
        on_message: Callable[[Task, Message], None],
        on_outcome: Callable[[Task, Outcome], None],
    ) -> None:
        entry = active.get(str(message.get("task")))
        if entry is None:
            return
        event = message["event"]
        if event == "forked":
            entry.pid = message["pid"]
            entry.started = time.monotonic()
        elif event == "result":
            entry.result = message["result"]
        elif event == "failed":
            entry.failure = message
        elif event == "exit":
            del active[entry.task.id]
            on_outcome(entry.task, self._outcome(entry, message["code"]))
            return
        on_message(entry.task, message)

    def _outcome(self, entry: _Active, code: int | None, lost: str = "") -> Outcome:
        """How a task ended whose process left with ``code``, or was ``lost`` together with the server."""
        seconds = time.monotonic() - entry.started
        if entry.result is not None:
            return Outcome(how="done", result=entry.result, seconds=seconds)
        if entry.killed == "timeout":
            limit = self._limits.seconds_of(entry.task.kind) or 0
            detail = f"killed after {seconds:.0f} s: the time limit is {limit:g} s{_LIMITED[entry.task.kind]}"
            return Outcome(how="timeout", detail=detail, seconds=seconds)
        if entry.killed == "oom":
            limit = (self._limits.private_bytes or 0) / 2**20
            detail = f"killed: it and what it started held more than {limit:.0f} MiB of their own"
            return Outcome(how="oom", detail=detail, seconds=seconds)
        if entry.killed == "interrupted":
            return Outcome(how="interrupted", detail="killed: the run was interrupted", seconds=seconds)
        if entry.failure is not None:
            how: Literal["oom", "failed"] = "oom" if entry.failure.get("memory") else "failed"
            return Outcome(how=how, detail=str(entry.failure.get("detail", "")), result=entry.failure, seconds=seconds)
        return Outcome(how="crashed", detail=lost if code is None else _how_it_died(code), seconds=seconds)

    def _enforce(self, active: Mapping[str, _Active]) -> None:
        now = time.monotonic()
        for entry in active.values():
            if entry.killed and now - entry.killed_at > _GRACE:
                raise ServerError(f"the process that trials are forked from does not answer; see {self._log}")
            if entry.pid is None or entry.killed:
                continue
            seconds = self._limits.seconds_of(entry.task.kind)
            if seconds is not None and now - entry.started > seconds:
                self._kill(entry, "timeout")
            elif self._limits.private_bytes is not None and private_bytes(entry.pid) > self._limits.private_bytes:
                self._kill(entry, "oom")

    def _kill(self, entry: _Active, why: Literal["timeout", "oom", "interrupted"]) -> None:
        if entry.pid is not None and not entry.killed:
            entry.killed, entry.killed_at = why, time.monotonic()
            # By its own number, since it may have left its process group; the server ends what it started.
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the server and everything that it still runs."""
        if self._server is None:
            return
        if self._server.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._server.stdin.close()
        try:
            self._server.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        os.close(self._messages)
        self._server, self._buffer = None, b""

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Count Ctrl-C instead of raising it; SIGTERM counts as two. Only the main thread can listen."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupted(number: int, frame: FrameType | None) -> None:
            self.interrupts += 2 if number == signal.SIGTERM else 1
            self._on_interrupt(self.interrupts)

        before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def pinned(threads: int) -> dict[str, str]:
    """This process's environment for one that computes: ``threads`` pinned, freed memory kept, a place for compiled kernels."""
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    # Threads that wait for the next parallel region by spinning would take the other trials' processors.
    quiet = {**dict.fromkeys(variables, str(threads)), "OMP_WAIT_POLICY": "PASSIVE"}
    kernels: dict[str, str] = {}
    with contextlib.suppress(UsageError):  # without a home folder: who names a cache says the place beside this
        kernels = kernels_environment(cache_folder())
    return {**_MALLOC, **kernels, **os.environ, **quiet}


def private_bytes(pid: int) -> int:
    """Return the bytes that a process and its descendants share with no other; 0 for one that is gone or cannot be seen."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(map(_unshared, family))


def _unshared(process: psutil.Process) -> int:
    try:
        # Resident size would charge every child with the pages it inherited from the server.
        return int(process.memory_full_info().uss)
    except psutil.Error:
        return 0


def _message(line: bytes) -> Message | None:
    """One message, or None for a line that is none: a task, or what it started, may write into the pipe."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("event"), str):
        return None
    wanted = _FIELDS.get(message["event"], {})
    if not all(isinstance(message.get(name), kind) for name, kind in wanted.items()):
        return None
    return cast(Message, clean_json(message))


def _how_it_died(code: int) -> str:
    if code >= 0:
        return f"its process exited with status {code} and left no record"
    name = signal_name(-code)
    hint = " (the system may have run out of memory)" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}"
