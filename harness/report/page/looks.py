"""How a configuration looks in every chart of the page: a colour, a marker and a line, those of the plots beside the page."""

from __future__ import annotations

from ..style import COLOURS, LINES, MARKERS
from .elements import Markup, tag

# The same hues, light enough to be read on a dark ground, in the order of COLOURS.
DARK = ("#4aa3df", "#f2844b", "#2fc296", "#e59ac8", "#93d3f7", "#f3b63f", "#e9ebee")
_PATHS = {
    "o": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "s": "M-3.6-3.6h7.2v7.2h-7.2z",
    "^": "M0-4.6L4.4 3.4H-4.4z",
    "D": "M0-5L5 0L0 5L-5 0z",
    "v": "M0 4.6L4.4-3.4H-4.4z",
    "P": "M-1.6-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
    "X": "M-4.4-2.2L-2.2-4.4L0-2.2L2.2-4.4L4.4-2.2L2.2 0L4.4 2.2L2.2 4.4L0 2.2L-2.2 4.4L-4.4 2.2L-2.2 0z",
    "<": "M-4.6 0L3.4-4.4V4.4z",
    ">": "M4.6 0L-3.4-4.4V4.4z",
    "*": "M0-5.2L1.3-1.7L5-1.6L2.1.7L3.1 4.2L0 2.1L-3.1 4.2L-2.1.7L-5-1.6L-1.3-1.7z",
}
_DASHES = {"--": "6 3", ":": "1.6 2.6", "-.": "7 3 1.6 3"}


def series_class(index: int) -> str:
    """The classes of what is drawn for the configuration at ``index``."""
    dash = index // len(COLOURS) % len(LINES)
    return f"s c{index % len(COLOURS)}" + (f" d{dash}" if dash else "")


def mark(index: int, x: float, y: float, class_: str | None = None) -> Markup:
    """The marker of the configuration at ``index``, at a place of a chart."""
    return tag("use", href=f"#m{index % len(MARKERS)}", x=round(x, 1), y=round(y, 1), class_=class_)


def swatch(index: int) -> Markup:
    """A line with its marker, beside the name of a configuration."""
    line = tag("path", d="M1 8H25", class_="l")
    return tag(
        "svg", line, mark(index, 13, 8), viewBox="0 0 26 16", class_=f"swatch {series_class(index)}", aria_hidden="true"
    )


def symbols() -> Markup:
    """The markers, defined once for the whole page."""
    shapes = (tag("path", id=f"m{index}", d=_PATHS[name]) for index, name in enumerate(MARKERS))
    return tag("svg", tag("defs", shapes), class_="symbols", aria_hidden="true")


def style() -> str:
    """The rules of all looks, for a light and for a dark ground."""
    pairs = zip(COLOURS, DARK, strict=True)
    colours = [f".c{index}{{color:light-dark({light},{dark})}}" for index, (light, dark) in enumerate(pairs)]
    dashes = [f".d{index} .l{{stroke-dasharray:{_DASHES[name]}}}" for index, name in enumerate(LINES) if name != "-"]
    return "\n".join([*colours, *dashes])
