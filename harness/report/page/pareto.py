"""Quality against every cost, with the front of what nothing else beats in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...comparison.figures import Line
from ...comparison.statistics import Interval
from ...comparison.summary import Cell, Column
from ..drawings import number
from ..formats import heading, interval_text, shown_unit
from .chart import BOTTOM, LEFT, RIGHT, TOP, Table, chart, path
from .elements import Markup, tag
from .looks import mark, series_class
from .scales import Axis, axis
from .series import Series

_NAMED = 8  # more points than these are named by the legend alone
_LETTER = 6.1  # pixels, about


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

    A direction is ``higher`` or ``lower``, whichever is better. Equal points are all of the front.
    """
    towards_x = 1 if x_direction == "higher" else -1
    towards_y = 1 if y_direction == "higher" else -1
    scored = [(towards_x * x, towards_y * y) for x, y in points]
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
    drawn = [_drawn(p, index in on_front, across, up, cost, quality) for index, p in enumerate(points)]
    # What is on the front lies above what is not.
    drawn = [drawn[index] for index in sorted(range(len(drawn)), key=lambda index: index in on_front)]
    names = _names(points, across, up) if len(points) <= _NAMED else []
    return chart(
        f"{quality.column.title} against {cost.column.title}, a point a configuration; "
        + (f"on the front: {', '.join(points[i].one.name for i in sorted(on_front))}" if on_front else "no front"),
        across,
        up,
        line,
        drawn,
        names,
        table=_table(points, on_front, cost.column, quality.column, front_known=line is not None) if numbers else None,
    )


def _axis(column: Column, intervals: Sequence[Interval], start: float, end: float) -> Axis:
    return axis(heading(column.title, column.direction), column.unit, _reach(intervals), start, end, margin=0.1)


def _reach(intervals: Sequence[Interval]) -> list[float]:
    """The ends of the intervals, those of one that dwarfs all means left out: it is drawn as far as the axis goes."""
    means = [interval.mean for interval in intervals]
    room = max(max(means) - min(means), 0.1 * max(map(abs, means)))
    low, high = min(means) - room, max(means) + room
    if min(means) >= 0:
        low = max(low, 0.0)
    ends = [
        min(max(end, low), high) for interval in intervals for end in (interval.low, interval.high) if end is not None
    ]
    return means + ends


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


def _drawn(point: _Point, best: bool, across: Axis, up: Axis, cost: Figure, quality: Figure) -> Markup:
    x, y = across.of(point.x.mean), up.of(point.y.mean)
    bars = []
    if point.x.low is not None and point.x.high is not None:
        bars.append(path([(across.of(point.x.low), y), (across.of(point.x.high), y)]))
    if point.y.low is not None and point.y.high is not None:
        bars.append(path([(x, up.of(point.y.low)), (x, up.of(point.y.high))]))
    told = (
        f"{point.one.name}: {quality.column.title} {_text(point.y, quality.column)}, "
        f"{cost.column.title} {_text(point.x, cost.column)}, n = {point.y.n}{', on the front' if best else ''}"
    )
    return tag(
        "g",
        tag("path", d="".join(bars), class_="bar") if bars else None,
        mark(point.one.index, x, y),
        class_=series_class(point.one.index) + ("" if best else " dominated"),
        data_r=point.one.number,
        tabindex=0,
        role="img",
        aria_label=told,
    )


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
