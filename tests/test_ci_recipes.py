"""The CI files in the documentation: read as the services read them, their commands run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / "docs" / "ci"
SMALL = (
    'plugins = ["shd-synthetic", "lif"]\nseeds = 2\nepochs = 1\n'
    '[set]\nshd-synthetic.train = 40\nshd-synthetic.test = 20\n"mlp.hidden" = [8]\n'
)


def github():
    read = yaml.safe_load((CI / "github-actions.yml").read_text())
    # YAML 1.1 reads the key "on" as true; the service does not.
    assert set(read) == {"name", True, "permissions", "jobs"}
    (job,) = read["jobs"].values()
    assert job["timeout-minutes"] <= 20
    return [step["run"] for step in job["steps"] if "run" in step]


def gitlab():
    (job,) = yaml.safe_load((CI / "gitlab-ci.yml").read_text()).values()
    assert job["artifacts"]["reports"]["junit"] == "check.xml"
    return [*job["before_script"], *job["script"], *job["after_script"]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with the experiment, made small, and its committed baseline."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "experiments").mkdir()
    (folder / "experiments" / "synthetic.toml").write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("DATA", "CACHE", "RESULTS"):
            patch.setenv(f"HARNESS_{name}", str(folder / name.lower()))
        assert main(["run", "experiments/synthetic.toml", "--no-timing", "--no-plots", "--quiet"]) == 0
        assert main(["baseline", "save", "synthetic"]) == 0
    return folder


@pytest.fixture
def project(repository, tmp_path, monkeypatch):
    """A checkout of it, with what is committed alone."""
    folder = tmp_path / "project"
    for part in ("experiments", "results/baselines"):
        shutil.copytree(repository / part, folder / part)
    monkeypatch.setenv("HARNESS_RESULTS", str(folder / "results"))
    return folder


@pytest.mark.parametrize("commands", [github, gitlab])
def test_every_command_runs_and_the_table_arrives(project, commands):
    install, *others = commands()
    assert "pip install" in install
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(project / "summary.md"),
    }
    printed = ""
    for command in others:
        done = subprocess.run(
            ["bash", "-e", "-c", command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        printed += done.stdout
    summary = project / "summary.md"
    assert "**passed: " in (summary.read_text() if summary.exists() else printed)
    assert (project / "check.xml").read_text().startswith("<?xml")


def test_the_files_that_the_recipes_name_are_here():
    text = (CI / "github-actions.yml").read_text() + (CI / "gitlab-ci.yml").read_text()
    for name in ("constraints.txt", "pyproject.toml", "experiments/synthetic.toml", "results/baselines/synthetic.json"):
        assert name in text
        assert (ROOT / name).is_file(), name


def test_the_committed_baseline_is_checked_by_the_projects_own_tests():
    assert "harness check --baseline results/baselines/synthetic.json" in (ROOT / "tox.ini").read_text()
