"""Where the level of a series seems to have moved: hints for a person, no verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

FEWEST = 8
"""Points that a search needs."""

_SHORTEST = 2  # points of a level: one that is off alone is an outlier
_TO_SIGMA = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
_MOVING = 0.25  # where fewer neighbours differ, their differences are jumps rather than noise
_WINDOW = 2  # points to each side of a running median
_CLIP = 3.0  # standard deviations that a point may lie from the running median
_ROUNDING = 1e-12  # of the largest value is the least noise
_BEYOND = 4.0  # standard errors that levels must lie apart where seeds tell them


@dataclass(frozen=True)
class Change:
    """The first point of a new level: its ``index``, and the medians of the points before and after it, up to the next change."""

    index: int
    before: float
    after: float


def steps(values: Sequence[float]) -> list[Change]:
    """Every point that differs from the one before it: what moves in a figure that has no noise."""
    return _changes(values, [index for index in range(1, len(values)) if values[index] != values[index - 1]])


def changes(values: Sequence[float], scatter: float = 0.0) -> list[Change]:
    """Changes of level in ``values``, in order of time; none where they are fewer than :data:`FEWEST`.

    The least squares segmentation under a penalty for each change (PELT; Killick et al. 2012, arXiv 1101.1438; by ruptures, Truong
    et al. 2020, arXiv 1801.00718), after outliers were clipped around a running median. The noise is the larger of two estimates
    that one step hardly moves: median and root mean square of the differences between neighbours. ``scatter`` is the standard
    deviation that a value has for another reason, such as seeds: levels must also lie apart by four standard errors of it, where
    equal neighbours count as one draw. Raises ``ValueError`` for a value that is not finite.
    """
    import numpy as np

    if not all(map(math.isfinite, values)):
        raise ValueError(f"a series needs finite values, not {list(values)}")
    if len(values) < FEWEST:
        return []
    found = steps(values)
    if len(found) > 1:
        # In units of its largest value, so that no square over- or underflows.
        series: Values = np.asarray(values, dtype=float) / max(map(abs, values))
        found = _changes(values, _segmented(series))
    return _apart(values, found, scatter)


def scatter_of(values: Sequence[Sequence[float]]) -> float:
    """The standard deviation of a mean over seeds when a training is drawn anew: (points, seeds) to one number, 0 for one seed.

    Seeds that move apart from one point to the next tell it, whether the level moved or not: the differences have twice the
    variance of a value. Points that equal the one before tell nothing.
    """
    variances: list[float] = []
    for before, after in pairwise(values):
        moved = [new - old for old, new in zip(before, after, strict=True)]
        if len(moved) > 1 and any(moved):
            middle = _mean(moved)
            variances.append(math.fsum((value - middle) ** 2 for value in moved) / (len(moved) - 1) / len(moved) / 2)
    return math.sqrt(_mean(variances)) if variances else 0.0


def _segmented(series: Values) -> list[int]:
    import numpy as np
    import ruptures

    rough = _typical(series)
    middle = _running_median(series)
    tame = middle + np.clip(series - middle, -_CLIP * rough, _CLIP * rough)
    noise = max(rough, _root_mean_square(tame), _ROUNDING)
    # Grows with the number of places where a change could be; tests/benchmarks/test_trend_changes.py measures what it lets pass.
    penalty = 7.0 + 2.5 * math.log(len(series))
    search = ruptures.KernelCPD(kernel="linear", min_size=_SHORTEST).fit((tame / noise).reshape(-1, 1))
    return [int(index) for index in search.predict(pen=penalty)[:-1]]


def _typical(series: Values) -> float:
    """The noise by the median difference of neighbours that differ, or by all differences where neighbours seldom differ."""
    import numpy as np

    sizes = np.abs(np.diff(series))
    moving = sizes[sizes > 0]
    if len(moving) < _MOVING * len(sizes):
        return _root_mean_square(series)
    return float(_TO_SIGMA * np.median(moving) / math.sqrt(2))


def _root_mean_square(series: Values) -> float:
    """The noise by the mean squared difference of neighbours (von Neumann 1941): a step adds to one difference alone."""
    import numpy as np

    return float(np.sqrt(np.mean(np.diff(series) ** 2) / 2))


def _running_median(series: Values) -> Values:
    import numpy as np

    padded = np.pad(series, _WINDOW, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _WINDOW + 1)
    middle: Values = np.nanmedian(windows, axis=1)
    return middle


def _apart(values: Sequence[float], found: list[Change], scatter: float) -> list[Change]:
    """``found`` without changes that seeds explain, the least sure taken out first."""
    while scatter > 0 and found:
        edges = [0, *(change.index for change in found), len(values)]
        levels = [_draws(values[start:end]) for start, end in pairwise(edges)]
        sure = [
            abs(_mean(new) - _mean(old)) / (scatter * math.sqrt(1 / len(old) + 1 / len(new)))
            for old, new in pairwise(levels)
        ]
        if min(sure) >= _BEYOND:
            break
        del found[sure.index(min(sure))]
        found = _changes(values, [change.index for change in found])
    return found


def _draws(values: Sequence[float]) -> list[float]:
    """``values`` with equal neighbours once."""
    return [values[0], *(change.after for change in steps(values))]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _changes(values: Sequence[float], indices: Sequence[int]) -> list[Change]:
    from statistics import median

    if not indices:
        return []
    edges = [0, *indices, len(values)]
    levels = [median(values[start:end]) for start, end in pairwise(edges)]
    return [Change(index, levels[place], levels[place + 1]) for place, index in enumerate(indices)]
