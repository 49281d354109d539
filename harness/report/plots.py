"""The plots of a run: quality against each cost, learning curves, quality by class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..comparison.statistics import mean_interval
from ..comparison.summary import Column, Row, Summary, metric_rows
from ..records import Record, Status
from .formats import unit_of
from .style import colour, marker, save, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_plots(records: Sequence[Record], summary: Summary, folder: Path) -> list[Path]:
    """Write every figure that the records give, each dataset apart, as SVG and PNG; returns the paths."""
    written: list[Path] = []
    with styled():
        for dataset in dict.fromkeys(row.dataset for row in summary.rows):
            rows = [row for row in summary.rows if row.dataset == dataset]
            mine = [item for item in records if item.specification["dataset"]["name"] == dataset]
            done = [item for item in mine if item.status is Status.OK]
            title = _title(dataset, summary)
            drawn = {
                **_quality_against_cost(rows, summary.columns, title),
                **_learning_curves(rows, done, title),
                **_by_class(rows, done, title),
            }
            for name, figure in drawn.items():
                written += save(figure, folder, f"{_slug(dataset)}-{name}")
    return written


def _title(dataset: str, summary: Summary) -> str:
    generated = " (synthetic)" if dataset in summary.synthetic else ""
    limited = f", limited to {summary.limit} recordings a split" if summary.limit is not None else ""
    return f"{dataset}{generated}{limited} - snn-harness {summary.harness}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _name(row: Row) -> str:
    named = [
        value if name in ("network", "neuron", "backend") else f"{name.rpartition('.')[2]}={value}"
        for name, value in row.names.items()
        if name != "dataset"
    ]
    return " ".join(named)


def _figure(columns: int, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.8 + 4.0 * columns, height))
    axes = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(axes)


def _axis_label(column: Column) -> str:
    unit = unit_of(column)
    return f"{column.title} ({unit})" if unit else column.title


def _factor(column: Column) -> float:
    return 100.0 if column.unit == "fraction" else 1.0


def _quality_against_cost(rows: Sequence[Row], columns: Sequence[Column], title: str) -> dict[str, Figure]:
    qualities = [column for column in columns if column.role == "quality" and not column.key.startswith("train.")]
    costs = [column for column in columns if column.role == "cost"]
    drawn: dict[str, Figure] = {}
    for quality in qualities:
        shown = [
            cost
            for cost in costs
            if any(row.cells[cost.key].interval and row.cells[quality.key].interval for row in rows)
        ]
        if not shown:
            continue
        figure, axes = _figure(len(shown))
        for axis, cost in zip(axes, shown, strict=True):
            for index, row in enumerate(rows):
                _point(axis, row, cost, quality, index)
            axis.set_xlabel(_axis_label(cost))
            axis.margins(0.15)
            _bound(axis, quality)
        axes[0].set_ylabel(_axis_label(quality))
        figure.suptitle(title)
        _legend(figure, axes[0])
        drawn[f"{_slug(quality.title.removeprefix('test '))}-against-cost"] = figure
    return drawn


def _bound(axis: Axes, quality: Column) -> None:
    """Keep an interval that reaches beyond what can be (below 0, above 100 %) from stretching the axes."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axis.set_xlim(left=max(axis.get_xlim()[0], 0.0))
    low, high = axis.get_ylim()
    axis.set_ylim(max(low, 0.0), min(high, 104.0) if quality.unit == "fraction" else high)
    if axis.get_xlim()[1] >= 1000:
        axis.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axis.xaxis.set_major_locator(MaxNLocator(5))


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))


def _point(axis: Axes, row: Row, cost: Column, quality: Column, index: int) -> None:
    x, y = row.cells[cost.key].interval, row.cells[quality.key].interval
    if x is None or y is None:
        return
    across, up = _factor(cost), _factor(quality)
    axis.errorbar(
        x.mean * across,
        y.mean * up,
        xerr=None if x.half_width is None else x.half_width * across,
        yerr=None if y.half_width is None else y.half_width * up,
        fmt=marker(index),
        color=colour(index),
        markersize=7,
        capsize=3,
        linewidth=1.2,
        label=f"{_name(row)} (n={y.n})",
    )


