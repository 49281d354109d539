"""Events and frames as images: one hue for counts, two where events have a polarity, darker where there are more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure, SubFigure

    from ..source import Bulk

Counts = npt.NDArray[Any]

_ON, _OFF = COLOURS[0], COLOURS[1]
_LEVELS = 8  # of a hue: more would make files larger and could not be told apart
_BUSIEST = (
    99.5  # per cent of the cells that hold events: those above are as dark, or one hot pixel would pale all others
)


def summed(bulk: Bulk, size: tuple[int, int, int], most: int) -> Counts:
    """One recording's events by place, (polarities, height, width), pixels summed so that no side has more than ``most``."""
    row, column, (rows, columns) = _binned(bulk, size, most)
    return _counted(bulk, size[2], row, rows, column, columns)


def over_time(bulk: Bulk, size: tuple[int, int, int], along: str, span_us: int, most: int, columns: int) -> Counts:
    """One recording's events by ``along`` (``x`` or ``y``) and time, (polarities, at most ``most``, ``columns``).

    Times from 0 to ``span_us`` are cut into ``columns``; what is later is left out.
    """
    length = size[0] if along == "x" else size[1]
    by = -(-length // most)
    place = bulk.x if along == "x" else bulk.y
    at = np.zeros(len(bulk.t), np.int64) if place is None else place.astype(np.int64) // by
    return _counted(bulk, size[2], at, -(-length // by), bulk.t * columns // max(span_us, 1), columns)


def _counted(bulk: Bulk, polarities: int, row: Counts, rows: int, column: Counts, columns: int) -> Counts:
    polarity = np.zeros(len(row), np.int64) if bulk.p is None or polarities == 1 else bulk.p.astype(np.int64)
    seen = (column >= 0) & (column < columns)
    cell = ((polarity * rows + row) * columns + column)[seen]
    return np.bincount(cell, minlength=polarities * rows * columns).reshape(polarities, rows, columns)


def darkest(images: Iterable[Counts]) -> float:
    """The count that is drawn darkest, over all ``images`` alike."""
    filled = [image[image > 0].ravel() for image in images]
    joined = np.concatenate(filled) if filled else np.zeros(0)
    return max(float(np.ceil(np.percentile(joined, _BUSIEST))), 1.0) if len(joined) else 1.0


def scale(largest: float) -> Normalize:
    """Counts to 0..1 by square root, so that single events are seen beside many; one scale for all images of a figure."""
    from matplotlib.colors import PowerNorm

    return PowerNorm(0.5, 0, largest, clip=True)


def blocks(size: Sequence[int], most: Sequence[int]) -> tuple[int, ...]:
    """Into how many cells each side of ``size`` must be joined so that none has more than its ``most`` dots."""
    return tuple(max(1, -(-side // limit)) for side, limit in zip(size, most, strict=True))


def pooled(counts: Counts, by: Sequence[int]) -> Counts:
    """``counts`` (..., rows, columns) with the largest of each block of ``by`` (rows, columns), the last as large as what is left.

    What has more cells than pixels is drawn by leaving cells out, and with them events.
    """
    for axis, cells in zip((-2, -1), by, strict=True):
        if cells > 1 and counts.shape[axis]:
            counts = np.maximum.reduceat(counts, np.arange(0, counts.shape[axis], cells), axis=axis)
    return counts


def hue(index: int | None = None) -> Colormap:
    """From white to the hue of OFF (0), of ON (1) or of polarities merged (2); without an index, where there never were any."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = (
        ("#ffffff", "#b9d9ee", COLOURS[0], "#00263d") if index is None else ("#ffffff", (_OFF, _ON, "#222222")[index])
    )
    return LinearSegmentedColormap.from_list("events", ends, N=256)


def painted(counts: Counts, largest: float, least: float = 0.0, merged: bool = False) -> npt.NDArray[np.uint8]:
    """``counts`` (polarities, rows, columns) as colours (rows, columns, 3); ``least`` (0..1) is how dark one event is at least.

    Two polarities are laid over each other like inks, so that both together are dark; otherwise they are summed, and grey
    where they are ``merged`` beside others that are not.
    """
    of_scale = scale(largest)
    planes = counts if len(counts) == 2 else counts.sum(axis=0, keepdims=True)
    image = np.ones((*counts.shape[1:], 3))
    for index, plane in enumerate(planes):
        level = np.asarray(of_scale(plane.astype(float)), dtype=float)
        level = np.ceil(level * _LEVELS) / _LEVELS
        level = np.where(plane > 0, np.maximum(level, least), 0.0)
        image *= hue(index if len(planes) == 2 else 2 if merged else None)(level)[..., :3]
    painted_: npt.NDArray[np.uint8] = np.round(image * 255).astype(np.uint8)
    return painted_


def key_to_hues(
    figure: Figure | SubFigure, high: float, axes: Iterable[Axes], largest: float, polarities: int, what: str
) -> None:
    """Colour bars beside ``axes``, ``high`` inches: one for ON and one for OFF, or one for all, in ``what`` (``events a bin``)."""
    from matplotlib.cm import ScalarMappable

    beside = list(axes)
    bars = (1, 0) if polarities == 2 else (None,)
    for index in bars:
        bar = figure.colorbar(
            ScalarMappable(scale(largest), hue(index)),
            ax=beside,
            pad=0.015,
            fraction=0.025,
            aspect=25,
            shrink=min(1.0, 3.0 / high),
        )
        ticks = _ticks(largest)
        # A few busiest bins may hold more than what is drawn darkest.
        bar.set_ticks(ticks, labels=[*(f"{tick:g}" for tick in ticks[:-1]), f"≥ {ticks[-1]:g}"])
        bar.set_label(what if index is None else f"{('OFF', 'ON')[index]} {what}")
        bar.outline.set_visible(False)


def _ticks(largest: float) -> list[float]:
    """Few whole counts, apart from each other by their square roots."""
    places: list[float] = [0.0]
    for share in (0.1, 0.35, 1.0):
        tick = float(max(round(share * largest), 1)) if share < 1 else largest
        if tick > places[-1]:
            places.append(tick)
    return places


def hues_in_words(polarities: int) -> str:
    """What the colours of an image mean."""
    return "blue: ON (p = 1), orange: OFF (p = 0), dark: both" if polarities == 2 else ""


def in_cells(bulk: Bulk, size: tuple[int, int, int], most: int) -> tuple[npt.NDArray[np.int64], tuple[int, int]]:
    """Where each event lies, 2 · (row · width + column) + polarity, and the (height, width) that this counts in.

    Pixels are summed so that no side has more than ``most``. Sensors without polarity, or with more than two, count as 1.
    """
    row, column, (rows, columns) = _binned(bulk, size, most)
    p = bulk.p.astype(np.int64) if bulk.p is not None and size[2] == 2 else np.ones(len(bulk.t), np.int64)
    return 2 * (row * columns + column) + p, (rows, columns)


def _binned(bulk: Bulk, size: tuple[int, int, int], most: int) -> tuple[Counts, Counts, tuple[int, int]]:
    """Row and column of each event with square blocks of pixels as one, and how many (rows, columns) that makes."""
    by = max(blocks(size[:2], (most, most)))
    y = np.zeros(len(bulk.t), np.int64) if bulk.y is None else bulk.y.astype(np.int64) // by
    return y, bulk.x.astype(np.int64) // by, (-(-size[1] // by), -(-size[0] // by))
