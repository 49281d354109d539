"""Bring a dataset's recordings into frames once, on disk, so that every trial maps the same bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..code_files import CodeHashes
from ..components import load_reference
from ..errors import DataError
from ..keys import hash_files
from ..specification import digest
from .cache import Entry, cache_entries, clear, entry_at, open_split
from .encode import encode_bulk, sample_shape
from .frames import Frames
from .identity import SplitIdentity, identify
from .plausibility import Plausibility
from .reading import Ints, chunks, portions, subset
from .remarks import Unseen, missing_classes, sentences
from .validation import CheckedSource, open_source
from .writer import SplitWriter

if TYPE_CHECKING:
    from ..components import Choice, Dataset, Encoding
    from ..source import Bulk

SPLITS = ("train", "test")
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

    Two processes may call this at once: the second waits and finds the work done. Entries are found by everything that
    decides frames, labels and groups, the code of the dataset's plugin included.

    Returns:
        ``path``: the folder of the frames; ``fingerprint``: of the recordings; ``identity``: of what they mean, equal on
        every machine: fingerprint, labels and groups as used, fields, sensor, number of classes; ``frames``: of the frames
        themselves; ``content``: of all this and of the code, which keys of trials hold; synthetic, notes, ``warnings``:
        sentences on what numbers of these data do not say; shape, steps, dt_ms, seconds, built, and ``splits``
        ``{name: {recordings, samples, events, kept, cropped, incomplete, incomplete_slices, groups, ...}}``, with
        ``without_sample``, ``without_event``, ``wholly_cropped`` ``{"count", "first"}`` and ``missing_classes`` where
        there are such recordings or classes.

    Raises:
        DataError: data are missing or malformed, or changed while they were encoded.
    """
    started = time.perf_counter()
    shape = sample_shape(encoding, dataset.sensor_size)
    if dataset.fetch:
        load_reference(dataset.fetch)(data, report, **choice.values)
    sources = {split: open_source(dataset, data, split, choice.values) for split in SPLITS}
    found = {split: _identified(source, report) for split, source in sources.items()}
    notes = [note for source in sources.values() for note in source.notes]
    if len({item.fingerprint for item in found.values()}) < len(SPLITS):
        notes.append(f"{dataset.name}: train and test have one fingerprint; do they hold the same recordings?")
    state = digest(
        {
            "dataset": [dataset.name, choice.to_json(), dataset.sensor_size, dataset.classes],
            "splits": {split: [item.meaning, item.layout] for split, item in found.items()},
            "encoding": [encoding.to_json(), limit],
            "code": [hash_files(Path(__file__).parent, Path(__file__).parent.glob("*.py")), CodeHashes().of(dataset)],
        }
    )
    # Files that were written again may hold other events though the source's fingerprint does not see it.
    entry = entry_at(cache, dataset.name, digest([state, *(found[split].modified for split in SPLITS)]))
    built = []
    with entry.locked(lambda: report("waiting for another process", 0, 1)):
        for split, source in sources.items():
            if entry.intact(split):
                continue
            notes += entry.set_aside(split)
            _encode_split(entry, split, source, found[split], dataset, encoding, limit, shape, report)
            built.append(split)
        for split in built:
            if sources[split].fingerprint:  # without one, all would have to be read once more
                again = _identified(open_source(dataset, data, split, choice.values), report)
                if (again.meaning, again.modified) != (found[split].meaning, found[split].modified):
                    entry.set_aside(split)
                    raise DataError(f"{dataset.name}: the {split} split changed while it was encoded; run again")
    splits = {split: entry.manifest(split) for split in SPLITS}
    synthetic = dataset.synthetic or any(source.synthetic for source in sources.values())
    frames = digest({split: [splits[split][name] for name in ("shape", "dtype", "checksums")] for split in SPLITS})
    warnings = [sentence for item in found.values() for sentence in item.warnings]
    for split, manifest in splits.items():
        warnings += manifest.get("warnings", ())
        warnings += sentences(split, manifest, encoding, dataset.classes, limit)
    return {
        "path": str(entry.path),
        "fingerprint": digest({split: item.fingerprint for split, item in found.items()}),
        "identity": digest([[found[split].meaning for split in SPLITS], dataset.sensor_size, len(dataset.classes)]),
        "frames": frames,
        # Of the frames themselves, not only of what they are found by: a trial on other frames is another trial.
        "content": digest([state, frames]),
        "synthetic": synthetic,
        "notes": list(dict.fromkeys(notes)),
        **({"warnings": warnings} if warnings else {}),
        "shape": list(shape),
        "steps": splits["train"]["shape"][1],
        "dt_ms": encoding.dt,
        "splits": {split: _told(manifest) for split, manifest in splits.items()},
        "seconds": round(time.perf_counter() - started, 3),
        "built": bool(built),
    }


