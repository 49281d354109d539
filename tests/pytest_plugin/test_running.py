"""Items that run: their trials, fixtures, figures, how they end, and how they stand to a baseline."""

from __future__ import annotations

import json
import re
import signal
import time
from xml.etree import ElementTree

import pytest

from harness.baselines.files import save
from harness.store import Run

HEAVY = """

def pytest_sessionfinish():
    import sys

    print("heavy:", sorted({"torch", "sinabs", "tonic"} & set(sys.modules)))
"""

OWN = """
import pytest
from harness.errors import UsageError

SETTINGS = {"shd-synthetic.train": 40, "shd-synthetic.test": 20, "mlp.hidden": [8]}

def test_the_same_trial_is_given_back(harness_trial):
    one, other = (harness_trial("shd-synthetic,lif", SETTINGS, epochs=1, device="cpu") for _ in range(2))
    assert one is other

def test_too_many(harness_trial):
    with pytest.raises(UsageError, match="trains one trial, and these are 2: shd-synthetic lif, shd-synthetic iaf"):
        harness_trial("shd-synthetic,lif,iaf")
"""


@pytest.fixture(scope="module")
def ran(shared):
    """The documentation's project, run with warnings as errors."""
    shared.documented()
    shared.write("tests/test_own.py", OWN)
    done = shared.pytest("-rA", "-W", "error", "--benchmark-disable", "--junitxml=report.xml")
    return shared, *done


def test_the_documentations_project_passes(ran):
    _, code, out = ran
    assert code == 0, out
    assert "7 passed" in out
    for seed in (0, 1):
        assert f"PASSED experiments/small.toml::shd-synthetic-lif-fused-s{seed}" in out


def test_fixtures_see_the_trial(ran):
    shared, _, _ = ran
    lines = [line.split() for line in (shared.path / "accuracies.txt").read_text().splitlines()]
    assert [name for name, _ in lines] == [f"shd-synthetic-lif-fused-s{seed}" for seed in (0, 1)]
    assert all(0 <= float(accuracy) <= 1 for _, accuracy in lines)


def test_trials_run_together(ran):
    _, _, out = ran
    assert out.count("trials: 2 (") == 1


def test_junit_holds_the_figures_and_each_trials_own_time(ran):
    shared, _, _ = ran
    cases = {case.get("name"): case for case in ElementTree.parse(shared.path / "report.xml").iter("testcase")}
    for seed in (0, 1):
        case = cases[f"shd-synthetic-lif-fused-s{seed}"]
        values = {item.get("name"): item.get("value") for item in case.iter("property")}
        assert 0 <= float(values["test.accuracy"]) <= 1
        assert float(values["test.synops"]) > 0
        assert not any(name.startswith("before.") for name in values)


def test_a_baseline_passes_what_is_the_same_and_torch_stays_away(ran):
    shared, _, _ = ran
    run = next(run for run in reversed(shared.runs()) if len(list((run / "trials").glob("*.json"))) == 2)
    save("main", Run(run), shared.results)
    shared.write("conftest.py", (shared.path / "conftest.py").read_text() + HEAVY)
    shared.experiment(neurons='"lif", "iaf"')
    code, out = shared.pytest("experiments", "--benchmark-disable", "-rA", "--harness-baseline", "main")
    assert code == 0, out
    assert "heavy: []" in out
    assert "shd-synthetic lif: SynOps: same; " in out
    assert "harness: 1 configuration checked against main: 1 same; 1 not comparable:" in out
    assert "  shd-synthetic iaf: configuration: not in baseline main, so not compared" in out
    # Nothing that compares is no pass.
    for name, told in (
        ("main", "nothing that was selected is in baseline main; it holds: shd-synthetic lif"),
        ("mian", "there is no baseline 'mian'"),
    ):
        code, out = shared.pytest("experiments", "--benchmark-disable", "-k", "iaf", "--harness-baseline", name)
        assert code == 1
        assert "2 failed" in out
        assert told in out
        assert "trials:" not in out


