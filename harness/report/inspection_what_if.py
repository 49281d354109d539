"""The figure that lays several encodings of the same recordings beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill, shorten
from typing import TYPE_CHECKING

from ..inspection.wording import shape_words
from .event_images import darkest, hues_in_words, key_to_hues, painted
from .inspection_frames import draw_frames, evenly
from .inspection_titles import label, recording_name, title
from .panels import ACROSS, head
from .picture_grid import Line, draw_pictures, height, proportion, room
from .style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from ..inspection.findings import Compared, Inspection

_PICTURES = 7  # of one encoding, at most
_PICTURE = 1.3  # inches of one
_FIGURES: tuple[tuple[str, Callable[[Compared], float], Callable[[float], str]], ...] = (
    ("events kept (%)", lambda item: 100 * item.losses.share(item.losses.kept), lambda value: f"{value:.1f}"),
    ("cells not 0 (%)", lambda item: 100 * item.density, lambda value: f"{value:.2g}"),
    ("of these with several events (%)", lambda item: 100 * item.several, lambda value: f"{value:.2g}"),
    ("mean count of these", lambda item: item.mean, lambda value: f"{value:.3g}"),
    ("size of a sample (kB)", lambda item: item.bytes_a_sample / 1000, lambda value: f"{value:.3g}"),
)


def plot_what_if(inspection: Inspection) -> Figure:
    """Each compared encoding's frames of the first recording shown on one scale of counts, and below its figures as bars.

    Raises ``ValueError`` where nothing was compared.
    """
    from matplotlib.figure import Figure

    compared = inspection.compared
    if not compared:
        raise ValueError("no encodings were compared")
    names = [shorten(item.label, 52, placeholder=" …") for item in compared]
    bars = 0.75 + 0.26 * len(compared)
    pictures, width = _size(inspection)
    over = 0.75
    figure = Figure(figsize=(width, over + pictures + bars))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[over + pictures, bars])[:, 0]
    if inspection.vision:
        _pictures(above, compared, pictures)
    else:
        _images(above, compared, pictures)
    axes = below.subplots(1, len(_FIGURES), sharey=True)
    for axis, (what, value, text) in zip(axes, _FIGURES, strict=True):
        _bars(axis, what, [value(item) for item in compared], text)
    axes[0].set_yticks(range(len(names)), names, fontsize=8 if len(names) > 6 else 9)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    first = inspection.shown[0] if inspection.shown else None
    of = f"frames of {recording_name(first)} ({label(inspection, first)}); bars: both splits" if first else ""
    colours = ""
    if inspection.vision:
        polarities = {item.shape[0] for item in compared}
        colours = hues_in_words(max(polarities)) + ", grey: merged" * (len(polarities) > 1)
    head(figure, title(inspection), "; ".join(filter(None, (of, colours))))
    return figure


def _size(inspection: Inspection) -> tuple[float, float]:
    """Inches that the pictures of all encodings take: high, and wide."""
    count = len(inspection.compared)
    if inspection.vision:
        lines = _lines(inspection.compared, 1.0)
        high = height([True] * count, proportion([picture for _, pictures in lines for _, picture in pictures]))
        return _PICTURE * high + 0.1, max(11.0, 1.9 + _PICTURE * sum(room(lines, _PICTURE)))
    across = min(count, ACROSS)
    return 2.9 * -(-count // across), max(12.0, 1.2 + 3.1 * across)


def _images(above: SubFigure, compared: Sequence[Compared], high: float) -> None:
    """Channels: an image an encoding, all over the same time."""
    across = min(len(compared), ACROSS)
    lines = -(-len(compared) // across)
    largest = darkest(item.frames for item in compared)
    made = above.subplots(lines, across, squeeze=False)
    axes = list(made.ravel())
    for spare in axes[len(compared) :]:
        spare.remove()
    axes = axes[: len(compared)]
    covered = [
        draw_frames(axis, item.frames, item.encoding, largest) for axis, item in zip(axes, compared, strict=True)
    ]
    for place, (axis, item) in enumerate(zip(axes, compared, strict=True)):
        axis.set_title(f"{_cut(item.label)}\n{_shape(item)}", fontsize=9)
        axis.set_xlim(0, max(covered) or 1.0)
        axis.set_facecolor("#eeeeee")
        axis.set_ylabel("channel of the frames" if place % across == 0 else "")
        axis.set_xlabel("time of the frames (ms)" if place + across >= len(compared) else "")
    key_to_hues(above, high, axes, largest, 1, "events a bin")


def _pictures(above: SubFigure, compared: Sequence[Compared], high: float) -> None:
    """Vision: a line an encoding, pictures evenly over its first sample."""
    largest = darkest(item.frames[:1] for item in compared)
    axis = above.subplots()
    draw_pictures(axis, _lines(compared, largest), _PICTURE)
    if any(len(item.frames) for item in compared):
        key_to_hues(above, high, [axis], largest, max(item.shape[0] for item in compared), "events a bin")


def _lines(compared: Sequence[Compared], largest: float) -> list[Line]:
    """Of each encoding its name and its pictures with their times."""
    beside = max(item.shape[0] for item in compared) > 1
    lines: list[Line] = []
    for item in compared:
        steps = evenly(item.frames.shape[1] if len(item.frames) else 0, _PICTURES)
        dt = item.encoding.dt
        pictures = [
            (f"{step * dt:g}-{(step + 1) * dt:g} ms", painted(item.frames[0][step], largest, merged=beside))
            for step in steps
        ]
        lines.append((f"{_cut(item.label)}\n{_shape(item)}", pictures))
    return lines


def _bars(axis: Axes, what: str, values: Sequence[float], text: Callable[[float], str]) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.barh(range(len(values)), values, 0.7, color=[COLOURS[0], *[COLOURS[4]] * (len(values) - 1)])
    largest = max(values, default=0.0) or 1.0
    for place, value in enumerate(values):
        axis.text(value + 0.02 * largest, place, text(value), va="center", fontsize=8)
    axis.set_xlim(0, 1.3 * largest)
    axis.xaxis.set_major_locator(MaxNLocator(3))
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(what, fontsize=9)
    axis.tick_params(axis="y", length=0)


def _shape(item: Compared) -> str:
    steps = "own steps" if item.steps is None else f"{item.steps} step{'s' * (item.steps != 1)}"
    return fill(f"{steps} x {shape_words(item.shape)}", 28)


def _cut(text: str) -> str:
    return fill(" ".join(text.split()), 26, max_lines=2, placeholder=" …")
