"""What every plot is made of: panels beside each other, their labels and one legend, what a configuration is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from ..comparison.summary import Row, Summary
from .formats import shown_unit

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4  # panels in a line, at most
_LETTERS = 12  # of a title, an inch
_HANDLE, _LETTER = 0.65, 0.083  # inches that a mark of a legend and a letter behind it take
_LEAST = (
    0.02  # of its largest number is how far an axis reaches at least: what differs by less should not look far apart
)


def panels(
    count: int, width: float = 4.0, height: float = 3.4, *, one_scale: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` panels of ``width`` x ``height`` inches, in lines of at most :data:`ACROSS`.

    ``one_scale`` gives all of them the same y axis.
    """
    from matplotlib.figure import Figure

    columns = min(count, ACROSS)
    lines = -(-count // columns)
    figure = Figure(figsize=(0.8 + width * columns, 0.2 + height * lines))
    axes = [axis for line in figure.subplots(lines, columns, squeeze=False, sharey=one_scale) for axis in line]
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def name_axes(axis: Axes, *, x: str, y: str = "") -> None:
    """Label both axes and keep their numbers readable: few of them, and k or M beside large ones."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axis.set_xlabel(x)
    axis.set_ylabel(y)
    for along, limits, limit in (
        (axis.xaxis, axis.get_xlim(), axis.set_xlim),
        (axis.yaxis, axis.get_ylim(), axis.set_ylim),
    ):
        along.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        largest = max(map(abs, limits))
        if largest >= 1000:
            along.set_major_formatter(EngFormatter(sep=" "))
        if limits[1] - limits[0] < _LEAST * largest:
            middle = sum(limits) / 2
            limit(middle - _LEAST / 2 * largest, middle + _LEAST / 2 * largest)


def head(figure: Figure, *lines: str) -> None:
    """Write ``lines`` over the panels, broken where the figure is too narrow for them."""
    across = int(_LETTERS * figure.get_figwidth())
    figure.suptitle(
        "\n".join(fill(line, across, break_long_words=False, break_on_hyphens=False) for line in lines if line)
    )


def axis_label(title: str, unit: str) -> str:
    """``test accuracy (%)``."""
    return f"{title} ({shown_unit(unit)})" if unit else title


def legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend below all panels; a configuration that is drawn in several is named once."""
    found: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        # Names that a figure has no room for beside each other stand below each other.
        fitting = int(figure.get_figwidth() / (_HANDLE + _LETTER * max(map(len, found))))
        columns = max(1, min(len(found), 2 if figure.get_figwidth() < 6 else 4, fitting))
        # Many names take room of their own, or nothing is left of the panels.
        figure.set_figheight(figure.get_figheight() + 0.2 * max(0, -(-len(found) // columns) - 4))
        figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=columns)


def title_of(dataset: str, summary: Summary) -> str:
    """What stands over every plot of ``dataset``: the dataset, whether it is generated or limited, the harness."""
    generated = " (synthetic)" if dataset in summary.synthetic else ""
    limited = f", limited to {summary.limit} recordings a split" if summary.limit is not None else ""
    return f"{dataset}{generated}{limited} - snn-harness\u00a0{summary.harness}"


def row_name(row: Row) -> str:
    """What tells a configuration from the others of its dataset: ``lif tau_mem=2``."""
    named = [
        value if name in ("network", "neuron", "backend") else f"{name.rpartition('.')[2]}={value}"
        for name, value in row.names.items()
        if name != "dataset"
    ]
    return " ".join(named)


def slug(text: str) -> str:
    """``text`` as a part of a file's name; never nothing."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"
