"""The timing phase: interleaved, bounded, for every configuration alike."""

from __future__ import annotations

import pytest
import torch
from samples import frames
from torch import nn

from harness import Metric, Registry
from harness.timing import Configuration, measure


class Counted(nn.Module):
    """Notes when it is called and with how many recordings."""

    def __init__(self, name, log):
        super().__init__()
        self.name, self.log = name, log

    def forward(self, x):
        self.log.append((self.name, len(x)))
        return torch.zeros(len(x), x.shape[1], 20)


def configurations(log, names="abc"):
    return [
        Configuration(
            row=name,
            label=name,
            key=name,
            model=Counted(name, log),
            frames=frames(),
            batch_size=16,
            classes=tuple(map(str, range(20))),
            dt_ms=10.0,
        )
        for name in names
    ]


WALL_CLOCK = Registry.discover().find("wall-clock").component


def test_every_round_visits_every_configuration_once():
    log, said = [], []
    timed = measure(
        configurations(log),
        [(WALL_CLOCK, WALL_CLOCK.choose())],
        threads=1,
        seconds=0.0,
        report=lambda *a: said.append(a),
    )
    assert timed["rounds"] == 5
    assert said[-1] == (5, 5)
    warm, rounds = log[:12], [log[start : start + 6] for start in range(12, len(log), 6)]
    assert len(rounds) == 5
    wanted = sorted((name, size) for name in "abc" for size in (1, 16))
    assert sorted(warm) == sorted(wanted * 2)
    assert all(sorted(visited) == wanted for visited in rounds)
    assert len({tuple(visited) for visited in rounds}) > 1


def test_rounds_fill_the_time_that_is_given():
    timed = measure(configurations([]), [(WALL_CLOCK, WALL_CLOCK.choose())], threads=1, seconds=5.0)
    assert 5 < timed["rounds"] <= 200


def test_figures_stand_by_row_and_a_metric_that_raises_keeps_its_error():
    broken = Metric(
        name="broken", summary="s", observer="no_such_module:nothing", phases=("timing",), needs=frozenset({"timing"})
    )
    timed = measure(
        configurations([], "a"), [(WALL_CLOCK, WALL_CLOCK.choose()), (broken, broken.choose())], threads=1, seconds=0.0
    )
    rows = timed["rows"]["a"]["metrics"]
    found = {row["name"]: row.get("value") for row in rows if "error" not in row}
    assert found["wall_clock_p50"] > 0
    assert found["throughput"] > 0
    (error,) = [row["error"] for row in rows if "error" in row]
    assert "no_such_module" in error


@pytest.mark.parametrize("batch_size", [1, 500])
def test_a_batch_is_never_larger_than_the_test_set(batch_size):
    log = []
    (made,) = configurations(log, "a")
    measure([type(made)(**{**made.__dict__, "batch_size": batch_size})], [], threads=1, seconds=0.0)
    assert {size for _, size in log} == ({1} if batch_size == 1 else {1, 60})


def test_every_round_times_the_next_recordings_and_all_configurations_the_same():
    class Shown(Counted):
        def forward(self, x):
            self.log.append((self.name, len(x), float(x.sum())))
            return torch.zeros(len(x), x.shape[1], 20)

    log = []
    made = [type(item)(**{**item.__dict__, "model": Shown(item.label, log)}) for item in configurations([], "ab")]
    measure(made, [], threads=1, seconds=0.0)
    singles = {name: [given for who, size, given in log if (who, size) == (name, 1)][2:] for name in "ab"}
    assert singles["a"] == singles["b"]
    assert singles["a"] == [float(frames().frames[number].sum()) for number in range(5)]
