"""Interleaved rounds: both sides in turn inside one run, so that drift of the machine falls on both alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest


class Duel:
    """Two or more callables timed round by round."""

    def __init__(self, benchmark, capsys) -> None:
        self.benchmark, self.capsys = benchmark, capsys

    def __call__(self, sides: dict[str, Callable[[], object]], *, rounds: int, what: str) -> dict[str, float]:
        """Median seconds by side; prints them and the ratio of the first to each other side."""
        if not self.benchmark.enabled:
            rounds = 1
        taken: dict[str, list[float]] = {name: [] for name in sides}

        def round_() -> None:
            for name, run in sides.items():
                started = time.perf_counter()
                run()
                taken[name].append(time.perf_counter() - started)

        self.benchmark.pedantic(round_, rounds=rounds, warmup_rounds=1 if self.benchmark.enabled else 0)
        for times in taken.values():
            del times[: len(times) - rounds]
        medians = {name: median(times) for name, times in taken.items()}
        first = next(iter(medians))
        with self.capsys.disabled():
            print(f"\n{what} (medians of {rounds} interleaved rounds)")
            for name, value in medians.items():
                print(f"  {name:<28} {value * 1000:12.3f} ms   {medians[first] / value:8.3f}x")
        self.benchmark.extra_info.update({f"{name} ms": value * 1000 for name, value in medians.items()})
        return medians


@pytest.fixture
def duel(benchmark, capsys):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Duel(benchmark, capsys)
    torch.set_num_threads(before)
