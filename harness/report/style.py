"""One look for every figure: colour-blind safe, readable at its default size, the same bytes for the same data."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store import write_atomically

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
    """The harness's look for what is drawn inside, whatever the user's own settings and whatever fonts there are."""
    _import_quietly()
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        for unknown in (r"Glyph \d+ .*missing from", "Matplotlib currently does not support .* natively"):
            # A name in another script shows boxes, which everyone sees; eighteen warnings say no more.
            warnings.filterwarnings("ignore", unknown, UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)  # type: ignore[arg-type]  # the stub wants each key's own type
        yield


def _import_quietly() -> None:
    """Import matplotlib, which makes a temporary folder where its own cannot be written, without what it says of it."""
    if "matplotlib.font_manager" in sys.modules:
        return
    with ExitStack() as stack:
        for name in ("matplotlib", "matplotlib.font_manager"):
            log = logging.getLogger(name)
            log.addFilter(_unheard)
            stack.callback(log.removeFilter, _unheard)
        import matplotlib.font_manager  # noqa: F401  # where the folder of fonts is looked for


def _unheard(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def colour(index: int) -> str:
    """The colour of the row at ``index``."""
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    """The marker of the row at ``index``: with the colour, 70 rows can be told apart."""
    return MARKERS[index % len(MARKERS)]


def line(index: int) -> str:
    """The line of the row at ``index``: solid until the colours are used up."""
    return LINES[index // len(COLOURS) % len(LINES)]


def lay_out(figure: Figure) -> None:
    """Once and for all, for every file and every look: another layout moves last digits, and with them the bytes of a file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        # Two layouts of one figure differ in the last digits, and what SVG files name parts by hashes them.
        left, low, width, height = (round(edge, 9) for edge in axes.get_position(original=True).bounds)
        axes.set_position((left, low, width, height))


def save_all(figures: Iterable[tuple[str, Figure]], folder: Path) -> list[Path]:
    """Draw ``figures``, names and figures one by one, in the harness's look and :func:`save` each; returns the paths."""
    with styled():
        return [path for name, figure in figures for path in save(figure, folder, name)]


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write ``name``.svg and ``name``.png, each whole or not at all, without dates: the same data give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    lay_out(figure)
    options: list[dict[str, Any]] = [
        {"format": "svg", "metadata": {"Date": None, "Creator": None}},
        {"format": "png", "metadata": {"Software": None}, "dpi": 150},
    ]
    for path, option in zip(paths, options, strict=True):
        drawn = BytesIO()
        figure.savefig(drawn, **option)
        write_atomically(path, drawn.getvalue())
    return paths
