"""Bring a dataset's recordings into frames once, on disk, so that every trial maps the same bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..components import load_reference
from ..errors import DataError
from ..keys import hash_files
from ..specification import digest
from .cache import Entry, cache_entries, clear, entry_at, open_split
from .encode import encode_bulk, sample_shape
from .frames import Frames
from .reading import Ints, checked_groups, checked_labels, chunks, portions, subset
from .writer import SplitWriter

if TYPE_CHECKING:
    from ..components import Choice, Dataset, Encoding
    from ..source import Bulk

SPLITS = ("train", "test")
# What decides the bytes of an entry.
_SOURCES = ("counting.py", "encode.py", "packed.py", "packing.py", "prepare.py", "reading.py", "writer.py")
Progress = Callable[[str, int, int], None]

__all__ = ["Frames", "cache_entries", "clear", "open_split", "prepare"]


def prepare(
    dataset: Dataset,
    choice: Choice,
    encoding: Encoding,
    *,
    data: Path,
    cache: Path,
    limit: int | None,
    report: Progress,
) -> dict[str, Any]:
    """Fetch, check and encode both splits, or find them encoded; returns a JSON-able summary.

    The summary holds path, fingerprint, synthetic, notes, shape, steps, dt_ms, splits ``{name: {recordings, samples,
    events, kept, cropped, incomplete, incomplete_slices, groups}}``, seconds and built. Two processes may call this at
    once: the second waits and finds the work done. Raises :class:`DataError` for data that is missing or malformed.
    """
    started = time.perf_counter()
    shape = sample_shape(encoding, dataset.sensor_size)
    if dataset.fetch:
        load_reference(dataset.fetch)(data, report, **choice.values)
    make = load_reference(dataset.source)
    sources = {split: make(data, split, **choice.values) for split in SPLITS}
    fingerprints = {split: _fingerprint(source, report) for split, source in sources.items()}
    notes = [note for source in sources.values() for note in getattr(source, "notes", ())]
    code = hash_files(Path(__file__).parent, [Path(__file__).with_name(name) for name in _SOURCES])
    key = digest([dataset.name, choice.to_json(), fingerprints, encoding.to_json(), limit, code])
    entry = entry_at(cache, dataset.name, key)
    built = False
    with entry.locked(lambda: report("waiting for another process", 0, 1)):
        for split, source in sources.items():
            if entry.intact(split):
                continue
            notes += entry.set_aside(split)
            _encode_split(entry, split, source, dataset, encoding, limit, shape, report)
            built = True
    splits = {split: entry.manifest(split) for split in SPLITS}
    synthetic = dataset.synthetic or any(getattr(source, "synthetic", False) for source in sources.values())
    return {
        "path": str(entry.path),
        "fingerprint": digest(fingerprints),
        "synthetic": synthetic,
        "notes": list(dict.fromkeys(notes)),
        "shape": list(shape),
        "steps": splits["train"]["shape"][1],
        "dt_ms": encoding.dt,
        "splits": {split: {name: manifest[name] for name in _TOLD} for split, manifest in splits.items()},
        "seconds": round(time.perf_counter() - started, 3),
        "built": built,
    }


_TOLD = ("recordings", "samples", "events", "kept", "cropped", "incomplete", "incomplete_slices", "groups")


def _fingerprint(source: Any, report: Progress) -> str:
    """The source's own fingerprint, or one over every event where it offers none."""
    given = getattr(source, "fingerprint", None)
    if given:
        return str(given)
    parts = []
    for index in range(len(source)):
        events, label = source[index]
        parts.append([int(label), digest([np.ascontiguousarray(events).tobytes().hex()])])
        report("fingerprinting", index + 1, len(source))
    return digest(parts)


def _encode_split(
    entry: Entry,
    split: str,
    source: Any,
    dataset: Dataset,
    encoding: Encoding,
    limit: int | None,
    shape: tuple[int, ...],
    report: Progress,
) -> None:
    labels = checked_labels(source, len(dataset.classes), split)
    if not len(labels):
        raise DataError(f"{dataset.name}: the {split} split holds no recordings")
    chosen = subset(labels, limit)
    named = checked_groups(source, split)
    totals = {"events": 0, "cropped": 0, "incomplete": 0, "incomplete_slices": 0}
    with SplitWriter(entry, split, shape) as writer:
        done = 0
        for indices, bulk in chunks(source, chosen):
            try:
                for numbers, part in portions(indices, bulk, encoding, dataset.sensor_size):
                    for name, count in _add(writer, part, encoding, dataset.sensor_size, numbers).items():
                        totals[name] += count
            except DataError as error:
                raise DataError(f"{dataset.name} {split}, {error}") from None
            totals["events"] += len(bulk.t)
            done += len(indices)
            report(f"encoding {split}", done, len(chosen))
        recordings = writer.recordings()
        if not len(recordings):
            raise DataError(f"{dataset.name}: no {split} recording is as long as one slice of {encoding.slice:g} ms")
        writer.finish(
            labels=labels[recordings],
            groups=None if named is None else named[recordings],
            facts={
                **totals,
                "kept": totals["events"] - totals["cropped"] - totals["incomplete"],
                "recordings": len(chosen),
                "dataset": dataset.name,
                "groups": None if named is None else sorted(set(named[chosen].tolist())),
            },
        )


def _add(
    writer: SplitWriter, bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int], numbers: Ints
) -> dict[str, int]:
    """Encode and write; what was dropped. Frames are let go of on return, so that no two parts lie in memory together."""
    encoded = encode_bulk(bulk, encoding, sensor_size, numbers)
    writer.add(encoded.frames, numbers[encoded.recordings], encoded.lengths)
    return encoded.dropped
