"""What goes wrong costs one row, one line, or one run, and says so."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from small_job import UNTIMED

from harness.cli.main import main
from harness.records import Record

FAULTY = """
import os, time
from harness import Backend, Parameter, hookimpl

def layer(neuron, shape, recurrent=None, fault="none", marker=""):
    from harness_neurons.reference import layer as reference
    if marker:
        open(f"{marker}.{os.getpid()}", "w").close()
    if fault == "raise": raise RuntimeError("boom in the backend")
    if fault == "kill": os.kill(os.getpid(), 9)
    if fault == "exit": os._exit(7)
    if fault == "hang": time.sleep(600)
    if fault == "slow": time.sleep(1)
    if fault == "memory": raise MemoryError("no more")
    if fault == "eat":
        held = bytearray(3_000_000_000)
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(600)
    return reference(neuron, shape, recurrent)

@hookimpl
def register_backends(register):
    register(Backend(name="faulty", summary="s", layer="faulty:layer", neurons=("iaf", "lif"), speed=0.01, parameters=(
        Parameter(name="fault", default="none", kind="str", summary="what goes wrong"),
        Parameter(name="marker", default="", kind="str", summary="a file to make"))))

@hookimpl
def run_finished(run):
    import sys
    heavy = sorted({"torch", "sinabs", "tonic"} & set(sys.modules))
    print("parent imported:", heavy)

@hookimpl
def trial_finished(record):
    raise ValueError("a hook that raises")
"""


@pytest.fixture
def faulty(tmp_path):
    path = tmp_path / "faulty.py"
    path.write_text(FAULTY)
    return str(path)


def trials(cli):
    (folder,) = cli.runs()
    return {
        record.specification["backend"]["parameters"].get("fault"): record
        for record in (Record.from_text(path.read_text(), str(path)) for path in (folder / "trials").glob("*.json"))
    }


def test_every_way_to_fail_costs_its_own_row(fresh, faulty):
    done = fresh(
        "run", "-P", faulty, "--plugins", "shd-synthetic,iaf,faulty", "-o", "faulty.fault=none,raise,kill,exit,hang,memory,eat",
        "--time-limit", "12", "--memory-limit", "2000", "--jobs", "2", *UNTIMED,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    found = trials(fresh)
    assert {fault: str(record.status) for fault, record in found.items()} == {
        "none": "ok",
        "raise": "failed",
        "kill": "failed",
        "exit": "failed",
        "hang": "timeout",
        "memory": "oom",
        "eat": "oom",
    }
    messages = {fault: (record.error or {}).get("message", "") for fault, record in found.items()}
    assert messages["raise"] == "RuntimeError: boom in the backend (faulty.py:9)"
    assert "boom in the backend" in found["raise"].error["traceback"]
    log = found["raise"].error["log"]
    (folder,) = fresh.runs()
    assert "boom in the backend" in (folder / log).read_text()
    line = 1 + FAULTY.splitlines().index('    if fault == "raise": raise RuntimeError("boom in the backend")')
    wanted = f"RuntimeError: boom in the backend (faulty.py:{line}); see {log}"
    assert found["raise"].message_and_log == wanted
    assert wanted in " ".join(done.stdout.split())
    assert "SIGKILL" in messages["kill"]
    assert "status 7" in messages["exit"]
    assert "time limit is 12 s" in messages["hang"]
    assert messages["memory"].startswith("out of memory while the network was built and initialised; ")
    assert "more than 2000 MiB" in messages["eat"]
    assert messages["eat"].endswith("while the network was built and initialised; try a higher --memory-limit")
    table = done.stdout[done.stdout.index("shd-synthetic (synthetic)") :]
    for word in ("1 failed", "1 timeout", "1 oom", "1 ok"):
        assert word in table
    # A hook that raises is a warning, and the parent of a run stays light.
    assert "plugin faulty failed in trial_finished: ValueError: a hook that raises (faulty.py:" in done.stderr
    assert "parent imported: []" in done.stdout


IN_THE_WAY = """
import os
from pathlib import Path
from harness import hookimpl

