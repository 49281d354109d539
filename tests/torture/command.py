"""The command line under attack: start it, end it, and look for what it should not have left or said."""

from __future__ import annotations

import json
import os
import resource
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PATIENCE = 240.0  # seconds after which a command is taken to hang, on any machine


def scale(full: int, quick: int) -> int:
    """Return how many attacks to make: ``full`` in the environment `torture`, ``quick`` among the other tests."""
    return full if os.environ.get("HARNESS_TORTURE") else quick


@dataclass
class Report:
    """What came of many attacks; ``faults`` are what must not happen."""

    what: str
    attacks: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counted = ", ".join(f"{count} x status {status}" for status, count in sorted(self.statuses.items()))
        return f"{self.what}: {self.attacks} attacks ({counted}), {len(self.faults)} faults"

    def conclude(self) -> None:
        """Print the figures and fail if there are faults."""
        print(self, *self.faults, sep="\n  ")
        assert not self.faults, "\n".join(self.faults[:20])


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``status`` is None for one that had to be killed."""

    status: int | None
    out: str
    err: str

    def faults(self, allowed: Sequence[int]) -> list[str]:
        """Name what is wrong with the end of a command whose status may be one of ``allowed``."""
        said = self.out + self.err
        found = []
        if self.status is None:
            found.append("it hangs")
        elif self.status not in allowed:
            found.append(f"status {self.status}, not one of {tuple(allowed)}: {self.err[-300:]!r}")
        if "internal error" in said or "Traceback (most recent call last)" in said:
            found.append(f"not one line: {said[-600:]!r}")
        unclean = [character for character in said if not (character.isprintable() or character in "\n\t\r")]
        if unclean:
            found.append(f"characters for a terminal: {unclean[:5]!r}")
        return found


class Command:
    """``harness`` with folders of its own below ``folder``; every process that it starts can be found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.word = secrets.token_hex(8)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
        self.environment = {
            **kept,
            "HARNESS_CACHE": str(folder / "cache"),
            "HARNESS_RESULTS": str(folder / "results"),
            "HARNESS_DATA": str(folder / "data"),
            "TORTURE_WORD": self.word,
            "COLUMNS": "120",
        }

    def start(
        self,
        *arguments: str,
        redirect: str = "",
        cwd: Path | None = None,
        shell: Sequence[str] = (),
        limit: tuple[int, int] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command, by a shell that applies ``redirect`` (``>&-``) or by ``shell``, under a resource ``limit``."""
        words = [*shell, sys.executable, "-m", "harness", *arguments]
        if redirect:
            words = ["sh", "-c", f'exec "$0" "$@" {redirect}', *words]

        def prepare() -> None:
            # A shell that runs the tests in the background has Ctrl-C ignored, and children would inherit that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if limit is not None:
                resource.setrlimit(limit[0], (limit[1], resource.getrlimit(limit[0])[1]))

        return subprocess.Popen(
            words,
            cwd=cwd or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=prepare,
        )

    def wait(self, process: subprocess.Popen[bytes]) -> Ended:
        """Wait for the end, or kill what hangs."""
        try:
            out, err = process.communicate(timeout=PATIENCE)
            status: int | None = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            status = None
        return Ended(status, out.decode(errors="replace"), err.decode(errors="replace"))

    def __call__(self, *arguments: str, redirect: str = "", limit: tuple[int, int] | None = None) -> Ended:
        return self.wait(self.start(*arguments, redirect=redirect, limit=limit))

    def orphans(self) -> list[str]:
        """Name the processes of ended commands that still live after a short wait, and kill them."""
        until = time.monotonic() + 15
        while (left := self._living()) and time.monotonic() < until:
            time.sleep(0.1)
        for process in left:
            process.kill()
        return [f"process {process.pid} outlived its command" for process in left]

    def _living(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TORTURE_WORD") == self.word and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def finished(self) -> dict[Path, bytes]:
        """Return every finished record by its path."""
        found = {}
        for path in (self.folder / "results").glob("2*/trials/*.json"):
            content = path.read_bytes()
            if json.loads(content)["status"] == "ok":
                found[path] = content
        return found

    def lost(self, before: dict[Path, bytes]) -> list[str]:
        """Name the finished records of ``before`` that are gone or changed."""
        now = self.finished()
        return [f"{path.name} was finished and is lost" for path, content in before.items() if now.get(path) != content]

    def running(self) -> list[str]:
        """Name the runs that are said to run although no process lives."""
        ended = self("runs", "--json")
        if ended.status != 0:
            return [f"harness runs: status {ended.status}: {ended.err[-300:]!r}"]
        return [f"{run['id']} is said to run" for run in json.loads(ended.out) if run["state"] == "running"]
