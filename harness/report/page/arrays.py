"""What metrics hand over by class, by layer and by pairs of classes, collected by figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...records import Record
from ..drawings import number, numbers, on_test


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
    for record, given in on_test(done):
        layers = _arrays(given).get("layers")
        if isinstance(layers, dict) and layers:
            values = {str(name): number(value) for name, value in layers.items()}
            _part(found, given).rows.setdefault(record.row, []).append(values)
    return sorted(found.values(), key=lambda part: part.role != "cost")


def by_class(done: Sequence[Record]) -> list[ByPart]:
    """Every quality and cost on the test split with a value a class."""
    found: dict[tuple[str, str], ByPart] = {}
    for record, given in on_test(done):
        values = numbers(_arrays(given).get("per_class"))
        if values and given.get("role") in ("quality", "cost"):
            names = class_names(record, len(values))
            _part(found, given).rows.setdefault(record.row, []).append(dict(zip(names, values, strict=True)))
    return sorted(found.values(), key=lambda part: part.role != "quality")


def confusions(done: Sequence[Record]) -> dict[tuple[str, str, str], dict[str, list[list[list[int]]]]]:
    """By value (name, title and metric) and row: how often a class (first index) was taken for another, a matrix a seed."""
    found: dict[tuple[str, str, str], dict[str, list[list[list[int]]]]] = {}
    for record, given in on_test(done):
        matrix = _arrays(given).get("confusion")
        if not isinstance(matrix, list) or not matrix:
            continue
        counts = [[int(value or 0) for value in numbers(line)] for line in matrix]
        if all(len(line) == len(counts) and min(line) >= 0 for line in counts):
            key = (str(given["name"]), str(given["title"]), str(given["metric"]))
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


def _arrays(given: Mapping[str, Any]) -> Mapping[str, Any]:
    arrays = given.get("arrays")
    return arrays if isinstance(arrays, dict) else {}
