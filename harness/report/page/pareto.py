"""Quality against every cost, with the front of what nothing else beats in both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...comparison.figures import Line
from ...comparison.statistics import Interval
from ...comparison.summary import Cell, Column, levelled
from ..drawings import number
from ..formats import heading, interval_text, shown_unit
from .chart import BOTTOM, LEFT, RIGHT, TOP, Table, chart, path
from .elements import Markup, tag
from .looks import mark, series_class
from .scales import Axis, axis
from .series import Series

_NAMED = 8  # more points than these are named by the legend alone
_LETTER = 6.1  # pixels, about
_CAP = 3.0  # pixels to each side of a bar


@dataclass(frozen=True)
class Figure:
    """One figure of every configuration, by row."""

    column: Column
    cells: Mapping[str, Cell]

    @classmethod
    def of_line(cls, line: Line) -> Figure:
        """A figure that is no column of the summary."""
        return cls(line.column, line.cells)

    def interval(self, one: Series) -> Interval | None:
        """The figure of one configuration."""
        cell = self.cells.get(one.row.row)
        interval = cell.interval if cell is not None else None
        return interval if interval is not None and number(interval.mean) is not None else None


@dataclass(frozen=True)
class _Point:
    one: Series
    x: Interval
    y: Interval


def front(points: Sequence[tuple[float, float]], x_direction: str, y_direction: str) -> list[int]:
    """The places of ``points`` that no other is at least as good as in both and better in one, from the lowest x to the highest.

    A direction is ``higher`` or ``lower``, whichever is better. Equal points are all of the front; values that differ by rounding
    alone are equal.
    """
    towards_x = 1 if x_direction == "higher" else -1
    towards_y = 1 if y_direction == "higher" else -1
    scored = [
        (towards_x * x, towards_y * y)
        for x, y in zip(levelled([x for x, _ in points]), levelled([y for _, y in points]), strict=True)
    ]
    best: list[int] = []
    highest = float("-inf")
    last: tuple[float, float] | None = None
    for index in sorted(range(len(points)), key=lambda index: scored[index], reverse=True):
        if scored[index][1] > highest or scored[index] == last:
            best.append(index)
            highest = max(highest, scored[index][1])
            last = scored[index]
    return sorted(best, key=lambda index: (points[index][0], points[index][1]))


def directed(column: Column) -> bool:
    """Whether one side of the figure is the better one."""
    return column.direction in ("higher", "lower")


def pareto(all_of_them: Sequence[Series], cost: Figure, quality: Figure, *, numbers: bool = True) -> Markup | None:
    """The chart of ``quality`` over ``cost``, or None where no configuration has both."""
    points = [
        _Point(one, x, y)
        for one in all_of_them
        if (x := cost.interval(one)) is not None and (y := quality.interval(one)) is not None
    ]
    if not points:
        return None
    across = _axis(cost.column, [p.x for p in points], LEFT, RIGHT)
    up = _axis(quality.column, [p.y for p in points], BOTTOM, TOP)
    directions = cost.column.direction, quality.column.direction
    on_front: set[int] = set()
    line: Markup | None = None
    if directed(cost.column) and directed(quality.column):
        order = front([(p.x.mean, p.y.mean) for p in points], *directions)
        on_front = set(order)
        steps = _steps([points[index] for index in order], across, up, directions)
        # Shown as long as all of its points are.
        line = tag("path", d=steps, class_="front", data_of=" ".join(str(points[index].one.number) for index in order))
    # What is on the front lies above what is not, and every point above every bar.
    upwards = sorted(range(len(points)), key=lambda index: index in on_front)
    bars = [_bars(points[index], index in on_front, across, up) for index in upwards]
    marks = [_mark(points[index], index in on_front, across, up, cost, quality) for index in upwards]
    names = _names(points, across, up) if len(points) <= _NAMED else []
    return chart(
        f"{quality.column.title} against {cost.column.title}, a point a configuration; "
        + (f"on the front: {', '.join(points[i].one.name for i in sorted(on_front))}" if on_front else "no front"),
        across,
        up,
        line,
        bars,
        marks,
        names,
        table=_table(points, on_front, cost.column, quality.column, front_known=line is not None) if numbers else None,
    )


def _axis(column: Column, intervals: Sequence[Interval], start: float, end: float) -> Axis:
    return axis(
        heading(column.title, column.direction), column.unit, _reach(intervals, column.unit), start, end, margin=0.1
    )


def _reach(intervals: Sequence[Interval], unit: str) -> list[float]:
    """The means and the ends of their intervals, as far as such values go: none is negative where no mean is, no share above 1."""
    means = [interval.mean for interval in intervals]
    least = 0.0 if min(means) >= 0 else -math.inf
    most = max(1.0, *means) if unit == "fraction" else math.inf
    ends = [min(max(end, least), most) for interval in intervals for end in _ends(interval) if number(end) is not None]
    return means + ends


def _ends(interval: Interval) -> list[float]:
    return [] if interval.low is None or interval.high is None else [interval.low, interval.high]


def _steps(points: Sequence[_Point], across: Axis, up: Axis, directions: tuple[str, str]) -> str:
    """What is the best that can be had at each cost: flat until the next point of the front, then a step."""
    pixels = [(across.of(p.x.mean), up.of(p.y.mean)) for p in points]
    # Beyond a front's end, on the side that costs more, its last quality is still to be had.
    worse_right = directions[0] == "lower"
    walked = pixels if worse_right else pixels[::-1]
    line: list[tuple[float, float]] = []
    for x, y in walked:
        if line:
            line.append((x, line[-1][1]))
        line.append((x, y))
    line.append((RIGHT if worse_right else LEFT, walked[-1][1]))
    return path(line)


def _bars(point: _Point, best: bool, across: Axis, up: Axis) -> Markup | None:
    """The intervals, cut off at the frame: a cap stands only at an end that lies within."""
    x, y = across.of(point.x.mean), up.of(point.y.mean)
    level, level_ends = _within(point.x, across)
    upright, upright_ends = _within(point.y, up)
    lines = [
        [(place, y) for place in level],
        *([(place, y - _CAP), (place, y + _CAP)] for place in level_ends),
        [(x, place) for place in upright],
        *([(x - _CAP, place), (x + _CAP, place)] for place in upright_ends),
    ]
    drawn = "".join(path(line) for line in lines)
    if not drawn:
        return None
    return tag("g", tag("path", d=drawn, class_="bar"), class_=_look(point, best), data_r=point.one.number)


def _within(interval: Interval, along: Axis) -> tuple[list[float], list[float]]:
    """From where to where an interval is drawn, in pixels, and those of its ends that are no cut."""
    first, last = sorted((along.start, along.end))
    places = [along.of(end) for end in _ends(interval)]
    kept = [min(max(place, first), last) for place in places]
    return kept, [cut for cut, place in zip(kept, places, strict=True) if abs(cut - place) < 0.05]


def _mark(point: _Point, best: bool, across: Axis, up: Axis, cost: Figure, quality: Figure) -> Markup:
    told = (
        f"{point.one.name}: {quality.column.title} {_text(point.y, quality.column)}, "
        f"{cost.column.title} {_text(point.x, cost.column)}, n = {point.y.n}{', on the front' if best else ''}"
    )
    return tag(
        "g",
        mark(point.one.index, across.of(point.x.mean), up.of(point.y.mean)),
        class_=_look(point, best),
        data_r=point.one.number,
        tabindex=0,
        role="img",
        aria_label=told,
    )


def _look(point: _Point, best: bool) -> str:
    return series_class(point.one.index) + ("" if best else " dominated")


def _text(interval: Interval, column: Column) -> str:
    return f"{interval_text(interval, column.unit)} {shown_unit(column.unit)}".strip()


def _names(points: Sequence[_Point], across: Axis, up: Axis) -> list[Markup]:
    """Each point's name beside it, where there is room for it."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for p in points for x, y in [(across.of(p.x.mean), up.of(p.y.mean))]]
    named = []
    for p in points:
        x, y = across.of(p.x.mean), up.of(p.y.mean)
        width = _LETTER * len(p.one.name)
        for left, base, anchor in (
            (x + 8, y - 5, "start"),
            (x - 8 - width, y - 5, "end"),
            (x + 8, y + 13, "start"),
            (x - 8 - width, y + 13, "end"),
        ):
            box = (left, base - 9, left + width, base + 3)
            inside = box[0] >= LEFT and box[2] <= RIGHT and box[1] >= TOP and box[3] <= BOTTOM
            if inside and not any(_touch(box, other) for other in taken):
                taken.append(box)
                at = left if anchor == "start" else left + width
                named.append(
                    tag(
                        "text",
                        p.one.name,
                        x=round(at, 1),
                        y=round(base, 1),
                        class_=f"name {anchor[0]} c{p.one.index % 7}",
                        data_r=p.one.number,
                        aria_hidden="true",
                    )
                )
                break
    return named


def _touch(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _table(points: Sequence[_Point], on_front: set[int], cost: Column, quality: Column, *, front_known: bool) -> Table:
    headings = ["configuration"]
    headings += [heading(column.title, column.direction, shown_unit(column.unit)) for column in (quality, cost)]
    headings += ["n", *(["on the front"] if front_known else [])]
    rows = [
        [
            p.one.name,
            interval_text(p.y, quality.unit),
            interval_text(p.x, cost.unit),
            str(p.y.n),
            *([("yes" if index in on_front else "no")] if front_known else []),
        ]
        for index, p in enumerate(points)
    ]
    return Table(headings, rows)
