"""One look for every figure: colour-blind safe, readable at its default size, the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette without its yellow, which is too light for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_RC = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.formatter.useoffset": False,
    "axes.axisbelow": True,
    "font.size": 10,
    "axes.titlesize": 10,
    "figure.titlesize": 11,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "snn-harness",
    "svg.fonttype": "none",
    # Names of plugins may hold dollar signs; they are text, not formulas.
    "text.parse_math": False,
    "figure.constrained_layout.use": True,
}


@contextmanager
def styled() -> Iterator[None]:
    """The harness's look for what is drawn inside, whatever the user's own settings."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)  # type: ignore[arg-type]  # the stub wants each key's own type
        yield


def colour(index: int) -> str:
    """The colour of the row at ``index``."""
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    """The marker of the row at ``index``: with the colour, 70 rows can be told apart."""
    return MARKERS[index % len(MARKERS)]


def line(index: int) -> str:
    """The line of the row at ``index``: solid until the colours are used up."""
    return LINES[index // len(COLOURS) % len(LINES)]


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write ``name``.svg and ``name``.png without dates, so that the same data give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    # Laid out once, not for each file.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    figure.savefig(paths[0], metadata={"Date": None, "Creator": None})
    figure.savefig(paths[1], dpi=150, metadata={"Software": None})
    return paths
