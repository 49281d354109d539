"""How often the trend marks a change where there is none, and how often one that is there: simulated histories."""

from __future__ import annotations

import numpy as np
import ruptures  # noqa: F401  (loaded before anything is timed)
from scipy.special import betaincinv

from harness.comparison.changes import changes, scatter_of

LENGTHS = (20, 40, 60, 80, 100)
SERIES = 1000
NEAR = 2  # runs that a mark may lie beside the true change


def gaussian(draw, length):
    return draw.normal(size=length)


def student(draw, length):
    """Student's t on 3 degrees of freedom, with variance 1: about one value in 70 lies beyond three."""
    return draw.standard_t(3, size=length) / np.sqrt(3)


def skewed(draw, length):
    """Log-normal with variance 1: a machine that is now and then slow."""
    values = draw.lognormal(0.0, 0.5, size=length)
    return values / np.sqrt((np.exp(0.25) - 1) * np.exp(0.25))


def counted(draw, length):
    """An accuracy over 50 recordings, in units of its standard deviation: many values are equal."""
    return draw.binomial(50, 0.7, size=length) / np.sqrt(50 * 0.7 * 0.3)


def redrawn_seeds(count):
    """A mean over ``count`` seeds that is equal to the last bit from run to run, and drawn anew with every fifth, about: other
    code trains anew."""

    def noise(draw, length):
        seeds = draw.normal(size=(length, count)) * np.sqrt(count)
        return np.repeat(seeds, draw.geometric(0.2, size=length), axis=0)[:length]

    return noise


NOISES = {
    "gaussian": gaussian,
    "heavy tails (t, 3 degrees)": student,
    "skewed (log-normal)": skewed,
    "counts of 50 recordings": counted,
    "held, then drawn anew; 5 seeds": redrawn_seeds(5),
    "held, then drawn anew; 2 seeds": redrawn_seeds(2),
    "held, then drawn anew; 1 seed": redrawn_seeds(1),
}


def bound(count, total):
    """The exact one-sided 95 % upper bound of a share (Clopper and Pearson 1934)."""
    return 1.0 if count == total else float(betaincinv(count + 1, total - count, 0.95))


def marked(values):
    """The changes in ``values``: (runs,) or (runs, seeds)."""
    seeds = values.reshape(len(values), -1)
    return changes([float(mean) for mean in seeds.mean(axis=1)], scatter_of(seeds.tolist()))


def false_alarms(noise, length, total, seed=0):
    """How many of ``total`` series without a change show one."""
    draw = np.random.default_rng([seed, length])
    return sum(bool(marked(noise(draw, length))) for _ in range(total))


def hits(noise, length, size, after, total, seed=1):
    """How many of ``total`` series whose last ``after`` runs lie ``size`` standard deviations higher are marked near that place."""
    draw = np.random.default_rng([seed, length])
    found = 0
    for _ in range(total):
        values = noise(draw, length)
        values[length - after :] += size
        found += any(abs(change.index - (length - after)) <= NEAR for change in marked(values))
    return found


def test_false_alarms_and_hits(benchmark, capsys):
    total = SERIES if benchmark.enabled else 20
    lengths = LENGTHS if benchmark.enabled else (20, 40)

    def simulate():
        return {
            name: (
                [false_alarms(noise, length, total) for length in lengths],
                [
                    hits(noise, length, size, after, total)
                    for length, after in ((20, 10), (40, 20), (40, 4))
                    for size in (2.0, 3.0)
                ],
            )
            for name, noise in NOISES.items()
        }

    found = benchmark.pedantic(simulate, rounds=1)
    with capsys.disabled():
        print(
            f"\nseries without a change that show one, % of {total} (in brackets: over all lengths, 95 % upper bound)"
        )
        print(f"{'':<36}" + "".join(f"{f'n={length}':>7}" for length in lengths))
        for name, (alarms, _) in found.items():
            shares = "".join(f"{100 * count / total:7.1f}" for count in alarms)
            every, of = sum(alarms), total * len(lengths)
            print(f"{name:<36}{shares}   ({100 * every / of:.2f}, at most {100 * bound(every, of):.2f})")
        print(f"shifts that are marked within {NEAR} runs of where they are, % of {total}")
        print(f"{'':<36}{'n=20, 10 after':>16}{'n=40, 20 after':>16}{'n=40, 4 after':>16}")
        print(f"{'':<36}" + "".join(f"{size:>8}" for _ in range(3) for size in ("2 sd", "3 sd")))
        for name, (_, counts) in found.items():
            print(f"{name:<36}" + "".join(f"{100 * count / total:8.1f}" for count in counts))
    benchmark.extra_info.update({name: {"alarms": alarms, "hits": counts} for name, (alarms, counts) in found.items()})
    if benchmark.enabled:
        for name in ("gaussian", "counts of 50 recordings", "held, then drawn anew; 5 seeds"):
            assert sum(found[name][0]) / (total * len(lengths)) <= 0.01, name
