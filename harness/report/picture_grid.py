"""Pictures in lines, each line with a name and each picture with a caption, all in one panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .classes import longest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Picture = npt.NDArray[np.uint8]
Line = tuple[str, Sequence[tuple[str, Picture] | None]]

_BESIDE, _CAPTION = 0.06, 0.22  # widths of a picture between two in a line, and above one that has a caption
_TALLEST, _WIDEST = 2.0, 2.5  # of a picture, its one side to the other; what is narrower is stretched


def draw_pictures(axis: Axes, lines: Sequence[Line], side: float) -> None:
    """Draw ``lines`` of (name, pictures), a picture being a caption and colours (height, width, 3), about ``side`` inches wide.

    None leaves the place of a picture empty.

    The names stand inside the panel, since the layout of figures leaves too little room beside one that keeps its aspect.

    A panel an image would take most of the time of laying out a figure.
    """
    from matplotlib.patches import Rectangle

    tall = proportion([drawn[1] for _, pictures in lines for drawn in pictures if drawn])
    top = 0.0
    for name, pictures in lines:
        top += _CAPTION if any(drawn and drawn[0] for drawn in pictures) else _BESIDE
        axis.text(-0.06, top + tall / 2, name, ha="right", va="center", fontsize=9)
        for column, drawn in enumerate(pictures):
            if drawn is None:
                continue
            caption, picture = drawn
            left = column * (1 + _BESIDE)
            axis.imshow(picture, interpolation="none", extent=(left, left + 1, top + tall, top))
            axis.add_patch(Rectangle((left, top), 1, tall, fill=False, edgecolor="#cccccc", linewidth=0.6))
            axis.text(left + 0.5, top - 0.03, caption, ha="center", va="bottom", fontsize=8)
        if not any(pictures):
            axis.text(0.5, top + tall / 2, "no whole sample", ha="center", va="center", fontsize=8, color="#555555")
        top += tall
    names, across = room(lines, side)
    axis.set_aspect("equal")
    axis.set_xlim(-names, across)
    axis.set_ylim(top + 0.02, 0)
    axis.set_axis_off()


def room(lines: Sequence[Line], side: float) -> tuple[float, float]:
    """What names and pictures take across, in widths of a picture of ``side`` inches."""
    written = [part for name, _ in lines for part in name.splitlines()]
    across = max([1, *(len(pictures) for _, pictures in lines)])
    return 1.1 * longest(written, 9) / side + 0.12, across * (1 + _BESIDE)


def proportion(pictures: Sequence[Picture]) -> float:
    """Height to width of all pictures alike, within what can be read."""
    shape = pictures[0].shape if pictures else (1, 1)
    return float(np.clip(shape[0] / shape[1], 1 / _WIDEST, _TALLEST))


def height(captions: Sequence[bool], tall: float) -> float:
    """How high lines of pictures are, in widths of one; ``captions`` says of each line whether it has any."""
    return sum(tall + (_CAPTION if captioned else _BESIDE) for captioned in captions)
