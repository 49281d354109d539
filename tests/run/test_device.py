"""Devices, memory and precision in real runs, with a network that asks for too much."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from greedy_network import GREEDY, JOB

import harness
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.events.prepare import open_split
from harness.records import Record
from harness.reload import load_model


@pytest.fixture(scope="module")
def greedy(cli):
    path = cli.folder / "greedy.py"
    path.write_text(GREEDY)
    return str(path)


def records(folder):
    found = [Record.from_text(path.read_text(), str(path)) for path in (folder / "trials").glob("*.json")]
    return {
        tuple(record.specification["network"]["parameters"][name] for name in ("error", "when", "most")): record
        for record in found
    }


@pytest.fixture(scope="module")
def ran(cli, greedy):
    done = cli(
        "run", "-P", greedy, *JOB,
        "-o", "greedy.most=16,1000", "-o", "greedy.error=cuda,cpu", "-o", "greedy.when=train,evaluation",
    )  # fmt: skip
    (folder,) = cli.runs()
    return done, folder, records(folder)


def test_out_of_memory_is_one_row_that_names_the_batch_size_to_try(ran):
    done, _, found = ran
    assert done.returncode == 3, done.stderr
    assert {key: str(record.status) for key, record in found.items()} == {
        (error, when, most): "oom" if most == 16 else "ok"
        for error in ("cuda", "cpu")
        for when in ("train", "evaluation")
        for most in (16, 1000)
    }
    messages = {key[:2]: record.message for key, record in found.items() if key[2] == 16}
    assert messages["cuda", "train"] == (
        "CUDA ran out of memory in training at batch size 32 (needed 2.00 GiB, 1.25 GiB free); try -o recipe.batch_size=16"
    )
    assert re.fullmatch(
        r"out of memory in training at batch size 32 \(needed \d+ bytes\); try -o recipe\.batch_size=16",
        messages["cpu", "train"],
    )
    assert messages["cuda", "evaluation"] == (
        "CUDA ran out of memory while measuring on train before training at batch size 32 (needed 2.00 GiB, 1.25 GiB free); "
        "try -o recipe.batch_size=16"
    )
    assert "OutOfMemoryError" in found["cuda", "train", 16].error["traceback"]
    assert "try -o recipe.batch_size=16" in done.stdout
    assert "1 oom" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_peak_memory_stands_in_every_record_that_trained(ran):
    _, _, found = ran
    for (_, when, _), record in found.items():
        if when == "train" or record.status == "ok":
            assert record.training["peak_memory_bytes"] > 0
            assert record.training["memory"] == "resident memory of the trial's process"
            assert record.training["peak_reserved_bytes"] is None
        if record.status == "ok":
            assert record.training["frames"] == "resident"
            assert "frames" not in record.outcome


@pytest.fixture(scope="module")
def again(cli, greedy, ran):
    done = cli(
        "run", "-P", greedy, *JOB, "-o", "greedy.most=16,1000", "-o", "recipe.batch_size=16,32",
        "-o", "recipe.precision=float32,bfloat16", "--json",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    return {
        (
            record["specification"]["network"]["parameters"]["most"],
            record["specification"]["recipe"]["parameters"]["batch_size"],
            record["specification"]["recipe"]["parameters"].get("precision", "float32"),
        ): record
        for record in json.loads(done.stdout)["records"]
    }


def test_what_ran_out_runs_again_with_the_batch_size_that_was_named(again):
    told = {
        key[:2]: (record["status"], bool(record["provenance"])) for key, record in again.items() if key[2] == "float32"
    }
    assert told == {
        (16, 16): ("ok", False),
        (16, 32): ("oom", False),
        (1000, 16): ("ok", False),
        (1000, 32): ("ok", True),
    }


def test_a_precision_is_another_configuration_and_both_are_named(again):
    plain, narrow = again[1000, 16, "float32"], again[1000, 16, "bfloat16"]
    assert [record["label"].partition("precision=")[2] for record in (plain, narrow)] == ["float32 s0", "bfloat16 s0"]
    assert "precision" not in plain["specification"]["recipe"]["parameters"]
    assert plain["row"] != narrow["row"]
    assert plain["outcome"]["weights"] != narrow["outcome"]["weights"]
    assert not any("error" in row for record in (plain, narrow) for row in record["outcome"]["metrics"])


def test_a_state_with_buffers_comes_back_whole(cli, greedy, ran):
    _, folder, found = ran
    record = found["cuda", "train", 1000]
    path = folder / "trials" / f"{record.key}.1.json"
    model = load_model(path, files=[greedy])
    assert int(model.norm.num_batches_tracked) == 1
    assert not np.array_equal(model.norm.running_mean.numpy(), np.zeros(8, dtype=np.float32))
    (entry,) = (cli.folder / "cache" / "frames").glob("shd-synthetic-*[0-9a-f]")
    again = evaluate(model, open_split(entry, "test"), batch_size=7)
    with np.load(path.with_name(record.arrays)) as stored:
        np.testing.assert_array_equal(again.predictions, stored["test/predictions"])


@pytest.mark.parametrize("device", ["mps", "cuda:x"])
def test_a_device_that_means_nothing_is_refused_before_anything_runs(fresh, device):
    (fresh.folder / "experiment.toml").write_text(f'plugins = "shd-synthetic,lif"\ndevice = "{device}"\n')
    for arguments in (("experiment.toml",), ("--plugins", "shd-synthetic,lif", "--device", device, "--dry-run")):
        done = fresh("run", *arguments)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr == f"error: --device {device!r}: expected auto, cpu, cuda or cuda:N\n"
    assert fresh.runs() == []
    with pytest.raises(UsageError, match="expected auto, cpu, cuda or cuda:N"):
        harness.run("shd-synthetic,lif", device=device, quiet=True)


def test_an_unknown_precision_is_one_line(fresh):
    done = fresh("run", "--plugins", "shd-synthetic,lif", "-o", "recipe.precision=float23", "--dry-run")
    assert done.returncode == 4
    assert done.stderr.startswith("error: recipe.precision: 'float23' is not one of float32, bfloat16, float16")
