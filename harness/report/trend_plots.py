"""The plots of a history: a dataset a file, a panel a figure, a line a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..comparison.series import Series
from ..history import Entry
from .formats import shown_factor
from .panels import axis_label, head, legend, name_axes, panels, slug
from .style import colour, line, marker, save, styled
from .trends import platforms_of, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TICKS = 4  # runs named below a panel, about
_DOTS = 40  # points on a line that are marked one by one


def write_plots(series: Sequence[Series], folder: Path) -> list[Path]:
    """Write ``<dataset>-trend.svg`` and ``.png`` for every dataset in ``series``; returns the paths."""
    written: list[Path] = []
    with styled():
        for number, dataset in enumerate(dict.fromkeys(item.dataset for item in series)):
            name = f"{slug(dataset)}-trend"
            taken = any(path.stem == name for path in written)
            mine = [item for item in series if item.dataset == dataset]
            written += save(_figure(mine), folder, f"{name}-{number}" if taken else name)
    return written


def _figure(series: Sequence[Series]) -> Figure:
    runs = _runs(series)
    rows = list(dict.fromkeys(item.row for item in series))
    platforms = platforms_of(series)
    by_panel: dict[tuple[str, str], list[Series]] = {}
    for item in series:
        by_panel.setdefault((item.figure, item.unit), []).append(item)
    figure, axes = panels(len(by_panel), width=4.4)
    for axis, group in zip(axes, by_panel.values(), strict=True):
        for item in group:
            _draw(axis, item, runs, (rows.index(item.row), len(rows)), platforms.get(item.platform, 1))
        name_axes(axis, x="run", y=axis_label(title_of(group[0]), group[0].unit))
        _name_runs(axis, list(runs.values()))
    generated = " (synthetic)" * series[0].synthetic
    several = any(len(item.seeds) > 1 for item in series)
    head(
        figure,
        f"{series[0].dataset}{generated} - trend over {len(runs)} run{'s' * (len(runs) != 1)}",
        "; ".join(
            [
                *(["lines: mean over seeds, bands: range over seeds"] if several else []),
                *(["upright: where a level seems to have moved"] if any(item.changes for item in series) else []),
                *(["noisy figures: a line a platform"] if len(platforms) > 1 else []),
            ]
        ),
    )
    legend(figure, axes)
    return figure


def _runs(series: Sequence[Series]) -> dict[str, Entry]:
    """Every run in ``series``, oldest first, by its name."""
    entries = {point.entry.run: point.entry for item in series for point in item.points}
    return dict(sorted(entries.items(), key=lambda given: (given[1].time, given[0])))


def _draw(axis: Axes, item: Series, runs: dict[str, Entry], place: tuple[int, int], platform: int) -> None:
    """Draw a series, that of row ``place[0]`` of ``place[1]``."""
    index, rows = place
    factor, order = shown_factor(item.unit), list(runs)
    x = [order.index(point.entry.run) for point in item.points]
    tone = colour(index)
    axis.plot(
        x,
        [point.mean * factor for point in item.points],
        linestyle=line(index) if platform == 1 else (0, (1 + platform, 2)),
        marker=marker(index),
        markersize=4 if len(x) <= _DOTS else 2,
        color=tone,
        linewidth=1.3,
        label=item.label,
    )
    low, high = [
        [value * factor for value in ends] for ends in zip(*((p.low, p.high) for p in item.points), strict=True)
    ]
    if low != high:
        axis.fill_between(x, low, high, color=tone, alpha=0.15, linewidth=0)
    for change in item.changes:
        # Dashes of several rows at one run stand between each other.
        dashes = (4 * index, (4, 4 * max(rows - 1, 1)))
        axis.axvline(x[change.index] - 0.5, color=tone, linestyle=dashes, linewidth=1.1)


def _name_runs(axis: Axes, entries: Sequence[Entry]) -> None:
    """Name a few of the runs below the axis: the day, or the time where all are of one day, and the commit."""
    count = min(len(entries), _TICKS)
    places = sorted({round(place * (len(entries) - 1) / max(count - 1, 1)) for place in range(count)})
    one_day = len({entry.time[:10] for entry in entries}) == 1
    names = [
        "\n".join(filter(None, [entry.time[11:16] if one_day else entry.time[:10], (entry.commit or "")[:7]]))
        for entry in (entries[place] for place in places)
    ]
    axis.set_xticks(places, names, fontsize=8)
    axis.set_xlim(-0.6, len(entries) - 0.4)
