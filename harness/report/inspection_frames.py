"""The figure of what an encoding makes of recordings: channels against time, or a camera's frames one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..inspection.wording import encoding_words
from .event_images import darkest, hue, hues_in_words, key_to_hues, painted, scale
from .inspection_rasters import draw_raster, grid, marks, raster_scale, span_ms
from .inspection_titles import label, recording_name, recording_title, title
from .panels import ACROSS, head
from .picture_grid import draw_pictures, height, proportion, room
from .style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..components import Encoding
    from ..inspection.findings import Inspection

Frames = npt.NDArray[Any]

_LINES, _PICTURES = 8, 10  # of a grid of frames, at most
_PICTURE = 1.3  # inches of one


def plot_frames(inspection: Inspection) -> Figure:
    """Channels: each recording shown, its raster above its frames. Vision: a line a sample, a picture a step."""
    return _of_camera(inspection) if inspection.vision else _of_channels(inspection)


def in_a_row(frames: Frames) -> Frames:
    """Samples (samples, steps, *shape) one after another as an image (cells, steps)."""
    steps = frames.shape[0] * frames.shape[1]
    return frames.reshape(steps, -1).T if steps else np.zeros((int(np.prod(frames.shape[2:])), 0))


def draw_frames(axis: Axes, frames: Frames, encoding: Encoding, largest: float) -> float:
    """Draw frames of channels against time on one scale of counts; returns the milliseconds that they cover."""
    from matplotlib.ticker import MaxNLocator

    image = in_a_row(frames)
    axis.grid(visible=False)
    axis.set_ylim(0, max(len(image), 1))
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    if not image.shape[1]:
        axis.text(0.5, 0.5, "no whole sample", ha="center", va="center", transform=axis.transAxes, color="#555555")
        return 0.0
    covered = float(image.shape[1] * encoding.dt)
    axis.imshow(
        image,
        aspect="auto",
        origin="lower",
        interpolation="none",
        extent=(0, covered, 0, len(image)),
        cmap=hue(),
        norm=scale(largest),
    )
    for sample in range(1, frames.shape[0]):
        axis.axvline(sample * frames.shape[1] * encoding.dt, color=COLOURS[1], linewidth=0.8)
    axis.set_xlim(0, covered)
    return covered


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` places, the first of them 0, equally far apart."""
    return list(range(0, count, max(1, -(-count // most))))


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
        draw_frames(below, item.frames, inspection.encoding, largest)
        below.set_xlim(0, span)
        below.set_facecolor("#eeeeee")
        below.set_xlabel("time (ms)" if inspection.encoding.tonic_window is None else "time from the first event (ms)")
        if place % across == 0:
            above.set_ylabel("channel")
            below.set_ylabel("channel of the frames")
    if columns:
        key_to_hues(
            figure, figure.get_figheight(), [axis for pair in columns for axis in pair], largest, 1, "events a bin"
        )
    head(
        figure,
        title(inspection),
        f"above: events; below: frames, {encoding_words(inspection.encoding, inspection.sensor_size)}",
        marks(inspection, span),
    )
    return figure


def _of_camera(inspection: Inspection) -> Figure:
    from matplotlib.figure import Figure

    lines = _lines(inspection)
    places = evenly(max((len(frames) for _, frames in lines), default=0), _PICTURES)
    largest = darkest(frames for _, frames in lines)
    dt = inspection.encoding.dt
    drawn = [
        (
            name,
            [
                (f"{step * dt:g}-{(step + 1) * dt:g} ms" if not line else "", painted(frames[step], largest))
                for step in places
                if step < len(frames)
            ],
        )
        for line, (name, frames) in enumerate(lines)
    ]
    tall = proportion([picture for _, pictures in drawn for _, picture in pictures])
    high = height([not line for line in range(len(drawn))], tall)
    polarities = lines[0][1].shape[1] if lines else 1
    figure = Figure(figsize=(max(1.9 + _PICTURE * sum(room(drawn, _PICTURE)), 7.0), 0.9 + _PICTURE * high))
    axis = figure.subplots()
    draw_pictures(axis, drawn, _PICTURE)
    if places:
        key_to_hues(figure, figure.get_figheight(), [axis], largest, polarities, "events a bin")
    every = places[1] if len(places) > 1 else 1
    head(
        figure,
        title(inspection),
        f"frames, {encoding_words(inspection.encoding, inspection.sensor_size)}",
        f"times from each sample's start{f', one of {every} steps' * (every > 1)}"
        + f", {_LINES} of {len(inspection.shown)} recordings" * (len(inspection.shown) > _LINES),
        hues_in_words(polarities),
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
