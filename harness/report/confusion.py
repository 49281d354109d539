"""The plots of which classes are taken for which: a panel a configuration, for every figure that comes with a confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import TYPE_CHECKING, Any

from ..comparison.summary import Row, metric_rows
from ..records import Record
from .classes import class_name, longest
from .panels import head, row_name
from .style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

Matrix = Sequence[Sequence[float]]

_PANELS = 12  # in one plot; further configurations stand in further ones
_ACROSS = 4
_WIDEST = 15.0  # inches of panels in a line
_CELL, _SMALLEST, _LARGEST = 0.33, 2.3, 6.8  # inches: of a cell with a number, of a panel's side
_SMALL_CELL = 0.17  # of a cell without one, beside whose like a name can still be read
_READABLE = 0.3  # from which on a cell holds a number
_LINE = 0.19  # inches of a line of text
_MOST = 1e15  # of a count: sums of such are still exact
_FRAMED, _AT_MOST = 3, 6  # the most frequent confusions, and how many where some are equally frequent
_TICKS = (0, 1, 5, 10, 25, 50, 75, 100)


@dataclass
class _Found:
    """The matrices of one figure over one set of classes, by row: one a seed."""

    title: str
    classes: tuple[str, ...]
    by_row: dict[str, list[Matrix]] = field(default_factory=dict)


def confusions(rows: Sequence[Row], done: Sequence[Record], title: str) -> Iterator[tuple[str, Figure]]:
    """A plot, by the figure's name, of every figure on the test split that has an array ``confusion`` (labels, predictions)."""
    found: dict[tuple[Any, ...], _Found] = {}
    for record in done:
        classes = tuple(str(name) for name in record.data.get("classes", ()))
        for value in metric_rows(record):
            matrix = (value.get("arrays") or {}).get("confusion")
            if value["split"] == "test" and matrix and _is_square(matrix, len(classes)):
                key = (value["metric"], value["name"], classes)
                found.setdefault(key, _Found(value["title"], classes)).by_row.setdefault(record.row, []).append(matrix)
    for (_, name, _), item in found.items():
        shown = [row for row in rows if row.row in item.by_row]
        for begin in range(0, len(shown), _PANELS):
            part = f", {begin // _PANELS + 1} of {-(-len(shown) // _PANELS)}" if len(shown) > _PANELS else ""
            yield name, _drawn(item, shown[begin : begin + _PANELS], len(shown), f"{title}{part}")


def _is_square(matrix: object, size: int) -> bool:
    """Whether this is a matrix of counts over ``size`` classes with anything in it: it is a stranger's."""
    if not isinstance(matrix, Sequence) or len(matrix) != size:
        return False
    if not all(isinstance(line, Sequence) and not isinstance(line, str) and len(line) == size for line in matrix):
        return False
    cells = [cell for line in matrix for cell in line]
    numbers = all(isinstance(cell, (int, float)) and 0 <= cell <= _MOST for cell in cells)
    return numbers and any(cells)


