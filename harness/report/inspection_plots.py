"""Every figure of an inspection, by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .inspection_frames import plot_frames
from .inspection_rasters import plot_rasters
from .inspection_statistics import plot_balance, plot_sizes, plot_times
from .inspection_what_if import plot_what_if
from .style import save_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..inspection.findings import Inspection

FIGURES = ("rasters", "times", "sizes", "balance", "frames", "what-if")

__all__ = [
    "FIGURES",
    "inspection_figures",
    "plot_balance",
    "plot_frames",
    "plot_rasters",
    "plot_sizes",
    "plot_times",
    "plot_what_if",
    "write_inspection",
]


def inspection_figures(inspection: Inspection) -> Iterator[tuple[str, Figure]]:
    """Name (one of ``FIGURES``) and figure of all that there is to draw, one by one; to be drawn inside ``styled()``."""
    if inspection.shown:
        yield "rasters", plot_rasters(inspection)
    yield "times", plot_times(inspection)
    yield "sizes", plot_sizes(inspection)
    yield "balance", plot_balance(inspection)
    if inspection.shown:
        yield "frames", plot_frames(inspection)
    if inspection.compared:
        yield "what-if", plot_what_if(inspection)


def write_inspection(inspection: Inspection, folder: Path) -> list[Path]:
    """Write each figure as svg and png to ``folder``; returns the paths. The same inspection gives the same bytes."""
    return save_all(inspection_figures(inspection), folder)
