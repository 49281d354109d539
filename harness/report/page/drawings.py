"""The curves and histograms that metrics hand over, collected by figure: a panel a drawing, in it a list a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...comparison.summary import Row, metric_rows
from ...records import Record
from .scales import number, numbers

Drawing = Mapping[str, Any]
"""One curve or histogram as a record holds it."""

Panel = dict[str, list[Drawing]]
"""Drawings by row, one a seed."""

CURVE = ("x_title", "x_unit", "y_title", "y_unit")
HISTOGRAM = ("title", "unit", "what")


@dataclass
class Collected:
    """What one figure is drawn from. A panel's key is its name and its labels: what is labelled differently shares no axes."""

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
                found.setdefault(key, Collected(str(given["title"]))).add(row, name, curve, CURVE)
    return list(found.values())


def histograms(rows: Sequence[Row], done: Sequence[Record]) -> list[Collected]:
    """Every figure on the test split that has histograms."""
    found: dict[tuple[str, ...], Collected] = {}
    for row, given in _given(rows, done, None):
        for name, histogram in _named(given, "histograms"):
            edges, counts = numbers(histogram.get("edges")), numbers(histogram.get("counts"))
            if None not in (*edges, *counts) and len(edges) == len(counts) + 1 and sum(filter(None, counts)) > 0:
                key = (str(given["metric"]), str(given["name"]))
                found.setdefault(key, Collected(str(given["title"]))).add(row, name, histogram, HISTOGRAM)
    return list(found.values())


@dataclass(frozen=True)
class ByPart:
    """A figure's values by class, or by layer: of every row one mapping a seed."""

    title: str
    unit: str
    role: str
    rows: dict[str, list[Mapping[str, float | None]]]


def by_layer(done: Sequence[Record]) -> list[ByPart]:
    """Every figure on the test split with a value a layer, costs first."""
    found: dict[tuple[str, str], ByPart] = {}
    for record, given in _test(done):
        layers = _arrays(given).get("layers")
        if isinstance(layers, dict) and layers:
            values = {str(name): number(value) for name, value in layers.items()}
            _part(found, given).rows.setdefault(record.row, []).append(values)
    return sorted(found.values(), key=lambda part: part.role != "cost")


def by_class(done: Sequence[Record]) -> list[ByPart]:
    """Every quality and cost on the test split with a value a class."""
    found: dict[tuple[str, str], ByPart] = {}
    for record, given in _test(done):
        values = numbers(_arrays(given).get("per_class"))
        if values and given.get("role") in ("quality", "cost"):
            names = class_names(record, len(values))
            _part(found, given).rows.setdefault(record.row, []).append(dict(zip(names, values, strict=True)))
    return sorted(found.values(), key=lambda part: part.role != "quality")


def confusions(done: Sequence[Record]) -> dict[tuple[str, str], dict[str, list[list[list[int]]]]]:
    """By figure (name and title) and row: how often a class (first index) was taken for another, a matrix a seed."""
    found: dict[tuple[str, str], dict[str, list[list[list[int]]]]] = {}
    for record, given in _test(done):
        matrix = _arrays(given).get("confusion")
        if not isinstance(matrix, list) or not matrix:
            continue
        counts = [[int(value or 0) for value in numbers(line)] for line in matrix]
        if all(len(line) == len(counts) and min(line) >= 0 for line in counts):
            key = (str(given["name"]), str(given["title"]))
            found.setdefault(key, {}).setdefault(record.row, []).append(counts)
    return found


def class_names(record: Record, count: int) -> list[str]:
    """The names of ``count`` classes, each different; their numbers where the record names others."""
    names = record.data.get("classes")
    if isinstance(names, list) and len(names) == count == len(set(map(str, names))):
        return [str(name) for name in names]
    return [str(index) for index in range(count)]


def _part(found: dict[tuple[str, str], ByPart], given: Mapping[str, Any]) -> ByPart:
    key = (str(given["metric"]), str(given["name"]))
    return found.setdefault(key, ByPart(str(given["title"]), str(given["unit"]), str(given.get("role")), {}))


def _test(done: Iterable[Record]) -> Iterable[tuple[Record, Mapping[str, Any]]]:
    for record in done:
        yield from ((record, row) for row in metric_rows(record) if row["split"] == "test" and "error" not in row)


def _given(
    rows: Sequence[Row], done: Sequence[Record], timings: Mapping[str, Any] | None
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    yield from ((record.row, row) for record, row in _test(done))
    for row in rows:
        timed = (timings or {}).get("rows", {}).get(row.row, {})
        yield from ((row.row, item) for item in timed.get("metrics", ()) if "error" not in item)


def _named(given: Mapping[str, Any], kind: str) -> Iterable[tuple[str, Drawing]]:
    drawings = given.get(kind)
    if isinstance(drawings, dict):
        yield from ((str(name), drawing) for name, drawing in drawings.items() if isinstance(drawing, dict))


def _arrays(given: Mapping[str, Any]) -> Mapping[str, Any]:
    arrays = given.get("arrays")
    return arrays if isinstance(arrays, dict) else {}
