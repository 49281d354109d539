"""Trends in a terminal and as JSON: a line a figure, with a small course of its runs and the changes seen in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..comparison.changes import FEWEST, Change
from ..comparison.series import Point, Series
from ..comparison.statistics import Interval
from .formats import heading, interval_text, shown_unit
from .grid import Grid, Strip

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

HINT = "changes are hints, no verdicts: the level seems to have moved there; 'harness check' decides"
_BLOCKS = "▁▂▃▄▅▆▇█"
_MARK = "│"
_MORE = "…"
_LEAST = (
    0.02  # of its largest value is how far a course reaches at least: what differs by less should not look far apart
)
_NUMBERS = 38  # columns of a terminal that numbers take, about
_CHANGES = 12  # and the changes
_COURSE = (10, 48)  # fewest and most characters of a course


@dataclass(frozen=True)
class Trends:
    """Series for a terminal of any width."""

    series: Sequence[Series]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """A table, then what is numbered in it."""
        from rich.text import Text

        notes: list[str] = []
        platforms = platforms_of(self.series)
        width = _course_width(self.series, options.max_width)
        lines: list[tuple[str, ...]] = []
        for _, group in groupby(self.series, key=lambda item: (item.dataset, item.row)):
            mine = list(group)
            lines.append((f"{mine[0].label}{' (synthetic)' * mine[0].synthetic}", *[""] * 6))
            lines += [_line(item, platforms, notes, width) for item in mine]
        names = ("figure", "n", "first", "last", "since previous", "course", "changes")
        columns = [[Text(line[place]) for line in lines] for place in range(len(names))]
        columns[0] = [Text(text.plain, style="" if text.plain.startswith(" ") else "bold") for text in columns[0]]
        strips = [Strip([name], column) for name, column in zip(names, columns, strict=True)]
        yield Grid(left=strips[:1], figures=strips[1:-1], last=strips[-1])
        for number, note in enumerate(notes, start=1):
            yield Text(f"[{number}] {note}", style="dim")
        if len(platforms) > 1:
            for name, number in platforms.items():
                yield Text(f"platform {number}: {name}", style="dim")
        if any(item.changes for item in self.series):
            yield Text(HINT, style="dim")


def platforms_of(series: Sequence[Series]) -> dict[str, int]:
    """The platforms of noisy figures, numbered from 1 in order of appearance."""
    found = dict.fromkeys(item.platform for item in series if item.platform)
    return {name: number for number, name in enumerate(found, start=1)}


def title_of(item: Series) -> str:
    """``accuracy``, or ``accuracy, train`` where it is of another split than test."""
    split = item.figure.split(".")[1]
    return item.title if split == "test" else f"{item.title}, {split}"


def _line(item: Series, platforms: dict[str, int], notes: list[str], width: int) -> tuple[str, ...]:
    where = f", platform {platforms[item.platform]}" if len(platforms) > 1 and item.platform else ""
    name = f"{item.label}, {title_of(item)}{where}"
    marks = [_noted(notes, f"{name}: {_change_text(item, change)}") for change in item.changes]
    title = heading(title_of(item), item.direction, shown_unit(item.unit)) + where
    others = _others(item)
    if others:
        title += f" {_noted(notes, f'{name}: {others}')}"
    first, last = item.points[0], item.points[-1]
    searched = " ".join(marks) if item.searched else f"too few points ({len(item.points)} of {FEWEST})"
    return (
        f"  {title}",
        str(len(item.points)),
        _number(first.mean, item.unit),
        _number(last.mean, item.unit),
        since_previous(item),
        course([point.mean for point in item.points], [change.index for change in item.changes], width),
        searched or "none",
    )


def _noted(notes: list[str], sentence: str) -> str:
    if sentence not in notes:
        notes.append(sentence)
    return f"[{notes.index(sentence) + 1}]"


def _others(item: Series) -> str:
    """What must be said of the seeds that its values are means over."""
    words = []
    if item.some:
        named = ", ".join(map(str, item.seeds))
        words.append(f"over seed{'s' * (len(item.seeds) > 1)} {named} alone, which all its runs have")
    if item.left_out:
        words.append(f"{item.left_out} run{'s' * (item.left_out > 1)} with other seeds left out")
    return "; ".join(words)


def _number(value: float, unit: str) -> str:
    return interval_text(Interval(value, None, None, 1), unit)


def _change_text(item: Series, change: Change) -> str:
    unit = shown_unit(item.unit)
    levels = f"{_number(change.before, item.unit)} → {_number(change.after, item.unit)} {unit}".rstrip()
    moved = difference(change.before, change.after, item.unit)
    # With one seed nothing tells how far a training that is drawn anew lies from the one before.
    alone = "; one seed, which a training drawn anew may explain" * (item.kind == "seeded" and len(item.seeds) == 1)
    return f"{levels} ({moved}) since {when(item.points[change.index])}{alone}"


def when(point: Point) -> str:
    """Which run a point is: its time, commit and name."""
    entry = point.entry
    words = [entry.time[:16].replace("T", " ")]
    if entry.commit:
        words.append(f"commit {entry.commit[:7]}{' with uncommitted changes' * entry.dirty}")
    words.append(f"run {entry.run}")
    return ", ".join(words) + (f" ({' '.join(entry.note.split())})" if entry.note.strip() else "")


def since_previous(item: Series) -> str:
    """The difference of its last two points, or a dash."""
    if len(item.points) < 2:
        return "-"
    return difference(item.points[-2].mean, item.points[-1].mean, item.unit)


def difference(before: float, after: float, unit: str) -> str:
    """``same``, ``+1.2 points`` for fractions, else ``+3.4 %`` of ``before``."""
    if after == before:
        return "same"
    if unit == "fraction":
        return f"{_signed(100 * (after - before))} points"
    if before == 0 or before * after < 0:
        return f"{'+' * (after > before)}{_number(after - before, unit)}"
    return f"{_signed(100 * (after - before) / abs(before))} %"


def _signed(value: float) -> str:
    return f"{value:+.1f}" if abs(value) >= 0.05 else f"{value:+.1g}"


# -- the course -------------------------------------------------------------------------------------------------------


def _course_width(series: Sequence[Series], width: int) -> int:
    """How many characters a course may have in a terminal of ``width``: beside the numbers, or below them in a block of its own."""
    title = min(max(len(heading(title_of(item), item.direction, item.unit)) + 4 for item in series), width // 2)
    beside = width - title - _NUMBERS - _CHANGES
    room = beside if beside >= _COURSE[0] else width - title - _CHANGES
    longest = max(len(item.points) + len(item.changes) for item in series)
    return max(_COURSE[0], min(room, _COURSE[1], longest))


def course(values: Sequence[float], changes: Sequence[int] = (), width: int = 48) -> str:
    """``values`` as blocks between their smallest and largest, a bar before each of ``changes``; the newest where not all fit."""
    largest = max(map(abs, values))
    low, high = min(values), max(values)
    reach = max(high - low, _LEAST * largest)
    bottom = (low + high) / 2 - reach / 2
    drawn = ""
    for index, value in enumerate(values):
        share = (value - bottom) / reach if high > low else 0.5
        block = _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]
        drawn += f"{_MARK if index in changes else ''}{block}"
    return drawn if len(drawn) <= width else _MORE + drawn[len(drawn) - width + 1 :]


# -- JSON -------------------------------------------------------------------------------------------------------------


def long_rows(series: Sequence[Series]) -> list[dict[str, Any]]:
    """One mapping a series, in the record's units."""
    return [
        {
            "dataset": item.dataset,
            "synthetic": item.synthetic,
            "row": item.row,
            "label": item.label,
            "figure": item.figure,
            "title": item.title,
            "unit": item.unit,
            "direction": item.direction,
            "kind": item.kind,
            "platform": item.platform or None,
            "seeds": list(item.seeds),
            "left_out": item.left_out,
            "searched": item.searched,
            "points": [
                {
                    "time": point.entry.time,
                    "run": point.entry.run,
                    "commit": point.entry.commit,
                    "dirty": point.entry.dirty,
                    "note": point.entry.note,
                    "mean": point.mean,
                    "low": point.low,
                    "high": point.high,
                }
                for point in item.points
            ],
            "changes": [
                {
                    "time": item.points[change.index].entry.time,
                    "run": item.points[change.index].entry.run,
                    "commit": item.points[change.index].entry.commit,
                    "before": change.before,
                    "after": change.after,
                }
                for change in item.changes
            ],
        }
        for item in series
    ]
