"""Identify a process so that others can tell later, also after a restart, if it is still alive."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any


class Life(StrEnum):
    """What is known of a process."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


def this_process() -> dict[str, Any]:
    """Return what :func:`life_of` needs: process id, host, boot, process namespace and time of start."""
    return {"pid": os.getpid(), **_here(), "started": _started(os.getpid())}


def life_of(process: Mapping[str, Any]) -> Life:
    """Return if the process that :func:`this_process` described still runs; unknown for another host or container."""
    here = _here()
    if process.get("host") != here["host"]:
        return Life.UNKNOWN
    # Of two hosts of one name this may be wrong; a machine that lost power is far more frequent.
    if process.get("boot") != here["boot"]:
        return Life.DEAD
    if process.get("namespace") != here["namespace"]:
        return Life.UNKNOWN
    started = _started(int(process["pid"]))
    if started is None:
        return Life.DEAD
    return Life.ALIVE if process.get("started") in (None, started) else Life.DEAD


def _here() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "boot": _first_line(Path("/proc/sys/kernel/random/boot_id")),
        "namespace": _link("/proc/self/ns/pid"),
    }


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """When a process was started, in the system's own words; None for one that does not exist or that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if os.path.exists("/proc/self/stat") else _started_by_ps(pid)
    # The name in parentheses may hold anything; state and times follow the last one.
    values = stat.rpartition(")")[2].split()
    return None if values[0] in ("Z", "X") else values[19]


def _started_by_ps(pid: int) -> str | None:
    """The same without /proc, as on macOS."""
    try:
        done = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
