"""The plots of what metrics hand over to be drawn: curves and histograms, whatever the figure is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..comparison.summary import Row, metric_rows
from ..records import Record
from .formats import shown_factor
from .panels import ACROSS, axis_label, head, legend, name_axes, panels, row_name
from .style import colour, line, marker

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawing = Mapping[str, Any]
"""One curve or histogram as a record holds it."""

_CURVE_LABELS = ("x_title", "x_unit", "y_title", "y_unit")
_HISTOGRAM_LABELS = ("title", "unit", "what")
_DOTS = 12  # markers on a line, about
_TICKS = 8  # edges written below a histogram, at most
_UNEVEN = 4.0  # bins that differ more in width are drawn equally wide, with their edges written below


@dataclass
class _Drawn:
    """What is drawn of one figure: a panel a name, and in it the drawings of every row, one a seed.

    Drawings of one name that are labelled differently share no axes, and so no panel.
    """

    title: str
    panels: dict[tuple[str, ...], dict[str, list[Drawing]]] = field(default_factory=dict)

    def add(self, row: str, name: str, drawing: Drawing, labels: Sequence[str]) -> None:
        key = (name, *(str(drawing[label]) for label in labels))
        self.panels.setdefault(key, {}).setdefault(row, []).append(drawing)


def curves(
    rows: Sequence[Row], done: Sequence[Record], timings: Mapping[str, Any] | None, title: str
) -> list[tuple[str, Figure]]:
    """A plot, by the figure's name, of every figure on the test split, or timed, that has curves: a panel a curve."""
    found: dict[tuple[str, ...], _Drawn] = {}
    for row, given in _given(rows, done, timings):
        for name, curve in (given.get("curves") or {}).items():
            if len(curve["x"]) == len(curve["y"]) > 0:
                key = (given["phase"], given["metric"], given["name"])
                found.setdefault(key, _Drawn(given["title"])).add(row, name, curve, _CURVE_LABELS)
    return [(key[-1], _curves(drawn, rows, title)) for key, drawn in found.items()]


def histograms(rows: Sequence[Row], done: Sequence[Record], title: str) -> list[tuple[str, Figure]]:
    """A plot, by the figure's name, of every figure on the test split that has histograms: a panel a histogram."""
    found: dict[tuple[str, ...], _Drawn] = {}
    for row, given in _given(rows, done, None):
        for name, histogram in (given.get("histograms") or {}).items():
            if len(histogram["edges"]) == len(histogram["counts"]) + 1 and sum(histogram["counts"]) > 0:
                key = (given["metric"], given["name"])
                found.setdefault(key, _Drawn(given["title"])).add(row, name, histogram, _HISTOGRAM_LABELS)
    return [(key[-1], _histograms(drawn, rows, title)) for key, drawn in found.items()]


def _given(
    rows: Sequence[Row], done: Sequence[Record], timings: Mapping[str, Any] | None
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for record in done:
        yield from ((record.row, row) for row in metric_rows(record) if row["split"] == "test")
    for row in rows:
        timed = (timings or {}).get("rows", {}).get(row.row, {})
        yield from ((row.row, item) for item in timed.get("metrics", ()))


def _label(drawn: _Drawn, row: Row) -> str:
    """The row's name and how many of its seeds are drawn."""
    return f"{row_name(row)} (n={max(len(by_row.get(row.row, ())) for by_row in drawn.panels.values())})"


# -- curves -----------------------------------------------------------------------------------------------------------


def _curves(drawn: _Drawn, rows: Sequence[Row], title: str) -> Figure:
    figure, axes = panels(len(drawn.panels))
    labels = [
        (axis_label(x_title, x_unit), axis_label(y_title, y_unit))
        for _, x_title, x_unit, y_title, y_unit in drawn.panels
    ]
    said: set[str] = set()
    for axis, (x, y), (key, by_row) in zip(axes, labels, drawn.panels.items(), strict=True):
        for index, row in enumerate(rows):
            if row.row in by_row:
                said.add(_series(axis, by_row[row.row], index, _label(drawn, row)))
        name_axes(axis, x=x, y=y)
        if len(set(labels)) < len(labels):  # nothing but their names tells the panels apart
            axis.set_title(key[0])
    # A single curve is called by what it shows, which may be more than the figure that it belongs to.
    called = next(iter(drawn.panels))[3] if len(drawn.panels) == 1 else drawn.title
    head(figure, title, called, "; ".join(sorted(filter(None, said))))
    legend(figure, axes)
    return figure


def _series(axis: Axes, series: Sequence[Drawing], index: int, label: str) -> str:
    """Draw the curves of a row's seeds; returns what must be said of how they are drawn."""
    across, up = shown_factor(series[0]["x_unit"]), shown_factor(series[0]["y_unit"])
    xs = [[value * across for value in curve["x"]] for curve in series]
    ys = [[float("nan") if value is None else value * up for value in curve["y"]] for curve in series]
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


def _histograms(drawn: _Drawn, rows: Sequence[Row], title: str) -> Figure:
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
