"""Every figure of every configuration, not only those that become columns of the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..metric_rows import meaning
from ..records import Record, Status
from .summary import Cell, Column, column_of, distinct, failures, folded

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
        Line(place[0], place[1], name, column, {**lost, **_cells(place, column, given)})
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


def _columns(given: Mapping[str, Mapping[Place, Rows]]) -> list[tuple[Place, str, Column]]:
    """Every value; for one that failed wherever its metric ran, and so has no unit, a line by its own name."""
    found: list[tuple[Place, Column]] = []
    for place in dict.fromkeys(place for places in given.values() for place in places):
        phase, split, metric = place
        firsts: dict[tuple[str, ...], Mapping[str, Any]] = {}
        failed: dict[str, None] = {}
        for row in (row for places in given.values() for row in places.get(place, ())):
            if "error" in row:
                failed[row["name"]] = None
            else:
                firsts.setdefault(meaning(row), row)
        columns = [column_of(row, f"{phase}.{split}.{row['name']}", row["title"]) for row in firsts.values()]
        names = {column.name for column in columns}
        # The error of a whole metric stands in the lines of its values.
        alone = [name for name in failed if name not in names and (name != metric or not columns)]
        columns += [Column(f"{phase}.{split}.{name}", name, "", "none", "", "detail", metric, name) for name in alone]
        found += [(place, column) for column in columns]
    named = distinct([column for _, column in found])
    return [(place, column.name, column) for (place, _), column in zip(found, named, strict=True)]


def _cells(place: Place, column: Column, given: Mapping[str, Mapping[Place, Rows]]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for row, places in given.items():
        mine = [item for item in places.get(place, ()) if column.holds(item)]
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