@hookimpl
def trial_finished(record):
    (Path(os.environ["HARNESS_RESULTS"]) / "latest" / "report.html").mkdir()
"""


def test_a_page_that_cannot_be_drawn_costs_a_note_and_the_status_but_not_the_run(fresh):
    (fresh.folder / "in_the_way.py").write_text(IN_THE_WAY)
    drawn = [word for word in UNTIMED if word != "--no-plots"]
    done = fresh("run", "-P", "in_the_way.py", "--plugins", "shd-synthetic,lif,accuracy", *drawn)
    assert done.returncode == 3, done.stderr
    assert "warning: report.html was not written: IsADirectoryError" in done.stderr
    assert "1 ok" in done.stdout
    (folder,) = fresh.runs()
    assert json.loads((folder / "run.json").read_text())["state"] == "finished"
    assert list((folder / "plots").iterdir())


BROKEN_TABLES = """
import os
import signal
from harness import hookimpl

def interrupt(*arguments):
    os.kill(os.getpid(), signal.SIGINT)

def fail(*arguments):
    raise KeyError("no such column")

@hookimpl
def trial_finished(record):
    import harness.report.tables
    harness.report.tables.write_tables = {"interrupt": interrupt, "fail": fail}[os.environ["BREAK"]]
"""


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        (
            "fail",
            3,
            "warning: the tables were not written: KeyError: 'no such column' (broken.py:10); the records are complete",
        ),
        ("interrupt", 2, "error: interrupted"),
    ],
)
def test_a_report_that_fails_or_is_interrupted_costs_no_state(fresh, how, status, said):
    (fresh.folder / "broken.py").write_text(BROKEN_TABLES)
    done = fresh("run", "-P", "broken.py", "--plugins", "shd-synthetic,lif,accuracy", *UNTIMED, BREAK=how)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "internal error" not in done.stderr
    (folder,) = fresh.runs()
    assert json.loads((folder / "run.json").read_text())["state"] == "finished"
    assert fresh("track").returncode == 0


def wait_for(folder, count=1):
    deadline = time.monotonic() + 90
    while len(list(folder.glob("marker.*"))) < count:
        assert time.monotonic() < deadline, "no trial has started"
        time.sleep(0.05)


def test_the_first_interrupt_drains_and_loses_nothing(fresh, faulty):
    marker = str(fresh.folder / "marker")
    process = fresh.start(
        "run", "-P", faulty, "--plugins", "shd-synthetic,iaf,faulty", "-o", "faulty.fault=slow", "-o", f"faulty.marker={marker}",
        "--seeds", "3", "--jobs", "1", *UNTIMED,
    )  # fmt: skip
    wait_for(fresh.folder)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "finishing what runs" in err
    (folder,) = fresh.runs()
    statuses = sorted(
        str(Record.from_text(path.read_text(), "x").status) for path in (folder / "trials").glob("*.json")
    )
    assert statuses == ["interrupted", "interrupted", "ok"]
    assert "1 ok" in out
    assert json.loads((folder / "run.json").read_text())["state"] == "interrupted"
    again = fresh(
        "run", "-P", faulty, "--plugins", "shd-synthetic,iaf,faulty", "-o", "faulty.fault=slow", "-o", f"faulty.marker={marker}",
        "--seeds", "1", "--jobs", "1", *UNTIMED,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert "1 cached" in again.stdout


def test_the_second_interrupt_kills(fresh, faulty):
    marker = str(fresh.folder / "marker")
    process = fresh.start(
        "run", "-P", faulty, "--plugins", "shd-synthetic,iaf,faulty", "-o", "faulty.fault=hang", "-o", f"faulty.marker={marker}",
        "--seeds", "2", "--jobs", "1", *UNTIMED,
    )  # fmt: skip
    wait_for(fresh.folder)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 60
    assert process.returncode == 2, err
    assert {str(record.status) for record in trials(fresh).values()} == {"interrupted"}


def test_a_parent_that_is_killed_takes_its_children_with_it(fresh, faulty):
    import psutil

    process = fresh.start(
        "run", "-P", faulty, "--plugins", "shd-synthetic,iaf,faulty", "-o", "faulty.fault=hang",
        "-o", f"faulty.marker={fresh.folder / 'marker'}", "--jobs", "1", *UNTIMED,
    )  # fmt: skip
    wait_for(fresh.folder)
    (marker,) = fresh.folder.glob("marker.*")
    child = int(marker.suffix[1:])
    assert psutil.pid_exists(child)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child outlived the run"
        time.sleep(0.1)


def test_a_refused_trial_is_a_row_and_alone_it_is_nothing_ran(fresh):
    done = fresh("run", "--plugins", "shd-synthetic,iaf,sinabs", "-o", "iaf.surrogate=sigmoid", *UNTIMED)
    assert done.returncode == 5, done.stderr
    assert "1 skipped" in done.stdout
    assert "sinabs has no surrogate sigmoid" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "nothing to run: name components with --plugins"),
        (("run", "--plugins", "shd-synthetc,lif"), "did you mean 'shd-synthetic'"),
        (("run", "--plugins", "lif"), "no dataset is named"),
        (("run", "--plugins", "shd-synthetic,lif", "-o", "lif.tau=3"), "lif has no parameter 'tau'"),
        (
            ("run", "--plugins", "shd-synthetic,lif", "-o", "lif.tau_mem=-1"),
            "lif.tau_mem: -1.0 is not a finite number > 0",
        ),
        (("run", "--plugins", "shd-synthetic,lif", "-o", "lif.tau_mem"), "expected path=value"),
        (("run", "--plugins", "shd-synthetic,lif", "--seeds", "0"), "seeds: 0 is not at least 1"),
        (("run", "--plugins", "shd-synthetic,lif", "--recipe", "tutoril"), "did you mean 'tutorial'"),
        (("run", "--plugins", "shd-synthetic,lif", "--device", "gpu"), "expected auto, cpu, cuda or cuda:N"),
        (("run", "--plugins", "shd-synthetic,lif", "--jobs", "0"), "--jobs 0: expected a whole number >= 1"),
        (("run", "--plugins", "shd-synthetic,lif", "--executor", "slurm"), "no plugin makes one"),
        (("run", "none.toml"), "none.toml: No such file"),
        (("run", "--plugin", "x"), "Did you mean '--plugins'?"),
        (("rnu",), "No such command 'rnu'"),
        (("runs", "nothing"), "there is no run 'nothing'"),
        (("plugins", "liff"), "did you mean 'lif'"),
        (("-p", "neurons", "plugins"), "expected no:NAME"),
        (("-p", "no:neuron", "plugins"), "did you mean 'neurons'"),
        (("-P", "none.py", "--strict-plugins", "plugins"), "none.py: no such file"),
        (("cache", "burn"), "'burn' is not one of 'show', 'clear'"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_4(places, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(places)
    assert main(arguments) == 4
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert message in told
    assert not list(places.glob("results/*"))


@pytest.mark.parametrize("option", ["--results", "--cache"])
@pytest.mark.parametrize("place", ["FILE", "FILE/below"])
def test_a_folder_that_cannot_be_written_is_one_line_before_anything_is_computed(
    places, monkeypatch, capsys, option, place
):
    monkeypatch.chdir(places)
    (places / "FILE").touch()
    assert main(["run", "--plugins", "shd-synthetic,lif", "--quiet", option, place]) == 4
    told = capsys.readouterr().err
    variable = option.replace("--", "HARNESS_").upper()
    assert told.startswith(f"error: {places / place}: cannot be written: ")
    assert told.endswith(f"; name a folder with {option} or {variable}\n")
    assert told.count("\n") == 1
    assert not list(places.glob("results/*"))


def test_output_that_cannot_be_written_is_one_line(monkeypatch, capsys):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["plugins"]) == 4
    assert capsys.readouterr().err == (
        "error: standard output or a file: cannot be read or written: No space left on device\n"
    )


FILLED = """
import resource
from harness import hookimpl

