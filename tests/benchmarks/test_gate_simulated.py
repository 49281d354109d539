"""Whole checks over simulated sides whose truth is known: how often a gate cries wolf, and what it sees.

Under ``--benchmark-only -s`` all of it, some minutes, as the tables of docs/gate-statistics.md.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.gate_simulation import CONFIDENCE, ROWS, Machine, Networks, Tallies, Tally
from scipy.special import chdtri, stdtr

from harness.comparison import few
from harness.comparison.evidence import MEASURED_FROM, holm, tail
from harness.comparison.paired import from_recordings, from_values
from harness.comparison.ratios import from_log_ratios
from harness.gate import Gate

PROMISED = 0.015
SEEDS = (1, 2, 3, 5, 10)
NETWORKS = (
    Networks(0.7, 200),
    Networks(0.7, 500),
    Networks(0.7, 2264),
    Networks(0.3, 200),
    Networks(0.95, 2264),
    Networks(0.8, 2264, spread=0.3),
)
SPREADS = (0.05, 0.1, 0.2)
MACHINES = {
    "drift": Machine(bursts=0.0, offset=0.0),
    "drift, bursts": Machine(offset=0.0),
    "drift, bursts, offsets of 1 %": Machine(),
    "random walk, bursts, offsets of 1 %": Machine(memory=1.0),
    "quiet, offsets of 1 %": Machine(drift=0.0, bursts=0.0),
    "drift, bursts, offsets of 2 %": Machine(offset=0.02),
}
BLOCKS, LAUNCHES, RESAMPLES = 20, 5, 2000
NOISES = (0.02, 0.05, 0.065, 0.1, 0.15)
SIDES = ((1, 1), (2, 2), (3, 3), (5, 1), (5, 2), (5, 5))  # seeds of the baseline, of the check
ASSUMED = 0.05  # over seeds, what a check below five seeds once took for granted


class Table:
    """Lines of a Markdown table, printed at the end."""

    def __init__(self, title: str, heads: str) -> None:
        self.lines = [f"\n{title}\n", f"| {heads} |", "|" + "---|" * (heads.count("|") + 1)]

    def add(self, *cells: object) -> None:
        self.lines.append("| " + " | ".join(map(str, cells)) + " |")


@pytest.fixture
def show(benchmark, capsys):
    """Run once under pytest-benchmark; print the tables that come back."""

    def run(made):
        tables = benchmark.pedantic(made, rounds=1)
        if benchmark.enabled:
            with capsys.disabled():
                print(*("\n".join(table.lines) for table in tables), sep="\n")

    return run


def welch(old, new, sign=1.0):
    """One-sided p of a loss by Welch's t over seeds; 1 where a side has no spread to speak of."""
    a, b = sign * np.asarray(old, float), sign * np.asarray(new, float)
    if len(a) < 2:
        return 1.0
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    total = sum(parts)
    if total == 0:
        return 1.0
    degrees = total**2 / sum(part**2 / (len(a) - 1) for part in parts)
    return tail(float(a.mean() - b.mean()) / math.sqrt(total), degrees)


def accuracy_check(random, net, base, worse, seeds, assumed, tallies):
    """One check: independent seeds on both sides, the same recordings; the first row's new side has ability ``worse``."""
    evidences, naive = [], {"stored mean, margin 0.01": [], "Welch t": []}
    for row in range(ROWS):
        difficulty = random.normal(0, 2, net.recordings)
        old = net.drawn(random, base, difficulty, seeds)
        new = net.drawn(random, worse if row == 0 else base, difficulty, seeds)
        evidences.append(from_recordings(old, new, confidence=CONFIDENCE, seed_noise=assumed))
        naive["stored mean, margin 0.01"].append(evidences[-1].effect < -0.01)
        naive["Welch t"].append(welch(old.mean(1), new.mean(1)) <= 1 - CONFIDENCE)
    return tallies.check(evidences, naive), evidences


