"""The plots of a run: quality against each cost, learning curves, quality by class, confusions, and what metrics hand over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..comparison.statistics import mean_interval
from ..comparison.summary import Column, Row, Summary, metric_rows
from ..metric_rows import meaning
from ..records import Record, Status
from .classes import class_name, longest
from .confusion import confusions
from .drawings import numbers
from .drawn import curves, histograms
from .formats import shown_factor
from .panels import ACROSS, axis_label, head, legend, name_axes, panels, row_name, slug, title_of
from .style import colour, marker, save_all

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_plots(
    records: Sequence[Record], summary: Summary, folder: Path, timings: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write every figure that the records and timings give, each dataset apart, as SVG and PNG; returns the paths."""
    return save_all(run_figures(records, summary, timings), folder)


def run_figures(
    records: Sequence[Record], summary: Summary, timings: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, Figure]]:
    """Name and figure of all that there is to draw, one by one; to be drawn inside ``styled()``."""
    taken: set[str] = set()
    for dataset in dict.fromkeys(row.dataset for row in summary.rows):
        rows = [row for row in summary.rows if row.dataset == dataset]
        mine = [item for item in records if item.specification["dataset"]["name"] == dataset]
        done = [item for item in mine if item.status is Status.OK]
        for name, figure in _drawn(rows, done, summary, timings, title_of(dataset, summary)):
            yield _free(f"{slug(dataset)}-{name}", taken), figure


def _drawn(
    rows: Sequence[Row],
    done: Sequence[Record],
    summary: Summary,
    timings: Mapping[str, Any] | None,
    title: str,
) -> Iterator[tuple[str, Figure]]:
    """Every plot of one dataset and its name."""
    yield from _quality_against_cost(rows, summary.columns, title).items()
    yield from _learning_curves(rows, done, title).items()
    yield from _by_class(rows, done, title)
    yield from ((f"{slug(name)}-confusion", figure) for name, figure in confusions(rows, done, title))
    drawn = curves(rows, done, timings, title)
    yield from ((slug(name), figure) for name, figure in drawn)
    for name, figure in histograms(rows, done, title):
        yield slug(name) + "-histogram" * (name in dict(drawn)), figure


def _free(name: str, taken: set[str]) -> str:
    """``name``, or with a number where a plot has it already: other names may come to the same letters."""
    free = next(wanted for number in count(1) if (wanted := name if number == 1 else f"{name}-{number}") not in taken)
    taken.add(free)
    return free


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
        figure, axes = panels(len(shown), one_scale=True)
        for position, (axis, cost) in enumerate(zip(axes, shown, strict=True)):
            for index, row in enumerate(rows):
                _point(axis, row, cost, quality, index)
            axis.margins(0.15)
            _bound(axis, quality)
            first = position % ACROSS == 0
            name_axes(axis, x=axis_label(cost.title, cost.unit), y=axis_label(quality.title, quality.unit) * first)
        head(figure, title)
        legend(figure, axes)
        drawn[f"{slug(quality.key.removeprefix('test.'))}-against-cost"] = figure
    return drawn


def _bound(axis: Axes, quality: Column) -> None:
    """Keep an interval that reaches beyond what can be (below 0, above 100 %) from stretching the axes."""
    axis.set_xlim(left=max(axis.get_xlim()[0], 0.0))
    low, high = axis.get_ylim()
    axis.set_ylim(max(low, 0.0), min(high, 104.0) if quality.unit == "fraction" else high)


def _point(axis: Axes, row: Row, cost: Column, quality: Column, index: int) -> None:
    x, y = row.cells[cost.key].interval, row.cells[quality.key].interval
    if x is None or y is None:
        return
    across, up = shown_factor(cost.unit), shown_factor(quality.unit)
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
        label=f"{row_name(row)} (n={y.n})",
    )


def _learning_curves(rows: Sequence[Row], done: Sequence[Record], title: str) -> dict[str, Figure]:
    from matplotlib.ticker import MaxNLocator

    parts = [
        ("loss (nat)", (("train_loss", "--"), ("validation_loss", "-")), 1.0),
        ("accuracy (%)", (("train_accuracy", "--"), ("validation_accuracy", "-")), 100.0),
    ]
    curves = {row.row: [item.outcome["curves"] for item in done if item.row == row.row] for row in rows}
    if not any(given for group in curves.values() for given in group):
        return {}
    figure, axes = panels(len(parts))
    for axis, (label, names, factor) in zip(axes, parts, strict=True):
        for index, row in enumerate(rows):
            for name, line in names:
                series = [given[name] for given in curves[row.row] if given.get(name)]
                _curve(
                    axis,
                    series,
                    factor,
                    colour(index),
                    line,
                    row_name(row) if line == "-" or ("train" in name and not _validated(curves[row.row])) else None,
                )
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        left, right = axis.get_xlim()
        axis.set_xlim(min(left, 0.8), max(right, 1.2))
        axis.set_ylabel(label)
    for index, row in enumerate(rows):
        for item in (item for item in done if item.row == row.row):
            _selected(axes[1], item, index)
    head(figure, title, "solid: validation, dashed: training, marks: selected epochs, bands: range over seeds")
    legend(figure, axes)
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
    means = [sum(values) / len(values) for values in at]
    # A single epoch is no line.
    axis.plot(epochs, means, line, marker="_" if length == 1 else "", color=tone, linewidth=1.5, label=label)
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


def _by_class(rows: Sequence[Row], done: Sequence[Record], title: str) -> Iterator[tuple[str, Figure]]:
    """Every quality figure that comes with one value a class; those over other classes apart."""
    found: dict[tuple[Any, ...], tuple[str, dict[str, list[list[float]]]]] = {}
    for record in done:
        classes = tuple(class_name(item) for item in record.data.get("classes", ()))
        for value in metric_rows(record):
            per_class = numbers((value.get("arrays") or {}).get("per_class"))
            if (
                "error" not in value
                and value["split"] == "test"
                and value.get("role") == "quality"
                and 0 < len(per_class) == len(classes)
            ):
                factor = shown_factor(value["unit"])
                label = axis_label(f"test {value['title']}", value["unit"])
                _, by_row = found.setdefault((*meaning(value), classes), (label, {}))
                by_row.setdefault(record.row, []).append(
                    [float("nan") if item is None else item * factor for item in per_class]
                )
    for (_, name, *_, classes), (label, by_row) in found.items():
        figure, (axis,) = _wide(classes, len(rows))
        for index, row in enumerate(rows):
            if row.row not in by_row:
                continue
            means = [_mean(values) for values in zip(*by_row[row.row], strict=True)]
            offset = (index - (len(rows) - 1) / 2) * 0.6 / max(len(rows), 1)
            axis.plot(
                [position + offset for position in range(len(means))],
                means,
                marker(index),
                color=colour(index),
                markersize=5,
                label=row_name(row),
            )
        axis.set_xticks(range(len(classes)), classes, rotation=60, ha="right", rotation_mode="anchor")
        axis.set_xlim(-0.6, len(classes) - 0.4)
        axis.set_ylabel(label)
        axis.set_xlabel("class")
        head(figure, title)
        legend(figure, [axis])
        yield f"{slug(name)}-by-class", figure


def _wide(classes: Sequence[str], rows: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    # Long names and legends below take nothing away from what is drawn.
    below = 0.9 * longest(classes, 10) + 0.2 * -(-rows // 2)
    figure = Figure(figsize=(max(5.0, 1.2 + 0.38 * len(classes)), max(4.0, 3.0 + below)))
    return figure, [figure.subplots()]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]  # NaN: a class without recordings
    return mean_interval(known).mean if known else float("nan")
