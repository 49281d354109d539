"""Figures of whole splits: when events come, how many and how long recordings are, how classes and speakers are spread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .classes import longest
from .inspection_titles import named, title
from .panels import head, legend, panels
from .style import COLOURS, LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..inspection.findings import Inspection, SplitFindings

_BARS = 120  # of a histogram of times, about
_NAMED = 40  # bars that are named each
_LEAST = (
    0.02  # of its largest value is how far an axis reaches at least: less would be one number over and over below it
)


def plot_times(inspection: Inspection) -> Figure:
    """Event times of each split: their density, and the share of events that come later, which is what a crop would cost."""
    figure, (density, later) = panels(2, 4.6, 3.4)
    percentile = next((found.times.percentile for found in inspection.splits.values()), 99.0)
    for index, found in enumerate(inspection.splits.values()):
        times, tone, style = found.times, COLOURS[index % 6], LINES[index % len(LINES)]
        total = int(times.counts.sum())
        if not total:
            continue
        edges, counts = _coarser(times.counts, times.bin_us, _longest(inspection))
        share = 100 * counts / total / np.diff(edges)
        density.stairs(
            share, edges, color=tone, linewidth=1.4, linestyle=style, label=f"{found.split} ({total:,} events)"
        )
        rest = 100 * (1 - np.cumsum(times.counts) / total)
        at = np.arange(len(times.counts) + 1) * times.bin_us / 1000
        thin = slice(None, None, max(1, len(at) // 800))
        later.plot(at[thin], np.concatenate([[100.0], rest])[thin], color=tone, linewidth=1.4, linestyle=style)
        for axis in (density, later):
            _line(
                axis,
                times.percentile_ms,
                tone,
                (0, (5, 2)),
                f"{found.split}: {times.percentile:g} % at {_ms(times.percentile_ms)}",
            )
            _line(axis, times.t_max_ms, tone, (0, (1, 1.5)), f"{found.split}: t_max {_ms(times.t_max_ms)}")
    crop = inspection.encoding.crop
    reach = _longest(inspection)
    if crop is not None and crop <= 1.2 * reach:
        for axis in (density, later):
            _line(axis, crop, COLOURS[6], "-", f"crop {_ms(crop)}")
        reach = max(reach, crop)
    for axis in (density, later):
        axis.set_xlim(0, reach * 1.02 or 1.0)
        axis.set_ylim(bottom=0)
    _name(density, "time from the recording's start (ms)", "events (% of the split a ms)")
    _name(later, "time from the recording's start (ms)", "events still to come (%)")
    later.set_ylim(0, 100)
    beyond = f"crop {_ms(crop)}, after all events" if crop is not None and crop > 1.2 * reach else ""
    head(
        figure,
        title(inspection),
        f"event times; each split's events are 100 %, dashed lines: {percentile:g} %, dotted: the last",
        beyond,
    )
    legend(figure, [density])
    return figure


def plot_sizes(inspection: Inspection) -> Figure:
    """Events a recording and durations of each split, as shares of its recordings; lines at the medians."""
    figure, axes = panels(2, 4.6, 3.2)
    splits = list(inspection.splits.values())
    parts = (
        (axes[0], "events a recording", [found.counts.astype(float) for found in splits]),
        (axes[1], "duration, to the last event (ms)", [found.durations_ms for found in splits]),
    )
    for axis, what, values in parts:
        edges = _edges(values)
        for index, (found, of_split) in enumerate(zip(splits, values, strict=True)):
            if not len(of_split):
                continue
            tone, style = COLOURS[index % 6], LINES[index % len(LINES)]
            counted, _ = np.histogram(of_split, edges)
            name = f"{found.split} (n={len(of_split):,})"
            axis.stairs(100 * counted / len(of_split), edges, color=tone, linewidth=1.4, linestyle=style, label=name)
            axis.stairs(100 * counted / len(of_split), edges, color=tone, fill=True, alpha=0.12)
            _line(axis, float(np.median(of_split)), tone, (0, (1, 1.5)))
        axis.set_xlim(edges[0], edges[-1])
        axis.set_ylim(bottom=0)
        _name(axis, what, "recordings (% of the split)")
    crop = inspection.encoding.crop
    low, high = axes[1].get_xlim()
    if crop is not None and low <= crop <= high:
        _line(axes[1], crop, COLOURS[6], "-", f"crop {_ms(crop)}")
    before = f"; crop {_ms(crop)}, before all last events" if crop is not None and crop < low else ""
    head(figure, title(inspection), f"sizes of recordings; dotted: medians{before}")
    legend(figure, axes)
    return figure


def plot_balance(inspection: Inspection) -> Figure:
    """Recordings of each class and, where the dataset names them, of each speaker or subject, split by split."""
    from matplotlib.figure import Figure

    splits = list(inspection.splits.values())
    by_class = [np.bincount(found.labels, minlength=len(inspection.classes)) for found in splits]
    width = max(map(len, by_class), default=0)
    classes = [named(name) for name in inspection.classes]
    classes += [f"label {number}" for number in range(len(classes), width)]
    parts = [("class", classes, [np.pad(counts, (0, width - len(counts))) for counts in by_class])]
    groups = _groups(splits)
    if groups:
        held = [_of_groups(found, groups) for found in splits]
        parts.append(("speaker or subject", groups, held))
    room = [0.25 + longest([named(name) for name in names], 9) for _, names, _ in parts]
    wide = max(max(min(len(names), 2 * _NAMED) for _, names, _ in parts) * 0.34 + 1.4, 6.0)
    figure = Figure(figsize=(min(wide, 15.0), 0.9 + sum(2.1 + below for below in room)))
    axes = figure.subplots(len(parts), 1, squeeze=False, gridspec_kw={"height_ratios": [1.0] * len(parts)})[:, 0]
    shared = set(inspection.shared_groups)
    for axis, (what, names, counts) in zip(axes, parts, strict=True):
        _bars(axis, names, counts, splits, figure.get_figwidth() - 1.2)
        axis.set_xlabel(what)
        axis.set_ylabel("recordings")
        if what != "class" and shared:
            for place in (place for place, name in enumerate(names) if name in shared):
                first = place == next(place for place, name in enumerate(names) if name in shared)
                axis.axvspan(
                    place - 0.5, place + 0.5, color="#e8e8e8", zorder=0, linewidth=0,
                    label="in every split" if first else None,
                )  # fmt: skip
    head(figure, title(inspection), _balance_in_words(inspection, groups))
    legend(figure, list(axes))
    return figure


def _balance_in_words(inspection: Inspection, groups: Sequence[str]) -> str:
    if not groups:
        return "recordings by class; the dataset names no speakers or subjects"
    if not all(found.groups is not None for found in inspection.splits.values()):
        return "recordings by class and by speaker or subject, which not every split names"
    shared = len(inspection.shared_groups)
    return f"recordings by class and by speaker or subject ({shared or 'none'} of {len(groups)} in every split)"


def _bars(
    axis: Axes,
    names: Sequence[str],
    counts: Sequence[npt.NDArray[np.int64]],
    splits: Sequence[SplitFindings],
    across: float,
) -> None:
    """Bars of each split beside each other; names lie where ``across`` inches are enough for that."""
    from matplotlib.ticker import MaxNLocator

    places, bar = np.arange(len(names)), 0.8 / max(len(splits), 1)
    for index, (found, of_split) in enumerate(zip(splits, counts, strict=True)):
        offset = (index - (len(splits) - 1) / 2) * bar
        axis.bar(places + offset, of_split, bar * 0.94, color=COLOURS[index % 6], label=found.split)
    every = -(-len(names) // _NAMED)
    shown = [named(name) for name in islice(names, 0, None, every)]
    if (longest(shown, 9) + 0.08) * len(shown) < across:
        axis.set_xticks(places[::every], shown, fontsize=9)
    else:
        axis.set_xticks(places[::every], shown, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.grid(visible=False, axis="x")
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axis.tick_params(axis="x", length=0)


def _groups(splits: Sequence[SplitFindings]) -> list[str]:
    """Every speaker or subject, numbers in their names by size."""
    named = {str(name) for found in splits if found.groups is not None for name in found.groups}
    return sorted(named, key=_by_number)


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _of_groups(found: SplitFindings, groups: Sequence[str]) -> npt.NDArray[np.int64]:
    if found.groups is None:
        return np.zeros(len(groups), np.int64)
    names, counts = np.unique(found.groups.astype(str), return_counts=True)
    held = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return np.array([held.get(name, 0) for name in groups], np.int64)


def _longest(inspection: Inspection) -> float:
    """Milliseconds of the last event of any split."""
    return max((found.times.t_max_ms or 0.0 for found in inspection.splits.values()), default=0.0)


def _coarser(
    counts: npt.NDArray[np.int64], bin_us: int, longest_ms: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Edges (ms) and counts of about :data:`_BARS` bins up to the last event of any split, whole multiples of those given."""
    by = max(1, round(longest_ms * 1000 / bin_us / _BARS))
    padded = np.pad(counts, (0, -len(counts) % by))
    joined = padded.reshape(-1, by).sum(axis=1)
    return np.arange(len(joined) + 1) * by * bin_us / 1000, joined


def _edges(values: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Bins for all splits alike, as many as the smallest of them bears."""
    filled = [of_split for of_split in values if len(of_split)]
    if not filled:
        return np.linspace(0.0, 1.0, 2)
    low, high = float(min(map(np.min, filled))), float(max(map(np.max, filled)))
    count = int(np.clip(2 * min(map(len, filled)) ** 0.5, 8, 50))
    if high - low < _LEAST * high or high == low:
        wide = max(_LEAST * high, 1.0)
        low = max((low + high - wide) / 2, 0.0)
        high = low + wide
    return np.linspace(low, high, count + 1)


def _name(axis: Axes, x: str, y: str) -> None:
    """Label both axes, with thousands apart: k beside a unit of ms would misread."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if axis.get_xlim()[1] >= 1000:
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _line(axis: Axes, at: float | None, tone: str, style: object, name: str | None = None) -> None:
    if at is not None:
        axis.axvline(at, color=tone, linestyle=style, linewidth=1.1, label=name)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
