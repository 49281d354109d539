"""Which files are collected, and what their items are called."""

from __future__ import annotations

import subprocess
import sys

OWN = "tests/test_own.py::test_own"
SEEDS = [f"experiments/small.toml::shd-synthetic-lif-fused-s{seed}" for seed in (0, 1)]


def test_plain_pytest_collects_tests_and_named_files_once(project):
    project.write("experiments/other.toml", "plugins = 3")
    assert project.names() == [OWN, *SEEDS]
    project.settings('testpaths = ["tests", "experiments"]', 'harness_experiments = ["./experiments/small.toml"]')
    assert project.names() == [OWN, *SEEDS]
    project.settings('testpaths = ["tests"]', 'harness_experiments = ["experiments/small.toml"]', table="tool.pytest")
    assert project.names() == [OWN, *SEEDS]


def test_arguments_choose(project):
    assert project.names("tests") == [OWN]
    assert project.names(".", "--deselect", SEEDS[0]) == [SEEDS[1], OWN]
    assert project.names(SEEDS[1]) == SEEDS[1:]
    assert project.names("experiments", "-k", "lif-fused and s0") == SEEDS[:1]
    project.settings("")
    assert project.names("experiments/small.toml") == SEEDS


def test_names_are_fit_for_selection(project):
    project.experiment(neurons='"lif", "fused", "sinabs"', more="[sweep]\nmlp.hidden = [[8], [8, 8]]\n")
    project.change("mlp.hidden = [8]\n", "")
    names = [name.rpartition("::")[2] for name in project.names("experiments")]
    assert names == [
        f"shd-synthetic-lif-{backend}-hidden:{hidden}-s{seed}"
        for backend in ("fused", "sinabs")
        for hidden in ("8", "8-8")
        for seed in (0, 1)
    ]
    chosen = project.names("experiments", "-k", "sinabs-hidden:8-8 and not s0")
    assert chosen == ["experiments/small.toml::shd-synthetic-lif-sinabs-hidden:8-8-s1"]


def errors(out):
    """What stands below ERRORS for each file."""
    return [line for line in out.splitlines() if line.startswith(("experiments/", "E "))]


def test_what_cannot_be_meant_is_one_line(project):
    for text, told in (
        ("plugins = [", "experiments/small.toml: not TOML: Invalid value (at end of document)"),
        ('plugin = "lif"', "experiments/small.toml: unknown key 'plugin' (did you mean 'plugins'?)"),
        ('plugins = "shd-synthetic,lfi"', "experiments/small.toml: nothing is named 'lfi' (did you mean 'lif'"),
    ):
        project.write("experiments/small.toml", text)
        code, out = project.pytest("-q")
        assert code == 2, out
        assert "Traceback" not in out
        assert ".py" not in out, out
        (line,) = errors(out)
        assert line.startswith(told), out


def test_a_named_file_that_is_missing_is_a_usage_error(project):
    (project.path / "experiments" / "small.toml").unlink()
    code, out = project.pytest()
    assert code == 4
    assert "harness_experiments: " in out
    assert "experiments/small.toml: no such file" in out
    assert project.names("tests") == [OWN]


def test_the_plugin_is_light_to_import():
    heavy = ("torch", "numpy", "pandas", "scipy", "matplotlib", "h5py", "numba", "click")
    code = f"import sys, harness.pytest_plugin; sys.exit(','.join(set({heavy!r}) & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
