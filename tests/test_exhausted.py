"""Out of memory: one line that says what ran out, in what, and what to try."""

from __future__ import annotations

import pytest
import torch

from harness.exhausted import beyond_limit, is_out_of_memory, sentence

CUDA = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 4.00 GiB of which 1.25 GiB is free. "
    "Including non-PyTorch memory, this process has 2.70 GiB memory in use."
)
CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "phase", "size", "message"),
    [
        (
            CUDA,
            "train",
            128,
            "CUDA ran out of memory in training at batch size 128 (needed 2.00 GiB, 1.25 GiB free); "
            "try -o recipe.batch_size=64",
        ),
        (
            CUDA,
            "measure after test",
            5,
            "CUDA ran out of memory while measuring on test after training at batch size 5 (needed 2.00 GiB, 1.25 GiB free); "
            "try -o recipe.batch_size=2",
        ),
        (CUDA, "train", 1, "a batch is one sample already"),
        (CUDA, "initialise", 128, "no batch was on the device yet"),
        (
            RuntimeError("CUDA error: out of memory\nCompile with ..."),
            "",
            8,
            "CUDA ran out of memory when the device was",
        ),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"), "train", 8, "CUDA ran out of memory in training"),
        (
            CPU,
            "train",
            64,
            "out of memory in training at batch size 64 (needed 4000000000000 bytes); try -o recipe.batch_size=32",
        ),
        (
            MemoryError("no more"),
            "train",
            64,
            "out of memory in training at batch size 64; try -o recipe.batch_size=32",
        ),
        (MemoryError(), "load", 64, "out of memory while frames were opened; no batch size changes that: try --jobs 1"),
        (MemoryError(), "initialise", 64, "or -o recipe.init=torch"),
    ],
)
def test_what_ran_out_and_what_to_try(error, phase, size, message):
    assert is_out_of_memory(error)
    told = sentence(error, phase, size)
    assert message in told
    assert "\n" not in told
    if phase not in ("train", "measure after test") or size == 1:
        assert "batch_size=" not in told


def test_a_real_allocation_that_fails_is_known():
    with pytest.raises((RuntimeError, MemoryError)) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(failed.value)
    assert "tried" not in sentence(failed.value, "train", 4)


@pytest.mark.parametrize(
    "error", [RuntimeError("boom"), ValueError("out of memory"), KeyError("CUDA error: out of memory")]
)
def test_other_errors_are_not_taken_for_it(error):
    assert not is_out_of_memory(error)


def test_what_was_killed_at_a_limit_is_told_what_to_try():
    assert (
        beyond_limit("train", 32)
        == " in training at batch size 32; try -o recipe.batch_size=16 or a higher --memory-limit"
    )
    assert beyond_limit("initialise", 32).endswith("initialised; try a higher --memory-limit")
