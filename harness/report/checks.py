"""A check as a table for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..comparison.statistics import Interval
from ..comparison.summary import Numbered
from ..comparison.verdicts import IDENTICAL, Check, Mark, Verdict, amount
from ..text import one_line
from .formats import heading, interval_text, shown_unit
from .tables import in_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType

MARKS = {
    Mark.WORSE: "▼ worse",
    Mark.BETTER: "▲ better",
    Mark.SAME: "= same",
    Mark.NOT_WORSE: "≥ not worse",
    Mark.INCONCLUSIVE: "? inconclusive",
    Mark.NOT_COMPARABLE: "- not comparable",
}
_STYLES = {
    Mark.WORSE: "bold red",
    Mark.BETTER: "green",
    Mark.SAME: "",
    Mark.NOT_WORSE: "",
    Mark.INCONCLUSIVE: "yellow",
    Mark.NOT_COMPARABLE: "dim",
}
_HEADINGS = ("old", "new", "change", "margin", "detects")
_EXPLAINED = (
    "change: new minus old, in percentage points (pp) or per cent of old; margin: the loss that is let pass; "
    "detects: the loss that such a check finds in 80 of 100 cases"
)


@dataclass(frozen=True)
class _Line:
    """One verdict as texts; ``figures`` go by ``_HEADINGS``, ``notes`` number footnotes from 1."""

    label: str
    figure: str
    figures: tuple[str, ...]
    mark: Mark
    notes: tuple[int, ...]


def summary_line(check: Check, *, code: int | None) -> str:
    """``failed: 1 worse, 3 same``: how a check ended; a ``code`` of None is a comparison that nothing hangs on."""
    counts = [f"{len(found)} {mark}" for mark in Mark if (found := check.having(mark))]
    word = {None: "compared", 0: "passed", 1: "failed", 6: "not comparable"}.get(code, "ended")
    return one_line(f"{word}: {check.new} against {check.old}: {', '.join(counts) or 'nothing to compare'}")


def _laid(check: Check) -> tuple[list[_Line], list[str]]:
    notes = Numbered()
    lines: list[_Line] = []
    label = ""
    for verdict in check.verdicts:
        marks = [notes.number(one_line(sentence)) for sentence in filter(None, [verdict.reason, *_bases(verdict)])]
        name = heading(verdict.title, verdict.direction, shown_unit(verdict.unit)) if verdict.figure else "-"
        shown = "" if verdict.label == label else verdict.label
        lines.append(_Line(one_line(shown), one_line(name), _figures(verdict), verdict.mark, tuple(marks)))
        label = verdict.label
    return lines, list(notes)


def _bases(verdict: Verdict) -> list[str]:
    return [verdict.basis] if verdict.basis and verdict.mark is not Mark.NOT_COMPARABLE else []


def _figures(verdict: Verdict) -> tuple[str, ...]:
    def value(given: float | None) -> str:
        return "" if given is None else interval_text(Interval(given, None, None, 1), verdict.unit)

    def scaled(given: float | None, *, signed: bool = False) -> str:
        if given is None:
            return ""
        if verdict.kind == "exact" or not (verdict.relative or verdict.unit == "fraction"):
            return f"{given:+.4g}" if signed else f"{given:.4g}"
        return amount(given, verdict.relative, verdict.unit, signed=signed)

    return (
        value(verdict.old),
        value(verdict.new),
        *(("", "") if verdict.basis == IDENTICAL else (scaled(verdict.change, signed=True), scaled(verdict.margin))),
        scaled(verdict.detectable),
    )


def texts(check: Check) -> tuple[list[str], list[list[str]], list[str]]:
    """The headings, the cells of every line and the lines below, as they are shown."""
    lines, notes = _laid(check)
    used = [index for index in range(len(_HEADINGS)) if any(line.figures[index] for line in lines)]
    headings = ["configuration", "figure", *(_HEADINGS[index] for index in used), "verdict"]
    cells = [[line.label, line.figure, *(line.figures[index] for index in used), _verdict(line)] for line in lines]
    below = [f"[{number}] {note}" for number, note in enumerate(notes, start=1)]
    explained = [_EXPLAINED] if any(line.figures[3] for line in lines) else []
    return headings, cells, [*below, *map(one_line, check.notes), *explained, summary_line(check, code=None)]


def terminal(check: Check, *, code: int | None) -> RenderableType:
    """The check for a terminal; every text is shown as it is."""
    from rich.console import Group
    from rich.text import Text

    from .grid import Grid, Strip

    lines, notes = _laid(check)
    grid = Grid(
        left=[
            Strip(["configuration"], [Text(line.label) for line in lines]),
            Strip(["figure"], [Text(line.figure) for line in lines], slashes=True),
        ],
        figures=[
            Strip([name], [Text(line.figures[index]) for line in lines])
            for index, name in enumerate(_HEADINGS)
            if any(line.figures[index] for line in lines)
        ],
        last=Strip(["verdict"], [Text(_verdict(line), style=_STYLES[line.mark]) for line in lines]),
    )
    style = {None: "bold", 0: "bold green", 1: "bold red"}.get(code, "bold yellow")
    return Group(
        *([grid] if lines else []),
        *(Text(f"[{number}] {note}", style="dim") for number, note in enumerate(notes, start=1)),
        *(Text(one_line(note), style="dim") for note in check.notes),
        *([Text(_EXPLAINED, style="dim")] if any(line.figures[3] for line in lines) else []),
        Text(summary_line(check, code=code), style=style),
    )


def _verdict(line: _Line) -> str:
    return " ".join([MARKS[line.mark], *(f"[{number}]" for number in line.notes)])


def markdown(check: Check, *, code: int | None) -> str:
    """The same as a GitHub-flavoured table."""
    lines, notes = _laid(check)

    def row(cells: Sequence[str]) -> str:
        return "| " + " | ".join(in_markdown(cell) for cell in cells) + " |"

    table = [
        row(["configuration", "figure", *_HEADINGS, "verdict"]),
        "| --- | --- | " + "---: | " * len(_HEADINGS) + "--- |",
        *(row([line.label, line.figure, *line.figures, _verdict(line)]) for line in lines),
    ]
    told = [f"{number}. {in_markdown(note)}" for number, note in enumerate(notes, start=1)]
    parts = [
        f"**{in_markdown(summary_line(check, code=code))}**",
        "\n".join(table) if lines else "",
        "\n".join(told),
        *(in_markdown(one_line(note)) for note in check.notes),
        in_markdown(_EXPLAINED) if any(line.figures[3] for line in lines) else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
