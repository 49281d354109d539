"""How a fused layer scales: time and memory an element, forward and backward, by neurons, steps and batch."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from harness import Registry
from harness.components import load_reference

# Neurons, steps, batch: one axis is varied at a time.
SIZES = (
    *((neurons, 100, 16) for neurons in (64, 256, 1024, 4096, 16384)),
    *((256, steps, 16) for steps in (10, 100, 1000)),
    *((256, 100, batch) for batch in (1, 16, 256)),
)


def make(neuron, neurons):
    registry = Registry.discover()
    chosen = registry.find(neuron).component.choose()
    return load_reference(registry.find("fused").component.layer)(chosen, (neurons,))


def peak(neurons, steps, batch):
    """Bytes an element that a forward and backward pass adds to a process's peak, beside its input and gradient."""
    layer = make("lif", neurons)
    layer(torch.zeros(1, 2, neurons, requires_grad=True)).sum().backward()
    x = torch.randn(batch, steps, neurons, requires_grad=True)
    x.grad = torch.zeros_like(x)
    gradient = torch.ones_like(x)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _status("VmRSS")
    torch.autograd.backward(layer(x), gradient)
    return (_status("VmHWM") - before) / x.numel()


def _status(name):
    """Bytes of ``name`` in this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


@pytest.mark.parametrize("neuron", ["lif", "alif"])
def test_scaling(benchmark, capsys, neuron):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    rounds = 7 if benchmark.enabled else 1
    passes = {}
    for neurons, steps, batch in SIZES if benchmark.enabled else SIZES[:1]:
        layer, x = make(neuron, neurons), torch.randn(batch, steps, neurons, requires_grad=True)
        passes[neurons, steps, batch] = (layer, x, torch.ones(batch, steps, neurons), [], [])

    def round_():
        for layer, x, gradient, forward, backward in passes.values():
            # Small layers several times over, so that every figure rests on as much work.
            repeats = max(1, 2_000_000 // x.numel())
            for _ in range(repeats):
                x.grad = None
                started = time.perf_counter()
                out = layer(x)
                middle = time.perf_counter()
                out.backward(gradient)
                forward.append(middle - started)
                backward.append(time.perf_counter() - middle)

    try:
        benchmark.pedantic(round_, rounds=rounds, warmup_rounds=1 if benchmark.enabled else 0)
    finally:
        torch.set_num_threads(before)
    with capsys.disabled():
        print(f"\na fused layer of {neuron}, 1 thread, ns an element (medians of interleaved rounds)")
        print("  neurons  steps  batch   forward  backward")
        for (neurons, steps, batch), (_, x, _, forward, backward) in passes.items():
            ns = [1e9 * sorted(times)[len(times) // 2] / x.numel() for times in (forward, backward)]
            print(f"  {neurons:7d} {steps:6d} {batch:6d} {ns[0]:9.2f} {ns[1]:9.2f}")
            benchmark.extra_info[f"{neurons}x{steps}x{batch} ns"] = ns


def test_on_a_gpu_against_exodus(benchmark, capsys, tmp_path):
    """LIF and ALIF on a CUDA device by every backend that is there, and the library EXODUS; in a process of its own."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    out = tmp_path / "figures.json"
    rounds = "10" if benchmark.enabled else "1"
    command = [
        sys.executable,
        str(Path(__file__).with_name("gpu.py")),
        "--times-alone",
        "--rounds",
        rounds,
        "--out",
        out,
    ]
    printed = benchmark.pedantic(lambda: subprocess.check_output(command, text=True), rounds=1)
    with capsys.disabled():
        print(f"\n{printed}")
    benchmark.extra_info.update(json.loads(out.read_text())["timings"])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process's peak anew")
def test_memory(benchmark, capsys):
    """In a process each, since a peak never falls."""
    sizes = [size for size in SIZES if size[0] * size[1] * size[2] >= 10**6] if benchmark.enabled else SIZES[2:3]

    def measure():
        return {
            size: float(subprocess.check_output([sys.executable, __file__, *map(str, size)], text=True))
            for size in sizes
        }

    found = benchmark.pedantic(measure, rounds=1)
    with capsys.disabled():
        print("\na fused layer of lif, forward and backward: peak beside input and gradient, bytes an element")
        for (neurons, steps, batch), value in found.items():
            print(f"  {neurons:7d} {steps:6d} {batch:6d} {value:9.1f}")
    benchmark.extra_info.update({"x".join(map(str, size)): value for size, value in found.items()})


if __name__ == "__main__":
    print(peak(*map(int, sys.argv[1:])))
