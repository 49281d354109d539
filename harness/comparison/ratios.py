"""Times of two sides taken in turn: the bootstrap of the median log-ratio over blocks."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from .evidence import Evidence, equal

FEWEST = 8


def fewest_blocks(confidence: float) -> int:
    """As many blocks as ``confidence`` needs: that many of one sign come by chance in 2^-n of all cases."""
    return max(FEWEST, math.ceil(-math.log2(1 - confidence)))


def from_log_ratios(
    log_ratios: Sequence[float],
    *,
    confidence: float,
    seed: int = 0,
    resamples: int = 10_000,
    clusters: Sequence[Hashable] | None = None,
) -> Evidence:
    """The gain in speed, as a share, from log(new / old) of each ABBA block: a slowdown of 10 % is -0.10.

    The median log-ratio is bootstrapped (Efron 1979, Ann. Statist. 7:1; times paired in turn: Bulej et al. 2020, arXiv 2001.05811).
    ``clusters`` names the launch of each block: a process keeps its own offset, so launches are drawn first and blocks within them
    after. p is the share of resampled medians that show no loss, never less than (1 + 0) / (1 + resamples), nor than the sign
    test's over blocks: no resampling knows more than how many blocks there were. The same ``seed`` draws the same.

    Raises ``ValueError`` for fewer blocks than ``confidence`` needs, values that are not finite, or clusters of another length.
    """
    values = np.asarray(log_ratios, dtype=np.float64)
    fewest = fewest_blocks(confidence)
    if values.ndim != 1 or len(values) < fewest:
        raise ValueError(f"a confidence of {confidence:g} needs {fewest} blocks at least, not {values.size}")
    if not np.isfinite(values).all():
        raise ValueError(f"log-ratios must be finite, not {values.tolist()}")
    if resamples < 1:
        raise ValueError(f"a bootstrap needs one resample at least, not {resamples}")
    names: list[Hashable] = [0] * len(values) if clusters is None else list(clusters)
    if len(names) != len(values):
        raise ValueError(f"{len(values)} blocks need as many clusters, not {len(names)}")
    launches = list(dict.fromkeys(names))
    basis = f"{len(values)} blocks" + (f" in {len(launches)} launches" if len(launches) > 1 else "")
    if not values.any():
        return equal(basis)
    places = np.array([launches.index(name) for name in names])
    medians = _medians(values, places, resamples, np.random.default_rng(seed))
    effect = -math.expm1(float(np.median(values)))
    low, high = -np.expm1(np.quantile(medians, [confidence, 1 - confidence]))
    return Evidence(
        effect=effect,
        error=float(np.expm1(medians).std()),
        degrees=math.inf,
        p_worse=max(_share(medians <= 0), _sign_test(values > 0)),
        p_better=max(_share(medians >= 0), _sign_test(values < 0)),
        low=min(effect, float(low)),
        high=max(effect, float(high)),
        basis=basis,
    )


def _medians(
    values: npt.NDArray[np.float64], places: npt.NDArray[np.int64], resamples: int, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Medians of ``resamples`` resamples, (resamples,); ``places`` is the launch of each value, counted from 0."""
    order = np.argsort(places, kind="stable")
    sizes = np.bincount(places)
    starts = np.cumsum(sizes) - sizes
    # A resample has as many places as there are blocks; all places of one launch are filled from one drawn launch.
    drawn = np.repeat(random.integers(0, len(sizes), (resamples, len(sizes))), sizes, axis=1)
    within = (random.random((resamples, len(values))) * sizes[drawn]).astype(np.int64)
    found: npt.NDArray[np.float64] = np.median(values[order][starts[drawn] + within], axis=1)
    return found


def _share(hits: npt.NDArray[np.bool_]) -> float:
    return (int(hits.sum()) + 1) / (len(hits) + 1)


def _sign_test(losses: npt.NDArray[np.bool_]) -> float:
    """The chance of as many losses or more where a loss is as likely as not (exact; a block without a difference is none)."""
    from scipy.special import bdtrc

    count = int(losses.sum())
    return 1.0 if count == 0 else float(bdtrc(count - 1, len(losses), 0.5))
