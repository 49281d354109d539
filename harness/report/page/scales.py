"""From values to places in a chart, and the numbers that stand along its axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..formats import shown_factor, shown_unit

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
# Of its largest number, how far an axis reaches at least: what differs by less should not look far apart.
_LEAST = 0.02
_EDGES = 8  # written along an axis, at most


@dataclass(frozen=True)
class Axis:
    """``low`` to ``high``, in what is shown (per cent for fractions), along pixels ``start`` to ``end``.

    ``whole`` numbers it with integers alone. Where there are ``edges``, 0, 1, ... are their places, all equally far apart.
    """

    title: str
    unit: str
    low: float
    high: float
    start: float
    end: float
    whole: bool = False
    edges: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The title and the unit that its numbers are shown in."""
        unit = shown_unit(self.unit)
        return f"{self.title} ({unit})" if unit else self.title

    def at(self, shown: float) -> float:
        """The pixel of a number as it is shown; outside of the axis it is that of its end, or somewhat beyond."""
        share = (shown - self.low) / (self.high - self.low)
        return self.start + min(max(share, -1.0), 2.0) * (self.end - self.start)

    def of(self, value: float) -> float:
        """The pixel of a value in the record's unit."""
        return self.at(value * shown_factor(self.unit))

    def ticks(self) -> list[tuple[float, str]]:
        """Pixels and numbers, about five."""
        if self.edges:
            every, factor = -(-len(self.edges) // _EDGES), shown_factor(self.unit)
            return [(self.at(place), f"{self.edges[place] * factor:.3g}") for place in range(0, len(self.edges), every)]
        step = _step(self.low, self.high, self.whole)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [index * step for index in range(first, last + 1)]
        return [(self.at(value), text) for value, text in zip(values, tick_texts(values, step), strict=True)]


def _step(low: float, high: float, whole: bool = False) -> float:
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    return float(max(1, round(step))) if whole else step


def tick_texts(values: Sequence[float], step: float) -> list[str]:
    """Numbers ``step`` apart with one prefix and as many decimals as they need."""
    largest = max(map(abs, values), default=0.0)
    scale, prefix = next(((size, name) for size, name in _PREFIXES if largest >= size), (1.0, ""))
    if 0 < largest < 1e-3 or largest >= 1e15:
        return [f"{value:.3g}" for value in values]
    decimals = next(
        (count for count in range(7) if math.isclose(round(step / scale, count), step / scale, rel_tol=1e-6)), 7
    )
    return [f"{value / scale:.{decimals}f}{prefix if value else ''}" for value in values]


def axis(
    title: str,
    unit: str,
    values: Iterable[float],
    start: float,
    end: float,
    *,
    margin: float = 0.05,
    zero: bool = False,
    whole: bool = False,
) -> Axis:
    """An axis that holds all of ``values`` (in the record's unit), of which there is at least one.

    ``zero`` begins it at 0 where nothing is below; ``whole`` numbers it with integers alone. Where values cannot be negative, or beyond
    100 %, neither is the axis.
    """
    factor = shown_factor(unit)
    shown = [value * factor for value in values]
    low, high = min(shown), max(shown)
    least = 0.0 if low >= 0 else -math.inf
    most = max(high, 100.0) if unit == "fraction" else math.inf
    if zero:
        low = min(low, 0.0)
    room = max(high - low, _LEAST * max(abs(low), abs(high)), 1e-12)
    middle = (low + high) / 2
    low, high = min(low, middle - room / 2), max(high, middle + room / 2)
    low, high = max(low - margin * room, least), min(high + margin * room, most)
    if zero and least == 0:
        low = 0.0
    return Axis(title, unit, low, high if high > low else low + 1.0, start, end, whole)
