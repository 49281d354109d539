"""How long planning takes per configuration, for sweeps of 1,000 and of 10,000: a ratio near 1 is linear."""

from __future__ import annotations

import subprocess
import sys

import pytest

AXES = {
    "four axes": "[sweep]\nlif.tau_mem = {tens}\nlif.threshold = {tens}\nlif.tau_syn = {tens}\nrecipe.shift = {rest}\n",
    "one axis of a neuron": "[sweep]\nlif.tau_mem = {all}\n",
    "one axis of the recipe": "[sweep]\nrecipe.learning_rate = {all}\n",
}


@pytest.mark.parametrize("name", AXES)
def test_planning(duel, benchmark, capsys, tmp_path, name):
    few, many = (1000, 10_000) if benchmark.enabled else (10, 20)

    def plan(path):
        command = [sys.executable, "-m", "harness", "run", "--dry-run", "-q", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    files = {}
    for count in (1, few, many):
        tens = list(range(1, 11)) if benchmark.enabled and count > 1 else [1]
        rest = list(range(max(1, count // len(tens) ** 3)))
        values = [1 + index / 1024 for index in range(count)]
        files[count] = tmp_path / f"{count}.toml"
        swept = AXES[name].format(tens=tens, rest=rest, all=values)
        files[count].write_text(f'plugins = ["shd-synthetic", "lif", "fused"]\n{swept}')
    sides = {f"{count:,} configurations": lambda path=path: plan(path) for count, path in files.items()}
    start, *planned = duel(sides, rounds=5, what=f"harness run --dry-run, {name}").values()
    short, long = ((seconds - start) / count for seconds, count in zip(planned, (few, many), strict=True))
    with capsys.disabled():
        print(
            f"  per configuration beyond the start {short * 1e6:.0f} and {long * 1e6:.0f} us: ratio {long / short:.2f}; "
            f"{many:,} in {planned[1]:.2f} s (at most 2 s is wanted)"
        )
