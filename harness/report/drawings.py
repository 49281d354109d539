"""The curves and histograms that metrics hand over, collected by figure: a panel a drawing, in it a list a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..comparison.summary import Row, metric_rows
from ..records import Record

_MOST = 1e100  # of a number: what is larger no axis holds

Drawing = Mapping[str, Any]
"""One curve or histogram as a record holds it."""

Panel = dict[str, list[Drawing]]
"""Drawings by row, one a seed."""

CURVE = ("x_title", "x_unit", "y_title", "y_unit")
HISTOGRAM = ("title", "unit", "what")


@dataclass
class Collected:
    """What one figure is drawn from. A panel's key is its name and its labels: what is labelled differently shares no axes."""

    name: str
    title: str
    panels: dict[tuple[str, ...], Panel] = field(default_factory=dict)

    def add(self, row: str, name: str, drawing: Drawing, labels: Sequence[str]) -> None:
        """Add one seed's drawing called ``name``."""
        key = (name, *(str(drawing.get(label, "")) for label in labels))
        self.panels.setdefault(key, {}).setdefault(row, []).append(drawing)


def curves(rows: Sequence[Row], done: Sequence[Record], timings: Mapping[str, Any] | None) -> list[Collected]:
    """Every figure on the test split, or timed, that has curves."""
    found: dict[tuple[str, ...], Collected] = {}
    for row, given in _given(rows, done, timings):
        for name, curve in _named(given, "curves"):
            x = numbers(curve.get("x"))
            if 0 < len(x) == len(numbers(curve.get("y"))) and None not in x:
                key = (str(given["phase"]), str(given["metric"]), str(given["name"]))
                found.setdefault(key, Collected(str(given["name"]), str(given["title"]))).add(row, name, curve, CURVE)
    return list(found.values())


def histograms(rows: Sequence[Row], done: Sequence[Record]) -> list[Collected]:
    """Every figure on the test split that has histograms."""
    found: dict[tuple[str, ...], Collected] = {}
    for row, given in _given(rows, done, None):
        for name, histogram in _named(given, "histograms"):
            edges, counts = numbers(histogram.get("edges")), numbers(histogram.get("counts"))
            if None not in (*edges, *counts) and len(edges) == len(counts) + 1 and sum(filter(None, counts)) > 0:
                key = (str(given["metric"]), str(given["name"]))
                found.setdefault(key, Collected(str(given["name"]), str(given["title"]))).add(
                    row, name, histogram, HISTOGRAM
                )
    return list(found.values())


def number(value: object) -> float | None:
    """``value`` where it is a number that can be drawn, else None."""
    if type(value) is float:  # nearly all are
        return value if -_MOST <= value <= _MOST else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if abs(converted) <= _MOST else None


def numbers(values: object) -> list[float | None]:
    """Each of ``values`` as :func:`number` sees it; nothing where they are no list."""
    return [number(value) for value in values] if isinstance(values, (list, tuple)) else []


def on_test(done: Iterable[Record]) -> Iterable[tuple[Record, Mapping[str, Any]]]:
    """The figures of ``done`` on the test split that have no error, each with its record."""
    for record in done:
        yield from ((record, row) for row in metric_rows(record) if row["split"] == "test" and "error" not in row)


def _given(
    rows: Sequence[Row], done: Sequence[Record], timings: Mapping[str, Any] | None
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    yield from ((record.row, row) for record, row in on_test(done))
    for row in rows:
        timed = (timings or {}).get("rows", {}).get(row.row, {})
        yield from ((row.row, item) for item in timed.get("metrics", ()) if "error" not in item)


def _named(given: Mapping[str, Any], kind: str) -> Iterable[tuple[str, Drawing]]:
    drawings = given.get(kind)
    if isinstance(drawings, dict):
        yield from ((str(name), drawing) for name, drawing in drawings.items() if isinstance(drawing, dict))
