"""What only a CUDA device can show: where frames lie, what ran out, what was measured there, and that it repeats."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from greedy_network import GREEDY, JOB
from samples import frames, specification
from small_job import UNTIMED

from harness import Registry, feeding
from harness.devices import free_bytes, synchronise, use
from harness.evaluation import evaluate
from harness.feeding import Feed
from harness.initialisation import initialise
from harness.memory import peak_memory
from harness.model import build
from harness.training import fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
REGISTRY = Registry.discover()
DEVICE = "cuda:0"


def trained(spec, given, seed=0):
    use(DEVICE)
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, given, np.arange(48), seed)
    model.to(DEVICE)
    return model, fit(model, given, np.arange(48), np.arange(48, 60), spec.recipe, seed=seed, device=DEVICE)


def wide(given):
    return dataclasses.replace(given, frames=given.frames.astype(np.uint16) * 300)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("lengths", [None, np.arange(60) % 15 + 5])
def test_batches_on_the_device_are_what_was_stored(dtype, keep, lengths):
    given = frames(lengths=lengths)
    given = dataclasses.replace(given, frames=given.frames.astype(dtype) * (1 if dtype == np.uint8 else 300))
    there, here = Feed(given, DEVICE, keep=keep), Feed(given)
    assert there.resident == (keep and dtype != np.uint32)
    for indices in (np.arange(7, 19), np.array([3, 59, 0, 3])):
        for mode in (False, True):
            with torch.inference_mode(mode):
                for found, expected in zip(there(indices), here(indices), strict=True):
                    if expected is None:
                        assert found is None
                    else:
                        assert found.device == torch.device(DEVICE)
                        assert torch.equal(found.cpu(), expected)


@pytest.mark.parametrize("widen", [False, True])
def test_it_makes_no_difference_where_frames_lie(monkeypatch, widen):
    given = wide(frames()) if widen else frames()
    spec = specification(shift=2, shift_steps=1)
    kept, fitted = trained(spec, given)
    monkeypatch.setattr(feeding, "free_bytes", lambda device: 0)
    sent, other = trained(spec, given)
    assert (fitted.resident, other.resident) == (True, False)
    assert fitted.curves == other.curves
    for name, value in kept.state_dict().items():
        assert torch.equal(value, sent.state_dict()[name])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("backend", ["sinabs", "fused"])
def test_mixed_precision_learns_and_repeats(precision, backend):
    found = REGISTRY.find(backend)
    if backend == "fused":
        pytest.importorskip("triton", reason="triton is not installed: no kernels for CUDA")
    spec = specification(precision=precision, epochs=6).with_backend(found.component.choose())
    model, fitted = trained(spec, frames(classes=4))
    again, other = trained(spec, frames(classes=4))
    assert fitted.curves == other.curves
    assert fitted.curves["train_loss"][-1] < fitted.curves["train_loss"][0]
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert evaluate(model, frames(classes=4), batch_size=16, device=DEVICE).counts.dtype == np.float32


def test_training_leaves_the_devices_generator_as_it_was():
    use(DEVICE)
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state(DEVICE)
    trained(specification(epochs=1), frames())
    assert torch.equal(torch.cuda.get_rng_state(DEVICE), before)


def test_peaks_of_the_device_are_measured_also_when_the_work_fails():
    use(DEVICE)
    seen = []

    def work():
        with peak_memory(DEVICE) as peak:
            seen.append(peak)
            held = torch.zeros(2**20, device=DEVICE)
            torch.empty(2**50, dtype=torch.uint8, device=held.device)

    with pytest.raises(torch.OutOfMemoryError):
        work()
    (peak,) = seen
    assert peak.bytes >= 4 * 2**20
    assert peak.reserved >= peak.bytes
    assert peak.what == "memory allocated on the device"
    assert 0 < free_bytes(DEVICE) <= torch.cuda.get_device_properties(DEVICE).total_memory
    synchronise(DEVICE)


def test_float32_means_float32():
    use(DEVICE)
    layer = torch.nn.Conv2d(64, 64, 3)
    x = torch.randn(4, 64, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = torch.nn.functional.conv2d(x.double(), layer.weight.double(), layer.bias.double())
        found = layer.to(DEVICE)(x.to(DEVICE)).cpu().double()
    assert (found - exact).abs().max() < 1e-4  # TF32 is off by some 1e-3


def test_a_run_on_the_device_says_so_and_repeats(fresh):
    arguments = ("run", "--plugins", "shd-synthetic,lif,sinabs", "--device", "cuda", "--jobs", "2", "--json", *UNTIMED)
    first, second = fresh(*arguments), fresh(*arguments, "--force")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    (one,), (two,) = (json.loads(done.stdout)["records"] for done in (first, second))
    assert one["environment"]["device"] == "cuda:0"
    assert one["environment"]["gpu"] == torch.cuda.get_device_name(0)
    assert one["training"]["memory"] == "memory allocated on the device"
    assert one["training"]["peak_reserved_bytes"] >= one["training"]["peak_memory_bytes"] > 0
    assert one["training"]["frames"] == "resident"
    assert one["outcome"] == two["outcome"]


def test_auto_takes_the_device_and_the_timing_phase_runs_there(fresh):
    kept = [item for item in UNTIMED if item != "--no-timing"]
    done = fresh("run", "--plugins", "shd-synthetic,lif,sinabs", "--json", *kept)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["records"][0]["environment"]["device"] == told["timings"]["device"] == "cuda:0"


def test_a_device_that_is_not_among_those_here_is_one_line(fresh):
    done = fresh("run", "--plugins", "shd-synthetic,lif", "--device", "cuda:99", *UNTIMED)
    assert done.returncode == 4
    assert done.stderr.startswith("error: --device cuda:99: not here; there is: cpu, cuda:0")


def test_a_device_that_runs_out_is_one_row_and_the_next_trial_has_it_all(fresh):
    path = fresh.folder / "greedy.py"
    path.write_text(GREEDY)
    done = fresh(
        "run",
        "-P",
        str(path),
        *JOB,
        "--device",
        "cuda",
        "-o",
        "greedy.error=real",
        "-o",
        "greedy.most=16,1000",
        "--json",
    )
    assert done.returncode == 3, done.stderr
    by_status = {record["status"]: record for record in json.loads(done.stdout)["records"]}
    assert set(by_status) == {"oom", "ok"}
    assert re.match(
        r"CUDA ran out of memory in training at batch size 32 \(needed [\d.]+ ?\w+, [\d.]+ \w+ free\); "
        r"try -o recipe\.batch_size=16$",
        by_status["oom"]["error"]["message"],
    )
    assert by_status["oom"]["training"]["memory"] == "memory allocated on the device"
