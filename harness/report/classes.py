"""Names of classes along an axis: how they are written, and how much room they take."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS = 28


def class_name(name: object) -> str:
    """A class as an axis names it: on one line, and without its middle where it is long."""
    plain = " ".join(str(name).split())
    if len(plain) <= _LETTERS:
        return plain
    kept = (_LETTERS - 1) // 2
    return f"{plain[: _LETTERS - 1 - kept]}…{plain[-kept:]}"


def longest(names: Iterable[str], points: float) -> float:
    """Inches that the longest of ``names`` takes, in letters of so many points."""
    from matplotlib.textpath import TextPath

    widths = (TextPath((0, 0), name, size=points).get_extents().width for name in names if name.strip())
    return max((float(width) for width in widths), default=0.0) / 72
