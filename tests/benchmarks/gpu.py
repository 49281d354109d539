"""Check and time the spiking layers on a CUDA device in one call: ``python tests/benchmarks/gpu.py [--out FILE.json]``.

First the conformance suite of fused, of which the CUDA checks matter here. Then LIF and ALIF at 4,096 and 16,384 neurons, batch 16,
500 steps: fused, sinabs, and where sinabs-exodus is installed LIF by the backend exodus and by the library's own layer (EXODUS).
Forward and backward apart, synchronised, in interleaved rounds, with the peak memory that a pass adds, the share of spikes that
differ from those of fused, and the time that the device's copy bandwidth allows for the bytes that must move.
Exit status 1 where a check fails. ``tests/plugins/test_exodus_cuda.py`` checks exodus.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import warnings
from pathlib import Path

import torch

from harness import Choice, Registry
from harness.components import load_reference
from harness.testing import BackendSuite, run

BATCH, STEPS = 16, 500
SIZES = (4096, 16384)
# Bytes an element that must move in single precision: forward reads x and writes spikes and potentials; backward reads a gradient,
# spikes and potentials and writes a gradient. ALIF writes and reads its adaptation besides.
MUST_MOVE = {"lif": (12, 16), "alif": (16, 20)}
# Of the layer EXODUS at 16,384 neurons: fused is to take at most this share of time and memory.
AIM = 0.5


def conform(examples: int) -> list[dict]:
    suite = BackendSuite()
    suite.name, suite.examples = "fused", examples
    outcomes = []
    for outcome in run(suite):
        print(f"  {outcome.status:8} {outcome.seconds:6.1f} s  {outcome.title}  {outcome.detail}", flush=True)
        outcomes.append(vars(outcome))
    return outcomes


def bandwidth() -> float:
    """Bytes a second that a copy within the device moves, read and written."""
    source = torch.empty(2**28, device="cuda")
    target = torch.empty_like(source)
    times = [_timed(lambda: target.copy_(source))[0] for _ in range(12)]
    return 2 * source.numel() * 4 / statistics.median(times[2:])


def _timed(work):
    """Seconds on the device, and what ``work`` returned."""
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    first.record()
    result = work()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / 1000, result


def layers(neuron: str, neurons: int) -> dict[str, torch.nn.Module]:
    registry = Registry.discover()
    chosen = registry.find(neuron).component.choose()
    entries = {name: registry.find(name) for name in ("fused", "sinabs", "exodus")}
    made = {
        name: load_reference(entry.component.layer)(chosen, (neurons,)).to("cuda")
        for name, entry in entries.items()
        if neuron in entry.component.neurons and entry.unusable() is None
    }
    if "exodus" in made:
        made["EXODUS"] = shipped(chosen).to("cuda")
    return made


def shipped(chosen: Choice) -> torch.nn.Module:
    """The library's own layer of the default lif; its time constants are fixed, as those of the others are."""
    import sinabs.activation as activation
    import sinabs.exodus.layers as exodus

    layer = exodus.LIF(
        tau_mem=chosen["tau_mem"],
        tau_syn=chosen["tau_syn"],
        spike_threshold=chosen["threshold"],
        spike_fn=activation.SingleSpike,
        surrogate_grad_fn=activation.SingleExponential(chosen["surrogate_width"], chosen["surrogate_scale"]),
        min_v_mem=chosen["v_min"],
        norm_input=chosen["norm_input"],
    )
    return layer.requires_grad_(False)


def measure(neuron: str, neurons: int, rounds: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {}
    x = torch.randn(BATCH, STEPS, neurons, device="cuda", requires_grad=True)
    gradient = torch.randn(BATCH, STEPS, neurons, device="cuda")
    sides = layers(neuron, neurons)
    with torch.no_grad():
        expected = sides["fused"](x)
        differ = {name: float((layer(x) != expected).double().mean()) for name, layer in sides.items()}
    del expected
    for number in range(rounds + 2):
        for name, layer in sides.items():
            x.grad = None
            if hasattr(layer, "reset_states"):
                layer.reset_states()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            forward, out = _timed(lambda layer=layer: layer(x))
            backward, _ = _timed(lambda out=out: out.backward(gradient))
            peak = torch.cuda.max_memory_allocated() - before
            del out
            if number >= 2:
                held = found.setdefault(name, {"forward": [], "backward": [], "peak": []})
                for key, value in (("forward", forward), ("backward", backward), ("peak", peak)):
                    held[key].append(value)
    medians = {name: {key: statistics.median(values) for key, values in held.items()} for name, held in found.items()}
    return {name: {**side, "differ": differ[name]} for name, side in medians.items()}


def show(neuron: str, neurons: int, rounds: int, found: dict[str, dict[str, float]], copied: float) -> None:
    limits = [1e3 * BATCH * STEPS * neurons * moved / copied for moved in MUST_MOVE[neuron]]
    print(f"\n{neuron}, {neurons} neurons, batch {BATCH}, {STEPS} steps (medians of {rounds} interleaved rounds)")
    print(f"  {'':10} forward ms  backward ms   peak MB  spikes that differ")
    print(f"  {'bandwidth':10} {limits[0]:10.3f}  {limits[1]:11.3f}")
    for name, side in found.items():
        print(
            f"  {name:10} {side['forward'] * 1e3:10.3f}  {side['backward'] * 1e3:11.3f} {side['peak'] / 2**20:9.0f}"
            f"  {side['differ']:18.2e}"
        )
    if "EXODUS" in found:
        mine, theirs = found["fused"], found["EXODUS"]
        time = (mine["forward"] + mine["backward"]) / (theirs["forward"] + theirs["backward"])
        aim = f" (aim: {AIM:g} of each)" if neurons == SIZES[-1] else ""
        print(
            f"  fused takes {time:.2f} of the time and {mine['peak'] / theirs['peak']:.2f} of the memory of EXODUS{aim}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=100, help="random configurations a check")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--times-alone", action="store_true", help="leave the checks out")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device here: nothing was checked or timed", file=sys.stderr)
        return 1
    warnings.simplefilter("ignore")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    checks = []
    if not given.times_alone:
        print("conformance of fused")
        checks = conform(given.examples)
    copied = bandwidth()
    print(f"copy bandwidth {copied / 1e9:.0f} GB/s")
    timings = {}
    for neuron in ("lif", "alif"):
        for neurons in SIZES:
            found = timings[f"{neuron} {neurons}"] = measure(neuron, neurons, given.rounds)
            show(neuron, neurons, given.rounds, found, copied)
    if given.out:
        given.out.write_text(
            json.dumps(
                {"device": torch.cuda.get_device_name(), "checks": checks, "copy": copied, "timings": timings}, indent=1
            )
        )
    return int(any(check["status"] == "failed" for check in checks))


if __name__ == "__main__":
    raise SystemExit(main())
