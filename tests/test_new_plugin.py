"""``harness new-plugin``: what it writes conforms as written, and what it refuses is one line."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import tomllib

import pytest

from harness.cli.main import main
from harness.components import KINDS


def put_in_place(folder, site):
    """Do what pip does with a distribution: its package on the path, and its entry point beside."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (package,) = (folder / "src").iterdir()
    shutil.copytree(package, site / package.name)
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["harness"].items()
    (info / "entry_points.txt").write_text("[harness]\n" + "".join(f"{name} = {value}\n" for name, value in points))


@pytest.fixture
def site(places, monkeypatch):
    monkeypatch.chdir(places)
    folder = places / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    yield folder
    for name in [name for name in sys.modules if name.startswith("harness_my_")]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_conforms(site, capsys, kind):
    assert main(["new-plugin", kind, f"my-{kind}"]) == 0
    written = site.parent / f"my-{kind}"
    said = capsys.readouterr().out
    found = {str(path.relative_to(site.parent)) for path in written.rglob("*") if path.is_file()}
    assert found == set(said[: said.index("next:")].splitlines())
    put_in_place(written, site)
    assert main(["check-plugin", f"my-{kind}", "--examples", "3"]) == 0
    assert main(["plugins", f"my-{kind}"]) == 0
    assert f"{kind} from my-{kind} (harness-my-{kind} 0.1.0)" in capsys.readouterr().out


def test_what_is_written_runs_and_its_tests_pass(site):
    for kind in KINDS:
        assert main(["new-plugin", kind, f"my-{kind}"]) == 0
        put_in_place(site.parent / f"my-{kind}", site)
    small = ("--epochs", "1", "--no-timing", "--no-plots", "--quiet")
    assert main(["run", "--plugins", "my-dataset,my-neuron,my-network", *small]) == 0
    assert main(["run", "--plugins", "my-dataset,iaf,my-backend", *small]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(site.parent / "my-metric" / "tests")],
        cwd=site.parent / "my-metric", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My Data", "'My Data': not a name: expected lower-case words joined by hyphens"),
        ("my_data", "not a name"),
        ("../out", "not a name"),
        ("", "not a name"),
        ("class", "'class': a word of Python"),
        ("recipe", "'recipe': a word of settings such as recipe.parameter=value"),
        ("neuron", "a word of settings"),
        ("lif", "'lif': an installed plugin or component has that name"),
        ("networks", "an installed plugin or component has that name"),
        ("n" * 300, "cannot be written: File name too long"),
    ],
)
def test_a_name_that_cannot_be_is_one_line(site, capsys, name, message):
    assert main(["new-plugin", "dataset", name]) == 4
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def test_a_package_that_is_there_is_refused(site, capsys):
    (site / "harness_mine").mkdir()
    (site / "harness_mine" / "__init__.py").touch()
    importlib.invalidate_caches()
    assert main(["new-plugin", "metric", "mine"]) == 4
    assert "the package harness_mine is installed; choose another name" in capsys.readouterr().err


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_what_exists_is_left_alone(site, capsys, there):
    place = site.parent / "mine"
    if there == "folder":
        place.mkdir()
    elif there == "file":
        place.write_text("kept")
    else:
        place.symlink_to("nowhere")
    assert main(["new-plugin", "metric", "mine"]) == 4
    assert capsys.readouterr().err == "error: mine: exists already; name another folder with --path\n"
    assert main(["new-plugin", "metric", "mine", "--path", "deep/below"]) == 0
    assert (site.parent / "deep" / "below" / "pyproject.toml").is_file()


def test_a_place_that_cannot_be_written_is_one_line(site, capsys):
    (site.parent / "file").touch()
    assert main(["new-plugin", "metric", "mine", "--path", "file/below"]) == 4
    said = capsys.readouterr().err
    assert said.startswith("error: file/below: cannot be written: ")
    assert said.count("\n") == 1
