"""The figure of what an encoding makes of recordings: channels against time, or a camera's frames one after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..inspection.wording import encoding_words
from .event_images import blocks, darkest, hue, hues_in_words, key_to_hues, painted, pooled, scale
from .inspection_rasters import COLUMNS, NO_FRAME, ROWS, draw_raster, grid, marks, raster_scale, span_ms
from .inspection_titles import covered_ms, label, recording_name, recording_title, title
from .panels import ACROSS, head
from .picture_grid import draw_pictures, height, proportion, room
from .style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..components import Encoding
    from ..inspection.findings import Compared, Inspection, Shown

Frames = npt.NDArray[Any]

_LINES, _PICTURES = 8, 10  # of a grid of frames, at most
_PICTURE = 1.3  # inches of one
_PIXELS = 160  # of a picture's side, at most, as many as its inches have


def plot_frames(inspection: Inspection) -> Figure:
    """Channels: each recording shown, its raster above its frames. Vision: a line a sample, a picture a step."""
    return _of_camera(inspection) if inspection.vision else _of_channels(inspection)


def in_a_row(frames: Frames) -> Frames:
    """Samples (samples, steps, *shape) one after another as an image (cells, steps)."""
    steps = frames.shape[0] * frames.shape[1]
    return frames.reshape(steps, -1).T if steps else np.zeros((int(np.prod(frames.shape[2:])), 0))


def joined_in_a_dot(frames: Frames, encoding: Encoding, span: float) -> tuple[int, int]:
    """How many channels and steps are one dot of :func:`draw_frames`."""
    rows, columns = blocks((int(np.prod(frames.shape[2:])), round(span / encoding.dt)), (ROWS, COLUMNS))
    return rows, columns


def dot_words(joined: tuple[int, int]) -> str:
    """``a dot: the largest of 24 steps``, or nothing where a dot is a bin."""
    channels, steps = joined
    parts = [f"{steps} steps" * (steps > 1), f"{channels} channels" * (channels > 1)]
    return f"a dot: the largest of {' x '.join(filter(None, parts))}" if channels > 1 or steps > 1 else ""


def draw_frames(axis: Axes, frames: Frames, encoding: Encoding, largest: float, span: float) -> None:
    """Draw frames of channels against time from 0 to ``span`` ms on one scale of counts; grey where there are none.

    A line parts samples. Where bins are finer than dots can be, a dot is the largest of several.
    """
    from matplotlib.ticker import MaxNLocator

    image = in_a_row(frames)
    axis.grid(visible=False)
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    if image.shape[1]:
        joined = joined_in_a_dot(frames, encoding, span)
        dots = pooled(image, joined)
        axis.imshow(
            dots,
            aspect="auto",
            origin="lower",
            interpolation="none",
            extent=(0, dots.shape[1] * joined[1] * encoding.dt, 0, len(dots) * joined[0]),
            cmap=hue(),
            norm=scale(largest),
        )
    else:
        axis.text(0.5, 0.5, "no whole sample", ha="center", va="center", transform=axis.transAxes, color="#555555")
    for sample in range(1, frames.shape[0]):
        axis.axvline(sample * frames.shape[1] * encoding.dt, color=COLOURS[1], linewidth=0.8)
    axis.set_xlim(0, span)
    axis.set_ylim(0, max(len(image), 1))
    covered = covered_ms(frames, encoding)
    if covered < span:
        # Over the image, whose last dot may reach further than the last step.
        axis.axvspan(covered, span, facecolor=NO_FRAME, linewidth=0)


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` places, the first of them 0, equally far apart."""
    return list(range(0, count, max(1, -(-count // most))))


def ordinal(number: int) -> str:
    """``2nd``."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def parted(drawn: Iterable[Shown | Compared]) -> str:
    """What the lines of :func:`draw_frames` mean, where there are any."""
    return "orange line: a sample ends" if any(len(item.frames) > 1 for item in drawn) else ""


def picture(counts: Frames, largest: float, *, merged: bool = False) -> npt.NDArray[np.uint8]:
    """A frame (polarities, height, width) as colours, of as many pixels as are seen: each is the darkest of those that it joins."""
    return painted(pooled(counts, joined_in_a_pixel(counts.shape[-2:])), largest, merged=merged)


def joined_in_a_pixel(size: Sequence[int]) -> tuple[int, int]:
    """How many (rows, columns) of a frame of ``size`` are one pixel of :func:`picture`."""
    by = max(blocks(size, (_PIXELS, _PIXELS)))
    return by, by


def pixel_words(size: Sequence[int]) -> str:
    """``a pixel: the largest of 4 x 4``, or nothing where a pixel is one of the frame."""
    by, _ = joined_in_a_pixel(size)
    return f"a pixel: the largest of {by} x {by}" if by > 1 else ""


def _dots(shown: Iterable[Shown], encoding: Encoding, span: float) -> str:
    return next((dot_words(joined_in_a_dot(item.frames, encoding, span)) for item in shown), "")


def _of_channels(inspection: Inspection) -> Figure:
    span = span_ms(inspection)
    shown = inspection.shown
    dots, largest = raster_scale(inspection, span), darkest(item.frames for item in shown)
    figure, columns = grid(len(shown), (1.9, 1.9), 3.1, spare=1.1)
    across = min(len(columns), ACROSS)
    for place, ((above, below), item) in enumerate(zip(columns, shown, strict=True)):
        draw_raster(above, inspection, item, span, dots)
        above.set_title(recording_title(inspection, item), fontsize=9)
        above.tick_params(labelbottom=False)
        draw_frames(below, item.frames, inspection.encoding, largest, span)
        below.set_xlabel("time (ms)" if inspection.encoding.tonic_window is None else "time from the first event (ms)")
        if place % across == 0:
            above.set_ylabel("channel")
            below.set_ylabel("channel of the frames")
    covered = [covered_ms(item.frames, inspection.encoding) for item in shown]
    if columns:
        key_to_hues(
            figure, figure.get_figheight(), [axis for pair in columns for axis in pair], largest, 1, "events a bin"
        )
    head(
        figure,
        title(inspection),
        f"above: events; below: frames, {encoding_words(inspection.encoding, inspection.sensor_size)}",
        "; ".join(
            filter(None, (_dots(shown, inspection.encoding, span), marks(inspection, span, covered), parted(shown)))
        ),
    )
    return figure


def _of_camera(inspection: Inspection) -> Figure:
    from matplotlib.figure import Figure

    lines = _lines(inspection)
    places = evenly(max((len(frames) for _, frames in lines), default=0), _PICTURES)
    largest = darkest(frames for _, frames in lines)
    dt = inspection.encoding.dt
    # Times stand above the line that has most of them.
    timed = max(range(len(lines)), key=lambda line: len(lines[line][1]), default=0)
    drawn = [
        (
            name,
            [
                (f"{step * dt:g}-{(step + 1) * dt:g} ms" if line == timed else "", picture(frames[step], largest))
                for step in places
                if step < len(frames)
            ],
        )
        for line, (name, frames) in enumerate(lines)
    ]
    tall = proportion([image for _, pictures in drawn for _, image in pictures])
    high = height([line == timed for line in range(len(drawn))], tall)
    polarities = lines[0][1].shape[1] if lines else 1
    figure = Figure(figsize=(max(1.9 + _PICTURE * sum(room(drawn, _PICTURE)), 7.0), 0.9 + _PICTURE * high))
    axis = figure.subplots()
    draw_pictures(axis, drawn, _PICTURE)
    if places:
        key_to_hues(figure, figure.get_figheight(), [axis], largest, polarities, "events a bin")
    every = places[1] if len(places) > 1 else 1
    size = lines[0][1].shape[-2:] if lines else (1, 1)
    head(
        figure,
        title(inspection),
        f"frames, {encoding_words(inspection.encoding, inspection.sensor_size)}",
        f"times from each sample's start{f', every {ordinal(every)} step is drawn' * (every > 1)}"
        + f", {_LINES} of {len(inspection.shown)} recordings" * (len(inspection.shown) > _LINES),
        "; ".join(filter(None, (hues_in_words(polarities), pixel_words(size)))),
    )
    return figure


def _lines(inspection: Inspection) -> list[tuple[str, Frames]]:
    """Name and (steps, *shape) of what makes a line, no steps where there is no sample; of few recordings several samples each."""
    shown = inspection.shown[:_LINES]
    each = max(1, _LINES // max(len(shown), 1))
    found = []
    for item in shown:
        about = f"{label(inspection, item)}\n{recording_name(item)}"
        samples = len(item.frames)
        if not samples:
            found.append((about, item.frames.reshape(0, *item.frames.shape[2:])))
        for sample in range(min(samples, each)):
            of = f"\nsample {sample + 1} of {samples}" if samples > 1 else ""
            found.append((about + of, item.frames[sample]))
    return found
