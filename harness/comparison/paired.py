"""Two sides that share their seeds: recording by recording where it is known which were right, else one value a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .evidence import MEASURED_FROM, Evidence, equal, estimated, seeds_text

# Satterthwaite's degrees are a guess from the very spread they qualify, and a spread that is small by chance makes them many.
_MOST_DEGREES = 1.5
PSEUDO = 2.0  # recordings that differ, one each way (Bonett and Price 2012): few differing ones are no normal deviate
ROUNDING = 1 / math.sqrt(6)  # the standard deviation of a difference of two values rounded to whole steps
TINY = 1e-12  # a share of the largest value: what is below is rounding


def from_recordings(
    old: npt.ArrayLike,
    new: npt.ArrayLike,
    *,
    confidence: float,
    seed_noise: float,
    recordings: npt.ArrayLike | None = None,
) -> Evidence:
    """The gain in accuracy, as a fraction, from which samples were right.

    ``old`` and ``new``: boolean, (seeds, samples), the same seeds and samples on both sides. ``recordings``: (samples,), whose
    slices the samples are. Seeds and recordings are both drawn from more of their kind, and crossed. With d the differences,
    S seeds, R recordings and MS the mean squares of their two-way layout,

        error^2 = max(MS_seeds + MS_recordings - MS_rest, MS_seeds, MS_recordings) / (S R)

    (Clark 1973, J. Verb. Learn. Verb. Behav. 12:335; Obuchowski and Rockette 1995, Commun. Stat. Simul. 24:285) on Satterthwaite's
    degrees of freedom, at most 1.5 (S - 1), and S - 1 below ``MEASURED_FROM`` seeds: a spread that is small by chance makes them many.

    Below ``MEASURED_FROM`` seeds the part of the seeds is at least ``2 seed_noise^2 / S``, and the error counts as known;
    ``seed_noise`` is the standard deviation over seeds of one side's accuracy. Where it is 0, two seeds and more assume nothing.

    Raises ``ValueError`` for shapes that differ, no seed, fewer than two recordings, or values that are not boolean.
    """
    first, second = checked_bits(old, "old"), checked_bits(new, "new")
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal shapes, not {first.shape} and {second.shape}")
    _check_noise(seed_noise)
    gain = second.astype(np.float64) - first
    seeds, samples = gain.shape
    effect = float(gain.mean())
    gain = by_recording(gain, recordings, effect)
    count = gain.shape[1]
    if count < 2:
        raise ValueError(f"accuracy compares over two recordings at least, not {count}")
    over = f"{count} recordings" + (f" ({samples} samples)" if samples != count else "")
    if np.array_equal(first, second):
        return equal(f"{seeds_text(seeds)} x {over}")
    of_seed, of_recording = gain.mean(1), gain.mean(0)
    of_recordings = seeds * float(of_recording.var(ddof=1))
    if seeds == 1:
        known = math.hypot(math.sqrt((of_recordings * (count - 1) + PSEUDO) / count**2), math.sqrt(2) * seed_noise)
        basis = f"{_assumed(1, seed_noise, 0.0)} x {over}"
        return estimated(effect, known, math.inf, confidence=confidence, basis=basis)
    by_seed = count * float(of_seed.var(ddof=1))
    rest = gain - of_seed[:, None] - of_recording + effect
    residual = float((rest**2).sum()) / ((seeds - 1) * (count - 1))
    if seeds < MEASURED_FROM and seed_noise > 0:
        spread = max(0.0, by_seed - residual) / count
        known = math.sqrt(of_recordings / (seeds * count) + max(spread, 2 * seed_noise**2) / seeds)
        basis = f"{_assumed(seeds, seed_noise, math.sqrt(spread / 2))} x {over}"
        return estimated(effect, known, math.inf, confidence=confidence, basis=basis)
    total = max(by_seed + of_recordings - residual, by_seed, of_recordings)
    shares = by_seed**2 + of_recordings**2 * (seeds - 1) / (count - 1) + residual**2 / (count - 1)
    most = _MOST_DEGREES if seeds >= MEASURED_FROM else 1.0
    degrees = (seeds - 1) * min(most, total**2 / shares if shares else 1.0)
    error = math.sqrt(total / (seeds * count))
    return estimated(effect, error, degrees, confidence=confidence, basis=f"{seeds_text(seeds)} x {over}")


def from_values(
    old: Sequence[float],
    new: Sequence[float],
    *,
    higher_is_better: bool,
    relative: bool,
    confidence: float,
    seed_noise: float,
) -> Evidence:
    """The gain of a figure that has one value a seed, the same seeds on both sides, by Student's t over the pairs.

    ``relative``: as a share of the old mean; of the new one where the old is 0. Differences that are all alike are taken for values
    rounded to steps as wide as the difference: two seeds of a figure that counts steps agree by chance. Below ``MEASURED_FROM``
    seeds the standard deviation of a difference is at least what ``seed_noise`` on both sides makes it, and counts as known:
    ``sqrt(2) seed_noise``, or, where ``relative``, that share of each side's own mean. Where ``seed_noise`` is 0, two seeds and more
    assume nothing.

    Raises ``ValueError`` for sides of unequal length, no value, or one that is not finite.
    """
    first, second = checked_values(old, "old"), checked_values(new, "new")
    if first.shape != second.shape:
        raise ValueError(f"pairs need as many values on both sides, not {first.shape} and {second.shape}")
    _check_noise(seed_noise)
    seeds = len(first)
    if np.array_equal(first, second):
        return equal(seeds_text(seeds))
    largest = float(max(np.abs(first).max(), np.abs(second).max()))  # nothing overflows below it
    first, second = first / largest, second / largest
    gain = (second - first) * (1 if higher_is_better else -1)
    note = ""
    if relative:
        scale, note = scale_of(float(first.mean()), float(second.mean()))
    else:
        scale = 1 / largest
    effect = float(gain.mean()) / scale
    spread = float(gain.std(ddof=1)) / scale if seeds > 1 else 0.0
    if seeds > 1 and spread * scale <= TINY:
        spread = ROUNDING * abs(effect)
    if seeds == 1 or (seeds < MEASURED_FROM and seed_noise > 0):
        # A share of each side's own mean: of the old one alone, a side that drew high would look like a loss.
        sides = math.hypot(float(first.mean()), float(second.mean())) / scale if relative else math.sqrt(2)
        error = max(spread, sides * seed_noise) / math.sqrt(seeds)
        basis = _assumed(seeds, seed_noise, spread / math.sqrt(2)) + note
        return estimated(effect, error, math.inf, confidence=confidence, basis=basis)
    return estimated(
        effect, spread / math.sqrt(seeds), seeds - 1.0, confidence=confidence, basis=f"{seeds_text(seeds)}{note}"
    )


def checked_values(values: Sequence[float], side: str) -> npt.NDArray[np.float64]:
    """Return ``values`` of one side, one per seed; raises ``ValueError``."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not len(found):
        raise ValueError("a comparison needs one seed at least")
    if not np.isfinite(found).all():
        raise ValueError(f"the values of the {side} side must be finite, not {found.tolist()}")
    return found


