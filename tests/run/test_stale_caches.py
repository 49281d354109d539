"""Runs after a plugin was corrected, and runs on data that leave something out: right numbers, and said where they are few."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
import numpy as np
from harness import Dataset, Encoding, hookimpl
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from corrected_reader import read

@hookimpl
def register_datasets(register):
    register(Dataset(name="mine", summary="x", sensor_size=(8, 8, 2), classes=("a", "b"), source="mine:source",
                     encodings={"default": Encoding(crop=100, dt=10)},
                     defaults={"network": "mlp", "neuron": "lif", "mlp.hidden": (8,)}))

class S:
    def __len__(self): return 40
    def __getitem__(self, i):
        if not 0 <= i < 40: raise IndexError(i)
        return read(np.random.default_rng(i)), i % 2

def source(root, split): return S()
"""
READER = """
import numpy as np
def read(r):
    e = np.zeros(100, [("t", "i8"), ("FIRST", "i2"), ("SECOND", "i2"), ("p", "i2")])
    e["t"], e["FIRST"], e["SECOND"] = np.sort(r.integers(0, 100_000, 100)), r.integers(0, 8, 100), r.integers(0, 4, 100)
    e["p"] = r.integers(0, 2, 100)
    return e
"""
SMALL = (
    "run",
    "-P",
    "mine.py",
    "--plugins",
    "mine,lif,fused,accuracy,synops",
    "--epochs",
    "1",
    "--no-plots",
    "--no-timing",
    "-q",
)


def reader(first, second):
    return READER.replace("FIRST", first).replace("SECOND", second)


def record(run):
    (path,) = (run / "trials").glob("*.json")
    return json.loads(path.read_text())


def test_a_corrected_helper_gives_the_right_values_before_and_after_the_cache_is_cleared(fresh):
    (fresh.folder / "mine.py").write_text(PLUGIN)
    (fresh.folder / "corrected_reader.py").write_text(reader("y", "x"))
    assert fresh(*SMALL).returncode == 0
    (fresh.folder / "corrected_reader.py").write_text(reader("x", "y"))
    for command in (SMALL, ("cache", "clear"), SMALL):
        done = fresh(*command)
        assert done.returncode == 0, done.stderr
    elsewhere = [str(fresh.folder / "other" / part) for part in ("cache", "results")]
    assert fresh(*SMALL, "--cache", elsewhere[0], "--results", elsewhere[1]).returncode == 0
    wrong, corrected, cleared = map(record, fresh.runs())
    (right,) = (fresh.folder / "other" / "results").glob("2*")
    right = record(right)
    assert corrected["outcome"] == cleared["outcome"] == right["outcome"]
    assert wrong["outcome"]["predictions"] != right["outcome"]["predictions"]
    assert wrong["data"]["fingerprint"] != "" != right["data"]["identity"]
    assert wrong["data"]["identity"] != right["data"]["identity"]
    assert cleared["provenance"]["cached_from"] == fresh.runs()[1].name
    assert wrong["row"] == right["row"]


UNEVEN = """
import numpy as np
from harness import Dataset, Encoding, hookimpl

@hookimpl
def register_datasets(register):
    register(Dataset(name="mine", summary="x", sensor_size=(8, 1, 1), classes=("a", "b", "c"), source="mine:S",
                     encodings={"default": Encoding(slice=50, dt=10)},
                     defaults={"network": "mlp", "neuron": "lif", "mlp.hidden": (8,)}))

class S:
    def __init__(self, root, split):
        self.groups = ["large"] * 30 + ["small"] * 2
    def __len__(self): return 32
    def __getitem__(self, i):
        r = np.random.default_rng(i)
        e = np.zeros(60, [("t", "i8"), ("x", "i2")])
        e["t"], e["x"] = np.sort(r.integers(0, 40_000 if i in (3, 5, 7) else 120_000, 60)), r.integers(0, 8, 60)
        return e, i % 2
"""


@pytest.mark.parametrize("seed", ["0", "3"])
def test_what_numbers_do_not_speak_of_is_in_output_table_and_record(fresh, seed):
    (fresh.folder / "mine.py").write_text(UNEVEN)
    done = fresh(*SMALL[:-1], "--seeds", f"{seed}..{seed}", COLUMNS="300")
    assert done.returncode == 0, done.stderr
    (run,) = fresh.runs()
    found = record(run)
    short = "test: 3 of 32 recordings are shorter than one slice of 50 ms, and so in no metric value: 3, 5, 7"
    missing = "test: no sample of 1 of 3 classes: c; an accuracy on test is one of the other 2"
    assert "data: mine: 29 of 32 train, 29 of 32 test recordings" in done.stdout
    held = found["outcome"]["split"]
    share = {"large": 93, "small": 7}[held.rpartition(" ")[2]]
    far = f"validation holds out {share}% of the training samples where 20% were asked for"
    table = (run / "table.md").read_text()
    for sentence in (short, missing):
        assert f"warning: mine {sentence}" in done.stderr
    for sentence in (short, missing, far):
        assert sentence in done.stdout
        assert any(warning.startswith(sentence) for warning in found["warnings"])
        assert sentence.replace("_", r"\_") in table
    assert found["data"]["splits"]["test"]["without_sample"] == {"count": 3, "first": [3, 5, 7]}
