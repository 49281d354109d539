"""Numbers as a person reads them: as many digits as the interval bears."""

from __future__ import annotations

import math

from ..comparison.statistics import Interval
from ..comparison.summary import Cell, Column

ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SMALLEST = (
    1e-3  # below it a number is written with a power of ten: m, µ and n would misread before units such as spikes/step
)


def shown_unit(unit: str) -> str:
    """The unit that numbers of ``unit`` are shown in."""
    return "%" if unit == "fraction" else unit


def shown_factor(unit: str) -> float:
    """What numbers of ``unit`` are multiplied with to be shown."""
    return 100.0 if unit == "fraction" else 1.0


def unit_of(column: Column) -> str:
    """The unit that the column's numbers are shown in."""
    return shown_unit(column.unit)


def heading(title: str, direction: str, unit: str = "") -> str:
    """``accuracy ↑ (%)``: a title, which direction is better, and the unit."""
    shown = f"{title} {ARROWS.get(direction, '')}".strip()
    return f"{shown} ({unit})" if unit else shown


def cell_text(cell: Cell, column: Column, plus_minus: str = "±") -> str:
    """``52.3 ± 1.8``, ``12.4 k``, ``error`` or ``-``; the unit stands in the heading."""
    if cell.error:
        return cell.error
    if cell.interval is None:
        return "-"
    return interval_text(cell.interval, column.unit, plus_minus) + ("*" if cell.best else "")


def interval_text(interval: Interval, unit: str, plus_minus: str = "±") -> str:
    """Mean and half width, in one scale and with the same decimals: ``12.40 ± 0.24 k``, ``(1.20 ± 0.11)e-05``."""
    factor = shown_factor(unit)
    mean = interval.mean * factor
    half = None if interval.half_width is None else interval.half_width * factor
    size = max(abs(mean), half or 0.0)
    if 0 < size < _SMALLEST:
        return _power_text(mean, half, size, plus_minus)
    scale, suffix = (1.0, "") if unit == "fraction" else _scale(mean)
    mean, half = mean * scale, None if half is None else half * scale
    # A tenth of a per cent is enough, unless nothing would be left of the number.
    decimals = 1 if unit == "fraction" and not 0 < size < 0.05 else _decimals(mean, half)
    text = f"{mean:.{decimals}f}"
    if half is not None:
        text += f" {plus_minus} {half:.{decimals}f}"
    return f"{text} {suffix}".strip()


def _power_text(mean: float, half: float | None, size: float, plus_minus: str) -> str:
    if half is None:
        return f"{mean:.2e}"
    power = f"{size:.2e}".partition("e")[2]
    mean, half = mean / float(f"1e{power}"), half / float(f"1e{power}")
    decimals = _decimals(mean, half)
    return f"({mean:.{decimals}f} {plus_minus} {half:.{decimals}f})e{power}"


def _scale(mean: float) -> tuple[float, str]:
    for size, prefix in _PREFIXES:
        if abs(mean) >= size:
            return 1 / size, prefix
    return 1.0, ""


def _decimals(mean: float, half: float | None) -> int:
    """Two digits of the half width, or three of the mean where there is none; of the mean no more than five."""
    base = half if half else mean
    digits = 2 if half else 3
    if not base or not math.isfinite(base):
        return 1
    decimals = digits - 1 - _power(base)
    if mean and _power(mean) >= _power(base):
        decimals = min(decimals, 4 - _power(mean))
    return min(max(decimals, 0), 6)


def _power(value: float) -> int:
    return math.floor(math.log10(abs(value)))
