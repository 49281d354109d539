"""``harness inspect`` as a user runs it."""

from __future__ import annotations

import json
import signal
import time

import pytest

from harness.cli.main import main

CAMERA = """
import numpy as np
from harness import Dataset, Encoding, hookimpl

EVENT = np.dtype([("t", int), ("x", int), ("y", int), ("p", int)])
CLASSES = ("[red]left[/red]", "<b>$right$</b>", "\\x1b[31mup")

class Recordings:
    groups = ["<i>", "b", "b"]

    def __init__(self, split):
        self.labels = [0, 1, 2]

    def __len__(self):
        return 3

    def __getitem__(self, index):
        random = np.random.default_rng(index)
        events = np.zeros(400, dtype=EVENT)
        events["t"] = np.sort(random.integers(0, 90_000, 400))
        for name, size in (("x", 16), ("y", 16), ("p", 2)):
            events[name] = random.integers(0, size, 400)
        return events, index

def source(root, split):
    return Recordings(split)

@hookimpl
def register_datasets(register):
    register(Dataset(name="camera", summary="s", sensor_size=(16, 16, 2), classes=CLASSES, source="camera:source",
        encodings={"default": Encoding(crop=80, slice=40, dt=10, factor=2)}))
"""


@pytest.fixture
def camera(fresh):
    """``harness inspect`` in a folder that holds a plugin of its own, with names made to do harm."""
    (fresh.folder / "camera.py").write_text(CAMERA)
    return fresh


def test_it_prints_and_draws_everything_of_a_dataset_whose_names_are_hostile(camera):
    folder = camera.folder / "inspect-camera"
    folder.mkdir()
    for name in ("own.png", "what-if.png"):  # the second is of an earlier inspection
        (folder / name).touch()
    done = camera("inspect", "-P", "camera.py", "camera")
    assert (done.returncode, done.stderr) == (0, "")
    assert "[red]left[/red]" in done.stdout
    assert "\x1b" not in done.stdout
    assert "encoding: 10 ms bins, 2 x 2 pixels summed, events before 80 ms, slices of 40 ms: 4 steps x 2" in done.stdout
    assert "groups in both train and test: <i>, b" in done.stdout
    (folder / "own.png").unlink()
    listed = done.stdout.splitlines()[-1].removeprefix("in inspect-camera: ").split(", ")
    assert sorted(listed) == sorted(path.name for path in folder.iterdir() if path.suffix != ".svg")
    assert {"frames.png", "events.gif", "player.html"} < {path.name for path in folder.iterdir()}
    assert "<b>$right$" not in (folder / "player.html").read_text()


def test_an_interruption_leaves_nothing_behind(camera):
    folder = camera.folder / "inspect-camera"
    process = camera.start("inspect", "-P", "camera.py", "camera")
    until = time.monotonic() + 60
    while not any(folder.glob(".drawing-*/rasters.svg")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (2, "error: interrupted")
    assert "in inspect-camera" not in out
    assert not folder.exists()


SMALL = ("-o", "shd-synthetic.train=20", "-o", "shd-synthetic.test=20")


def said(capsys, *arguments):
    """Exit status, standard output and standard error of ``harness inspect``."""
    code = main(["inspect", *arguments])
    return code, *capsys.readouterr()


def test_json_is_all_that_is_printed_and_nothing_is_drawn(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(
        capsys, "shd-synthetic", *SMALL, "--json", "--class", "fall-3", "--split", "test", "--what-if", "dt=5"
    )
    assert (code, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    assert told["splits"]["train"]["recordings"] == 20
    assert [(item["split"], told["classes"][item["label"]]) for item in told["shown"]] == [("test", "fall-3")]
    assert told["synthetic"] is True
    assert [item["label"] for item in told["compared"]] == ["as inspected (dt=10 ms)", "dt=5 ms"]
    assert list(tmp_path.iterdir()) == []


def test_the_table_alone_needs_no_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, "shd-synthetic", *SMALL, "--no-plots", "--limit", "20", "--percentile", "50")
    assert (code, err) == (0, "")
    assert "shd-synthetic: synthetic, generated recordings; 700 channels (train=20" in out
    assert "50 % of events before" in out
    assert "groups in both train and test: none" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shd-syntetic"], "error: nothing is named 'shd-syntetic' (did you mean 'shd-synthetic'"),
        (["lif"], "error: lif is a neuron, not a dataset; there are: "),
        (["shd-synthetic", "--what-if", "dt"], "error: --what-if 'dt': expected parameter=values, such as dt=5,10,20"),
        (["shd-synthetic", "--what-if", "dt=5", "--what-if", "encoding.dt=2"], "error: --what-if dt is given twice"),
        (["shd-synthetic", "--what-if", "dt=0"], "error: what-if dt=0: encoding.dt: "),
        (["shd-synthetic", "--class", "fall"], "error: class 'fall': no such class (did you mean 'fall-"),
        (["shd-synthetic", "--recording", "400"], "error: recording 400: the train split has 0 to 399"),
        (["shd-synthetic", "--percentile", "101"], "error: percentile 101: expected a number above 0, up to 100"),
        (["shd-synthetic", "-o", "lif.tau_mem=2"], "error: lif.tau_mem: expected shd-synthetic.PARAMETER"),
        (
            ["shd-synthetic", "--json", "--output", "there"],
            "error: --output: --json draws nothing; leave one of them out",
        ),
        (
            ["shd-synthetic", *SMALL, "--output", "file"],
            "error: file: cannot be written: it is no folder; name a folder with --output",
        ),
        (["shd", "--data", "DATA"], "error: DATA/SHD/shd_train.h5: not an SHD file, or a truncated one"),
    ],
)
def test_a_mistake_is_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "SHD").mkdir()
    for split in ("train", "test"):
        (tmp_path / "SHD" / f"shd_{split}.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    given = [str(tmp_path) if word == "DATA" else word for word in arguments]
    code, out, err = said(capsys, *given)
    assert (code, out) == (4, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHD", "file"]
    assert err.startswith(message.replace("DATA", str(tmp_path)))
    assert err.count("\n") == 1