def test_accuracy(benchmark, show):
    full = benchmark.enabled
    checks, powers = (2000, 300) if full else (4, 3)
    nets, seeds_list = (NETWORKS, SEEDS) if full else (NETWORKS[:1], (1, 5))
    random = np.random.default_rng(20)

    def made():
        alarms = Table(
            f"Accuracy, A/A: false alarms of {checks} checks of {ROWS} rows",
            "accuracy, recordings, noise over seeds | seeds | assumed | margin | of comparisons | of checks",
        )
        others = Table("The same draws, judged as usual", "network | seeds | way | of comparisons | of checks")
        sees = Table(
            f"Smallest loss found in 80 of 100 cases (median over A/A, points), margin 1 point, {ROWS} rows",
            "accuracy, recordings | " + " | ".join(f"{count} seeds" for count in seeds_list),
        )
        for net in nets:
            base = net.base()
            noise = net.noise(random, base)
            name = f"{net.accuracy:g}, {net.recordings}, {noise:.3f}"
            detectable = []
            for seeds in seeds_list:
                for told, assumed in (("true", noise), ("half of it", noise / 2), ("nothing", 0.0)):
                    # From five seeds on nothing is assumed; with one seed and nothing assumed nothing is known.
                    if told != "true" and (seeds >= 5 or (told == "nothing" and seeds == 1)):
                        continue
                    tallies, found = Tallies((0.0, 0.01)), []
                    for _ in range(checks):
                        _, evidences = accuracy_check(random, net, base, base, seeds, assumed, tallies)
                        found += [item.detectable(0.01, (1 - CONFIDENCE) / ROWS) for item in evidences]
                    for margin, tally in tallies.ours.items():
                        alarms.add(name, seeds, told if seeds < 5 else "-", margin, tally.line())
                        if full and told != "half of it":
                            assert max(tally.share, tally.share_of_checks) <= PROMISED, alarms.lines[-1]
                    if told == "true":
                        detectable.append(f"{100 * float(np.median(found)):.1f}")
                        for way, tally in tallies.others.items():
                            if seeds > 1 or way != "Welch t":
                                others.add(name, seeds, way, tally.line())
            sees.add(f"{net.accuracy:g}, {net.recordings}", *detectable)
        return alarms, others, sees, accuracy_power(random, powers, full)

    show(made)


def accuracy_power(random, checks, full):
    losses = (0.02, 0.05, 0.07, 0.1, 0.14, 0.21) if full else (0.3,)
    table = Table(
        f"Accuracy 0.7: finds of {checks} checks in which one of {ROWS} rows lost so many points (7, 14, 21 are 10, 20, 30 %), %",
        "recordings, seeds | " + " | ".join(f"-{100 * loss:g}" for loss in losses),
    )
    for net in (NETWORKS[1], NETWORKS[2]) if full else (NETWORKS[0],):
        base = net.base()
        noise = net.noise(random, base)
        for seeds in SEEDS if full else (5,):
            cells = []
            for loss in losses:
                worse = Networks(net.accuracy - loss, net.recordings, net.spread).base()
                tallies = Tallies((0.01,))
                found = [
                    accuracy_check(random, net, base, worse, seeds, noise, tallies)[0][0.01][0] for _ in range(checks)
                ]
                cells.append(f"{100 * np.mean(found):.0f}")
            table.add(f"{net.recordings}, {seeds}", *cells)
    return table


def few_check(random, net, base, worse, sides, tallies, assumed):
    """A check that states no noise; ``assumed`` tallies what it would be with the noise that was once assumed."""
    evidences, before = [], []
    for row in range(ROWS):
        difficulty = random.normal(0, 2, net.recordings)
        old = net.drawn(random, base, difficulty, sides[0])
        new = net.drawn(random, worse if row == 0 else base, difficulty, sides[1])
        common = min(sides)
        own = [side.mean(1).std(ddof=1) for side in (old, new) if len(side) > 1]
        pairs = {"confidence": CONFIDENCE, "seed_noise": max([ASSUMED, *own])}
        before.append(from_recordings(old[:common], new[:common], **pairs))
        if common >= MEASURED_FROM:
            evidences.append(from_recordings(old, new, **pairs))
        else:
            reckoned = Gate.reckoned_noise("fraction")
            evidences.append(few.from_recordings(old, new, confidence=CONFIDENCE, reckoned_noise=reckoned))
    assumed.check(before, {})
    return tallies.check(evidences, {})


