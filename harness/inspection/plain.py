"""An inspection as plain JSON values: everything numeric, no events and no frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .findings import Compared, FrameCounts, Inspection, Losses, Shown, SplitFindings


def to_json(inspection: Inspection) -> dict[str, Any]:
    """Strict JSON: None for what is not known, never NaN."""
    return {
        "dataset": inspection.dataset,
        "synthetic": inspection.synthetic,
        "parameters": {name: list(v) if isinstance(v, tuple) else v for name, v in inspection.parameters.items()},
        "sensor_size": list(inspection.sensor_size),
        "classes": list(inspection.classes),
        "encoding": inspection.encoding.to_json(),
        "limit": inspection.limit,
        "splits": {name: _split(split, len(inspection.classes)) for name, split in inspection.splits.items()},
        "shared_groups": list(inspection.shared_groups),
        "shown": [_shown(item) for item in inspection.shown],
        "compared": [_compared(item) for item in inspection.compared],
        "notes": list(inspection.notes),
    }


def _split(split: SplitFindings, classes: int) -> dict[str, Any]:
    groups = None
    if split.groups is not None:
        names, sizes = np.unique(split.groups, return_counts=True)
        groups = {str(name): int(size) for name, size in zip(names, sizes, strict=True)}
    times = split.times
    return {
        "recordings": len(split.labels),
        "total": split.total,
        "events_a_recording": _spread(split.counts),
        "duration_ms": _spread(split.durations_ms),
        "recordings_of_class": np.bincount(split.labels, minlength=classes).tolist(),
        "recordings_of_group": groups,
        "times": {
            "percentile": times.percentile,
            "percentile_ms": times.percentile_ms,
            "t_max_ms": times.t_max_ms,
            "bin_us": times.bin_us,
            "events_of_bin": times.counts.tolist(),
        },
        **_losses(split.losses),
        "frames": _frames(split.frames),
    }


def _spread(values: npt.NDArray[Any]) -> dict[str, float] | None:
    if not len(values):
        return None
    return {
        "min": values.min().item(),
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "max": values.max().item(),
    }


def _losses(losses: Losses) -> dict[str, Any]:
    return {
        "events": losses.events,
        "kept": losses.kept,
        "cropped": losses.cropped,
        "incomplete": losses.incomplete,
        "incomplete_slices": losses.incomplete_slices,
    }


def _frames(frames: FrameCounts) -> dict[str, Any]:
    return {
        **{name: getattr(frames, name) for name in FrameCounts.__dataclass_fields__},
        "density": frames.density,
        "share_several": frames.share_several,
        "mean": frames.mean,
    }


def _shown(item: Shown) -> dict[str, Any]:
    return {
        "split": item.split,
        "recording": item.recording,
        "label": item.label,
        "group": item.group,
        "events": len(item.events.t),
        "shape": list(item.frames.shape),
    }


def _compared(item: Compared) -> dict[str, Any]:
    return {
        "label": item.label,
        "encoding": item.encoding.to_json(),
        "shape": list(item.shape),
        "steps": item.steps,
        "samples": item.samples,
        **_losses(item.losses),
        "density": item.density,
        "share_several": item.share_several,
        "mean": item.mean,
        "largest": item.largest,
        "bytes_a_sample": item.bytes_a_sample,
    }
