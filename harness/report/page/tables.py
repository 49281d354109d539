"""The page's tables: the comparison, every figure, every trial."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ...comparison.figures import Line
from ...comparison.summary import Cell, Column, Row, Summary, levelled
from ..formats import cell_text, heading, unit_of
from ..tables import footnotes
from .elements import Child, Markup, tag
from .gathering import Trial
from .looks import swatch
from .series import Series


def comparison(summary: Summary, series: Sequence[Series]) -> Markup:
    """A row a configuration, as in the terminal, sorted and filtered by a script."""
    by_row = {one.row.row: one for one in series}
    head = [
        tag("th", "", scope="col", class_="mark", aria_label="look in the charts"),
        *(tag("th", name, scope="col", data_sort="text") for name in summary.name_columns),
        *(_figure_head(column) for column in summary.columns),
        tag("th", "trials", scope="col", data_sort="text"),
    ]
    values = {column.key: _values(summary.rows, column) for column in summary.columns}
    body = [
        tag(
            "tr",
            tag("td", swatch(by_row[row.row].index), class_="mark"),
            _names(row, summary),
            [
                _figure_cell(row.cells[column.key], column, values[column.key].get(row.row))
                for column in summary.columns
            ],
            tag("td", _ended(row), class_="words"),
            data_row=by_row[row.row].number,
        )
        for row in summary.rows
    ]
    marked, general = footnotes(summary)
    notes = [
        tag("ol", [tag("li", note, id=f"note-{number}", value=number) for number, note in marked], class_="notes")
        if marked
        else None,
        [tag("p", note, class_="note") for note in general],
    ]
    return _table("comparison", head, body, "configurations", notes=notes)


def _names(row: Row, summary: Summary) -> list[Markup]:
    cells = []
    for index, name in enumerate(summary.name_columns):
        text = tag("bdi", row.names.get(name, ""))
        cells.append(tag("td", text, class_="words") if index else tag("th", text, scope="row", class_="words"))
    return cells


def _figure_head(column: Column) -> Markup:
    unit = unit_of(column)
    return tag(
        "th",
        heading(column.title, column.direction),
        tag("span", f" ({unit})", class_="unit") if unit else None,
        scope="col",
        data_sort="number",
        data_key=column.key,
    )


def _values(rows: Sequence[Row], column: Column) -> dict[str, float]:
    """By row: what a script sorts by, where what is shown alike is equal."""
    known = {row.row: float(interval.mean) for row in rows if (interval := row.cells[column.key].interval) is not None}
    return dict(zip(known, levelled(list(known.values())), strict=True))


def _figure_cell(cell: Cell, column: Column, value: float | None) -> Markup:
    return tag(
        "td",
        cell_text(cell, column),
        data_v=None if value is None else repr(value),
        class_="best" if cell.best else None,
    )


def _ended(row: Row) -> list[Child]:
    links = [tag("a", f"[{number}]", href=f"#note-{number}") for number in row.notes]
    bad = set(row.statuses) - {"ok", "cached"}
    return [tag("span", row.trials, class_="bad" if bad else None), *(part for link in links for part in (" ", link))]


def _table(name: str, head: Child, body: Child, what: str, *, notes: Child = None) -> Markup:
    """A table that scrolls where it is too wide, with a filter above that a script brings to life."""
    return tag(
        "div",
        tag(
            "p",
            tag("label", f"Filter {what} ", tag("input", type="search", data_filter=name, placeholder="words")),
            tag("span", class_="count muted", data_count=name, aria_live="polite"),
            class_="tools",
        ),
        tag(
            "div",
            tag("table", tag("thead", tag("tr", head)), tag("tbody", body), id=name, class_="sortable"),
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label=f"table of {what}",
        ),
        notes,
    )


def every_figure(lines: Sequence[Line], series: Sequence[Series]) -> Markup | None:
    """A line a figure, a column a configuration, folded."""
    if not lines:
        return None
    head = [
        *(tag("th", title, scope="col", data_sort="text") for title in ("figure", "phase", "split", "unit")),
        *(
            tag("th", swatch(one.index), tag("bdi", _whole_name(one)), scope="col", data_sort="number")
            for one in series
        ),
    ]
    body = [
        tag(
            "tr",
            tag("th", heading(line.column.title, line.column.direction), scope="row", class_="words"),
            tag("td", line.phase, class_="words"),
            tag("td", line.split, class_="words"),
            tag("td", unit_of(line.column), class_="words"),
            [_sheet_cell(line, one) for one in series],
        )
        for line in lines
    ]
    table = _table("figures", head, body, "figures")
    return tag("details", tag("summary", f"All {len(lines)} figures of every configuration"), table, class_="wide")


def _whole_name(one: Series) -> str:
    named = one.row.names.get("dataset")
    return f"{named} {one.name}" if named else one.name


def _sheet_cell(line: Line, one: Series) -> Markup:
    cell = line.cells.get(one.row.row)
    if cell is None:
        return tag("td", "-")
    value = None if cell.interval is None else repr(float(cell.interval.mean))
    return tag("td", cell_text(cell, line.column), data_v=value, title="; ".join(cell.reasons) or None)


def every_trial(trials: Sequence[Trial], place: Path, several_runs: bool) -> Markup:
    """A row a trial, with links to its record and its log."""
    titles = [
        ("trial", "text"),
        ("seed", "number"),
        ("status", "text"),
        *([("run", "text")] if several_runs else []),
        ("started", "text"),
        ("seconds", "number"),
        ("record", ""),
        ("log", ""),
    ]
    head = [tag("th", title, scope="col", data_sort=kind or None) for title, kind in titles]
    body = [_trial(trial, place, several_runs) for trial in trials]
    return _table("trials", head, body, "trials")


def _trial(trial: Trial, place: Path, several_runs: bool) -> Markup:
    record = trial.record
    seconds = sum(value for value in record.timings.values() if isinstance(value, (int, float)))
    log = trial.log
    origin = record.provenance.get("cached_from")
    return tag(
        "tr",
        tag("th", tag("bdi", record.label), scope="row", class_="words"),
        tag("td", record.seed, data_v=record.seed),
        tag(
            "td",
            tag("span", str(record.status), class_="good" if record.status == "ok" else "bad"),
            tag("span", f" (reused from {origin})", class_="muted") if origin else None,
            class_="words",
        ),
        tag("td", trial.run.id, class_="words") if several_runs else None,
        tag("td", str(record.started)[:19].replace("T", " "), class_="words"),
        tag("td", f"{seconds:.1f}" if record.timings else "-", data_v=seconds),
        tag("td", link("JSON", trial.path, place), class_="words"),
        tag("td", link("log", log, place) if log is not None else "-", class_="words"),
    )


def link(text: str, path: Path, place: Path) -> Markup:
    """A link from a page in the folder ``place`` to a file, by a relative address, so that a folder can be moved with its page."""
    return tag("a", text, href=quote(os.path.relpath(path, place)))
