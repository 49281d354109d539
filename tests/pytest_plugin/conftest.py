"""Projects that use the plugin, with pytest in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

SMALL = """
plugins = ["shd-synthetic", {neurons}]
seeds = 2
epochs = 1
device = "cpu"

[set]
shd-synthetic.train = 40
shd-synthetic.test = 20
mlp.hidden = [8]
"""

FAULTY = """
import os, time
from harness import Backend, Parameter, hookimpl

def layer(neuron, shape, recurrent=None, fault="none", marker=""):
    from harness_neurons.reference import layer as reference
    if fault == "raise": raise RuntimeError("boom in the backend")
    if fault == "kill": os.kill(os.getpid(), 9)
    if fault == "slow":
        open(f"{marker}.{os.getpid()}", "w").close()
        time.sleep(1.5)
    return reference(neuron, shape, recurrent)

def refuses(neuron, recurrent, device):
    return "it does not like iaf" if neuron.name == "iaf" and device != "auto" else None

@hookimpl
def register_backends(register):
    register(Backend(name="faulty", summary="s", layer="faulty:layer", neurons=("iaf", "lif"), speed=0.01,
        refuses="faulty:refuses", parameters=(
        Parameter(name="fault", default="none", kind="str", summary="what goes wrong"),
        Parameter(name="marker", default="", kind="str", summary="a file to make"))))
"""


@dataclass
class Project:
    """A folder with a pyproject.toml, experiment files and tests; ``results`` and frames are shared with other projects."""

    path: Path
    results: Path
    cache: Path

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def experiment(self, name: str = "experiments/small.toml", neurons: str = '"lif"', more: str = "") -> Path:
        return self.write(name, SMALL.format(neurons=neurons) + more)

    def documented(self) -> None:
        """Write the files that the documentation shows."""
        text = (Path(__file__).resolve().parents[2] / "docs" / "pytest.md").read_text()
        shown = re.findall(r"^`([^`\n]+)`:\n\n((?: {4}.*\n|\n)+)", text, re.MULTILINE)
        assert {name for name, _ in shown} == {
            "pyproject.toml",
            "experiments/small.toml",
            "conftest.py",
            "tests/test_lif.py",
        }
        for name, block in shown:
            self.write(name, textwrap.dedent(block))

    def faulty(self, neurons: str = '"lif"', more: str = "") -> None:
        self.write("faulty.py", FAULTY)
        self.experiment(neurons=f'{neurons}, "faulty"', more=more)

    def change(self, old: str, new: str, name: str = "experiments/small.toml") -> None:
        text = (self.path / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def settings(self, *lines: str, table: str = "tool.pytest.ini_options") -> None:
        self.write("pyproject.toml", "\n".join([f"[{table}]", *lines]) + "\n")

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "PYTEST_"))}
        places = {"HARNESS_RESULTS": str(self.results), "HARNESS_CACHE": str(self.cache)}
        return {**own, **places, "COLUMNS": "160"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pytest(self, *arguments: str) -> tuple[int, str]:
        """The exit status and all that was printed."""
        process = self.start(*arguments)
        out, _ = process.communicate(timeout=240)
        return process.returncode, out

    def names(self, *arguments: str) -> list[str]:
        """The node ids that are collected."""
        code, out = self.pytest("--collect-only", "-q", *arguments)
        assert code == 0, out
        return [line for line in out.splitlines() if "::" in line]

    def runs(self) -> list[Path]:
        return sorted(path.parent for path in self.results.glob("*/run.json") if not path.parent.is_symlink())


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A folder that these tests share, so that what one has trained is cached for the others."""
    return tmp_path_factory.mktemp("kept")


def _made(folder: Path, kept: Path, results: Path) -> Project:
    project = Project(folder, results, kept / "cache")
    project.settings('testpaths = ["tests"]', 'harness_experiments = ["experiments/small.toml"]')
    project.experiment()
    project.write("tests/test_own.py", "def test_own(): pass\n")
    return project


@pytest.fixture
def project(tmp_path, kept):
    return _made(tmp_path, kept, kept / "results")


@pytest.fixture
def apart(tmp_path, kept):
    """A project whose results are its own."""
    return _made(tmp_path, kept, tmp_path / "results")


@pytest.fixture(scope="module")
def shared(tmp_path_factory, kept):
    """A project that a module's tests share."""
    return _made(tmp_path_factory.mktemp("shared"), kept, kept / "results")
