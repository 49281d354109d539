"""An inspection in words: the encoding, and a row of facts for every split."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..events.encode import sample_shape
from .findings import Inspection, Losses, SplitFindings

if TYPE_CHECKING:
    from ..components import Encoding

_NAMES = 12  # groups named in a table; more are counted
_LONGEST = 40


def encoding_words(encoding: Encoding, sensor_size: tuple[int, int, int]) -> str:
    """``10 ms bins, 5 channels summed, events before 700 ms: 70 steps x 140 channels``."""
    vision = sensor_size[1] > 1
    words = [f"{encoding.dt:,g} ms bins"]
    if encoding.factor > 1:
        words.append(
            f"{encoding.factor} x {encoding.factor} pixels summed" if vision else f"{encoding.factor} channels summed"
        )
    if sensor_size[2] > 1 and encoding.polarity == "merge":
        words.append("polarities merged")
    if encoding.crop is not None:
        words.append(f"events before {encoding.crop:,g} ms")
    if encoding.slice is not None:
        words.append(f"slices of {encoding.slice:,g} ms")
    if encoding.tonic_window is not None:
        words.append(f"as tonic's ToFrame with windows of {encoding.tonic_window:g} ms")
    steps = "as many steps as each recording has" if encoding.steps is None else f"{encoding.steps} steps"
    return f"{', '.join(words)}: {steps} x {shape_words(sample_shape(encoding, sensor_size))}"


def sensor_words(sensor_size: tuple[int, int, int]) -> str:
    """``700 channels``, or ``128 x 128 pixels, 2 polarities``."""
    width, height, polarities = sensor_size
    if height == 1:
        return f"{width} channels" + (f", {polarities} polarities" if polarities > 1 else "")
    return f"{width} x {height} pixels" + (f", {polarities} polarities" if polarities > 1 else "")


def shape_words(shape: tuple[int, ...]) -> str:
    """``140 channels``, or ``2 polarities x 64 x 64 pixels``."""
    if len(shape) == 1:
        return f"{shape[0]} channels"
    polarities = f"{shape[0]} polarities x " if shape[0] > 1 else ""
    return f"{polarities}{shape[1]} x {shape[2]} " + ("pixels" if shape[1] > 1 else "channels")


def printable(text: str, longest: int = _LONGEST) -> str:
    """A text from data, fit for one line of a terminal: no control characters, not too long."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def bytes_words(count: float) -> str:
    """``98.0 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def percent(share: float) -> str:
    """A share of 1 in per cent; what is not nothing never reads 0, and what is not all never 100."""
    text = f"{100 * share:.1f}"
    if text == "0.0" and share > 0:
        return "< 0.1 %"
    return "> 99.9 %" if text == "100.0" and share < 1 else f"{text} %"


def facts(inspection: Inspection) -> dict[str, Mapping[str, str]]:
    """What is known of each split: heading of the row to ``{split: text}``."""
    encoding = inspection.encoding
    found: dict[str, dict[str, str]] = {}
    for name, split in inspection.splits.items():
        times, losses, frames = split.times, split.losses, split.frames
        looked = len(split.labels)
        own = {
            "recordings": f"{looked:,}" if looked == split.total else f"{looked:,} of {split.total:,}",
            "events": f"{losses.events:,}",
            "  a recording *": _spread(split.counts),
            "duration, ms *": _spread(split.durations_ms),
            "classes": _classes(split, len(inspection.classes)),
        }
        if any(other.groups is not None for other in inspection.splits.values()):
            own["groups"] = _groups(split)
        own |= {
            f"{times.percentile:g} % of events before": _ms(times.percentile_ms) + _coarse(times.bin_us),
            "last event at": _ms(times.t_max_ms),
        }
        if encoding.crop is not None:
            own[f"lost to crop at {encoding.crop:,g} ms"] = _lost(losses, losses.cropped)
        if encoding.slice is not None or encoding.tonic_window is not None:
            own["lost in incomplete ends"] = _lost(losses, losses.incomplete)
        if encoding.slice is not None:
            own["  recordings cut so"] = f"{losses.incomplete_slices:,}"
        own |= {
            "samples": f"{frames.samples:,}",
            "  cells not 0": percent(frames.density),
            "  of these above 1": percent(frames.share_several),
            "  mean count / most": f"{frames.mean:.2f} / {frames.largest:,}",
            "  memory of all (one)": f"{bytes_words(frames.bytes)} ({bytes_words(frames.bytes_a_sample)})",
        }
        for heading, text in own.items():
            found.setdefault(heading, {})[name] = text
    return dict(found)


def shared_words(inspection: Inspection) -> str | None:
    """Whether train and test share speakers or subjects; None where the dataset names none."""
    if sum(split.groups is not None for split in inspection.splits.values()) < 2:
        return None
    where = " and ".join(inspection.splits)
    shared = inspection.shared_groups
    if not shared:
        return f"groups in both {where}: none"
    named = ", ".join(printable(name) for name in shared[:_NAMES])
    rest = f" and {len(shared) - _NAMES} more" if len(shared) > _NAMES else ""
    return f"groups in both {where}: {named}{rest}"


def cells_words(shape: tuple[int, ...], steps: int | None) -> str:
    """Cells of a sample, or of a step where recordings keep their own length."""
    return f"{prod(shape):,} a step" if steps is None else f"{steps * prod(shape):,}"


def _spread(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    decimals = 1 if values.dtype.kind == "f" and values.max() < 100 else 0
    return " / ".join(f"{value:,.{decimals}f}" for value in (values.min(), float(np.median(values)), values.max()))


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f} ms"


def _coarse(bin_us: int) -> str:
    """Said where a late event made bins wider than anyone expects."""
    return "" if bin_us <= 1000 else f" (in bins of {bin_us / 1000:g} ms)"


def _lost(losses: Losses, count: int) -> str:
    return f"{percent(losses.share(count))} ({count:,})"


def _classes(split: SplitFindings, classes: int) -> str:
    there, sizes = np.unique(split.labels, return_counts=True)
    number = f"{len(there)}" if len(there) == classes else f"{len(there)} of {classes}"
    return f"{number}, {_each(sizes)}"


def _groups(split: SplitFindings) -> str:
    if split.groups is None:
        return "-"
    names, sizes = np.unique(split.groups, return_counts=True)
    return f"{len(names)}, {_each(sizes)}"


def _each(sizes: np.ndarray) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return f"{low:,} each" if low == high else f"{low:,} to {high:,} each"