def test_few_seeds(benchmark, show):
    """False alarms and finds of few seeds whose true noise nobody states, and of what was once assumed in its place."""
    full = benchmark.enabled
    checks, powers = (2000, 80) if full else (2, 2)
    noises, sides_list = (NOISES, SIDES) if full else (NOISES[1:2], SIDES[:5:4])

    def made():
        alarms = Table(
            f"Accuracy 0.7, 500 recordings, no noise stated: false alarms of {checks} checks of {ROWS} rows, margin 1 point",
            "noise over seeds, points | seeds of baseline, check | of comparisons | of checks | of checks, 5 points assumed",
        )
        power = Table(
            f"The same: finds of {powers} checks in which one of {ROWS} rows lost so many points, %",
            "noise over seeds, points | seeds of baseline, check | -10 | -20 | -40 | -60",
        )
        for noise in noises:
            net, random = Networks(0.7, 500).with_noise(noise), np.random.default_rng(26)
            base = net.base()
            for sides in sides_list:
                name = f"{100 * noise:g}", f"{sides[0]}, {sides[1]}"
                tallies, assumed = Tallies((0.01,)), Tallies((0.01,))
                for _ in range(checks):
                    few_check(random, net, base, base, sides, tallies, assumed)
                tally = tallies.ours[0.01]
                alarms.add(*name, tally.line(), assumed.ours[0.01].line().split(" | ")[1])
                if full and noise <= 0.1:  # beyond, accuracies are skewed
                    assert max(tally.share, tally.share_of_checks) <= PROMISED, alarms.lines[-1]
                cells = []
                for loss in (0.1, 0.2, 0.4, 0.6):
                    worse = Networks(net.accuracy - loss, net.recordings, net.spread).base()
                    found = [
                        few_check(random, net, base, worse, sides, Tallies((0.01,)), Tallies((0.01,)))[0.01][0]
                        for _ in range(powers)
                    ]
                    cells.append(f"{100 * np.mean(found):.0f}")
                power.add(*name, *cells)
        return alarms, power

    show(made)


def values_check(random, spread, seeds, grown, assumed, tallies):
    evidences, naive = [], {"stored mean, margin 5 %": [], "Welch t": []}
    sigma = math.sqrt(math.log1p(spread**2))
    for row in range(ROWS):
        old = 1e5 * random.lognormal(0, sigma, seeds)
        new = 1e5 * random.lognormal(0, sigma, seeds) * (1 + grown if row == 0 else 1)
        evidences.append(
            from_values(old, new, higher_is_better=False, relative=True, confidence=CONFIDENCE, seed_noise=assumed)
        )
        naive["stored mean, margin 5 %"].append(evidences[-1].effect < -0.05)
        naive["Welch t"].append(welch(old, new, -1.0) <= 1 - CONFIDENCE)
    return tallies.check(evidences, naive)


def test_values(benchmark, show):
    full = benchmark.enabled
    checks, powers = (5000, 500) if full else (4, 3)
    random = np.random.default_rng(21)
    seeds_list = SEEDS if full else (1, 5)

    def made():
        alarms = Table(
            f"SynOps, A/A: false alarms of {checks} checks of {ROWS} rows",
            "spread over seeds | seeds | assumed | margin | of comparisons | of checks",
        )
        others = Table("The same draws, judged as usual", "spread | seeds | way | of comparisons | of checks")
        power = Table(
            f"SynOps: finds of {powers} checks in which one of {ROWS} rows grew so much, %",
            "spread, seeds | +10 % | +20 % | +30 %",
        )
        for spread in SPREADS:
            for seeds in seeds_list:
                for told, assumed in (("true", spread), ("half of it", spread / 2), ("nothing", 0.0)):
                    if told != "true" and (seeds >= 5 or (told == "nothing" and seeds == 1)):
                        continue
                    tallies = Tallies((0.0, 0.05))
                    for _ in range(checks):
                        values_check(random, spread, seeds, 0.0, assumed, tallies)
                    for margin, tally in tallies.ours.items():
                        alarms.add(f"{spread:.0%}", seeds, told if seeds < 5 else "-", margin, tally.line())
                        if full and told != "half of it":
                            assert max(tally.share, tally.share_of_checks) <= PROMISED, alarms.lines[-1]
                    if told == "true":
                        for way, tally in tallies.others.items():
                            if seeds > 1 or way != "Welch t":
                                others.add(f"{spread:.0%}", seeds, way, tally.line())
                cells = []
                for grown in (0.1, 0.2, 0.3):
                    tallies = Tallies((0.05,))
                    found = [
                        values_check(random, spread, seeds, grown, spread, tallies)[0.05][0] for _ in range(powers)
                    ]
                    cells.append(f"{100 * np.mean(found):.0f}")
                power.add(f"{spread:.0%}, {seeds}", *cells)
        return alarms, others, power

    show(made)


def judged(random, machine, slowdown, number):
    ratios, launches = machine.blocks(random, slowdown, BLOCKS, LAUNCHES)
    return from_log_ratios(ratios, confidence=CONFIDENCE, seed=number, resamples=RESAMPLES, clusters=launches)


