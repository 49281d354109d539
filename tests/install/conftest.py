"""Environments layered on the one that runs the tests, since a fresh one costs minutes."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Layer:
    """A virtual environment that sees this one's packages behind its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "env", with_pip=False)
        (site,) = (folder / "env").glob("lib/python*/site-packages")
        (site / "below.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.site = site
        self.python = folder / "env" / "bin" / "python"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "PYTHON"))},
            "HARNESS_CACHE": str(folder / "cache"),
            "HARNESS_RESULTS": str(folder / "results"),
        }

    def install(self, *what: str) -> None:
        done = self.run(
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--disable-pip-version-check",
            "--no-index",
            *what,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def layer(tmp_path):
    return Layer(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel):
    """An environment with the wheel, which compiles what it computes with once."""
    made = Layer(tmp_path_factory.mktemp("installed"))
    made.install("--ignore-installed", str(wheel))
    return made
