"""Histograms that metrics hand over: outlines of shares, a configuration each, seeds added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from ..drawings import HISTOGRAM, Collected, Drawing, Panel, numbers
from ..formats import shown_factor, shown_unit
from .chart import BOTTOM, LEFT, RIGHT, TOP, Table, chart, path
from .elements import Markup, tag
from .scales import Axis, axis
from .series import Series, group

_UNEVEN = 4.0  # bins that differ more in width are drawn equally wide
Bins = dict[tuple[float, ...], list[float]]


def histogram_charts(collected: Collected, all_of_them: Sequence[Series]) -> list[Markup]:
    """A chart a histogram of one figure."""
    several = len(collected.panels) > 1
    return [
        _histogram(
            by_row,
            all_of_them,
            f"{collected.title}: {key[0]}" if several else collected.title,
            [other for other_key, other in collected.panels.items() if other_key[1:] == key[1:]],
        )
        for key, by_row in collected.panels.items()
    ]


def _histogram(by_row: Panel, all_of_them: Sequence[Series], title: str, alike: Sequence[Panel]) -> Markup:
    """The chart of one panel; those that show the same share the range of what any of them holds."""
    labels = next(iter(by_row.values()))[0]
    shown, unit, what = (str(labels.get(name, "")) for name in HISTOGRAM)
    summed = {row: _summed(given) for row, given in by_row.items()}
    edges = {own for bins in summed.values() for own in bins}
    ranked = len(edges) == 1 and _uneven(next(iter(edges)))
    shares = [count / sum(counts) for bins in summed.values() for counts in bins.values() for count in counts]
    across = _axis(shown, unit, next(iter(edges)) if ranked else (), alike)
    up = axis(what, "fraction", [0.0, *shares], BOTTOM, TOP, zero=True)
    drawn = [
        group(
            one,
            *(
                tag("path", d=_outline(own, counts, across, up), class_="l")
                for own, counts in summed[one.row.row].items()
            ),
            told=f"{sum(map(sum, summed[one.row.row].values())):g} {what}",
        )
        for one in all_of_them
        if one.row.row in summed
    ]
    described = f"distribution of {shown} over {what}, an outline a configuration"
    return chart(described, across, up, drawn, title=title, table=_table(summed, all_of_them, unit))


def _axis(shown: str, unit: str, edges: tuple[float, ...], alike: Sequence[Panel]) -> Axis:
    """Along ``edges`` where they are uneven, else along what any bin of the panels holds."""
    if edges:
        places = axis(shown, "", range(len(edges)), LEFT, RIGHT, margin=0)
        return replace(places, unit=unit, edges=edges)
    held = [
        edge
        for panel in alike
        for drawings in panel.values()
        for drawing in drawings
        for ends, count in zip(pairwise(numbers(drawing["edges"])), numbers(drawing["counts"]), strict=True)
        if count
        for edge in ends
        if edge is not None
    ]
    return axis(shown, unit, held, LEFT, RIGHT)


def _summed(given: Iterable[Drawing]) -> Bins:
    """The counts of a configuration's seeds, added where their edges agree."""
    found: Bins = {}
    for histogram in given:
        edges = tuple(value for value in numbers(histogram["edges"]) if value is not None)
        counts = [value for value in numbers(histogram["counts"]) if value is not None]
        found[edges] = [a + b for a, b in zip(found.get(edges, [0.0] * len(counts)), counts, strict=True)]
    return found


def _uneven(edges: Sequence[float]) -> bool:
    widths = [high - low for low, high in pairwise(edges)]
    return max(widths) > _UNEVEN * min(widths)


def _outline(edges: Sequence[float], counts: Sequence[float], across: Axis, up: Axis) -> str:
    at: Sequence[float] = range(len(edges)) if across.edges else [edge * shown_factor(across.unit) for edge in edges]
    total = sum(counts)
    points = [(across.at(at[0]), up.of(0))]
    for (low, high), count in zip(pairwise(at), counts, strict=True):
        height = up.of(count / total)
        points += [(across.at(low), height), (across.at(high), height)]
    points.append((across.at(at[-1]), up.of(0)))
    return path(_without_repeats(points))


def _without_repeats(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners alone: what lies on the way between two of them draws nothing."""
    kept = list(points[:2])
    for point in points[2:]:
        if kept[-1][1] == kept[-2][1] == point[1]:
            kept[-1] = point
        else:
            kept.append(point)
    return kept


def _table(summed: Mapping[str, Bins], all_of_them: Sequence[Series], unit: str) -> Table:
    """A line a bin that holds anything, a column a configuration; one that counted in several bins has a column each."""
    factor = shown_factor(unit)
    columns = [(one, own, counts) for one in all_of_them for own, counts in summed.get(one.row.row, {}).items()]
    held = [dict(zip(pairwise(own), counts, strict=True)) for _, own, counts in columns]
    bins = sorted({ends for counts in held for ends, count in counts.items() if count})
    rows = [
        [f"{low * factor:.4g}", f"{high * factor:.4g}", *(f"{counts.get((low, high), 0):g}" for counts in held)]
        for low, high in bins
    ]
    in_unit = f" ({shown_unit(unit)})" if unit else ""
    return Table([f"from{in_unit}", f"to{in_unit}", *(one.name for one, _, _ in columns)], rows)
