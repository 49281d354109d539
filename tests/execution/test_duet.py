"""Two environments on the clock: real pairs of processes, equal work each time, and everything that a side may do wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness import Registry
from harness.errors import ExitCode, UsageError
from harness.execution.duet import Piece, Side, Taken, _Duet, duel, interpreter
from harness.execution.side import SideError, SideRefusal
from harness.experiment import Experiment
from harness.plan import make_plan

WATCHED = """
from harness import Network, hookimpl

print("a plugin that prints as it is imported")

def build(input_shape, classes, spiking_layer):
    from torch import nn

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(input_shape[0], classes, bias=False)
            self.spiking = spiking_layer((classes,))

        def forward(self, x):
            print("training" if self.training else "inference", self.linear.weight.double().sum().item())
            return self.spiking(self.linear(x))

    return Watched()

@hookimpl
def register_networks(register):
    register(Network(name="watched", summary="says with which weights it is called", build="watched:build"))
"""


def piece(files=(), network="mlp"):
    registry = Registry.discover(files=files)
    settings = {"shd-synthetic.train": [40], "shd-synthetic.test": [20]}
    plan = make_plan(Experiment(plugins=("shd-synthetic", "lif", network), settings=settings), registry, "cpu")
    specification = plan.trials[0].specification
    return Piece(row=specification.row, label=f"lif on {network}", specification=specification.to_json(), seed=0)


def plugins(files=()):
    return {"block": [], "only": None, "files": [str(path) for path in files]}


def fight(folder, old, new, pieces, **more):
    places = {"data": folder / "data", "cache": folder / "cache", "log": folder / "duel.log"}
    return duel(old, new, pieces, **{"blocks": 2, "launches": 2, "threads": 1, "device": "auto", **places, **more})


def workers():
    """Processes that this one has started and that are still there."""
    return psutil.Process().children(recursive=True)


@pytest.fixture(scope="module")
def fought(tmp_path_factory):
    """A duel with itself over a network that prints, beside a piece that no side knows."""
    folder = tmp_path_factory.mktemp("duel")
    file = folder / "watched.py"
    file.write_text(WATCHED)
    good = piece([file], "watched")
    unknown = {**good.specification, "neuron": {"name": "nobody", "parameters": {}}}
    bad = dataclasses.replace(good, row="bad", label="nobody", specification=unknown)
    told = []
    sides = [Side.here(plugins([file]), name) for name in ("old", "new")]
    only = {(good.row, "training_step"), (good.row, "inference"), ("bad", "inference")}
    taken = fight(folder, *sides, [good, bad], only=only, report=lambda event, **content: told.append((event, content)))
    sys.modules.pop("watched")
    return folder, good, taken, told


def test_every_work_has_a_log_ratio_a_block_and_the_launch_of_each(fought):
    _, good, taken, _ = fought
    assert [(item.row, item.work) for item in taken[:2]] == [(good.row, "training_step"), (good.row, "inference")]
    for item in taken[:2]:
        assert item.launches == (0, 1)
        assert len(item.log_ratios) == 2
        assert all(math.isfinite(value) and abs(value) < 5 for value in item.log_ratios)
        assert 0 < item.old < 60
        assert 0 < item.new < 60
        assert (item.device != "auto", item.refused) == (True, "")


def test_a_piece_that_a_side_refuses_costs_itself_alone_and_says_why(fought):
    (refused,) = fought[2][2:]
    assert (refused.row, refused.work, refused.log_ratios) == ("bad", "inference", ())
    assert "nothing is named 'nobody'" in refused.refused
    assert str(sys.executable) in refused.refused


def test_both_sides_say_what_they_are_and_blocks_are_counted(fought):
    told = fought[3]
    launched = [content for event, content in told if event == "launched"]
    assert [content["launch"] for content in launched] == [0, 1]
    import harness

    for side in ("old", "new"):
        assert launched[0][side]["file"] == str(Path(harness.__file__).parent)
        assert launched[0][side]["protocol"] == 1
    assert [(c["done"], c["total"]) for event, c in told if event == "block"] == [(1, 2), (2, 2)]
    assert any(event == "progress" for event, _ in told)


def test_every_repetition_starts_from_the_same_weights_on_both_sides(fought):
    folder = fought[0]
    for work in ("training", "inference"):
        seen = set()
        for side in ("old", "new"):
            lines = (folder / f"duel-{side}.log").read_text().splitlines()
            assert "a plugin that prints as it is imported" in lines
            weights = [line.split()[1] for line in lines if line.startswith(f"{work} ")]
            assert len(weights) > 20
            # Training has calls of its own before: calibration, and the step that makes the optimiser's state.
            seen |= set(weights[-8:])
        assert len(seen) == 1, work


def test_nothing_is_left_behind(fought):
    assert not [process for process in workers() if "harness.execution.worker" in " ".join(process.cmdline())]


def test_the_parent_imports_nothing_heavy():
    import subprocess

    code = (
        "import sys, harness.execution.duet; sys.exit(','.join({'torch', 'numpy', 'scipy'} & set(sys.modules)) or None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_blocks_are_evidence():
    taken = Taken("row", "label", "inference", (0.1, 0.11) * 10, tuple(index // 4 for index in range(20)), 1.0, 1.1)
    evidence = taken.evidence(confidence=0.99)
    assert evidence.effect == pytest.approx(-0.11, abs=0.01)
    assert evidence.p_worse < 0.01 < evidence.p_better


# -- sides that cannot take part ----------------------------------------------------------------------------------


def script(folder, text):
    """An executable in an interpreter's place."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Side(python=path, plugins=plugins(), name="old")


