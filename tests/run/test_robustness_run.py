"""Robustness as a user asks for it: in a run, from the cache, and without the data that it needs."""

from __future__ import annotations

from small_job import UNTIMED

from harness.records import Record

ASKED = ("run", "--plugins", "shd-synthetic,iaf,robustness", *UNTIMED)
KINDS = ("drop", "spurious", "channel_loss", "shift")

# A metric of its own that takes the data away before training: what needs no events has its frames by then.
VANISH = """
import os
from pathlib import Path
from harness import Metric, MetricValue, hookimpl

class Vanish:
    def start(self, model, context):
        for path in Path(os.environ["HARNESS_DATA"]).rglob("*.h5"):
            path.unlink()
    def batch(self, view): pass
    def merge(self, other): pass
    def result(self):
        return {"vanished": MetricValue(value=1, unit="times", direction="none", kind="exact", title="vanished")}

@hookimpl
def register_metrics(register):
    register(Metric(name="vanish", summary="takes the data away", observer="vanish:Vanish", phases=("before",), on=False))
"""


def figures(folder):
    (path,) = (folder / "trials").glob("*.json")
    record = Record.from_text(path.read_text(), str(path))
    return record, {row["name"]: row for row in record.outcome["metrics"] if row["phase"] == "after"}


def test_a_list_of_strengths_stands_in_brackets(fresh):
    done = fresh(*ASKED, "-o", "robustness.shift=20,50")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "robustness.shift" in done.stderr


def test_a_run_holds_the_curves_and_the_second_time_they_are_cached(fresh):
    asked = (*ASKED, "-o", "robustness.shift=[50,20]", "-o", "robustness.jitter=[]")
    done = fresh(*asked)
    assert done.returncode == 0, done.stderr
    record, found = figures((fresh.results / "latest").resolve())
    assert record.suppliers["metrics"]["robustness"]["parameters"]["shift"] == [50.0, 20.0]
    assert 0 <= found["robustness"]["value"] <= 1
    for kind in KINDS:
        curves = found[f"robustness_{kind}"]["curves"]
        assert curves["accuracy"]["x"][0] == 0
        assert curves["accuracy"]["y"][0] == found["accuracy"]["value"]
        assert curves["synops"]["y"][0] == found["synops"]["value"]
    assert found["robustness_shift"]["curves"]["accuracy"]["x"] == [0, 20, 50]
    assert "robustness_jitter" not in found
    assert "robustness" in done.stdout[done.stdout.index("shd-synthetic (synthetic)") :]
    again = fresh(*asked)
    assert again.returncode == 0, again.stderr
    assert "trials: 1 (1 cached)" in again.stdout
    _, reused = figures((fresh.results / "latest").resolve())
    assert reused == found


def test_data_that_has_vanished_meanwhile_costs_this_row_alone(fresh, tmp_path):
    made = fresh("data", "synthesize", "shd", str(fresh.folder / "data"), "--train", "40", "--test", "20")
    assert made.returncode == 0, made.stderr
    plugin = tmp_path / "vanish.py"
    plugin.write_text(VANISH)
    done = fresh("run", "-P", str(plugin), "--plugins", "shd,iaf,robustness,vanish", *UNTIMED[4:])
    assert done.returncode == 0, done.stderr
    record, found = figures((fresh.results / "latest").resolve())
    assert record.status == "ok"
    failed = {row["name"]: row["error"] for row in record.outcome["metrics"] if "error" in row}
    assert set(failed) == {"robustness"}
    assert "SHD test data not found" in failed["robustness"]
    assert found["accuracy"]["value"] is not None
    assert found["synops"]["value"] is not None
