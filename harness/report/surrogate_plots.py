"""Figures of surrogates: the step that a neuron takes, the smooth function in its place, and the derivative used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .panels import head, legend, name_axes, panels
from .style import COLOURS, LINES, save, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..surrogates import Surrogate


def plot_surrogates(shown: Sequence[Surrogate]) -> Figure:
    """A panel a surrogate; widths differ by their lines."""
    names = list(dict.fromkeys(item.name for item in shown))
    figure, axes = panels(len(names), 3.4, 3.0)
    widths = list(dict.fromkeys(item.width for item in shown))
    for place, (axis, name) in enumerate(zip(axes, names, strict=True)):
        own = [item for item in shown if item.name == name]
        axis.set_title(name)
        first = own[0]
        axis.plot(first.v - first.threshold, first.spikes, color="#777777", linewidth=1, label="step (forward)")
        for item in own:
            index = widths.index(item.width)
            width = f", width {item.width:g}" if item.width == item.width else ""
            at, style = item.v - item.threshold, LINES[index % len(LINES)]
            axis.plot(at, item.smooth, color=COLOURS[0], linestyle=style, label=f"smooth function{width}")
            axis.plot(at, item.derivative, color=COLOURS[1], linestyle=style, label=f"derivative (backward){width}")
        name_axes(axis, x="v - threshold", y="" if place % 4 else "spikes; their slope")
    head(figure, "surrogates: the smooth function is the derivative's integral from the left edge")
    legend(figure, axes)
    return figure


def write_surrogates(shown: Sequence[Surrogate], folder: Path) -> list[Path]:
    """Write ``surrogates`` as svg and png."""
    with styled():
        return save(plot_surrogates(shown), folder, "surrogates")