def refused(folder, side, kind, **more):
    with pytest.raises(kind) as caught:
        fight(folder, side, Side.here(plugins()), [Piece(row="r", label="l", specification={}, seed=0)], **more)
    message = str(caught.value)
    assert "\n" not in message
    assert str(side.python) in message
    assert not workers()
    return message, caught.value.exit_code


def test_an_environment_without_a_harness_is_told_what_to_install(tmp_path):
    bare = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    if not bare.exists() or bare == Path(sys.executable):
        pytest.skip("there is no other interpreter here")
    message, code = refused(tmp_path, Side(python=bare, plugins=plugins(), name="old"), SideRefusal)
    assert code == ExitCode.NOT_COMPARABLE
    assert "there is no harness in it that can be timed" in message
    assert f"{bare} -m pip install" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'echo \'{"event": "hello", "protocol": 99, "harness": "7.0"}\'; sleep 60',
            "its harness 7.0 times by protocol 99",
        ),
        ("echo something else; sleep 60", "answered 'something else', which is no message"),
        (
            'printf "%s\\n" \'{"event": "failed", "message": "two\\nlines"}\'; sleep 60',
            "failed while starting: two lines",
        ),
    ],
    ids=["another protocol", "another program", "a failure"],
)
def test_a_side_that_cannot_be_talked_to_is_one_line(tmp_path, text, expected):
    message, code = refused(tmp_path, script(tmp_path, text), SideRefusal)
    assert expected in message
    assert code == ExitCode.NOT_COMPARABLE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo the cause >&2; exit 3", "exit status 3: the cause"),
        ("echo the cause >&2; kill -SEGV $$", "killed by SIGSEGV"),
        ("kill -KILL $$", "killed by SIGKILL; see"),
    ],
    ids=["exits", "crashes", "killed in silence"],
)
def test_a_side_that_dies_is_one_line_with_the_last_of_its_own(tmp_path, text, expected):
    (tmp_path / "duel-old.log").write_text("of an earlier launch\n")
    message, code = refused(tmp_path, script(tmp_path, text), SideError)
    assert expected in message
    assert "earlier" not in message
    assert (code, "duel-old.log" in message) == (ExitCode.FAILED, True)


def gone(pid):
    """Wait until a process has died of the signal that it was sent; its parent is gone, so it may stay a zombie."""
    until = time.monotonic() + 20
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until, "it still runs"
            time.sleep(0.02)


def test_a_side_that_says_nothing_is_killed_with_all_that_it_started(tmp_path):
    side = script(tmp_path, f"sleep 300 & echo $! > {tmp_path}/pid; echo still here >&2; wait")
    message, _ = refused(tmp_path, side, SideError, patience=2)
    assert re.search(r"has said nothing for 2 s while starting: still here; see .*duel-old.log", message)
    gone(int((tmp_path / "pid").read_text()))


def test_what_cannot_be_started_is_a_mistake_of_the_user(tmp_path):
    path = tmp_path / "python"
    path.write_text("no program")
    path.chmod(0o755)
    message, code = refused(tmp_path, Side(python=path, plugins=plugins(), name="old"), UsageError)
    assert "cannot be started" in message
    assert code == ExitCode.USAGE


def test_an_interpreter_is_named_itself_or_by_its_environment(tmp_path, monkeypatch):
    here = Path(sys.prefix)
    assert interpreter(sys.executable) == Path(sys.executable)
    assert interpreter(here) == here / "bin" / "python"
    monkeypatch.chdir(here)
    assert interpreter("bin/python") == here / "bin" / "python"  # the link itself, not what it leads to
    for wrong in (tmp_path, tmp_path / "none", __file__):
        with pytest.raises(UsageError, match="no Python interpreter"):
            interpreter(wrong)


def test_packages_of_this_environment_do_not_leak_into_another(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    refused(tmp_path, script(tmp_path, f'echo "path=$PYTHONPATH threads=$OMP_NUM_THREADS" > {tmp_path}/env'), SideError)
    assert (tmp_path / "env").read_text() == "path= threads=1\n"


class Answering:
    """A side that answers as a worker does, and whose recordings are what a test says."""

    side = Side(python=Path(sys.executable), plugins={}, name="made")

    def __init__(self, **loaded):
        self.loaded, self.asked = loaded, ""

    def ask(self, do, **content):
        self.asked = do

    def answer(self, doing):
        known = {"open": {"devices": ["cpu"]}, "load": self.loaded, "measure": {"seconds": [0.01]}}
        return known[self.asked]


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [("a", "b", True), ("a", "a", False), (None, "b", False)],  # an earlier harness names none
)
def test_sides_that_read_other_recordings_are_not_timed(old, new, refused):
    pair = [Answering(**({} if name is None else {"identity": name})) for name in (old, new)]
    piece = Piece(row="row", label="toy lif", specification={}, seed=0)
    duet = _Duet([piece], [(0, "inference")], 0, lambda *_, **__: None)
    with (
        pytest.raises(SideRefusal, match="toy lif: the two sides read other recordings")
        if refused
        else contextlib.nullcontext()
    ):
        duet.prepare(pair, threads=1, device="cpu", data="", cache="")
    assert bool(duet.refused) == refused
