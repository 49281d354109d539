"""Every figure of every configuration: a line a figure, a column a configuration; and the same for machines."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..comparison.figures import Line, Sheet, all_figures
from ..comparison.summary import Numbered, Row, Summary
from ..records import Record
from ..store import write_atomically
from ..text import csv_cell
from .formats import cell_text, heading, unit_of
from .grid import Grid, Strip, broken
from .tables import in_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = (
    *("row", "label", "dataset", "synthetic", "limit", "phase", "split", "metric", "figure", "title"),
    *("unit", "direction", "kind", "n", "mean", "low", "high", "reason", "note"),
)
_TRIALS = 15  # how wide the words on how trials ended may make a column of a terminal
_PHASES = {"after": "", "before": "before training"}


@dataclass(frozen=True)
class _Shown:
    """One line: the figure's heading, split and unit, then a text a configuration."""

    title: str
    split: str
    unit: str
    texts: Sequence[str]


@dataclass(frozen=True)
class _Laid:
    """What a person reads in any format: names and ``trials`` a configuration, lines in groups by title, and notes."""

    names: Sequence[Sequence[str]]
    trials: Sequence[str]
    groups: Sequence[tuple[str, Sequence[_Shown]]]
    notes: Sequence[str]
    explained: str


def _marked(text: str, sentences: Sequence[str], notes: Numbered) -> str:
    """Return ``text`` and the numbers of ``sentences``."""
    return " ".join([text, *(f"[{notes.number(sentence)}]" for sentence in dict.fromkeys(sentences))])


def _laid(summary: Summary, sheet: Sheet) -> _Laid:
    notes = Numbered()
    trials = [_marked(row.trials, sheet.remarks.get(row.row, ()), notes) for row in summary.rows]
    groups = [
        (_group_title(phase, metric), [_shown(line, summary.rows, notes) for line in group])
        for (phase, metric), group in groupby(sheet.lines, key=lambda line: (line.phase, line.column.metric))
    ]
    several = any(cell.interval and cell.interval.n > 1 for line in sheet.lines for cell in line.cells.values())
    return _Laid(
        names=[[row.names.get(name, "-") for name in summary.name_columns] for row in summary.rows],
        trials=trials,
        groups=groups,
        notes=list(notes),
        explained=(
            "mean ± half width of the 95 % interval (Student t over seeds)" if several else "one seed: no interval"
        ),
    )


def _group_title(phase: str, metric: str) -> str:
    words = _PHASES.get(phase, phase)
    return f"{metric}, {words}" if words and words != metric else metric


def _shown(line: Line, rows: Sequence[Row], notes: Numbered) -> _Shown:
    column = line.column
    said = {cell.notes for cell in line.cells.values() if cell.notes}
    common = next(iter(said)) if len(said) == 1 else ()
    title = _marked(heading(column.title, column.direction), common, notes)
    texts = []
    for row in rows:
        cell = line.cells.get(row.row)
        own = () if cell is None or cell.notes == common else cell.notes
        texts.append("-" if cell is None else _marked(cell_text(cell, column), [*cell.reasons, *own], notes))
    return _Shown(title, line.split, unit_of(column), texts)


def terminal(summary: Summary, sheet: Sheet) -> RenderableType:
    """The figures for a terminal, as many tables below each other as its width needs; every text is shown as it is."""
    from rich.console import Group
    from rich.text import Text

    laid = _laid(summary, sheet)
    left = [("trials", "")]
    columns = [["\n".join(broken(ended, _TRIALS))] for ended in laid.trials]
    for title, lines in laid.groups:
        left += [(title, ""), *((f"  {_with_split(line)}", line.unit) for line in lines)]
        for index, column in enumerate(columns):
            column += ["", *(line.texts[index] for line in lines)]
    grid = Grid(
        left=[
            Strip(["figure"], [Text(title, style="" if title.startswith("  ") else "bold") for title, _ in left]),
            Strip(["unit"], [Text(unit) for _, unit in left], slashes=True),
        ],
        figures=[
            Strip(words, [Text(text) for text in column]) for words, column in zip(laid.names, columns, strict=True)
        ],
    )
    return Group(
        *(Text(line, style="bold" if index == 0 else "dim") for index, line in enumerate(summary.caption)),
        grid,
        *(Text(f"[{number}] {note}", style="dim") for number, note in enumerate(laid.notes, start=1)),
        Text(laid.explained, style="dim"),
    )