_TOLD = ("recordings", "samples", "events", "kept", "cropped", "incomplete", "incomplete_slices", "groups")
_TOLD_IF_ANY = ("without_sample", "without_event", "wholly_cropped", "missing_classes")


def _told(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in _TOLD} | {
        name: manifest[name] for name in _TOLD_IF_ANY if name in manifest
    }


def _identified(source: CheckedSource, report: Progress) -> SplitIdentity:
    if not len(source):
        raise DataError(f"{source.dataset.name}: the {source.split} split holds no recordings")
    return identify(source, report)


def _encode_split(
    entry: Entry,
    split: str,
    source: CheckedSource,
    identity: SplitIdentity,
    dataset: Dataset,
    encoding: Encoding,
    limit: int | None,
    shape: tuple[int, ...],
    report: Progress,
) -> None:
    labels, named = identity.labels, identity.groups
    chosen = subset(labels, limit)
    source.spot_check(chosen)
    unseen, plausibility = Unseen(encoding), Plausibility(source.split, encoding)
    totals = {"events": 0, "cropped": 0, "incomplete": 0, "incomplete_slices": 0}
    with SplitWriter(entry, split, shape) as writer:
        done = 0
        for indices, bulk in chunks(source, chosen):
            try:
                for numbers, part in portions(indices, bulk, encoding, dataset.sensor_size):
                    for name, count in _add(writer, part, encoding, dataset.sensor_size, numbers).items():
                        totals[name] += count
            except DataError as error:
                raise source.named(error) from None
            unseen.add(bulk, indices)
            plausibility.add(bulk)
            totals["events"] += len(bulk.t)
            done += len(indices)
            report(f"encoding {split}", done, len(chosen))
        recordings = writer.recordings()
        if not len(recordings):
            raise DataError(
                f"{dataset.name}: no {split} recording is as long as one slice of {encoding.slice:g} ms: "
                f"{plausibility.too_short()}"
            )
        kept = totals["events"] - totals["cropped"] - totals["incomplete"]
        if refusal := plausibility.refusal(totals["events"], kept):
            raise DataError(f"{source.where}: {refusal}")
        warnings = plausibility.warnings(totals["events"], totals["cropped"])
        missing = missing_classes(labels[recordings], len(dataset.classes))
        writer.finish(
            labels=labels[recordings],
            groups=None if named is None else named[recordings],
            facts={
                **totals,
                "kept": kept,
                "recordings": len(chosen),
                "dataset": dataset.name,
                "groups": None if named is None else sorted(set(named[chosen].tolist())),
                **unseen.facts(chosen, recordings),
                **({"missing_classes": missing} if missing else {}),
                **({"warnings": warnings} if warnings else {}),
            },
        )


def _add(
    writer: SplitWriter, bulk: Bulk, encoding: Encoding, sensor_size: tuple[int, int, int], numbers: Ints
) -> dict[str, int]:
    """Encode and write; what was dropped. Frames are let go of on return, so that no two parts lie in memory together."""
    encoded = encode_bulk(bulk, encoding, sensor_size, numbers)
    writer.add(encoded.frames, numbers[encoded.recordings], encoded.lengths)
    return encoded.dropped
