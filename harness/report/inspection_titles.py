"""What figures of an inspection are headed, what a recording is called in them, and what of it the encoding leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..environment import harness_version
from ..text import clean
from .classes import class_name

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..components import Encoding
    from ..inspection.findings import Inspection, Shown


def title(inspection: Inspection, *, short: bool = False) -> str:
    """The dataset, whether it is generated or limited, and, unless ``short``, the harness."""
    made_by = "" if short else f" - snn-harness\u00a0{harness_version()}"
    return f"{named(inspection.dataset)}{qualified(inspection)}{made_by}"


def qualified(inspection: Inspection) -> str:
    """`` (synthetic), limited to 4 recordings a split``, or nothing: what stands behind the dataset's name."""
    generated = " (synthetic)" if inspection.synthetic else ""
    limited = f", limited to {inspection.limit} recordings a split" if inspection.limit is not None else ""
    return generated + limited


def named(name: object) -> str:
    """A name from data as a figure can write it: one short line of letters that can be drawn."""
    return class_name(clean(name))


def recording_title(inspection: Inspection, shown: Shown) -> str:
    """Two lines: its class; then split, number, speaker or subject, and events."""
    return f"{label(inspection, shown)}\n{recording_name(shown)}, {len(shown.events.t):,} events"


def label(inspection: Inspection, shown: Shown) -> str:
    """The name of a recording's class."""
    known = 0 <= shown.label < len(inspection.classes)
    return named(inspection.classes[shown.label]) if known else f"label {shown.label}"


def recording_name(shown: Shown) -> str:
    """``train 12, speaker-4``."""
    if shown.group is None:
        return f"{shown.split} {shown.recording}"
    # A number alone would read as another recording's.
    return f"{shown.split} {shown.recording}, {'group ' * shown.group.isdecimal()}{named(shown.group)}"


def end_ms(shown: Shown) -> float:
    """Milliseconds up to and with the recording's last event; 0 where it has none."""
    return (int(shown.events.t.max()) + 1) / 1000 if len(shown.events.t) else 0.0


def covered_ms(frames: npt.NDArray[Any], encoding: Encoding) -> float:
    """Milliseconds that a recording's frames (samples, steps, *shape) take one after another."""
    steps = int(frames.shape[0]) * int(frames.shape[1])
    return steps * encoding.microseconds(encoding.dt) / 1000


def used_ms(inspection: Inspection, shown: Shown) -> float | None:
    """From which time on the encoding leaves events out, or None where it does not say that by itself."""
    encoding = inspection.encoding
    end = end_ms(shown)
    used = end if encoding.crop is None else min(end, encoding.crop)
    # tonic counts its windows from the first event on, and drops ends of its own.
    if encoding.slice is not None and encoding.tonic_window is None:
        # In whole microseconds: 0.3 // 0.1 is 2.
        whole = encoding.microseconds(encoding.slice)
        used = encoding.microseconds(used) // whole * whole / 1000
    return used if used < end else None