def test_every_way_to_end(apart):
    apart.faulty('"lif", "iaf"', '[sweep]\nfaulty.fault = ["none", "raise", "kill"]\n')
    apart.change("seeds = 2", "seeds = 1")
    # Where the device is said the plan knows that the backend refuses, and nothing is run.
    text = (apart.path / "experiments/small.toml").read_text().replace('"lif", ', "")
    apart.write("experiments/refused.toml", text)
    apart.change('device = "cpu"', "")
    apart.settings(
        'harness_experiments = ["experiments/small.toml", "experiments/refused.toml"]',
        'harness_plugins = ["faulty.py"]',
    )
    code, out = apart.pytest("-rfs", "experiments")
    assert code == 1, out
    assert "2 failed, 1 passed, 6 skipped" in out, out
    name = "experiments/small.toml::shd-synthetic-lif-faulty-fault:"
    raised = "RuntimeError: boom in the backend"
    assert f"FAILED {name}raise-s0 - Failed: shd-synthetic lif fault=raise s0: failed: {raised}" in out
    assert re.search(rf"failed: {raised} \(faulty\.py:\d+\); see logs/trial-\d+-\w+\.log", out)
    assert (
        f"FAILED {name}kill-s0 - Failed: shd-synthetic lif fault=kill s0: failed: its process was killed by SIGKILL"
        in out
    )
    for name in ("small", "refused"):
        assert f"SKIPPED [3] experiments/{name}.toml" in out
    assert out.count(": it does not like iaf") == 2
    assert "Captured harness log call" in out
    assert 'raise RuntimeError("boom in the backend")' in out
    assert "collection.py" not in out
    assert "Benchmark fixture was not used" not in out
    (run,) = apart.runs()
    assert len(list((run / "trials").glob("*.json"))) == 6


def test_data_that_is_missing_is_one_line(project):
    project.write("experiments/small.toml", 'plugins = ["shd", "lif"]\nseeds = 2\n')
    code, out = project.pytest("experiments", "--harness-data", "nowhere", "--benchmark-disable")
    assert code == 1
    assert "2 failed" in out
    assert "nowhere" in out
    assert "Traceback" not in out
    assert ".py" not in out, out


def test_an_interrupt_keeps_what_has_finished(apart):
    apart.faulty(more=f'faulty.fault = "slow"\nfaulty.marker = "{apart.path / "marker"}"\n')
    apart.change("[set]", "jobs = 1\n[set]")
    process = apart.start("experiments", "--harness-plugin", "faulty.py")
    deadline = time.monotonic() + 90
    while not list(apart.path.glob("marker.*")):
        assert time.monotonic() < deadline, "no trial has started"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2, out
    assert "harness: interrupted: finishing the trials that run" in out
    assert "harness: interrupted; what had finished is kept in" in out
    (run,) = apart.runs()
    assert len(list((run / "trials").glob("*.npz"))) == 1


def test_beside_workers_each_configuration_is_trained_once_and_checked(apart, ran):
    shared, _, _ = ran
    baseline = json.loads((shared.results / "baselines" / "main.json").read_text())
    for figure in baseline["configurations"][0]["figures"]:
        if figure["name"] == "synops":
            figure["values"] = {seed: value / 2 for seed, value in figure["values"].items()}
    apart.write("cheaper.json", json.dumps(baseline))
    apart.experiment(neurons='"lif", "iaf"')
    code, out = apart.pytest("-n", "2", "experiments", "--harness-baseline", "cheaper.json", "--harness-strict")
    assert code == 1, out
    assert "4 failed" in out
    lines = [line for line in out.splitlines() if line.startswith("shd-synthetic lif: SynOps: worse; ")]
    assert len(lines) >= 2
    assert all("+100 %, margin 5 %" in line for line in lines)
    assert "harness: 1 configuration checked against main: 1 worse; 1 not comparable:" in out
    assert "\nno wall-clock time was taken: under xdist" in out  # in the items' sections
    assert "harness: no wall-clock time was taken: under xdist trials share the processors" in out
    assert ".py:" not in out
    runs = apart.runs()
    assert len(runs) == 2
    records = [path for run in runs for path in (run / "trials").glob("*.json")]
    assert len(records) == 4
    assert not any(json.loads(path.read_text())["provenance"] for path in records)


def test_pytest_benchmark_times_inference(project):
    code, out = project.pytest(
        "--benchmark-only", "--benchmark-json=times.json", "--benchmark-max-time=0.1", "-W", "error"
    )
    assert code == 0, out
    assert "2 passed, 1 skipped" in out
    times = json.loads((project.path / "times.json").read_text())["benchmarks"]
    assert [item["name"] for item in times] == [f"shd-synthetic-lif-fused-s{seed}" for seed in (0, 1)]
    for item in times:
        told = item["extra_info"]
        assert item["stats"]["median"] > 0
        assert (told["batch"], told["threads"], told["device"]) == (20, 1, "cpu")
        assert 0 <= told["test.accuracy"] <= 1


def test_benchmark_skip_leaves_experiments_out(project):
    code, out = project.pytest("--benchmark-skip")
    assert code == 0
    assert "1 passed, 2 skipped" in out
