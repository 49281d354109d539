"""The warm server: imports torch and the plan's libraries once, computes nothing, and forks a child a task.

It reads one JSON line of configuration and then one per task from standard input; it and its children write JSON lines of
at most PIPE_BUF bytes to one pipe, so that lines never mix. A small parent (guard.py) ends it and all that it started as
soon as the run is gone.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import traceback
from typing import Any

from ..devices import built_for_gpus, present, why_no_cuda
from ..foreign import describe, foreign_code
from ..registry import Registry
from .child import open_registry, perform
from .guard import become_subreaper, children, die_with_parent, end_children, run_guarded
from .messages import Sender

_BY_NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


def main() -> int:
    """Serve until standard input ends."""
    line = sys.stdin.buffer.readline()
    if not line:  # the run was gone before it had asked for anything
        return 0
    config = json.loads(line)
    send = Sender(int(config["messages"]))
    # Programs that a task starts must not hold the pipe open.
    os.set_inheritable(send.descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    become_subreaper()
    # Libraries that ask on import whether there is a device must not make a CUDA context, which children could not use.
    os.environ.setdefault(_BY_NVML, "1")
    # First, since what is preloaded may lie in a single-file plugin, which is imported by loading it alone.
    registry = open_registry(config["registry"])
    hello = _warm_up(config)
    send(None, "hello", **hello)
    return _Server(registry, send).serve()


def _warm_up(config: dict[str, Any]) -> dict[str, Any]:
    failed = {}
    for name in config["preload"]:
        try:
            with foreign_code():
                importlib.import_module(name)
        except Exception as error:  # the trial that needs it will say so in its record
            failed[name] = describe(error)
    return {**_devices(), "failed": failed}


def _devices() -> dict[str, Any]:
    """What torch can use here, as a child of its own finds out: a driver that was asked cannot be used after a fork."""
    if not built_for_gpus():
        return {"devices": ["cpu"], "no_cuda": why_no_cuda()}
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            # NVML counts devices that this torch may be unable to use.
            os.environ.pop(_BY_NVML, None)
            os.write(writing, json.dumps({"devices": present(), "no_cuda": why_no_cuda()}).encode())
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        answer = told.read()
    os.waitpid(pid, 0)
    if not answer:
        return {"devices": ["cpu"], "no_cuda": "asking for CUDA devices failed; server.log may say why"}
    found: dict[str, Any] = json.loads(answer)
    return found


class _Server:
    """Forks children and reports how they end."""

    def __init__(self, registry: Registry, send: Sender) -> None:
        self.registry = registry
        self.send = send
        self.children: dict[int, str] = {}
        # What a plugin's import started lives as long as the server.
        self.own = children()
        self.wake, self.woken = os.pipe()
        for descriptor in (self.wake, self.woken):
            os.set_blocking(descriptor, False)

    def serve(self) -> int:
        signal.set_wakeup_fd(self.woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        buffer = b""
        while True:
            ready, _, _ = select.select([0, self.wake], [], [])
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
                self._reap()
            if 0 in ready:
                received = os.read(0, 1 << 16)
                if not received:
                    return 0
                *lines, buffer = (buffer + received).split(b"\n")
                for line in lines:
                    self._fork(json.loads(line))

    def _fork(self, task: dict[str, Any]) -> None:
        if task["kind"] == "trial":
            # The first step of an optimiser imports this, seconds that every trial would pay again. Where all are cached none does.
            importlib.import_module("torch._dynamo")
        server = os.getpid()
        pid = os.fork()
        if pid:
            self.children[pid] = task["id"]
            self.send(task["id"], "forked", pid=pid)
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            die_with_parent(server)
            # What this task orphans stays its own, so that it is counted and ended with it.
            become_subreaper()
            _redirect(task["log"])
            for descriptor in (self.wake, self.woken):
                os.close(descriptor)
            code = perform(task, self.registry, self.send)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            # No atexit handlers or destructors of the server's state in a child.
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            task = self.children.pop(pid, None)
            if task is not None:
                self._end_leftovers(pid)
                self.send(task, "exit", code=os.waitstatus_to_exitcode(status))

    def _end_leftovers(self, leader: int) -> None:
        """Kill what an ended task left running: its process group, and on Linux all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        # A task that runs is the parent of its own orphans, so a child that is no task belonged to one that has ended.
        end_children(keep=self.own | self.children.keys())


def _redirect(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


if __name__ == "__main__":
    sys.exit(run_guarded(main))
