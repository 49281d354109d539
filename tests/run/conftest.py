"""Real processes: the command line as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


class Cli:
    """Runs ``harness`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")},
            "HARNESS_CACHE": str(folder / "cache"),
            "HARNESS_RESULTS": str(folder / "results"),
            "HARNESS_DATA": str(folder / "data"),
            "COLUMNS": "120",
        }

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *arguments],
            cwd=self.folder,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in the background has Ctrl-C ignored, and children would inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def __call__(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def runs(self) -> list[Path]:
        return sorted(path for path in self.results.iterdir() if not path.is_symlink()) if self.results.is_dir() else []


@pytest.fixture(scope="module")
def cli(tmp_path_factory):
    return Cli(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def fresh(tmp_path):
    return Cli(tmp_path)
