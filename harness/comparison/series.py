"""Histories as series: one figure of one configuration over runs, and where it seems to have changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import UsageError, nearest
from ..history import Entry, Measured
from .changes import FEWEST, Change, changes, scatter_of, steps

_Key = tuple[str, str, str, str, str, str, str]  # dataset, row, figure, unit, kind, platform, metric
_PLATFORM = ("cpu", "gpu", "machine", "device", "threads", "python", "torch", "numpy")


@dataclass(frozen=True)
class Point:
    """One run's value: the mean over seeds and the range."""

    entry: Entry
    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """One figure of a configuration, oldest run first.

    ``figure`` is ``phase.split.name``. Every point is over the same ``seeds``, of which ``some`` run has more; ``left_out`` runs lack
    one. ``platform`` says where
    a noisy figure was taken, since times of two platforms never stand in one series; it is empty for other kinds.
    """

    dataset: str
    synthetic: bool
    row: str
    label: str
    figure: str
    unit: str
    direction: str
    kind: str
    title: str
    platform: str
    seeds: tuple[int, ...]
    some: bool
    points: tuple[Point, ...]
    changes: tuple[Change, ...]
    left_out: int = 0

    @property
    def searched(self) -> bool:
        """Whether it has points enough to look for changes; an exact figure always has."""
        return self.kind == "exact" or len(self.points) >= FEWEST


def series_of(entries: Sequence[Entry]) -> list[Series]:
    """Every series in ``entries`` (oldest first): datasets, then configurations, then figures, in order of appearance;
    figures on test come first."""
    entries = _by_data(entries)
    names = _labels(entries)
    groups: dict[_Key, list[Entry]] = {}
    rows = dict.fromkeys((entry.dataset, entry.row) for entry in entries)
    figures = sorted(dict.fromkeys(name for entry in entries for name in entry.figures), key=_beside_test)
    metrics = _metrics(entries)
    for entry in entries:
        for name, figure in entry.figures.items():
            metric = figure.metric or metrics.get((entry.dataset, entry.row, name), "")
            groups.setdefault(_key(entry, name, figure, metric), []).append(entry)
    datasets = list(dict.fromkeys(dataset for dataset, _ in rows))
    row_rank = {row: place for place, row in enumerate(rows)}
    figure_rank = {name: place for place, name in enumerate(figures)}
    ordered = sorted(
        groups.items(), key=lambda item: (datasets.index(item[0][0]), row_rank[item[0][:2]], figure_rank[item[0][2]])
    )
    return [_series(key, group, names[key[1]]) for key, group in ordered]


def _by_data(entries: Sequence[Entry]) -> list[Entry]:
    """Return ``entries`` with a configuration of its own for each data that one was trained on: values on others are no trend.

    A line without an identity, written before there was any, stays with the oldest data of its configuration.
    """
    known: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry.data:
            known.setdefault(entry.row, {})[entry.data] = None
    found = []
    for entry in entries:
        several = known.get(entry.row, {})
        if len(several) > 1:
            name = (entry.data or next(iter(several)))[:6]
            entry = replace(entry, row=f"{entry.row}/{name}", label=f"{entry.label} (data {name})")
        found.append(entry)
    return found


def _metrics(entries: Sequence[Entry]) -> dict[tuple[str, str, str], str]:
    """Return the metric that lines without one are taken to be of: the first that is stored under the name."""
    found: dict[tuple[str, str, str], str] = {}
    for entry in entries:
        for name, figure in entry.figures.items():
            if figure.metric:
                found.setdefault((entry.dataset, entry.row, name), figure.metric)
    return found


def _key(entry: Entry, name: str, figure: Measured, metric: str) -> _Key:
    return (
        entry.dataset,
        entry.row,
        name,
        figure.unit,
        figure.kind,
        _platform(entry) if figure.kind == "noisy" else "",
        metric,
    )


def _platform(entry: Entry) -> str:
    given = {name: entry.platform.get(name) for name in _PLATFORM}
    return ", ".join(
        f"{value}" if name in ("cpu", "gpu", "machine", "device") else f"{name} {value}"
        for name, value in given.items()
        if value is not None
    )


def _labels(entries: Sequence[Entry]) -> dict[str, str]:
    """By row: its newest label, and the start of the digest where another row is called the same."""
    labels = {entry.row: entry.label for entry in entries}
    called = list(labels.values())
    return {row: label if called.count(label) == 1 else f"{label} [{row[:6]}]" for row, label in labels.items()}


def _series(key: _Key, group: Sequence[Entry], label: str) -> Series:
    dataset, row, name, unit, kind, platform, _ = key
    measured = [entry.figures[name] for entry in group]
    every = [set(figure.values) for figure in measured]
    # Other seeds have another mean: a run that lacks a seed would look like a change.
    seeds = set.intersection(*every) or every[-1]
    kept = [(entry, figure) for entry, figure in zip(group, measured, strict=True) if seeds <= set(figure.values)]
    order = sorted(seeds)
    values = [[float(figure.values[seed]) for seed in order] for _, figure in kept]
    points = tuple(
        Point(entry, math.fsum(own) / len(own), min(own), max(own))
        for (entry, _), own in zip(kept, values, strict=True)
        if own
    )
    means = [point.mean for point in points]
    return Series(
        dataset=dataset,
        synthetic=group[-1].synthetic,
        row=row,
        label=label,
        figure=name,
        unit=unit,
        direction=measured[-1].direction,
        kind=kind,
        title=measured[-1].title,
        platform=platform,
        seeds=tuple(order),
        some=any(set(figure.values) - seeds for _, figure in kept),
        points=points,
        changes=tuple(steps(means) if kind == "exact" else changes(means, scatter_of(values))),
        left_out=len(group) - len(kept),
    )


# -- which of them ----------------------------------------------------------------------------------------------------


def chosen(series: Sequence[Series], figures: Sequence[str], rows: Sequence[str]) -> list[Series]:
    """Those of ``figures`` (a name, or its end such as ``train.accuracy``; without any, those on test) and of ``rows`` (words of a
    label, or how a digest begins; without any, all); raises :class:`UsageError` for one that there is not."""
    names = list(dict.fromkeys(item.figure for item in series))
    for name in figures:
        if not any(_ends(full, name) for full in names):
            short = [full.split(".", depth)[-1] for full in names for depth in (0, 1, 2)]
            close = nearest(name, short) or f"; there are: {', '.join(names)}"
            raise UsageError(f"--figure {name!r}: the history has no such figure{close}")
    for text in rows:
        if not any(_called(item, text) for item in series):
            labels = list(dict.fromkeys(item.label for item in series))
            raise UsageError(
                f"--row {text!r}: no configuration is called so{nearest(text, labels)}; there are: {', '.join(labels)}"
            )
    return [
        item
        for item in series
        if (any(_ends(item.figure, name) for name in figures) if figures else not _beside_test(item.figure))
        and (not rows or any(_called(item, text) for text in rows))
    ]


def _beside_test(figure: str) -> bool:
    """Whether it was taken on another split than test."""
    return figure.split(".")[1:2] != ["test"]


def _ends(full: str, name: str) -> bool:
    return full == name or full.endswith(f".{name}")


def _called(item: Series, text: str) -> bool:
    return set(text.split()) <= set(item.label.split()) or item.row.startswith(text)
