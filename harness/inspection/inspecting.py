"""Look at a dataset: one pass over each split, every encoding asked about on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..components import load_reference
from ..errors import DataError, UsageError, nearest
from ..events.encode import encode_bulk, ends_of
from ..events.plausibility import Plausibility
from ..events.reading import Ints, chunks, subset
from ..events.remarks import Unseen, missing_classes, sentences
from ..events.validation import CheckedSource, open_source
from ..foreign import plugin_code
from ..places import data_folder
from ..registry import Registry
from ..source import Bulk
from .asking import Asked, Values, ask
from .choosing import chosen_recordings
from .counting import EncodingSums, TimeSums, together
from .findings import Compared, Inspection, Shown, SplitFindings

SPLITS = ("train", "test")
Progress = Callable[[str, int, int], None]


def _silent(stage: str, done: int, total: int) -> None: ...


def inspect_dataset(
    registry: Registry,
    name: str,
    *,
    settings: Values | None = None,
    recipe: str = "default",
    data: Path | None = None,
    limit: int | None = None,
    shown: Sequence[int] = (),
    classes: Sequence[str] = (),
    split: str = "train",
    percentile: float = 99.0,
    what_if: Values | None = None,
    progress: Progress = _silent,
) -> Inspection:
    """Everything that ``harness inspect`` shows of the dataset called ``name``, under the encoding that a run would train on.

    ``settings`` maps ``encoding.dt``, ``shd-synthetic.train`` or ``encoding`` (one of the dataset's own, by name) to a list of
    one value; ``what_if`` maps parameters of the encoding, or ``encoding``, to values that are compared, all combinations.
    ``shown`` and ``classes`` choose recordings of ``split`` to be drawn: by number, and the first of a class.

    Recordings are read once (of a source without ``labels`` once more for these), in chunks of half a million events or one
    recording, and encoded by each encoding in turn, so memory holds a chunk, 64 Mi counts or one recording's frames with what
    counting them takes, and about 60 bytes a recording; beside these the recordings shown. Raises :class:`UsageError` for what
    cannot be meant, before any data are read unless they decide it, and :class:`DataError` for data that are missing or
    malformed.
    """
    if not (isfinite(percentile) and 0 < percentile <= 100):
        raise UsageError(f"percentile {percentile:g}: expected a number above 0, up to 100")
    if split not in SPLITS:
        raise UsageError(f"split {split!r}: expected train or test{nearest(split, SPLITS)}")
    asked = ask(registry, name, settings or {}, recipe=recipe, limit=limit, what_if=what_if or {})
    dataset, values = asked.dataset, asked.choice.values
    folder = data_folder(data)
    with plugin_code(f"dataset {dataset.name} failed"):
        if dataset.fetch:
            load_reference(dataset.fetch)(folder, progress, **values)
        read = {part: _Split(asked, part, open_source(dataset, folder, part, values), limit) for part in SPLITS}
    # Before the pass, so that a name that was mistyped costs no time.
    numbers = chosen_recordings(read[split].labels, dataset.classes, split, named=classes, numbers=shown)
    with plugin_code(f"dataset {dataset.name} failed"):
        for part in read.values():
            part.count(progress)
        drawn = tuple(read[split].shown(number) for number in numbers)
    notes = [str(note) for part in read.values() for note in part.source.notes]
    notes += [note for part in read.values() for note in part.remarks()]
    return Inspection(
        dataset=dataset.name,
        synthetic=dataset.synthetic or any(part.source.synthetic for part in read.values()),
        parameters=dict(values),
        sensor_size=dataset.sensor_size,
        classes=dataset.classes,
        encoding=asked.encoding,
        limit=limit,
        splits={part: found.findings(percentile) for part, found in read.items()},
        shown=drawn,
        compared=_compared(asked, list(read.values()), drawn[0]),
        notes=tuple(dict.fromkeys(notes)),
    )


@dataclass
class _Split:
    """One split and what was counted of it."""

    asked: Asked
    split: str
    source: CheckedSource
    limit: int | None

    def __post_init__(self) -> None:
        dataset = self.asked.dataset
        self.labels: Ints = self.source.labels
        if not len(self.labels):
            raise DataError(f"{dataset.name}: the {self.split} split holds no recordings")
        self.groups = self.source.groups
        self.chosen = subset(self.labels, self.limit)
        self.sizes, self.ends = (np.zeros(len(self.chosen), dtype=np.int64) for _ in range(2))
        self.times = TimeSums()
        self.unseen = Unseen(self.asked.encoding)
        self.plausibility = Plausibility(self.split, self.asked.encoding)
        encodings = [encoding for _, encoding in self.asked.compared] or [self.asked.encoding]
        self.sums = [EncodingSums(encoding, dataset.sensor_size) for encoding in encodings]

    def count(self, progress: Progress) -> None:
        """The pass over the recordings."""
        done = 0
        for indices, bulk in chunks(self.source, self.chosen):
            own = slice(done, done + len(indices))
            for number, sums in enumerate(self.sums):
                try:
                    sums.add(bulk, indices)
                except DataError as error:
                    under = f" under {self.asked.compared[number][0]}" if number else ""
                    raise DataError(f"{self.source.where}{under}, {error}") from None
            self.sizes[own], self.ends[own] = np.diff(bulk.offsets), ends_of(bulk.t, bulk.offsets)
            self.times.add(bulk.t)
            self.unseen.add(bulk, indices)
            self.plausibility.add(bulk)
            done += len(indices)
            progress(f"reading {self.split}", done, len(self.chosen))

    def findings(self, percentile: float) -> SplitFindings:
        frames = self.sums[0].frames()
        return SplitFindings(
            split=self.split,
            total=len(self.labels),
            recordings=self.chosen,
            labels=self.labels[self.chosen],
            counts=self.sizes,
            durations_ms=self.ends / 1000,
            groups=None if self.groups is None else self.groups[self.chosen],
            times=self.times.result(percentile),
            losses=self.sums[0].losses(),
            samples=frames.samples,
            frames=frames,
        )

    def shown(self, number: int) -> Shown:
        bulk = self.source.read([number], bulk=True)
        try:
            frames = _frames(bulk, self.asked, self.asked.encoding, number)
        except DataError as error:
            raise self.source.named(error) from None
        return Shown(
            split=self.split,
            recording=number,
            label=int(self.labels[number]),
            group=None if self.groups is None else str(self.groups[number]),
            events=bulk,
            frames=frames,
        )

    def remarks(self) -> list[str]:
        """What a run would refuse, or warn of."""
        losses, sampled, classes = self.sums[0].losses(), self.sums[0].sampled(), self.asked.dataset.classes
        if not self.sums[0].frames().samples:
            window = self.asked.encoding.slice
            return [
                f"no {self.split} recording is as long as one slice of {window:g} ms: a run would refuse this encoding: "
                f"{self.plausibility.too_short()}"
            ]
        if refusal := self.plausibility.refusal(losses.events, losses.kept):
            return [f"a run would refuse this {self.split} split: {refusal}"]
        facts = {
            "recordings": len(self.chosen),
            **self.unseen.facts(self.chosen, sampled),
            "missing_classes": missing_classes(self.labels[sampled], len(classes)),
        }
        return [
            *self.plausibility.warnings(losses.events, losses.cropped),
            *sentences(self.split, facts, self.asked.encoding, classes, self.limit),
        ]


def _frames(bulk: Bulk, asked: Asked, encoding: Any, number: int) -> Any:
    return encode_bulk(bulk, encoding, asked.dataset.sensor_size, np.array([number])).frames


def _compared(asked: Asked, splits: list[_Split], first: Shown) -> tuple[Compared, ...]:
    found = []
    for number, (label, encoding) in enumerate(asked.compared):
        sums = [part.sums[number] for part in splits]
        losses, frames = together(sums)
        found.append(
            Compared(
                label=label,
                encoding=encoding,
                shape=sums[0].shape,
                steps=encoding.steps,
                samples=frames.samples,
                losses=losses,
                density=frames.density,
                share_several=frames.share_several,
                mean=frames.mean,
                largest=frames.largest,
                bytes_a_sample=frames.bytes_a_sample,
                frames=_frames(first.events, asked, encoding, first.recording),
            )
        )
    return tuple(found)
