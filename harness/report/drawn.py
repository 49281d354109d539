"""The plots of what metrics hand over to be drawn: curves and histograms, whatever the figure is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..comparison.summary import Row
from ..records import Record
from . import drawings
from .drawings import Collected, Drawing, numbers
from .formats import shown_factor
from .panels import ACROSS, axis_label, head, legend, name_axes, panels, row_name
from .style import colour, line, marker

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS = 12  # markers on a line, about
_TICKS = 8  # edges written below a histogram, at most
_UNEVEN = 4.0  # bins that differ more in width are drawn equally wide, with their edges written below


def curves(
    rows: Sequence[Row], done: Sequence[Record], timings: Mapping[str, Any] | None, title: str
) -> list[tuple[str, Figure]]:
    """A plot, by the figure's name, of every figure on the test split, or timed, that has curves: a panel a curve."""
    return [(found.name, _curves(found, rows, title)) for found in drawings.curves(rows, done, timings)]


def histograms(rows: Sequence[Row], done: Sequence[Record], title: str) -> list[tuple[str, Figure]]:
    """A plot, by the figure's name, of every figure on the test split that has histograms: a panel a histogram."""
    return [(found.name, _histograms(found, rows, title)) for found in drawings.histograms(rows, done)]


def _label(drawn: Collected, row: Row) -> str:
    """The row's name and how many of its seeds are drawn."""
    return f"{row_name(row)} (n={max(len(by_row.get(row.row, ())) for by_row in drawn.panels.values())})"


# -- curves -----------------------------------------------------------------------------------------------------------


def _curves(drawn: Collected, rows: Sequence[Row], title: str) -> Figure:
    figure, axes = panels(len(drawn.panels))
    labels = [
        (axis_label(x_title, x_unit), axis_label(y_title, y_unit))
        for _, x_title, x_unit, y_title, y_unit in drawn.panels
    ]
    said: set[str] = set()
    for axis, (x, y), (key, by_row) in zip(axes, labels, drawn.panels.items(), strict=True):
        for index, row in enumerate(rows):
            if row.row in by_row:
                said.add(_series(axis, by_row[row.row], (key[2], key[4]), index, _label(drawn, row)))
        name_axes(axis, x=x, y=y)
        if len(set(labels)) < len(labels):  # nothing but their names tells the panels apart
            axis.set_title(key[0])
    # A single curve is called by what it shows, which may be more than the figure that it belongs to.
    called = next(iter(drawn.panels))[3] if len(drawn.panels) == 1 else drawn.title
    head(figure, title, called, "; ".join(sorted(filter(None, said))))
    legend(figure, axes)
    return figure


def _series(axis: Axes, series: Sequence[Drawing], units: tuple[str, str], index: int, label: str) -> str:
    """Draw the curves of a row's seeds, whose ``units`` are those of x and y; returns what must be said of how they are drawn."""
    across, up = map(shown_factor, units)
    xs = [[value * across for value in curve["x"]] for curve in series]
    ys = [[float("nan") if value is None else value * up for value in numbers(curve["y"])] for curve in series]
    look: dict[str, Any] = {"color": colour(index), "linestyle": line(index), "marker": marker(index)}
    if any(x != xs[0] for x in xs):
        for number, (x, y) in enumerate(zip(xs, ys, strict=True)):
            first = label if number == 0 else None
            axis.plot(x, y, linewidth=0.9, markersize=3, markevery=_every(x), label=first, **look)
        return "one line a seed"
    # NaN stays NaN in a sum: where one seed has no value the mean has none, rather than that of the others.
    at = list(zip(*ys, strict=True))
    mean = [sum(values) / len(values) for values in at]
    axis.plot(xs[0], mean, linewidth=1.5, markersize=4, markevery=_every(mean), label=label, **look)
    if len(series) == 1:
        return ""
    low = [min(values) + 0 * middle for values, middle in zip(at, mean, strict=True)]
    high = [max(values) + 0 * middle for values, middle in zip(at, mean, strict=True)]
    axis.fill_between(xs[0], low, high, color=colour(index), alpha=0.15, linewidth=0)
    return "lines: mean over seeds, bands: range over seeds"


def _every(values: Sequence[float]) -> int:
    return max(1, len(values) // _DOTS)


# -- histograms -------------------------------------------------------------------------------------------------------


def _histograms(drawn: Collected, rows: Sequence[Row], title: str) -> Figure:
    figure, axes = panels(len(drawn.panels), width=3.2 if len(drawn.panels) > 1 else 4.0, height=2.9)
    for position, (axis, (key, by_row)) in enumerate(zip(axes, drawn.panels.items(), strict=True)):
        name, shown, unit, what = key
        edges = {tuple(histogram["edges"]) for group in by_row.values() for histogram in group}
        written = next(iter(edges)) if len(edges) == 1 and _uneven(next(iter(edges))) else ()
        for index, row in enumerate(rows):
            label: str | None = _label(drawn, row)
            for own, counts in _summed(by_row.get(row.row, ())).items():
                at = range(len(own)) if written else [edge * shown_factor(unit) for edge in own]
                _outline(axis, at, counts, index, label)
                label = None
        if not written:
            alike = [other for other_key, other in drawn.panels.items() if other_key[1:] == key[1:]]
            _fit(axis, [edge * shown_factor(unit) for edge in _filled(alike)])
        axis.set_ylim(bottom=0)
        name_axes(axis, x=axis_label(shown, unit), y=f"{what} (%)" if position % ACROSS == 0 else "")
        if written:
            _name_edges(axis, [edge * shown_factor(unit) for edge in written])
        if len(drawn.panels) > 1:
            axis.set_title(name)
    head(figure, title, drawn.title)
    legend(figure, axes)
    return figure


def _filled(alike: Iterable[Mapping[str, Sequence[Drawing]]]) -> list[float]:
    """The edges of all bins in these panels that hold anything."""
    return [
        edge
        for by_row in alike
        for group in by_row.values()
        for histogram in group
        for bin_edges, count in zip(pairwise(histogram["edges"]), histogram["counts"], strict=True)
        if count
        for edge in bin_edges
    ]


def _fit(axis: Axes, filled: Sequence[float]) -> None:
    """Leave out the ends of an axis that no row of any panel like it reaches."""
    low, high = min(filled), max(filled)
    axis.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))


def _summed(group: Iterable[Drawing]) -> dict[tuple[float, ...], list[int]]:
    """The counts of a row's seeds, added where their edges agree."""
    found: dict[tuple[float, ...], list[int]] = {}
    for histogram in group:
        edges, counts = tuple(histogram["edges"]), histogram["counts"]
        found[edges] = [a + b for a, b in zip(found.get(edges, [0] * len(counts)), counts, strict=True)]
    return found


def _outline(axis: Axes, at: Sequence[float], counts: Sequence[int], index: int, label: str | None) -> None:
    shares = [100 * count / sum(counts) for count in counts]
    # Later outlines are thinner, so that equal ones are seen below each other.
    axis.stairs(
        shares, at, color=colour(index), linestyle=line(index), linewidth=max(1.2, 3.0 - 0.6 * index), label=label
    )


def _uneven(edges: Sequence[float]) -> bool:
    widths = [high - low for low, high in pairwise(edges)]
    return max(widths) > _UNEVEN * min(widths)


def _name_edges(axis: Axes, edges: Sequence[float]) -> None:
    step = -(-len(edges) // _TICKS)
    axis.set_xticks(range(0, len(edges), step), [f"{edge:.3g}" for edge in edges[::step]])
