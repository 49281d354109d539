"""What two sets of measurements say about a loss: the effect, how sure it is, and what could have been seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

POWER = 0.8
MEASURED_FROM = 5
"""Common seeds from which on their spread is measured by their pairs alone."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The gain of the new side over the old one: positive is better, in the scale of the margin that it is held to.

    ``error`` is its standard error on ``degrees`` of freedom (infinite for a normal one). ``p_worse`` and ``p_better`` are
    one-sided, against no difference at all; ``low`` and ``high`` are one-sided bounds of the gain at the confidence that was asked
    for. ``identical``: both sides are equal to the last bit. ``basis`` says in words what it rests on.
    """

    effect: float
    error: float
    degrees: float
    p_worse: float
    p_better: float
    low: float
    high: float
    basis: str
    identical: bool = False

    def detectable(self, margin: float, level: float) -> float:
        """The smallest loss that a check like this one finds in 80 of 100 cases: past ``margin``, and at one-sided ``level``."""
        if self.error == 0.0:
            return margin
        return max(margin, quantile(1 - level, self.degrees) * self.error) + quantile(POWER, self.degrees) * self.error


def estimated(effect: float, error: float, degrees: float, *, confidence: float, basis: str) -> Evidence:
    """Evidence from an estimate and its standard error, by Student's t; raises ``ValueError`` where either is not finite.

    No error at all leaves no doubt: p is 0 on the side of the effect.
    """
    if not (math.isfinite(effect) and math.isfinite(error)):
        raise ValueError(f"an effect and its error must be finite, not {effect} and {error}")
    if error > 0.0:
        p_worse, p_better = tail(-effect / error, degrees), tail(effect / error, degrees)
        half = quantile(confidence, degrees) * error
    else:
        p_worse, p_better, half = float(effect >= 0), float(effect <= 0), 0.0
    return Evidence(
        effect=effect,
        error=error,
        degrees=degrees,
        p_worse=p_worse,
        p_better=p_better,
        low=effect - half,
        high=effect + half,
        basis=basis,
    )


def equal(basis: str) -> Evidence:
    """Evidence of two sides that are equal to the last bit."""
    return Evidence(
        effect=0.0,
        error=0.0,
        degrees=math.inf,
        p_worse=1.0,
        p_better=1.0,
        low=0.0,
        high=0.0,
        basis=basis,
        identical=True,
    )


def seeds_text(count: int) -> str:
    """``1 seed``, ``5 seeds``."""
    return f"{count} seed{'s' * (count != 1)}"


def quantile(probability: float, degrees: float) -> float:
    """The quantile of Student's t, or of the normal distribution for infinite ``degrees``."""
    # The quantile alone: scipy.stats takes a third of a second more to import.
    from scipy.special import ndtri, stdtrit

    return float(ndtri(probability) if math.isinf(degrees) else stdtrit(degrees, probability))


def tail(value: float, degrees: float) -> float:
    """The probability above ``value`` under Student's t, or under the normal distribution for infinite ``degrees``."""
    from scipy.special import ndtr, stdtr

    return float(ndtr(-value) if math.isinf(degrees) else stdtr(degrees, -value))


def holm(values: list[float]) -> list[float]:
    """``values`` (p-values) adjusted for being several, by Holm's step-down rule (Holm 1979, Scand. J. Statist. 6)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted = [0.0] * len(values)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, values[index] * (len(values) - place)))
        adjusted[index] = highest
    return adjusted
