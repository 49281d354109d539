"""Fewer than five common seeds: every seed of each side counts, and their own spread says how much seeds differ.

A baseline of five seeds measures the noise over seeds also for a check of one seed. Sides that measure next to nothing are held to
the largest noise that is reckoned with, so that only a collapse is found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .evidence import Evidence, estimated, seeds_text
from .paired import PSEUDO, ROUNDING, TINY, by_recording, checked_bits, checked_values, scale_of

_CHANCE = 0.01  # that the noise over seeds lies above the bound that degrees of freedom go by

_SECOND_CHANCE = (
    4 / 3
)  # on the noise reckoned with, beside the measured one: two ways to find a loss share one error rate

FEWEST_DEGREES = 2
"""Degrees of freedom from which on the spread of the seeds is taken for their noise; Student's t on one says nothing."""


def from_recordings(
    old: npt.ArrayLike,
    new: npt.ArrayLike,
    *,
    confidence: float,
    reckoned_noise: float,
    recordings: npt.ArrayLike | None = None,
) -> Evidence:
    """Return the gain in accuracy, as a fraction, of sides that may have different seeds.

    With the accuracies of n and m seeds, their pooled variance s^2 on n + m - 2 degrees of freedom, and g the difference of the
    sides' mean correctness on each of R recordings,

        error^2 = s^2 (1/n + 1/m) + var(g) / R

    on Satterthwaite's degrees of freedom, for which the first term is taken at its upper 99 % bound: the spread of few seeds is
    often small by chance, which must not make the degrees many. Below :data:`FEWEST_DEGREES` s is at least ``reckoned_noise``,
    and counts as known; above, four thirds of it do where that finds more.

    Args:
        old: which samples were right, boolean, (seeds, samples).
        new: the same of the new side, on the same samples.
        confidence: one-sided, of the bounds.
        reckoned_noise: the largest standard deviation over seeds that is reckoned with if the seeds do not measure it, a fraction.
        recordings: (samples,), whose slices the samples are.

    Raises:
        ValueError: for different samples, no seed, fewer than two recordings, or values that are not boolean.
    """
    first, second = checked_bits(old, "old"), checked_bits(new, "new")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"both sides need the same samples, not {first.shape[1]} and {second.shape[1]}")
    samples = first.shape[1]
    gain = second.mean(0) - first.mean(0)
    effect = float(gain.mean())
    gain = by_recording(gain[None, :], recordings, effect)[0]
    count = len(gain)
    if count < 2:
        raise ValueError(f"accuracy compares over two recordings at least, not {count}")
    pseudo = PSEUDO / min(len(first), len(second))
    of_recordings = (float(gain.var(ddof=1)) * (count - 1) + pseudo) / count**2
    over = f" x {count} recordings" + (f" ({samples} samples)" if samples != count else "")
    spread, degrees = _pooled(first.mean(1), second.mean(1))
    return _judged(
        effect,
        max(spread, ROUNDING / math.sqrt(2) / samples),  # accuracies are rounded to steps of one sample
        degrees,
        counts=(len(first), len(second)),
        reckoned=(reckoned_noise, reckoned_noise),
        beside=(of_recordings, count - 1),
        confidence=confidence,
        over=over,
    )