def _drawn(found: _Found, rows: Sequence[Row], configurations: int, title: str) -> Figure:
    from matplotlib.figure import Figure

    size = len(found.classes)
    # Beside many others a panel of many classes goes without numbers, which would make the plot larger than a screen.
    numbers = configurations <= _ACROSS or size * _CELL <= _WIDEST / _ACROSS
    side = min(max(size * (_CELL if numbers else _SMALL_CELL), _SMALLEST), _LARGEST)
    across = max(1, min(len(rows), _ACROSS, int(_WIDEST / side)))
    lines = -(-len(rows) // across)
    every, points = _names_that_fit(side / size)
    names = longest([class_name(name) for name in found.classes[::every]], points)
    titles = [fill(f"{row_name(row)} (n={len(found.by_row[row.row])})", int(11 * side)) for row in rows]
    over = 0.15 + _LINE * max(text.count("\n") + 1 for text in titles)
    left, below = 0.5 + names, 0.5 + names
    # Every size is known: a layout that looks for room itself makes cells of different plots differ.
    figure = Figure(figsize=(max(left + (side + 0.25) * across + 1.0, 4.8), 1.0))
    figure.set_layout_engine("none")
    head(figure, title, f"test {found.title}, seeds added up; framed: most frequent confusions")
    above = 0.15 + _LINE * (figure.get_suptitle().count("\n") + 1)
    width, height = figure.get_figwidth(), above + (over + side) * lines + below
    figure.set_figheight(height)
    figure.suptitle(figure.get_suptitle(), y=1 - 0.08 / height)
    colours, scale = _colours()

    def place(x: float, top: float, wide: float, high: float) -> Axes:
        return figure.add_axes((x / width, 1 - (top + high) / height, wide / width, high / height))

    for position, (row, text) in enumerate(zip(rows, titles, strict=True)):
        line, column = divmod(position, across)
        axis = place(left + (side + 0.25) * column, above + over + (over + side) * line, side, side)
        shares = _shares(found.by_row[row.row])
        # Without interpolation a file holds each cell once, whatever its size.
        image = axis.imshow(
            [[math.nan if share is None else share for share in of_label] for of_label in shares],
            cmap=colours,
            norm=scale,
            interpolation="none",
        )
        if numbers and side / size >= _READABLE:
            _write(axis, shares, side / size)
        _frame_worst(axis, shares)
        _name_classes(axis, found.classes, every, points, left=column == 0, below=position + across >= len(rows))
        axis.set_title(text)
    bar = figure.colorbar(
        image, cax=place(left + (side + 0.25) * across, above + over, 0.15, min(side, 3.4)), ticks=_TICKS
    )
    bar.set_label("share of the label (%)")
    bar.outline.set_visible(False)
    return figure


def _names_that_fit(cell: float) -> tuple[int, float]:
    """Every how many-th class is named beside cells of so many inches, and the points of its letters."""
    every = max(1, math.ceil(0.11 / cell))
    return every, min(9.0, 46 * cell * every)


def _shares(matrices: Sequence[Matrix]) -> list[list[float | None]]:
    """Per cent of each label, over all seeds together; None where a label has no sample."""
    size = len(matrices[0])
    summed = [[sum(matrix[label][other] for matrix in matrices) for other in range(size)] for label in range(size)]
    return [[100 * cell / sum(line) if sum(line) else None for cell in line] for line in summed]


def _colours() -> tuple[Colormap, Normalize]:
    """From white to the palette's blue and on into the dark, by square root, so that a confusion of some per cent is seen."""
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    made = LinearSegmentedColormap.from_list("confusion", ("#ffffff", "#b9d9ee", COLOURS[0], "#00263d"))
    return made.with_extremes(bad="#eeeeee"), PowerNorm(0.5, 0, 100)


def _write(axis: Axes, shares: Sequence[Sequence[float | None]], cell: float) -> None:
    """Whole per cent into every cell that holds any."""
    for label, line in enumerate(shares):
        for other, share in enumerate(line):
            if share:
                axis.text(
                    other,
                    label,
                    f"{share:.0f}" if share >= 0.5 else "<1",
                    ha="center",
                    va="center",
                    fontsize=min(9.0, 21 * cell),
                    color="white" if share > 30 else "black",
                )


def _frame_worst(axis: Axes, shares: Sequence[Sequence[float | None]]) -> None:
    """Frame the most frequent confusions; of equally frequent ones all or none."""
    from matplotlib.patches import Rectangle

    wrong = [
        (share, label, other)
        for label, line in enumerate(shares)
        for other, share in enumerate(line)
        if share and label != other
    ]
    for least in sorted((share for share, _, _ in wrong), reverse=True)[:_FRAMED][::-1]:
        worst = [place for place in wrong if place[0] >= least]
        if len(worst) <= _AT_MOST:
            for _, label, other in worst:
                corner = (other - 0.5, label - 0.5)
                frame = Rectangle(corner, 1, 1, fill=False, edgecolor=COLOURS[1], linewidth=1.8, zorder=3)
                axis.add_patch(frame).set_clip_on(False)
            return


def _name_classes(axis: Axes, classes: Sequence[str], every: int, points: float, *, left: bool, below: bool) -> None:
    names = [class_name(name) for name in classes[::every]]
    places = range(0, len(classes), every)
    # Upright, since slanted ones would reach into the panel to the left where the last line is not full.
    axis.set_xticks(places if below else [], names if below else [], rotation=90, fontsize=points)
    axis.set_yticks(places if left else [], names if left else [], fontsize=points)
    axis.set_xlabel("prediction" if below else "")
    axis.set_ylabel("label" if left else "")
    axis.grid(visible=False)
    first, last = -0.5, len(classes) - 0.5
    # Lines of a grid would each be a tick, and those take most of the time of drawing.
    for draw in (axis.hlines, axis.vlines):
        draw([place + 0.5 for place in range(len(classes) - 1)], first, last, color="#e4e4e4", linewidth=0.4)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set(visible=True, color="#e4e4e4", linewidth=0.4)
