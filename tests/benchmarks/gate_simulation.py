"""Networks, figures and machines whose truth is known, and the decision of a whole check over them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from harness.comparison.evidence import holm

CONFIDENCE = 0.99
ROWS = 6  # figures of one check, which Holm's rule takes together


def upper(count: int, of: int) -> float:
    """The exact 95 % upper bound of a share (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    return 1.0 if count == of else float(beta.ppf(0.95, count + 1, of - count))


@dataclass
class Tally:
    """Finds of one way to decide: of single comparisons, and of whole checks that found anything."""

    comparisons: int = 0
    checks: int = 0
    alone: int = 0
    whole: int = 0

    def add(self, found: list[bool], anything: bool) -> None:
        self.comparisons += len(found)
        self.checks += 1
        self.alone += sum(found)
        self.whole += anything

    @property
    def share(self) -> float:
        return self.alone / self.comparisons

    @property
    def share_of_checks(self) -> float:
        return self.whole / self.checks

    def line(self) -> str:
        one = f"{self.alone} of {self.comparisons}: {100 * self.share:.2f} % (<= {100 * upper(self.alone, self.comparisons):.2f})"
        all_ = f"{self.whole} of {self.checks}: {100 * self.share_of_checks:.2f} % (<= {100 * upper(self.whole, self.checks):.2f})"
        return f"{one} | {all_}"


@dataclass
class Tallies:
    """Tallies by margin, and of the ways that a gate is usually built."""

    margins: tuple[float, ...]
    ours: dict[float, Tally] = field(default_factory=dict)
    others: dict[str, Tally] = field(default_factory=dict)

    def check(self, evidences, naive: dict[str, list[bool]]) -> dict[float, list[bool]]:
        """One check over all its rows; which rows it calls worse, by margin."""
        level = 1 - CONFIDENCE + 1e-12
        adjusted = holm([item.p_worse for item in evidences])
        worse: dict[float, list[bool]] = {}
        for margin in self.margins:
            lost = [-item.effect > margin for item in evidences]
            alone = [p.p_worse <= level and past for p, past in zip(evidences, lost, strict=True)]
            worse[margin] = [p <= level and past for p, past in zip(adjusted, lost, strict=True)]
            self.ours.setdefault(margin, Tally()).add(alone, any(worse[margin]))
        for name, found in naive.items():
            self.others.setdefault(name, Tally()).add(found, any(found))
        return worse


@dataclass(frozen=True)
class Networks:
    """Trained networks that recordings differ for: right with probability logistic(ability + difficulty + noise).

    ``spread`` is the standard deviation of a seed's ability, in logits; difficulty and the noise of a network on a recording have
    standard deviations 2 and 1. ``accuracy`` is what they reach on the mean.
    """

    accuracy: float
    recordings: int
    spread: float = 0.1

    def base(self) -> float:
        """The ability that reaches ``accuracy``, by bisection over 20,000 quantiles of the logits."""
        from scipy.special import ndtri

        normal = ndtri((np.arange(20_000) + 0.5) / 20_000) * math.sqrt(4 + 1 + self.spread**2)
        low, high = -20.0, 20.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if (1 / (1 + np.exp(-middle - normal))).mean() < self.accuracy else (low, middle)
        return middle

    def drawn(self, random, base: float, difficulty, seeds: int):
        """Right or wrong, (seeds, recordings)."""
        shape = (seeds, self.recordings)
        logits = (base + random.normal(0, self.spread, (seeds, 1)) + difficulty).astype(np.float32)
        logits += random.standard_normal(shape, dtype=np.float32)
        return random.random(shape, dtype=np.float32) * (1 + np.exp(-logits)) < 1

    def with_noise(self, points: float) -> Networks:
        """Return the same with the ``spread`` that gives accuracies this standard deviation over seeds, by bisection."""
        low, high = 0.0, 10.0
        for _ in range(12):
            middle = (low + high) / 2
            tried = replace(self, spread=middle)
            random = np.random.default_rng(7)  # the same draws for each spread
            found = tried.drawn(random, tried.base(), random.normal(0, 2, self.recordings), 1000).mean(1).std(ddof=1)
            low, high = (middle, high) if found < points else (low, middle)
        return replace(self, spread=middle)

    def noise(self, random, base: float) -> float:
        """The standard deviation over seeds of the accuracy on one test set."""
        difficulty = random.normal(0, 2, self.recordings)
        return float(self.drawn(random, base, difficulty, 200).mean(1).std(ddof=1))


@dataclass(frozen=True)
class Machine:
    """A machine that others use too; shares of the time measured.

    ``jitter``: of one measurement; ``drift``: of one step of an AR(1) walk of memory 0.97 (1.0: a random walk); ``bursts``: how often a
    neighbour's load falls on a measurement, which then takes an exponential 40 % longer; ``offset``: what one process keeps throughout.
    """

    jitter: float = 0.02
    drift: float = 0.02
    memory: float = 0.97
    bursts: float = 0.06
    offset: float = 0.01

    def blocks(self, random, slowdown: float, blocks: int, launches: int):
        """Log-ratios of ABBA blocks, (blocks,), and the launch of each."""
        named = np.arange(blocks) * launches // blocks
        times = self._times(random, blocks * 4).reshape(blocks, 4)
        both = random.normal(0, self.offset, (launches, 2))[named]
        ratios = (times[:, 1] + times[:, 2] - times[:, 0] - times[:, 3]) / 2 + both[:, 1] - both[:, 0]
        return ratios + math.log1p(slowdown), named.tolist()

    def apart(self, random, slowdown: float, measurements: int):
        """Log times of a baseline of an hour ago and of now, the usual way: (2, measurements)."""
        hour = 2000
        drift = self._drift(random, hour + measurements)
        sides = []
        for begin, change in ((0, 0.0), (hour, slowdown)):
            given = self._shocks(random, measurements) + drift[begin : begin + measurements]
            sides.append(given + random.normal(0, self.offset) + math.log1p(change))
        return np.stack(sides)

    def _times(self, random, count: int):
        return self._shocks(random, count) + self._drift(random, count)

    def _shocks(self, random, count: int):
        hit = random.random(count) < self.bursts
        return random.normal(0, self.jitter, count) + hit * np.log1p(random.exponential(0.4, count))

    def _drift(self, random, count: int):
        from scipy.signal import lfilter

        started = random.normal(0, self.drift / math.sqrt(1 - self.memory**2)) if self.memory < 1 else 0.0
        steps = random.normal(0, self.drift, count)
        return lfilter([1.0], [1.0, -self.memory], steps, zi=[self.memory * started])[0]