def checked_bits(values: npt.ArrayLike, side: str) -> npt.NDArray[np.bool_]:
    """Return which samples one side got right, (seeds, samples); raises ``ValueError``."""
    bits = np.asarray(values)
    if bits.dtype != np.bool_:
        raise ValueError(f"the {side} side must say right or wrong (bool), not {bits.dtype}")
    if bits.ndim != 2 or not bits.size:
        raise ValueError(f"the {side} side must be (seeds, samples) with one of each at least, not {bits.shape}")
    return bits


def _check_noise(seed_noise: float) -> None:
    if not (math.isfinite(seed_noise) and seed_noise >= 0):
        raise ValueError(f"the noise over seeds must be a number >= 0, not {seed_noise}")


def by_recording(
    gain: npt.NDArray[np.float64], recordings: npt.ArrayLike | None, effect: float
) -> npt.NDArray[np.float64]:
    """(seeds, samples) to (seeds, recordings) with each seed's mean kept: where recordings have unequally many slices, the deviations
    of a ratio estimator (Cochran 1977, Sampling Techniques, ch. 6)."""
    if recordings is None:
        return gain
    names = np.asarray(recordings)
    if names.shape != gain.shape[1:]:
        raise ValueError(f"{gain.shape[1]} samples need as many recordings, not {names.shape}")
    _, place, slices = np.unique(names, return_inverse=True, return_counts=True)
    if len(slices) == gain.shape[1]:
        return gain
    sums = np.stack([np.bincount(place, weights=row, minlength=len(slices)) for row in gain])
    found: npt.NDArray[np.float64] = effect + (sums - slices * effect) * (len(slices) / gain.shape[1])
    return found


def scale_of(old: float, new: float) -> tuple[float, str]:
    """What a relative gain is a share of, values being 1 at most, and a remark where it is not the old mean."""
    if abs(old) > TINY:
        return abs(old), ""
    if abs(new) > TINY:
        return abs(new), ", as a share of the new mean since the old one is 0"
    return 1.0, ", as a share of the largest value since both means are 0"


def _assumed(count: int, assumed: float, measured: float) -> str:
    if measured > assumed:
        return f"{seeds_text(count)} (noise over seeds: {measured:.2g}, above the {assumed:g} assumed)"
    return f"{seeds_text(count)} (noise over seeds assumed: {assumed:.3g})"
