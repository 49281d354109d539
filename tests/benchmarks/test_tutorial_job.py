"""The whole tutorial SHD job, harness against the tutorial's own path, cold and warm, at SHD's size on the synthetic twin.

Both sides have the machine to themselves, in turn: tutorial cold, harness cold, tutorial warm, harness warm. Same data, batches,
epochs, networks and tutorial encoding; wall time of the whole process. The harness also measures before training, keeps the last
partial batch, and writes records, table and plots; ``--force`` makes it train again when warm.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from harness_synthetic.files import write_shd

HERE = Path(__file__).parent


def test_tutorial_shd_job(benchmark, tmp_path, capsys):
    train, test, epochs, batch = (8156, 2264, 3, 128) if benchmark.enabled else (40, 20, 1, 10)
    write_shd(tmp_path, train=train, test=test, seed=0, noise=0.25)
    for split in ("train", "test"):
        (tmp_path / "SHD" / f"shd_{split}.h5.zip").touch()  # tonic asks for the archives beside the data
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "HARNESS_CACHE": str(tmp_path / "frames"),
        "HARNESS_RESULTS": str(tmp_path / "results"),
    }
    tutorial = [
        sys.executable,
        str(HERE / "tutorial.py"),
        str(tmp_path),
        str(tmp_path / "disk"),
        str(epochs),
        str(batch),
    ]
    harness = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "--plugins",
        "shd,iaf,lif,alif",
        "--recipe",
        "tutorial",
        "--force",
    ]
    harness += [
        "--data",
        str(tmp_path),
        "-o",
        "encoding=tutorial",
        "-o",
        "recipe.validation=0",
        "--epochs",
        str(epochs),
    ]
    harness += ["-o", f"recipe.batch_size={batch}", "--no-timing", "--quiet"]
    harness += [] if benchmark.enabled else ["--no-plots"]
    taken = {}

    states = ("cold", "warm") if benchmark.enabled else ("cold",)

    def turn():
        for state in states:
            for name, command in (("tutorial", tutorial), ("harness", harness)):
                started = time.perf_counter()
                done = subprocess.run(
                    command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
                )
                assert done.returncode == 0, done.stderr
                taken[name, state] = time.perf_counter() - started

    benchmark.pedantic(turn, rounds=1)
    with capsys.disabled():
        print(
            f"\nthe tutorial's SHD job, {train} + {test} recordings, {epochs} epochs, batch {batch}, backend fused (one round)"
        )
        for state in states:
            first, second = taken["tutorial", state], taken["harness", state]
            print(f"  {state}: tutorial {first:8.1f} s   harness {second:8.1f} s   {first / second:6.2f}x")
    benchmark.extra_info.update({f"{name} {state} s": value for (name, state), value in taken.items()})