@hookimpl
def trial_finished(record):
    # As a full disk refuses, without one.
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
"""


def test_a_disk_that_fills_up_is_one_line_and_what_finished_stays(fresh):
    (fresh.folder / "filled.py").write_text(FILLED)
    done = fresh("run", "-P", "filled.py", "--plugins", "shd-synthetic,lif,accuracy", *UNTIMED)
    assert done.returncode == 4, done.stderr
    (folder,) = fresh.runs()
    wanted = f"error: {folder}: cannot be written: File too large; name a folder with --results or HARNESS_RESULTS\n"
    assert done.stderr == wanted
    assert [str(record.status) for record in trials(fresh).values()] == ["ok"]


@pytest.mark.parametrize("device", ["cuda", "cuda:7"])
def test_a_device_that_is_not_here_is_one_line(fresh, device):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    done = fresh("run", "--plugins", "shd-synthetic,lif", "--device", device, *UNTIMED)
    assert done.returncode == 4
    assert done.stderr.startswith(f"error: --device {device}: not here; there is: cpu (torch {torch.__version__} ")
    assert done.stderr.count("\n") == 1
    assert fresh.runs() == []


def test_missing_data_is_one_line_and_leaves_no_run(fresh):
    # The name of the download's host is looked up nowhere: a proxy that does not exist refuses at once.
    done = fresh("run", "--plugins", "shd,lif", https_proxy="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9")
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith("error: SHD train data not found: looked for")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert fresh.runs() == []


def test_one_dataset_that_is_missing_does_not_ruin_the_other(fresh):
    done = fresh(
        "run",
        "--plugins",
        "shd,shd-synthetic,iaf",
        *UNTIMED,
        https_proxy="http://127.0.0.1:9",
        HTTPS_PROXY="http://127.0.0.1:9",
    )
    assert done.returncode == 3, done.stderr
    assert "1 failed" in done.stdout
    assert "1 ok" in done.stdout


def test_a_broken_plugin_is_one_warning_and_the_rest_works(fresh, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module_at_all\n")
    done = fresh("-P", str(broken), "plugins", "lif")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("warning: plugin broken")


def test_traceback_shows_where(fresh):
    done = fresh("plugins", "liff", "--traceback")
    assert "Traceback" in done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("error: ")


WARNS = """
import warnings
from harness import Backend, hookimpl

@hookimpl
def register_backends(register):
    register(Backend(name="warns", summary="a layer that warns", layer="warns:layer", neurons=("lif",), devices=("cpu",)))

def layer(neuron, shape, recurrent=None):
    from harness_sinabs.layers import layer as made
    warnings.warn("half \\ud800 and \\x1b[31mred\\x07", stacklevel=1)
    return made(neuron, shape, recurrent)
"""


def test_text_of_strangers_neither_loses_a_trial_nor_reaches_the_terminal(fresh):
    (fresh.folder / "warns.py").write_text(WARNS)
    done = fresh("run", "-P", "warns.py", "--plugins", "shd-synthetic,lif,warns", *UNTIMED)
    assert done.returncode == 0, done.stderr
    (folder,) = fresh.runs()
    (path,) = (folder / "trials").glob("*.json")
    warnings = Record.from_text(path.read_bytes(), str(path)).warnings
    assert "UserWarning: half \\ud800 and \\x1b[31mred\\x07" in warnings
    shown = done.stdout + done.stderr + fresh("runs", "latest").stdout
    assert "31mred" in " ".join(shown.split())
    assert not {"\x1b", "\x07", "\ud800"} & set(shown)
