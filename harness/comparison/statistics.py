"""Means and intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A mean of ``n`` values and, from two on, its two-sided interval; NaN is never among the values."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width, or None for one value."""
        return None if self.high is None else self.high - self.mean


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and Student-t interval of ``values``; raises ``ValueError`` for none, or for one that is not finite."""
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError(f"a mean needs finite values, not {list(values)}")
    n = len(values)
    mean = math.fsum(value / n for value in values) if max(map(abs, values)) > 1e300 else math.fsum(values) / n
    if n == 1:
        return Interval(mean, None, None, 1)
    try:
        variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    except OverflowError:  # values whose squares no float holds
        return Interval(mean, None, None, n)
    half = _t_quantile(n - 1, confidence) * math.sqrt(variance / n)
    return Interval(mean, mean - half, mean + half, n)


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Interval:
    """Interval of ``first - second``, pair by pair: the same seeds on both sides, in the same order."""
    if len(first) != len(second):
        raise ValueError(f"pairs need as many values on both sides, not {len(first)} and {len(second)}")
    return mean_interval([a - b for a, b in zip(first, second, strict=True)], confidence)


def apart(better: Interval, worse: Interval, direction: str) -> bool:
    """Whether the intervals do not touch and ``better`` lies on the side that ``direction`` (higher, lower) prefers."""
    if better.low is None or better.high is None or worse.low is None or worse.high is None:
        return False
    return better.low > worse.high if direction == "higher" else direction == "lower" and better.high < worse.low


def _t_quantile(degrees: int, confidence: float) -> float:
    # The quantile alone: scipy.stats takes a third of a second more to import.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))
