"""The kernels for CUDA where there is no such device: interpreted, they conform; compiled, they become device code.

On a machine with a device, the conformance suite of fused and ``tests/benchmarks/gpu.py`` run them for real.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

triton = pytest.importorskip("triton", reason="triton is not installed: no kernels for CUDA")

PLUGIN = Path(__file__).with_name("interpreted.py")


CONFORM = """
import sys
from pathlib import Path
from harness import Registry
from harness.testing import BackendSuite
from harness.testing.suite import run

class Interpreted(BackendSuite):
    name, examples = "fused-interpreted", 6
    registry = Registry.discover(files=[Path(sys.argv[1])])

    def test_threads_change_no_bit(self):
        self.examples = 1  # its cases are thirty times as large, and the interpreter has one thread
        super().test_threads_change_no_bit()
        self.examples = 6

for outcome in run(Interpreted()):
    print(outcome.status, outcome.check, outcome.detail)
"""


def test_interpreted_kernels_conform(tmp_path):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CONFORM, str(PLUGIN)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout, done.stdout
    assert done.stdout.count("passed") >= 18


FLAGS = ("FILTERED", "ADAPTIVE", "NORMED", "FLOORED", "VALUED", "TAUS", "STARTS", "ENDS")
# A covering array of strength two over the flags: every pair of values occurs.
ROWS = ((0, 0, 0, 0, 0, 0, 0, 0), (1, 1, 1, 1, 1, 1, 1, 1), (0, 1, 0, 1, 0, 1, 0, 1), (1, 0, 1, 0, 1, 0, 1, 0),
        (0, 0, 1, 1, 0, 0, 1, 1), (1, 1, 0, 0, 1, 1, 0, 0), (0, 1, 1, 0, 1, 0, 0, 1), (1, 0, 0, 1, 0, 1, 1, 0))  # fmt: skip


def test_the_flags_are_covered_in_pairs():
    for one, other in ((a, b) for a in range(len(FLAGS)) for b in range(a)):
        seen = {(row[one], row[other]) for row in ROWS}
        assert len(seen) >= 2
        if one % 4 != other % 4:
            assert seen == set(product((0, 1), repeat=2)), (FLAGS[one], FLAGS[other])


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("number", range(len(ROWS)))
def test_kernels_become_device_code(monkeypatch, tmp_path, number, capability):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from harness_fused.cuda import backward_kernel, forward_kernel
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    float_type = "*fp64" if number % 2 else "*fp32"
    flags = {name: bool(value) for name, value in zip(FLAGS, ROWS[number], strict=True)}
    shared = {"BLOCK": 128}
    forward = {
        name: flags[name] for name in ("FILTERED", "ADAPTIVE", "NORMED", "FLOORED", "VALUED", "TAUS", "STARTS", "ENDS")
    }
    variants = (
        (forward_kernel, {**forward, **shared, "KEEPS": number != 0, "MULTI": number % 2 == 1}),
        (backward_kernel, {**forward, **shared, "MOVES": number % 2 == 0, "KIND": number}),
    )
    for kernel, constants in variants:
        types = {"sums": "*fp64"} | dict.fromkeys(("steps", "neurons", "plane"), "i32")
        signature = {
            name: "constexpr" if name in constants else types.get(name, float_type) for name in kernel.arg_names
        }
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"enable_fp_fusion": False})
        assert len(made.asm["cubin"]) > 0
        if float_type == "*fp32" and kernel is forward_kernel:
            # A contracted product and sum would move spikes; what is left stands inside IEEE's own division.
            assert "fma.rn.f32" not in made.asm["ptx"]