def _with_split(line: _Shown) -> str:
    """Its title, and of which split it is: nothing is said of the test split, to keep columns narrow."""
    return line.title if line.split == "test" else f"{line.title}, {line.split}"


def markdown(summary: Summary, sheet: Sheet) -> str:
    """The same as a GitHub-flavoured table."""
    laid = _laid(summary, sheet)

    def line(*cells: str, left: str = "") -> str:
        return "| " + " | ".join([*([left] if left else []), *map(in_markdown, cells)]) + " |"

    empty = [""] * (2 + len(laid.names))
    rows = [
        line("figure", "split", "unit", *(" ".join(words) for words in laid.names)),
        "| " + " | ".join(["---"] * 3 + ["---:"] * len(laid.names)) + " |",
        line("", "", *laid.trials, left="**trials**"),
    ]
    for title, lines in laid.groups:
        rows.append(line(*empty, left=f"**{in_markdown(title)}**"))
        rows += [line(item.title, item.split, item.unit, *item.texts) for item in lines]
    caption = [
        f"**{in_markdown(text)}**" if index == 0 else in_markdown(text) for index, text in enumerate(summary.caption)
    ]
    notes = [f"{number}. {in_markdown(note)}" for number, note in enumerate(laid.notes, start=1)]
    return "\n".join(["\n\n".join(caption), "", *rows, "", *notes, "", in_markdown(laid.explained), ""])


def long_rows(summary: Summary, sheet: Sheet) -> list[dict[str, Any]]:
    """One mapping (:data:`COLUMNS`) a figure and configuration, unformatted, in the record's units; None where nothing is."""
    rows = []
    for line in sheet.lines:
        for row in (row for row in summary.rows if row.row in line.cells):
            cell = line.cells[row.row]
            interval = cell.interval
            rows.append(
                {
                    "row": row.row,
                    "label": row.label,
                    "dataset": row.dataset,
                    "synthetic": row.dataset in summary.synthetic,
                    "limit": summary.limit,
                    "phase": line.phase,
                    "split": line.split,
                    "metric": line.column.metric,
                    "figure": line.name,
                    "title": line.column.title,
                    "unit": line.column.unit,
                    "direction": line.column.direction,
                    "kind": line.column.kind,
                    "n": interval.n if interval else 0,
                    "mean": interval.mean if interval else None,
                    "low": interval.low if interval else None,
                    "high": interval.high if interval else None,
                    "reason": "; ".join(cell.reasons),
                    "note": "; ".join(cell.notes),
                }
            )
    return rows


def csv_text(summary: Summary, sheet: Sheet) -> str:
    """The long rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in long_rows(summary, sheet):
        cells = {**row, "synthetic": "yes" if row["synthetic"] else "no"}
        writer.writerow({name: csv_cell(value) for name, value in cells.items()})
    return out.getvalue()


def write_figures(
    records: Sequence[Record], timings: Mapping[str, Any] | None, summary: Summary, folder: Path
) -> list[Path]:
    """Write figures.csv and figures.md, every phase in both, into ``folder``."""
    sheet = all_figures(records, timings)
    written = []
    for name, text in (("csv", csv_text(summary, sheet)), ("md", markdown(summary, sheet))):
        path = folder / f"figures.{name}"
        write_atomically(path, text.encode())
        written.append(path)
    return written
