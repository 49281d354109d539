"""The built wheel, an editable install, and a stranger's distribution, each as pip installs them."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

from small_job import UNTIMED

from harness.records import Record

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_the_harness_and_its_plugins_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    plugins = {path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness", *plugins}
    assert "harness/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_built_wheel_runs_from_outside_the_checkout(installed):
    where = installed.run(
        "-c", "import harness, harness_sinabs; print(harness.__file__, harness_sinabs.__file__)"
    ).stdout
    assert where.count(str(installed.site)) == 2
    done = installed.run("-m", "harness", "run", "--plugins", "shd-synthetic,iaf", *UNTIMED)
    assert done.returncode == 0, done.stderr
    assert "1 ok" in done.stdout


def test_python_runs_without_a_main_guard_and_returns_a_frame(installed):
    script = installed.folder / "script.py"
    script.write_text(
        "import harness\n"
        "given = {'shd-synthetic.train': 40, 'shd-synthetic.test': 20, 'mlp.hidden': (8,), 'iaf.threshold': [1.0, 2.0]}\n"
        "frame = harness.run('shd-synthetic,iaf', given, seeds=2, epochs=1, quiet=True, timing=False, plots=False)\n"
        "assert len(frame) == 4, frame\n"
        "assert sorted(set(frame['iaf.threshold'])) == [1.0, 2.0]\n"
        "assert frame.attrs['exit_code'] == 0\n"
        "again = harness.load('latest')\n"
        "assert again['test.accuracy'].tolist() == frame['test.accuracy'].tolist()\n"
        "print('ran once')\n"
    )
    done = installed.run(str(script))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ran once\n"


def test_an_editable_install_runs(layer, tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("harness", "plugins"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    layer.install("--ignore-installed", "-e", str(checkout))
    where = layer.run("-c", "import harness, harness_shd; print(harness.__file__, harness_shd.__file__)").stdout
    assert where.count(str(checkout)) == 2
    done = layer.run("-m", "harness", "run", "--plugins", "shd-synthetic,iaf", *UNTIMED)
    assert done.returncode == 0, done.stderr


def test_a_strangers_distribution_brings_a_dataset_a_neuron_a_backend_and_a_metric(installed):
    installed.install(str(ROOT / "tests" / "install" / "example"))
    listed = json.loads(installed.run("-m", "harness", "plugins", "--json").stdout)
    mine = {item["name"]: item for item in listed["components"] if item["distribution"] == "harness-example"}
    assert set(mine) == {"two-tones", "threshold", "example-torch", "first-class-share"}
    assert all((item["version"], item["usable"]) == ("1.2.3", True) for item in mine.values())
    done = installed.run("-m", "harness", "run", "--plugins", "two-tones,threshold", "--seeds", "2")
    assert done.returncode == 0, done.stderr
    assert "two-tones (synthetic)" in done.stdout
    assert "predicted" in done.stdout
    (run,) = (installed.folder / "results").glob("*-threshold-two-tones-*")
    for path in (run / "trials").glob("*.json"):
        record = Record.from_text(path.read_text(), "x")
        assert record.suppliers["backend"]["distribution"] == "harness-example"
        assert record.suppliers["network"]["distribution"] == "snn-harness"
        figures = {(row["phase"], row["split"], row["name"]): row.get("value") for row in record.outcome["metrics"]}
        assert 0 <= figures["after", "test", "first_class_share"] <= 1
        assert figures["after", "train", "accuracy"] > 0.7


def test_the_wheel_writes_plugins_that_pip_installs_and_that_conform(installed):
    kinds = ("dataset", "neuron", "backend", "network", "metric")
    for kind in kinds:
        done = installed.run("-m", "harness", "new-plugin", kind, f"written-{kind}")
        assert done.returncode == 0, done.stderr
    installed.install(*(word for kind in kinds for word in ("-e", str(installed.folder / f"written-{kind}"))))
    names = [f"written-{kind}" for kind in kinds]
    done = installed.run("-m", "harness", "check-plugin", *names, "--examples", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 components conform" in done.stdout
    done = installed.run(
        "-m", "harness", "run", "--plugins", "written-dataset,written-neuron,written-network", "--epochs", "1", "--no-plots"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "responding" in done.stdout