def confirmed(random, machine, found, slowdowns, number):
    """The rows of ``found`` measured once more and judged among themselves; whether each holds."""
    rows = [row for row, worse in enumerate(found) if worse]
    again = [judged(random, machine, slowdowns[row], number + 1 + row) for row in rows]
    adjusted = holm([item.p_worse for item in again])
    held = {
        row: p <= 1 - CONFIDENCE + 1e-12 and -item.effect > 0.05
        for row, p, item in zip(rows, adjusted, again, strict=True)
    }
    return [held.get(row, False) for row in range(ROWS)]


def times_check(random, machine, slowdown, number, tallies, sure):
    slowdowns = [slowdown if row == 0 else 0.0 for row in range(ROWS)]
    evidences = [judged(random, machine, change, number + row) for row, change in enumerate(slowdowns)]
    naive = {"stored median, 5 %": [], "Welch t on stored times": []}
    for change in slowdowns:
        old, new = machine.apart(random, change, 2 * BLOCKS)
        naive["stored median, 5 %"].append(float(np.median(new) - np.median(old)) > math.log(1.05))
        naive["Welch t on stored times"].append(welch(old, new, -1.0) <= 1 - CONFIDENCE)
    found = tallies.check(evidences, naive)
    held = confirmed(random, machine, found[0.05], slowdowns, number)
    sure.add(held, any(held))
    return found[0.05], held


def test_times(benchmark, show):
    full = benchmark.enabled
    checks, powers = (2000, 300) if full else (4, 3)
    machines = MACHINES if full else dict([next(iter(MACHINES.items()))])
    random = np.random.default_rng(22)

    def made():
        alarms = Table(
            f"Times, A/A: false alarms of {checks} checks of {ROWS} rows, {BLOCKS} blocks in {LAUNCHES} launches",
            "machine | decision | of comparisons | of checks",
        )
        power = Table(
            f"Times: finds of {powers} checks in which one of {ROWS} rows became slower, before and after a confirming rerun, %",
            "machine | +10 % | +20 % | +30 %",
        )
        for name, machine in machines.items():
            tallies, sure = Tallies((0.0, 0.05)), Tally()
            for check in range(checks):
                times_check(random, machine, 0.0, check * 100, tallies, sure)
            for margin, tally in tallies.ours.items():
                alarms.add(name, f"bound above 0, threshold {margin:.0%}", tally.line())
                # An offset that a process keeps is a difference; a threshold is there for it.
                if full and (margin > 0 or machine.offset == 0):
                    assert max(tally.share, tally.share_of_checks) <= PROMISED, alarms.lines[-1]
            alarms.add(name, "the same, confirmed", sure.line())
            if full:
                assert max(sure.share, sure.share_of_checks) <= PROMISED, alarms.lines[-1]
            for way, tally in tallies.others.items():
                alarms.add(name, way, tally.line())
            cells = []
            for slowdown in (0.1, 0.2, 0.3):
                tallies, sure = Tallies((0.05,)), Tally()
                found = [times_check(random, machine, slowdown, check * 100, tallies, sure) for check in range(powers)]
                first, held = ([100 * np.mean([side[k][0] for side in found])] for k in (0, 1))
                cells.append(f"{first[0]:.0f}, {held[0]:.0f}")
            power.add(name, *cells)
        return alarms, power

    show(made)


def test_degrees(benchmark, show):
    """Why degrees of freedom are capped: normal differences that no recording shares, over ratios of what seeds share to the rest."""
    full = benchmark.enabled
    draws, items = (1_000_000 if full else 1000), 500
    random = np.random.default_rng(23)

    def made():
        table = Table(
            f"False alarms as multiples of the level, the worst of eight ratios, {draws} draws each, {items} recordings",
            "seeds | level | Satterthwaite | at most 2 (S - 1) | at most 1.5 (S - 1) | at most S - 1",
        )
        levels = (0.01, 0.01 / 6, 0.01 / 20)
        for seeds in (2, 3, 4, 5, 7, 10):
            worst = np.zeros((len(levels), 4))
            for ratio in (0, 0.5, 1, 2, 4, 7, 20, 100):
                of_seeds, of_rest = seeds - 1, (seeds - 1) * (items - 1)
                effect = random.normal(0, math.sqrt(1 + ratio), draws)
                a = (1 + ratio) * random.chisquare(of_seeds, draws) / of_seeds
                b = random.chisquare(items - 1, draws) / (items - 1)
                rest = random.chisquare(of_rest, draws) / of_rest
                total = np.maximum.reduce([a + b - rest, a, b])
                degrees = total**2 / (a**2 / of_seeds + b**2 / (items - 1) + rest**2 / of_rest)
                for column, most in enumerate((math.inf, 2.0, 1.5, 1.0)):
                    p = stdtr(np.minimum(degrees, most * of_seeds), effect / np.sqrt(total))
                    shares = [(p <= level).mean() / level for level in levels]
                    worst[:, column] = np.maximum(worst[:, column], shares)
            for level, row in zip(levels, worst, strict=True):
                table.add(seeds, f"{level:.4f}", *(f"{value:.2f}" for value in row))
        return (table,)

    show(made)


