"""Figures of surrogates: the step that a neuron takes, the smooth function in its place, and the derivative used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .panels import ACROSS, head, legend, name_axes, panels
from .style import COLOURS, LINES, save_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..derivatives import Surrogate


FIGURES = ("surrogates",)  # every name that is given


def plot_surrogates(shown: Sequence[Surrogate]) -> Figure:
    """A panel a surrogate; colours tell functions apart, lines widths."""
    names = list(dict.fromkeys(item.name for item in shown))
    figure, axes = panels(len(names), 3.4, 3.0)
    widths = list(dict.fromkeys(item.width for item in shown))
    for place, (axis, name) in enumerate(zip(axes, names, strict=True)):
        own = [item for item in shown if item.name == name]
        axis.set_title(name)
        first = own[0]
        axis.plot(first.v - first.threshold, first.spikes, color="#777777", linewidth=1, label="step (forward)")
        for item in own:
            at, style = item.v - item.threshold, LINES[widths.index(item.width) % len(LINES)]
            axis.plot(at, item.smooth, color=COLOURS[0], linestyle=style, label="smooth function")
            axis.plot(at, item.derivative, color=COLOURS[1], linestyle=style, label="derivative (backward)")
        name_axes(axis, x="membrane potential v - threshold", y="" if place % ACROSS else "spikes; their slope")
    for index, width in enumerate(widths if len(widths) > 1 else ()):
        axes[0].plot([], [], color="#000000", linestyle=LINES[index % len(LINES)], label=f"width {width:g}")
    known = f" of width {widths[0]:g}" if len(widths) == 1 and widths[0] is not None else ""
    head(figure, f"surrogates{known}: the smooth function is the derivative's integral")
    legend(figure, axes)
    return figure


def write_surrogates(shown: Sequence[Surrogate], folder: Path) -> list[Path]:
    """Write ``surrogates`` as svg and png."""
    return save_all(surrogate_figures(shown), folder)


def surrogate_figures(shown: Sequence[Surrogate]) -> Iterator[tuple[str, Figure]]:
    """``surrogates`` alone; to be drawn inside ``styled()``."""
    yield "surrogates", plot_surrogates(shown)
