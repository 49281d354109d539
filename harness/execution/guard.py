"""Process supervision: a small parent that ends a serving process, and all that it started, together with its driver."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"
# Processes that are forked faster than they can be killed must not keep the harness for ever.
_PATIENCE = 10.0


def run_guarded(serve: Callable[[], int]) -> int:
    """Run ``serve`` in a child process and supervise it; returns its exit status once nothing that it started is left.

    The child and all its descendants are killed as soon as standard input ends, which is when the driver closes it or
    dies, or as soon as the child itself ends, whatever it is doing then. On Linux descendants that were orphaned, that
    have a session of their own or that left their process group are found too (this process is their subreaper), and a
    child that was stopped is continued. On macOS only the child's own process group is killed.
    """
    driver = os.getppid()
    wake, woken = os.pipe()
    for descriptor in (wake, woken):
        os.set_blocking(descriptor, False)
    become_subreaper()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(wake)
            os.close(woken)
            os.setpgid(0, 0)
            die_with_parent(os.getppid())
            code = serve()
        except BaseException:  # nobody above prints it, and the last line of its log is what its driver shows
            with contextlib.suppress(OSError):
                traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            # Taking torch apart lasts a second, for which the driver would wait.
            os._exit(code)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    code = _supervise(child, driver, wake)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    end_children()
    return code


def _supervise(child: int, driver: int, wake: int) -> int:
    """Wait until ``child`` or the driver is gone, or a signal asks for an end; the exit status to leave with."""
    poller = select.poll()
    poller.register(0, 0)  # only whether its writers are gone: what is written is the child's to read
    poller.register(wake, select.POLLIN)
    while True:
        # A process that the driver forked may keep standard input open; the driver's death changes the parent.
        ready = dict(poller.poll(1000))
        numbers = b""
        with contextlib.suppress(BlockingIOError):
            numbers = os.read(wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return 1
            if not pid:
                break
            if os.WIFSTOPPED(status):
                if pid == child:
                    os.kill(child, signal.SIGCONT)
            elif pid == child:
                return _say_how_it_ended(os.waitstatus_to_exitcode(status))
        if 0 in ready or signal.SIGTERM in numbers or os.getppid() != driver:
            return 0


def _say_how_it_ended(code: int) -> int:
    if code >= 0:
        return code
    # The last line of its log is what its driver shows.
    print(f"killed by {signal_name(-code)}", file=sys.stderr, flush=True)
    return 128 - code


def signal_name(number: int) -> str:
    """Return ``SIGKILL``, or ``signal 99`` for a number without a name here."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def become_subreaper() -> None:
    """On Linux, make this process the parent of every descendant that is orphaned; elsewhere do nothing."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """On Linux, have the kernel kill this process when ``parent`` dies; elsewhere do nothing."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was asked
            os.kill(os.getpid(), signal.SIGKILL)


def children() -> set[int]:
    """Process ids of this process's direct children, the ended ones that nobody has waited for among them."""
    if not _LINUX:
        return set()
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found.update(map(int, (task / "children").read_text().split()))
    return found


def end_children(keep: Collection[int] = ()) -> None:
    """Kill every direct child that is not in ``keep``, and what becomes a child of this subreaper by that, until none is left.

    Linux only; elsewhere it does nothing. It gives up after ten seconds.
    """
    until = time.monotonic() + _PATIENCE
    while (left := children() - set(keep)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                _wait(pid, until)


def _wait(pid: int, until: float) -> None:
    while not os.waitpid(pid, os.WNOHANG)[0]:
        if time.monotonic() > until:
            return
        time.sleep(0.001)
