"""Every figure of every configuration, not only those that become columns of the table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Record, Status
from .summary import Cell, Column, column_of, failures, folded

Rows = Sequence[Mapping[str, Any]]
Place = tuple[str, str, str]  # phase, split, metric

_PHASES = {"after": 0, "timing": 1, "before": 3}  # any other stands between
_SPLITS = {"test": 0, "validation": 1, "train": 2}


@dataclass(frozen=True)
class Line:
    """One figure of a phase and a split; ``cells`` by row, without the rows that know no such figure."""

    phase: str
    split: str
    name: str
    column: Column
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Sheet:
    """Lines, and ``remarks`` by row: trials that failed, and what the others warned of."""

    lines: tuple[Line, ...]
    remarks: Mapping[str, tuple[str, ...]]


def all_figures(
    records: Sequence[Record], timings: Mapping[str, Any] | None = None, phases: Collection[str] | None = None
) -> Sheet:
    """Every figure in ``records`` and ``timings`` (what timings.json holds), those of ``phases`` or of all.

    Figures of one metric and phase follow each other; trained networks come first, untrained ones last. A configuration
    whose trials all failed has a cell in every line that says why.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.row, []).append(record)
    given = {row: _by_place(group, timings) for row, group in groups.items()}
    lost = {
        row: Cell(reasons=tuple(failures(group)))
        for row, group in groups.items()
        if not any(record.status is Status.OK for record in group)
    }
    lines = [
        Line(place[0], place[1], name, column, {**lost, **_cells(place, name, given)})
        for place, name, column in _columns(given)
        if phases is None or place[0] in phases
    ]
    remarks = {
        row: [*failures(group), *(text for record in group for text in record.warnings)]
        for row, group in groups.items()
    }
    return Sheet(tuple(_sorted(lines)), {row: tuple(dict.fromkeys(texts)) for row, texts in remarks.items()})


def _by_place(group: Sequence[Record], timings: Mapping[str, Any] | None) -> dict[Place, list[Mapping[str, Any]]]:
    rows = [row for record in group if record.status is Status.OK for row in record.figures()]
    rows += (timings or {}).get("rows", {}).get(group[0].row, {}).get("metrics", ())
    found: dict[Place, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["phase"], row["split"], row["metric"]), []).append(row)
    return found


def _columns(given: Mapping[str, Mapping[Place, Rows]]) -> Iterator[tuple[Place, str, Column]]:
    """Every figure; for a metric that failed wherever it ran, and so has none, a line by its own name."""
    for place in dict.fromkeys(place for places in given.values() for place in places):
        phase, split, metric = place
        rows = [row for places in given.values() for row in places.get(place, ())]
        firsts: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            if "error" not in row:
                firsts.setdefault(row["name"], row)
        for name, row in firsts.items():
            yield place, name, column_of(row, f"{phase}.{split}.{name}", row["title"])
        if not firsts:
            yield place, metric, Column(f"{phase}.{split}.{metric}", metric, "", "none", "", "detail", metric)


def _cells(place: Place, name: str, given: Mapping[str, Mapping[Place, Rows]]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for row, places in given.items():
        mine = [item for item in places.get(place, ()) if "error" in item or item["name"] == name]
        if mine:
            cells[row] = folded(mine)
    return cells


def _sorted(lines: Sequence[Line]) -> list[Line]:
    metrics = list(dict.fromkeys(line.column.metric for line in lines))
    names = list(dict.fromkeys(line.name for line in lines))
    return sorted(
        lines,
        key=lambda line: (
            _PHASES.get(line.phase, 2),
            metrics.index(line.column.metric),
            names.index(line.name),
            _SPLITS.get(line.split, 3),
        ),
    )