def from_values(
    old: Sequence[float],
    new: Sequence[float],
    *,
    higher_is_better: bool,
    relative: bool,
    confidence: float,
    reckoned_noise: float,
) -> Evidence:
    """Return the gain of a figure that has one value per seed, by Student's t over all seeds of both sides.

    Args:
        old: a value per seed of the old side.
        new: a value per seed of the new side, which may have other seeds.
        higher_is_better: the figure's direction.
        relative: whether the gain is a share of the old mean (of the new one if the old is 0).
        confidence: one-sided, of the bounds.
        reckoned_noise: as in :func:`from_recordings`; if ``relative``, a share of each side's own mean.

    Raises:
        ValueError: for no value, or one that is not finite.
    """
    first, second = checked_values(old, "old"), checked_values(new, "new")
    largest = float(max(np.abs(first).max(), np.abs(second).max())) or 1.0  # nothing overflows below it
    first, second = first / largest, second / largest
    before, after = float(first.mean()), float(second.mean())
    scale, note = scale_of(before, after) if relative else (1 / largest, "")
    effect = (after - before) * (1 if higher_is_better else -1) / scale
    spread, degrees = _pooled(first, second)
    shares = (abs(before), abs(after)) if relative else (scale, scale)
    return _judged(
        effect,
        spread / scale,
        degrees,
        counts=(len(first), len(second)),
        reckoned=(reckoned_noise * shares[0] / scale, reckoned_noise * shares[1] / scale),
        beside=(0.0, 1),
        confidence=confidence,
        over=note,
    )


def measures_noise(old: int, new: int) -> bool:
    """Return whether sides of so many seeds measure how much seeds differ."""
    return old + new - 2 >= FEWEST_DEGREES


def _pooled(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> tuple[float, int]:
    """Return the standard deviation within both sides together, and its degrees of freedom."""
    degrees = len(first) + len(second) - 2
    squares = float(((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum())
    return (math.sqrt(squares / degrees) if degrees else 0.0), degrees


def _judged(
    effect: float,
    spread: float,
    degrees: int,
    *,
    counts: tuple[int, int],
    reckoned: tuple[float, float],
    beside: tuple[float, int],
    confidence: float,
    over: str,
) -> Evidence:
    """Return the evidence; ``beside`` is the variance that does not come from seeds, and its degrees of freedom."""
    old, new = counts
    seeds = seeds_text(new) if old == new else f"{seeds_text(new)} against {old}"
    if degrees < FEWEST_DEGREES:
        known = sum(max(noise, spread) ** 2 / count for noise, count in zip(reckoned, counts, strict=True))
        basis = f"{seeds} (noise over seeds not measured: up to {reckoned[0]:.3g} reckoned with){over}"
        return estimated(effect, math.sqrt(known + beside[0]), math.inf, confidence=confidence, basis=basis)
    if spread <= TINY:
        # Seeds that all agree are values rounded to steps as wide as the difference: sides agree so by chance.
        spread = ROUNDING * abs(effect) / math.sqrt(2)
        degrees = max(min(counts) - 1, 1)
    of_seeds = spread**2 * (1 / old + 1 / new)
    told = f"noise over seeds measured: {spread:.2g}"
    measured = estimated(
        effect,
        math.sqrt(of_seeds + beside[0]),
        _satterthwaite(of_seeds, degrees, *beside),
        confidence=confidence,
        basis=f"{seeds} ({told}){over}",
    )
    at_most = [_SECOND_CHANCE * noise for noise in reckoned]
    if spread > min(at_most):
        return measured
    known = sum(noise**2 / count for noise, count in zip(at_most, counts, strict=True))
    bounded = estimated(
        effect,
        math.sqrt(known + beside[0]),
        math.inf,
        confidence=confidence,
        basis=f"{seeds} ({told}, up to {at_most[0]:.3g} reckoned with){over}",
    )
    # A collapse that one seed shows is not to be lost to the few degrees of freedom of two.
    return min(measured, bounded, key=lambda item: min(item.p_worse, item.p_better))


def _satterthwaite(of_seeds: float, degrees: int, beside: float, beside_degrees: int) -> float:
    """Return the degrees of freedom of a sum of two variances, the first taken at its upper bound."""
    from scipy.special import gammaincinv

    if beside == 0:
        return float(degrees)
    bound = of_seeds * degrees / (2 * float(gammaincinv(degrees / 2, _CHANCE)))  # the quantile of chi-squared
    return (bound + beside) ** 2 / (bound**2 / degrees + beside**2 / beside_degrees)
