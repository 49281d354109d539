"""The comparison table: terminal, Markdown, CSV, LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..comparison.summary import Column, Row, Summary
from ..store import write_atomically
from ..text import csv_cell
from .formats import cell_text, heading, unit_of
from .grid import Grid, Strip

if TYPE_CHECKING:
    from rich.console import RenderableType

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}


def terminal(summary: Summary) -> RenderableType:
    """The table for a terminal; every text is shown as it is, never as markup."""
    from rich.console import Group
    from rich.text import Text

    def figure(row: Row, column: Column) -> Text:
        cell = row.cells[column.key]
        return Text(cell_text(cell, column), style="bold" if cell.best else "")

    grid = Grid(
        left=[Strip([name], [Text(row.names.get(name, "")) for row in summary.rows]) for name in summary.name_columns],
        figures=[
            Strip(
                [heading(column.title, column.direction), *([f"({unit_of(column)})"] if column.unit else [])],
                [figure(row, column) for row in summary.rows],
            )
            for column in summary.columns
        ],
        last=Strip(
            ["trials"],
            [Text(_ended(row), style="" if set(row.statuses) <= {"ok", "cached"} else "red") for row in summary.rows],
        ),
    )
    return Group(
        *(Text(line, style="bold" if index == 0 else "dim") for index, line in enumerate(summary.caption)),
        grid,
        *(Text(note, style="dim") for note in note_lines(summary)),
    )


def footnotes(summary: Summary) -> tuple[list[tuple[int, str]], list[str]]:
    """The notes that a row is marked with, by their numbers, and those that speak of the whole table and so need none."""
    marks = {number for row in summary.rows for number in row.notes}
    numbered = list(enumerate(summary.footnotes, start=1))
    return [item for item in numbered if item[0] in marks], [note for number, note in numbered if number not in marks]


def note_lines(summary: Summary) -> list[str]:
    """The notes as lines below the table, ``[1]`` before those that a row is marked with."""
    marked, general = footnotes(summary)
    return [*(f"[{number}] {note}" for number, note in marked), *general]


def _ended(row: Row) -> str:
    marks = " ".join(f"[{number}]" for number in row.notes)
    return f"{row.trials} {marks}".strip()


def texts(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """The headings, and the cells of every line, as they are shown."""
    return _headings(summary), _body(summary)


def _headings(summary: Summary) -> list[str]:
    figures = [heading(column.title, column.direction, unit_of(column)) for column in summary.columns]
    return [*summary.name_columns, *figures, "trials"]


def _body(summary: Summary) -> list[list[str]]:
    return [
        [
            *(row.names.get(name, "") for name in summary.name_columns),
            *(cell_text(row.cells[column.key], column) for column in summary.columns),
            _ended(row),
        ]
        for row in summary.rows
    ]


def markdown(summary: Summary) -> str:
    """A GitHub-flavoured table with caption and footnotes."""
    lines = [
        f"**{in_markdown(line)}**" if index == 0 else in_markdown(line) for index, line in enumerate(summary.caption)
    ]
    left = len(summary.name_columns)
    headings = _headings(summary)
    rule = ["---" if index < left or index == len(headings) - 1 else "---:" for index in range(len(headings))]
    table = [headings, *_body(summary)]
    rendered = ["| " + " | ".join(in_markdown(cell) for cell in line) + " |" for line in table]
    rendered.insert(1, "| " + " | ".join(rule) + " |")
    marked, general = footnotes(summary)
    notes = [f"{number}. {in_markdown(note)}" for number, note in marked]
    said = ["\n".join(notes), *map(in_markdown, general)]
    return "\n\n".join(["\n\n".join(lines), "\n".join(rendered), *filter(None, said)]) + "\n"


def in_markdown(text: str) -> str:
    """``text`` in a line or a cell of Markdown, shown as it is."""
    for character in "\\|*_[]<>`":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def csv_text(summary: Summary) -> str:
    """One line a configuration: mean, low, high and n of every figure, unformatted, in the record's units."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    figures = [part for column in summary.columns for part in _csv_names(column.key, column.unit)]
    heading = ["row", "label", "dataset", "synthetic", "limit", *summary.name_columns, *figures, "trials", "error"]
    writer.writerow(map(csv_cell, heading))
    for row in summary.rows:
        values: list[object] = []
        for column in summary.columns:
            interval = row.cells[column.key].interval
            values += ["", "", "", ""] if interval is None else [interval.mean, interval.low, interval.high, interval.n]
        limit = "" if summary.limit is None else summary.limit
        synthetic = "yes" if row.dataset in summary.synthetic else "no"
        names = [row.names.get(name, "") for name in summary.name_columns]
        cells = [row.row, row.label, row.dataset, synthetic, limit, *names, *values, row.trials, row.error]
        writer.writerow(map(csv_cell, cells))
    return out.getvalue()


def _csv_names(key: str, unit: str) -> Sequence[str]:
    suffix = f" [{unit}]" if unit else ""
    return [f"{key}{suffix}", f"{key} low", f"{key} high", f"{key} n"]


def latex(summary: Summary) -> str:
    """A table environment for the package booktabs."""
    left = len(summary.name_columns)
    columns = "l" * left + "r" * len(summary.columns) + "l"
    lines = [" & ".join(_latex(cell) for cell in line) + r" \\" for line in _body(summary)]
    notes = [rf"\footnotesize {_latex(note)}\\" for note in note_lines(summary)]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex('; '.join(summary.caption))}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(_latex(title) for title in _headings(summary)) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def write_tables(summary: Summary, folder: Path) -> list[Path]:
    """Write table.md, table.csv and table.tex into ``folder``."""
    written = []
    for name, text in (("md", markdown(summary)), ("csv", csv_text(summary)), ("tex", latex(summary))):
        path = folder / f"table.{name}"
        write_atomically(path, text.encode())
        written.append(path)
    return written
