"""The figure that lays several encodings of the same recordings beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill, shorten
from typing import TYPE_CHECKING

from ..inspection.wording import percent, shape_words
from .event_images import darkest, hues_in_words, key_to_hues
from .inspection_frames import dot_words, draw_frames, joined_in_a_dot, parted, picture, pixel_words
from .inspection_titles import covered_ms, label, recording_name, title
from .panels import ACROSS, head
from .picture_grid import Line, draw_pictures, height, proportion, room
from .style import COLOURS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from ..inspection.findings import Compared, Inspection

_TOGETHER = "\u00a0"
_PICTURES = 7  # of one encoding, at most
_PICTURE = 1.3  # inches of one
_FEW = 5  # of the coarsest encoding that decides where they stand, at least


def _per_cent(value: float) -> str:
    return percent(value / 100).removesuffix(" %")


_FIGURES: tuple[tuple[str, Callable[[Compared], float], Callable[[float], str]], ...] = (
    ("events kept (%)", lambda item: 100 * item.losses.share(item.losses.kept), _per_cent),
    ("cells not 0 (%)", lambda item: 100 * item.density, _per_cent),
    ("of these above 1 (%)", lambda item: 100 * item.share_several, _per_cent),
    ("mean count of these", lambda item: item.mean, lambda value: f"{value:.2f}"),
    (
        "size of a sample (kB)",
        lambda item: item.bytes_a_sample / 1000,
        lambda value: f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}",
    ),
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
    span = max((covered_ms(item.frames, item.encoding) for item in compared), default=0.0) or 1.0
    said = _pictures(above, compared, pictures) if inspection.vision else _images(above, compared, pictures, span)
    axes = below.subplots(1, len(_FIGURES), sharey=True)
    for axis, (what, value, text) in zip(axes, _FIGURES, strict=True):
        _bars(axis, what, [value(item) for item in compared], text)
    axes[0].set_yticks(range(len(names)), names, fontsize=8 if len(names) > 6 else 9)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    first = inspection.shown[0] if inspection.shown else None
    of = f"frames of {recording_name(first)} ({label(inspection, first)}); bars: both splits" if first else ""
    head(figure, title(inspection), of, *said)
    return figure


def _size(inspection: Inspection) -> tuple[float, float]:
    """Inches that the pictures of all encodings take: high, and wide."""
    count = len(inspection.compared)
    if inspection.vision:
        lines = _lines(inspection.compared, 1.0)
        high = height([True] * count, proportion([drawn[1] for _, pictures in lines for drawn in pictures if drawn]))
        return _PICTURE * high + 0.1, max(11.0, 1.9 + _PICTURE * sum(room(lines, _PICTURE)))
    lines_of, across = _arranged(count)
    return 3.0 * lines_of, max(12.0, 1.2 + 3.1 * across)


def _arranged(count: int) -> tuple[int, int]:
    """Lines, and how many stand in each: none much shorter than the others."""
    lines = -(-count // ACROSS)
    return lines, -(-count // lines)


def _images(above: SubFigure, compared: Sequence[Compared], high: float, span: float) -> list[str]:
    """Channels: an image an encoding, all over the same time; returns what its marks mean."""
    lines, across = _arranged(len(compared))
    largest = darkest(item.frames for item in compared)
    made = above.subplots(lines, across, squeeze=False)
    axes = list(made.ravel())
    for spare in axes[len(compared) :]:
        spare.remove()
    axes = axes[: len(compared)]
    for place, (axis, item) in enumerate(zip(axes, compared, strict=True)):
        draw_frames(axis, item.frames, item.encoding, largest, span)
        joined = dot_words(joined_in_a_dot(item.frames, item.encoding, span))
        axis.set_title("\n".join(filter(None, (_cut(item.label), _shape(item), joined))), fontsize=9)
        axis.set_xlim(0, span)
        axis.set_ylabel("channel of the frames" if place % across == 0 else "")
        axis.set_xlabel("time of the frames (ms)" if place + across >= len(compared) else "")
    key_to_hues(above, high, axes, largest, 1, "events a bin")
    short = any(covered_ms(item.frames, item.encoding) < span for item in compared)
    return ["; ".join(filter(None, ("grey: in no frame" * short, parted(compared))))]


def _pictures(above: SubFigure, compared: Sequence[Compared], high: float) -> list[str]:
    """Vision: a line an encoding, pictures at the same times of its first sample; returns what is not seen of them."""
    largest = darkest(item.frames[:1] for item in compared)
    axis = above.subplots()
    draw_pictures(axis, _lines(compared, largest), _PICTURE)
    if any(len(item.frames) for item in compared):
        key_to_hues(above, high, [axis], largest, max(item.shape[0] for item in compared), "events a bin")
    polarities = {item.shape[0] for item in compared}
    times = _times(compared)
    between = len(times) > 1 and any(item.frames.shape[1] > len(times) for item in compared if len(item.frames))
    return [
        f"of the first sample the steps at every {times[1] / 1000:g} ms, those between are not drawn"
        if between
        else "",
        hues_in_words(max(polarities)) + ", grey: merged" * (len(polarities) > 1),
        next(filter(None, (pixel_words(item.shape[-2:]) for item in compared)), ""),
    ]


def _times(compared: Sequence[Compared]) -> list[int]:
    """Microseconds at which every encoding's step is drawn, so that pictures below each other are of one time."""
    made = [item for item in compared if len(item.frames)]
    span = max((_first_us(item) for item in made), default=0)
    if not span:
        return []
    bins = [item.encoding.microseconds(item.encoding.dt) for item in made]
    whole = max((own for own in bins if span >= _FEW * own), default=min(bins))
    return list(range(0, span, whole * -(-span // (whole * _PICTURES))))


def _first_us(item: Compared) -> int:
    return int(item.frames.shape[1]) * item.encoding.microseconds(item.encoding.dt)


def _lines(compared: Sequence[Compared], largest: float) -> list[Line]:
    """Of each encoding its name and its pictures with their times."""
    beside = max(item.shape[0] for item in compared) > 1
    times = _times(compared)
    lines: list[Line] = []
    for item in compared:
        dt, own = item.encoding.dt, item.encoding.microseconds(item.encoding.dt)
        pictures: list[tuple[str, npt.NDArray[np.uint8]] | None] = []
        before = -1
        for step in [time // own for time in times if len(item.frames) and time < _first_us(item)]:
            # A step so long that it holds the time before too is drawn once.
            drawn = (f"{step * dt:g}-{(step + 1) * dt:g} ms", picture(item.frames[0][step], largest, merged=beside))
            pictures.append(drawn if step != before else None)
            before = step
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
    channels, by, plane = shape_words(item.shape).rpartition(" polarities x ")
    # Rows and columns are not parted.
    return fill(f"{steps} x {channels}{by}{plane.replace(' ', _TOGETHER) if by else plane}", 28)


def _cut(text: str) -> str:
    return fill(" ".join(text.split()), 26, max_lines=2, placeholder=" …")