def _learning_curves(rows: Sequence[Row], done: Sequence[Record], title: str) -> dict[str, Figure]:
    from matplotlib.ticker import MaxNLocator

    panels = [
        ("loss (nat)", (("train_loss", "--"), ("validation_loss", "-")), 1.0),
        ("accuracy (%)", (("train_accuracy", "--"), ("validation_accuracy", "-")), 100.0),
    ]
    curves = {row.row: [item.outcome["curves"] for item in done if item.row == row.row] for row in rows}
    if not any(given for group in curves.values() for given in group):
        return {}
    figure, axes = _figure(len(panels))
    for axis, (label, names, factor) in zip(axes, panels, strict=True):
        for index, row in enumerate(rows):
            for name, line in names:
                series = [given[name] for given in curves[row.row] if given.get(name)]
                _curve(
                    axis,
                    series,
                    factor,
                    colour(index),
                    line,
                    _name(row) if line == "-" or ("train" in name and not _validated(curves[row.row])) else None,
                )
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axis.set_ylabel(label)
    for index, row in enumerate(rows):
        for item in (item for item in done if item.row == row.row):
            _selected(axes[1], item, index)
    figure.suptitle(f"{title}\nsolid: validation, dashed: training, marks: selected epochs, bands: range over seeds")
    _legend(figure, axes[0])
    return {"learning-curves": figure}


def _validated(group: Sequence[Any]) -> bool:
    return any(given.get("validation_loss") for given in group)


def _curve(
    axis: Axes, series: Sequence[Sequence[float]], factor: float, tone: str, line: str, label: str | None
) -> None:
    if not series:
        return
    length = min(len(values) for values in series)
    epochs = range(1, length + 1)
    at = [[values[epoch - 1] * factor for values in series] for epoch in epochs]
    axis.plot(epochs, [sum(values) / len(values) for values in at], line, color=tone, linewidth=1.5, label=label)
    # One band a configuration: that of its solid line, or nothing could be told apart.
    if len(series) > 1 and label is not None:
        axis.fill_between(
            epochs, [min(values) for values in at], [max(values) for values in at], color=tone, alpha=0.15, linewidth=0
        )


def _selected(axis: Axes, record: Record, index: int) -> None:
    epoch = record.outcome.get("selected_epoch")
    scores = record.outcome["curves"].get("validation_accuracy")
    if epoch and scores and epoch <= len(scores):
        axis.plot(epoch, scores[epoch - 1] * 100, marker(index), color=colour(index), markersize=5)


def _by_class(rows: Sequence[Row], done: Sequence[Record], title: str) -> dict[str, Figure]:
    """Every quality figure that comes with one value a class."""
    found: dict[str, tuple[str, dict[str, list[list[float]]]]] = {}
    for record in done:
        for value in metric_rows(record):
            per_class = (value.get("arrays") or {}).get("per_class")
            if value["split"] == "test" and value.get("role") == "quality" and per_class:
                factor = 100.0 if value["unit"] == "fraction" else 1.0
                _, by_row = found.setdefault(
                    value["name"], (f"test {value['title']} ({'%' if factor == 100 else value['unit']})", {})
                )
                by_row.setdefault(record.row, []).append(
                    [float("nan") if item is None else item * factor for item in per_class]
                )
    drawn: dict[str, Figure] = {}
    for name, (label, by_row) in found.items():
        classes = list(done[0].data.get("classes", ()))
        figure, (axis,) = _wide(len(classes))
        for index, row in enumerate(rows):
            series = by_row.get(row.row, [])
            means = (
                [_mean([values[position] for values in series]) for position in range(len(classes))] if series else []
            )
            offset = (index - (len(rows) - 1) / 2) * 0.6 / max(len(rows), 1)
            axis.plot(
                [position + offset for position in range(len(means))],
                means,
                marker(index),
                color=colour(index),
                markersize=5,
                label=_name(row),
            )
        axis.set_xticks(range(len(classes)), classes, rotation=60, ha="right", rotation_mode="anchor")
        axis.set_xlim(-0.6, len(classes) - 0.4)
        axis.set_ylabel(label)
        axis.set_xlabel("class")
        figure.suptitle(title)
        _legend(figure, axis)
        drawn[f"{_slug(name)}-by-class"] = figure
    return drawn


def _wide(classes: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(5.0, 1.2 + 0.38 * classes), 4.0))
    return figure, [figure.subplots()]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]  # NaN: a class without recordings
    return mean_interval(known).mean if known else float("nan")
