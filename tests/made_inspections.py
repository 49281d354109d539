"""Inspections of hand-made recordings, for tests of what is drawn of them."""

from __future__ import annotations

import numpy as np

from harness import Encoding
from harness.events.encode import encode, sample_shape
from harness.events.fields import bulk_of
from harness.inspection.findings import Compared, Inspection, Losses, Shown, SplitFindings, TimeHistogram

BIN_US = 1000


def events(seed, count, until_us, size, first_us=0):
    """``count`` events in order of time whose place moves across a sensor of ``size`` (width, height, polarities)."""
    random = np.random.default_rng(seed)
    width, height, polarities = size
    kinds = [("t", np.int64), ("x", np.int16)]
    if height > 1 or polarities > 1:
        kinds += [("y", np.int16), ("p", np.int8)]
    made = np.zeros(count, dtype=kinds)
    made["t"] = np.sort(random.integers(first_us, until_us, count))
    along = made["t"] / until_us
    made["x"] = np.clip(random.normal((0.2 + 0.6 * along) * width, width / 12), 0, width - 1)
    if "y" in made.dtype.names:
        centre = (0.5 + 0.3 * np.sin(6 * along + seed)) * height
        made["y"] = np.clip(random.normal(centre, height / 12), 0, height - 1)
        made["p"] = random.integers(0, polarities, count)
    return made


def inspection(
    splits,
    size,
    classes,
    encoding,
    *,
    name="made",
    shown=(("train", 0), ("train", 1)),
    compared=(),
    synthetic=True,
    limit=None,
    percentile=99.0,
):
    """What is found in ``splits``: by name the recordings, their labels and their groups (or None)."""
    chosen = []
    for split, index in shown:
        recordings, labels, groups = splits[split]
        one = recordings[index]
        group = None if groups is None else groups[index]
        frames = encode(one, encoding, size).frames
        chosen.append(
            Shown(split=split, recording=index, label=labels[index], group=group, events=bulk_of(one), frames=frames)
        )
    return Inspection(
        dataset=name,
        synthetic=synthetic,
        parameters={},
        sensor_size=size,
        classes=tuple(classes),
        encoding=encoding,
        limit=limit,
        splits={split: _findings(split, *held, encoding, size, percentile) for split, held in splits.items()},
        shown=tuple(chosen),
        compared=tuple(_compared(label, other, splits, size, shown) for label, other in compared),
    )


def channels(count=(12, 6), **more):
    """Channels over time: two classes, speakers of which one is in both splits, a crop that cuts and an empty recording."""
    size, encoding = (70, 1, 1), Encoding(dt=10, crop=300, factor=5)
    splits = {}
    for number, (split, recordings) in enumerate(zip(("train", "test"), count, strict=True)):
        made = [
            events(100 * number + k, 0 if k == 2 else 150 + 20 * k, 250_000 + 30_000 * k, size)
            for k in range(recordings)
        ]
        speakers = ["speaker-2", "speaker-10", f"speaker-{5 + number}"]
        splits[split] = (
            made, [k % 2 for k in range(recordings)], np.array([speakers[k % 3] for k in range(recordings)])
        )  # fmt: skip
    return inspection(splits, size, ("left", "right"), encoding, shown=(("train", 0), ("train", 2)), **more)


def vision(**more):
    """A camera of 32 x 24: slices of 200 ms, an end that makes no whole slice, a recording without events and no groups."""
    size, encoding = (32, 24, 2), Encoding(dt=50, slice=200, factor=2)
    splits = {
        "train": ([events(k, 0 if k == 2 else 3000, 450_000 + 90_000 * k, size) for k in range(4)], [0, 1, 2, 0], None),
        "test": ([events(9, 2000, 500_000, size)], [1], None),
    }
    shown = (("train", 0), ("train", 1), ("train", 2))
    return inspection(splits, size, ("wave", "clap", "roll"), encoding, **{"shown": shown, **more})


def _findings(split, recordings, labels, groups, encoding, size, percentile):
    times = np.concatenate([one["t"] for one in recordings]) if recordings else np.zeros(0, np.int64)
    counts = np.bincount(times // BIN_US) if len(times) else np.zeros(0, np.int64)
    reached = np.searchsorted(np.cumsum(counts), percentile / 100 * len(times)) + 1 if len(times) else None
    kept = _losses(recordings, encoding, size)
    return SplitFindings(
        split=split,
        total=len(recordings),
        recordings=np.arange(len(recordings)),
        labels=np.asarray(labels, np.int64),
        counts=np.array([len(one) for one in recordings], np.int64),
        durations_ms=np.array([(one["t"][-1] + 1) / 1000 if len(one) else 0.0 for one in recordings]),
        groups=None if groups is None else np.asarray(groups),
        times=TimeHistogram(
            counts=counts.astype(np.int64),
            bin_us=BIN_US,
            percentile=percentile,
            percentile_ms=None if reached is None else float(reached * BIN_US / 1000),
            t_max_ms=float(times.max() / 1000) if len(times) else None,
        ),
        losses=kept[0],
        samples=kept[1],
    )


def _losses(recordings, encoding, size):
    encoded = [encode(one, encoding, size) for one in recordings]
    lost = {
        why: sum(one.dropped.get(why, 0) for one in encoded) for why in ("cropped", "incomplete", "incomplete_slices")
    }
    return Losses(events=sum(map(len, recordings)), **lost), sum(len(one.frames) for one in encoded)


def _compared(label, encoding, splits, size, shown):
    every = [one for recordings, _, _ in splits.values() for one in recordings]
    losses, samples = _losses(every, encoding, size)
    frames = [encode(one, encoding, size).frames for one in every]
    cells = np.concatenate([one.ravel() for one in frames]) if frames else np.zeros(0)
    filled = cells[cells > 0]
    split, index = shown[0]
    return Compared(
        label=label,
        encoding=encoding,
        shape=sample_shape(encoding, size),
        steps=encoding.steps,
        samples=samples,
        losses=losses,
        density=len(filled) / max(len(cells), 1),
        share_several=float((filled > 1).mean()) if len(filled) else 0.0,
        mean=float(filled.mean()) if len(filled) else 0.0,
        largest=int(filled.max(initial=0)),
        bytes_a_sample=len(cells) / max(samples, 1),
        frames=encode(splits[split][0][index], encoding, size).frames,
    )