def test_degrees_of_few_seeds(benchmark, show):
    """Why the seeds' variance is taken at its upper bound for the degrees: normal differences over ratios of it to the rest."""
    draws, items = (1_000_000 if benchmark.enabled else 1000), 500
    random = np.random.default_rng(27)

    def made():
        table = Table(
            f"False alarms as multiples of the level, the worst of nine ratios, {draws} draws each, {items} recordings",
            "degrees of the seeds | level | their variance as estimated | at its upper 99 % bound | their own degrees alone",
        )
        levels = (0.01, 0.01 / 6, 0.01 / 20)
        for degrees in (2, 3, 4, 6):
            worst = np.zeros((len(levels), 3))
            factors = (1.0, degrees / chdtri(degrees, 0.99), math.inf)
            for ratio in (0, 0.05, 0.2, 0.5, 1, 2, 4, 10, 100):
                effect = random.normal(0, math.sqrt(1 + ratio), draws)
                seeds = ratio * random.chisquare(degrees, draws) / degrees
                rest = random.chisquare(items - 1, draws) / (items - 1)
                for column, factor in enumerate(factors):
                    bound = seeds * factor if math.isfinite(factor) else seeds
                    own = (bound + rest) ** 2 / (bound**2 / degrees + rest**2 / (items - 1))
                    p = stdtr(own if math.isfinite(factor) else float(degrees), effect / np.sqrt(seeds + rest))
                    worst[:, column] = np.maximum(worst[:, column], [(p <= level).mean() / level for level in levels])
            for level, row in zip(levels, worst, strict=True):
                table.add(degrees, f"{level:.4f}", *(f"{value:.2f}" for value in row))
        return (table,)

    show(made)


def test_launches(benchmark, show):
    """Why launches are drawn before blocks: bounds above 0, no threshold, blocks of processes that keep offsets."""
    count = 4000 if benchmark.enabled else 3
    random = np.random.default_rng(24)

    def made():
        table = Table(
            f"False alarms of {count} single comparisons without a threshold, {BLOCKS} blocks, %",
            "machine | launches | blocks drawn alone | launches, then blocks",
        )
        for name in ("drift, bursts, offsets of 1 %", "quiet, offsets of 1 %"):
            for launches in (5, 10, 20):
                found = np.zeros(2)
                for number in range(count):
                    ratios, named = MACHINES[name].blocks(random, 0.0, BLOCKS, launches)
                    for way, clusters in enumerate((None, named)):
                        evidence = from_log_ratios(
                            ratios, confidence=CONFIDENCE, seed=number, resamples=RESAMPLES, clusters=clusters
                        )
                        found[way] += evidence.p_worse <= 1 - CONFIDENCE
                table.add(name, launches, *(f"{100 * value / count:.2f}" for value in found))
        return (table,)

    show(made)


def test_the_worst_again(benchmark, show):
    """The settings of the other tables whose bound passed what is promised, on new draws and more of them."""
    full = benchmark.enabled
    checks = 10_000 if full else 2
    random = np.random.default_rng(25)

    def made():
        table = Table(
            f"The three worst again, {checks} new checks of {ROWS} rows",
            "setting | margin | of comparisons | of checks",
        )
        for net, seeds in ((Networks(0.8, 2264, spread=0.3), 5), (Networks(0.7, 2264), 10)):
            base, tallies = net.base(), Tallies((0.0, 0.01))
            for _ in range(checks):
                accuracy_check(random, net, base, base, seeds, 0.02, tallies)
            for margin, tally in tallies.ours.items():
                table.add(
                    f"accuracy {net.accuracy:g}, {net.recordings} recordings, {seeds} seeds", margin, tally.line()
                )
                assert not full or max(tally.share, tally.share_of_checks) <= PROMISED, table.lines[-1]
        tallies = Tallies((0.0, 0.05))
        for _ in range(checks):
            values_check(random, 0.05, 5, 0.0, 0.1, tallies)
        for margin, tally in tallies.ours.items():
            table.add("SynOps, spread 5%, 5 seeds", margin, tally.line())
            assert not full or max(tally.share, tally.share_of_checks) <= PROMISED, table.lines[-1]
        return (table,)

    show(made)
