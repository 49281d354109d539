"""``harness check --timing`` against an environment in which the same network is faster."""

from __future__ import annotations

import json
import sys

import pytest

from harness.cli.main import main
from harness.noise import Floor, RowFloor, platform_of, write_floor

# Takes three times as long, but in an environment that says otherwise.
SLOWED = """
import os
import time
from harness import Network, hookimpl

def build(input_shape, classes, spiking_layer):
    from torch import nn

    class Slowed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(input_shape[0], classes, bias=False)
            self.spiking = spiking_layer((classes,))

        def forward(self, x):
            began = time.perf_counter()
            out = self.spiking(self.linear(x))
            until = time.perf_counter() + 2 * (time.perf_counter() - began)
            while "IT_IS_FAST" not in os.environ and time.perf_counter() < until:
                pass
            return out

    return Slowed()

@hookimpl
def register_networks(register):
    register(Network(name="slowed", summary="a slow network", build="slowed:build"))
"""
EXPERIMENT = """
plugins = ["shd-synthetic", "lif", "slowed"]
device = "cpu"
[set]
shd-synthetic.train = 40
shd-synthetic.test = 20
"""


@pytest.fixture
def asked(fresh, monkeypatch):
    """The words that time the slow network against an environment in which it is fast."""
    # Single-file plugins are modules: the one of an earlier test must not be taken for this one.
    monkeypatch.delitem(sys.modules, "slowed", raising=False)
    (fresh.folder / "slowed.py").write_text(SLOWED)
    (fresh.folder / "slow.toml").write_text(EXPERIMENT)
    (fresh.folder / "two.toml").write_text(EXPERIMENT.replace('"lif"', '"lif", "iaf"'))
    faster = fresh.folder / "before" / "bin" / "python"
    faster.parent.mkdir(parents=True)
    faster.write_text(f'#!/bin/sh\nIT_IS_FAST=1 exec "{sys.executable}" "$@"\n')
    faster.chmod(0o755)
    return ["-P", "slowed.py", "check", "slow.toml", "--timing", "--against", "before", "--rounds", "8"]


def test_what_became_slower_fails_after_a_rerun(fresh, asked):
    done = fresh(*asked, "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    verdicts = {verdict["figure"]: verdict for verdict in told["verdicts"]}
    assert set(verdicts) == {"training_step", "inference"}
    slow = verdicts["inference"]
    assert (slow["mark"], slow["kind"], slow["unit"]) == ("worse", "noisy", "ms")
    assert slow["change"] > 0.5
    assert slow["new"] > slow["old"]
    assert slow["reason"].startswith("a rerun confirms it: +")
    assert told["notes"][0] == "times: 8 interleaved rounds in fresh pairs of processes, threads: 1, cpu"
    assert told["notes"][1].startswith("old: harness ")
    assert "is missing; 'harness noise' measures it" in told["notes"][2]
    assert "▼ worse" in (fresh.results / "timing-check.md").read_text()
    assert "<failure" in (fresh.results / "timing-check.xml").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["check", "--timing"], 4, "nothing to time against: give --against PYTHON"),
        (["check", "--timing", "--against", "nowhere"], 4, "nothing to time: give an experiment file, a run, or"),
        (["check", "slow.toml", "--timing", "--against", "nowhere"], 4, "nowhere: no Python interpreter"),
        (["check", "slow.toml", "--timing", "--against", "x", "--rounds", "3"], 4, "confidence 0.99 needs 8 at least"),
        (["check", "two.toml", "--timing", "--against", "x", "--rounds", "8"], 4, "needs 9 at least over 4 lines"),
        (["check", "slow.toml", "--timing", "--against", "x", "--force"], 4, "--force is for trials"),
        (["check", "slow.toml", "--timing", "--against", "x", "--threshold", "-1"], 4, "expected a number >= 0"),
        (["check", "--timing", "--against", "x", "--baseline", "none"], 6, "there is no baseline 'none'"),
        (["check", "slow.toml", "--threshold", "0.1"], 4, "--threshold is for speed: give --timing too"),
    ],
)
def test_mistakes_are_one_line(asked, fresh, monkeypatch, capsys, arguments, status, message):
    monkeypatch.chdir(fresh.folder)
    assert main(["-P", "slowed.py", *arguments]) == status
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_threshold_below_the_noise_floor_is_refused(asked, fresh, monkeypatch, capsys):
    monkeypatch.chdir(fresh.folder)
    monkeypatch.setenv("HARNESS_RESULTS", str(fresh.results))
    row = RowFloor(row="r", label="toy lif", work="inference", seconds=0.01, floor=0.2)
    floor = Floor(rows=(row,), platform=platform_of(1, "cpu"), blocks=8, launches=2, comparisons=5)
    write_floor(fresh.results, floor)
    assert main(asked) == 4
    assert "threshold 5 % lies below this machine's noise floor 20 %" in capsys.readouterr().err
