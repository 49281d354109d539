"""Figures of chosen recordings as they are: channels against time, or what a camera saw."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING

from .event_images import Counts, darkest, hues_in_words, over_time, painted, summed
from .inspection_titles import covered_ms, end_ms, recording_title, title
from .panels import ACROSS, head
from .style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..inspection.findings import Inspection, Shown

ROWS, COLUMNS = 240, 300  # dots of a panel of channels, at most: more would be too small to see
NO_FRAME = "#e1e1e1"  # behind times that lie in no frame
_NARROWEST = 6.5  # inches: below it, what stands over the panels is broken into too many lines
# Of a camera, noise that hardly compresses: pixels of an image, rows and columns of a coordinate against time. The more
# recordings are shown, the fewer, or vector files become large.
_FINE, _COARSE = (128, 64, 200), (64, 32, 100)
_LEAST = 0.65  # how dark a single event is in a raster of channels; a camera has too many


def plot_rasters(inspection: Inspection) -> Figure:
    """A panel a recording shown. Channels: against time. Vision: all events by place, and below x and y against time."""
    return _of_camera(inspection) if inspection.vision else _of_channels(inspection)


def span_ms(inspection: Inspection) -> float:
    """The time axis of all recordings shown: to the end of the longest, and to the crop where that is not far beyond."""
    longest = max(map(end_ms, inspection.shown), default=0.0)
    crop = inspection.encoding.crop
    return max(longest, crop if crop is not None and (crop < 2 * longest or not longest) else 0.0) or 1.0


def grid(count: int, parts: tuple[float, ...], width: float, *, spare: float = 0.75) -> tuple[Figure, list[list[Axes]]]:
    """A figure for ``count`` recordings side by side, for each of them panels of ``parts`` inches above one another."""
    from matplotlib.figure import Figure

    across = min(max(count, 1), ACROSS)
    lines = -(-max(count, 1) // across)
    figure = Figure(figsize=(max(1.0 + width * across, _NARROWEST), 0.5 + lines * (sum(parts) + spare)))
    made = figure.subplots(
        lines * len(parts), across, squeeze=False, gridspec_kw={"height_ratios": list(parts) * lines}
    )
    found = [
        [made[line * len(parts) + part][column] for part in range(len(parts))]
        for line in range(lines)
        for column in range(across)
    ]
    for spare_axes in found[count:]:
        for axis in spare_axes:
            axis.remove()
    return figure, found[:count]


def draw_raster(
    axis: Axes, inspection: Inspection, shown: Shown, span: float, largest: float, along: str = "x"
) -> None:
    """The events of ``shown`` by ``along`` against time from 0 to ``span`` ms; grey where there are no frames."""
    camera = inspection.vision
    length = inspection.sensor_size[0 if along == "x" else 1]
    axis.imshow(
        painted(_raster(inspection, shown, along, span), largest, 0.0 if camera else _LEAST),
        aspect="auto",
        interpolation="none",
        extent=(0, span, length, 0) if camera else (0, span, 0, length),
        origin="upper" if camera else "lower",
    )
    axis.grid(visible=False)
    covered = _covered(inspection, shown)
    if covered < span:
        axis.axvspan(covered, span, facecolor="#777777", alpha=0.22, linewidth=0)
    crop = inspection.encoding.crop
    if crop is not None and crop <= span:
        axis.axvline(crop, color=COLOURS[6], linewidth=1, linestyle="--", clip_on=False)
    axis.set_xlim(0, span)


def raster_scale(inspection: Inspection, span: float, along: str = "x") -> float:
    """The count drawn darkest in the rasters of all recordings shown."""
    return darkest(_raster(inspection, shown, along, span) for shown in inspection.shown)


def marks(inspection: Inspection, span: float, frames_ms: Iterable[float] = ()) -> str:
    """What the marks of :func:`draw_raster` mean, where there are any, and of frames below that cover ``frames_ms``."""
    said = []
    crop = inspection.encoding.crop
    if crop is not None:
        said.append(
            f"dashed: crop at {crop:,g} ms" if crop <= span else f"crop at {crop:,g} ms, after all that is shown"
        )
    if any(covered < span for covered in (*frames_ms, *(_covered(inspection, shown) for shown in inspection.shown))):
        said.append("grey: in no frame")
    return ", ".join(said)


def _covered(inspection: Inspection, shown: Shown) -> float:
    """Up to when ``shown`` lies in frames; infinity where these count from the first event on and not from the axis' 0."""
    tonic = inspection.encoding.tonic_window is not None
    return inf if tonic else covered_ms(shown.frames, inspection.encoding)


def _raster(inspection: Inspection, shown: Shown, along: str, span: float) -> Counts:
    rows, columns = _camera_sizes(inspection)[1:] if inspection.vision else (ROWS, COLUMNS)
    return over_time(shown.events, inspection.sensor_size, along, round(span * 1000), rows, columns)


def _camera_sizes(inspection: Inspection) -> tuple[int, int, int]:
    return _FINE if len(inspection.shown) <= ACROSS else _COARSE


def _of_channels(inspection: Inspection) -> Figure:
    span = span_ms(inspection)
    largest = raster_scale(inspection, span)
    figure, columns = grid(len(inspection.shown), (2.3,), 3.1)
    across = min(len(columns), ACROSS)
    for place, ((axis,), shown) in enumerate(zip(columns, inspection.shown, strict=True)):
        draw_raster(axis, inspection, shown, span, largest)
        axis.set_title(recording_title(inspection, shown), fontsize=9)
        axis.set_ylabel("channel" if place % across == 0 else "")
        axis.set_xlabel("time (ms)" if place + across >= len(columns) else "")
    colours = hues_in_words(inspection.sensor_size[2])
    head(figure, title(inspection), ", ".join(filter(None, ("darker: more events", colours, marks(inspection, span)))))
    return figure


def _of_camera(inspection: Inspection) -> Figure:
    size = inspection.sensor_size
    span = span_ms(inspection)
    images = [summed(shown.events, size, _camera_sizes(inspection)[0]) for shown in inspection.shown]
    largest = darkest(images)
    scales = {along: raster_scale(inspection, span, along) for along in ("x", "y")}
    figure, columns = grid(len(images), (2.1, 1.0, 1.0), 2.9, spare=1.3)
    across = min(len(columns), ACROSS)
    for place, (axes, shown, image) in enumerate(zip(columns, inspection.shown, images, strict=True)):
        axes[0].imshow(painted(image, largest), interpolation="none", extent=(0, size[0], size[1], 0))
        axes[0].grid(visible=False)
        axes[0].set_title(recording_title(inspection, shown), fontsize=9)
        axes[0].set_xlabel("x (pixel)")
        for axis, along in zip(axes[1:], ("x", "y"), strict=True):
            draw_raster(axis, inspection, shown, span, scales[along], along)
            axis.set_ylabel(f"{along} (pixel)" if place % across == 0 else "")
        axes[0].set_ylabel("y (pixel)" if place % across == 0 else "")
        axes[1].tick_params(labelbottom=False)
        axes[2].set_xlabel("time (ms)")
    head(
        figure,
        title(inspection),
        ", ".join(filter(None, ("darker: more events", hues_in_words(size[2]), marks(inspection, span)))),
    )
    return figure
