"""Numbers as a person reads them: as many digits as the interval bears."""

from __future__ import annotations

import math

from ..comparison.statistics import Interval
from ..comparison.summary import Cell, Column

ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def unit_of(column: Column) -> str:
    """The unit that the column's numbers are shown in."""
    return "%" if column.unit == "fraction" else column.unit


def cell_text(cell: Cell, column: Column, plus_minus: str = "±") -> str:
    """``52.3 ± 1.8``, ``12.4 k``, ``error`` or ``-``; the unit stands in the heading."""
    if cell.error:
        return cell.error
    if cell.interval is None:
        return "-"
    return interval_text(cell.interval, column.unit, plus_minus) + ("*" if cell.best else "")


def interval_text(interval: Interval, unit: str, plus_minus: str = "±") -> str:
    """Mean and half width, in one scale and with the same decimals."""
    factor, suffix = (100.0, "") if unit == "fraction" else _scale(interval.mean)
    mean = interval.mean * factor
    half = None if interval.half_width is None else interval.half_width * factor
    decimals = 1 if unit == "fraction" else _decimals(mean, half)
    text = f"{mean:.{decimals}f}"
    if half is not None:
        text += f" {plus_minus} {half:.{decimals}f}"
    return f"{text} {suffix}".strip()


def _scale(mean: float) -> tuple[float, str]:
    for size, prefix in _PREFIXES:
        if abs(mean) >= size:
            return 1 / size, prefix
    return 1.0, ""


def _decimals(mean: float, half: float | None) -> int:
    """Two digits of the half width, or three of the mean where there is none."""
    base = half if half else mean
    digits = 2 if half else 3
    if not base or not math.isfinite(base):
        return 1
    return min(max(digits - 1 - math.floor(math.log10(abs(base))), 0), 6)
