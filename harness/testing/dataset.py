"""Checks of a dataset: readers agree, and events, labels, groups and fingerprint are what they are said to be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, cast
from unittest import SkipTest

import numpy as np

from ..components import Dataset, load_reference
from ..errors import DataError
from ..events.encode import encode_bulk, sample_shape
from ..events.fields import required_fields
from ..events.plausibility import Plausibility
from ..events.splits import hold_out
from ..events.validation import CheckedSource
from ..places import data_folder
from .suite import Suite

_SPLITS = ("train", "test")


class DatasetSuite(Suite):
    """A dataset's source hands out sound events with sound labels, the same ones every time.

    ``examples`` recordings a split are read, spread over it; the dataset must lie below ``data`` and is never fetched.
    """

    kind: ClassVar[str] = "dataset"
    examples: int = 40

    @property
    def dataset(self) -> Dataset:
        """The dataset under test."""
        return cast(Dataset, self.component)

    def open(self, split: str) -> CheckedSource:
        """A source of ``split``, opened anew and checked as a run checks it; the dataset's reason to skip if data are missing."""
        make, values = load_reference(self.dataset.source), self.dataset.choose().values
        try:
            source = make(data_folder(self.data), split, **values)
        except DataError as error:
            raise SkipTest(str(error)) from None
        return CheckedSource(self.dataset, split, source)

    @cached_property
    def sources(self) -> dict[str, CheckedSource]:
        """A source a split."""
        return {split: self.open(split) for split in _SPLITS}

    def _fields(self) -> list[str]:
        """The fields that the sensor has."""
        return list(required_fields(self.dataset.sensor_size))

    def _some(self, source: CheckedSource) -> list[int]:
        spread = np.linspace(0, len(source) - 1, min(self.examples, len(source)))
        return [int(index) for index in np.unique(spread.astype(int))]

    def _recordings(self) -> Iterator[tuple[str, int, Any, int]]:
        for split, source in self.sources.items():
            for index in self._some(source):
                events, label = source[index]
                source.read([index])  # what a run would refuse of it
                yield f"{split} recording {index}", index, events, label

    def test_events_are_sorted_and_inside_the_sensor(self) -> None:
        """Events are whole numbers, sorted in time from 0 on, and lie inside the sensor"""
        width, height, polarities = self.dataset.sensor_size
        for where, index, events, _ in self._recordings():
            bulk = self.sources[where.split()[0]].read([index])
            assert not len(bulk.t) or bulk.t.min() >= 0, f"{where} has an event before time 0"
            assert bool((np.diff(bulk.t) >= 0).all()), f"{where} is not sorted in time"
            for name, size in (("x", width), ("y", height), ("p", polarities)):
                values = getattr(bulk, name)
                if values is not None and len(values):
                    low, high = int(values.min()), int(values.max())
                    inside = min(low, size - 1 - high) >= 0
                    assert inside, f"{where} has {name} from {low} to {high}; the sensor has {size}"
            assert len(bulk.t) == len(events)

    def test_times_suit_the_encodings(self) -> None:
        """Times are microseconds from each recording's start, as far as the encodings can tell"""
        for name, encoding in self.dataset.encodings.items():
            for split, source in self.sources.items():
                judged, events, cropped, kept, samples = Plausibility(split, encoding), 0, 0, 0, 0
                for index in self._some(source):
                    bulk, number = source.read([index]), np.array([index])
                    encoded = encode_bulk(bulk, encoding, self.dataset.sensor_size, number)
                    judged.add(bulk)
                    events, cropped = events + len(bulk.t), cropped + encoded.dropped["cropped"]
                    kept, samples = kept + int(encoded.frames.sum(dtype=np.int64)), samples + len(encoded.frames)
                assert samples, f"{name}: no {split} recording is as long as one slice: {judged.too_short()}"
                found = judged.refusal(events, kept) or judged.doubt(events, cropped)
                assert found is None, f"{name}: {split}: {found}"

    def test_both_readers_agree(self) -> None:
        """The bulk reader gives the events that recordings give one by one"""
        for split, source in self.sources.items():
            if not source.has_bulk:
                raise SkipTest("it has one reader")
            for start in self._some(source)[:: max(self.examples // 4, 1)]:
                stop = min(start + 5, len(source))
                bulk = source.read(range(start, stop), bulk=True)
                for place, index in enumerate(range(start, stop)):
                    begin, end = int(bulk.offsets[place]), int(bulk.offsets[place + 1])
                    alone = source.read([index])
                    for name in self._fields():
                        same = np.array_equal(getattr(alone, name), getattr(bulk, name)[begin:end])
                        assert same, f"{split} recording {index}: the readers differ in {name}"

    def test_labels_are_in_range_and_agree(self) -> None:
        """Labels are in range, agree with the list of all, and every class is named"""
        for split, source in self.sources.items():
            assert len(source.labels) == len(source), (
                f"{split}: {len(source.labels)} labels of {len(source)} recordings"
            )
            for index in self._some(source):
                _, label = source[index]
                listed = source.labels[index]
                assert label == listed, (
                    f"{split} recording {index}: labels differ: {label}, and its labels say {listed}"
                )

    def test_groups_are_held_out_whole(self) -> None:
        """Groups are named for every recording, and validation shares none with training"""
        source = self.sources["train"]
        named = source.groups
        if named is None:
            raise SkipTest("it names no groups")
        assert len(named) == len(source), f"{len(named)} groups of {len(source)} recordings"
        labels = source.labels
        for seed in range(5):
            training, validation, _ = hold_out(labels, named, np.arange(len(source)), 0.2, seed)
            both = set(named[training]) & set(named[validation])
            assert not both, f"{', '.join(sorted(both))} are in training and in validation"
            assert min(len(training), len(validation)) > 0, "one of training and validation is empty"

    def test_reading_twice_gives_the_same(self) -> None:
        """Reading twice gives the same events, and the fingerprint is stable and its split's own"""
        for split, source in self.sources.items():
            again = self.open(split)
            for index in self._some(source)[:10]:
                (one, label), (two, other) = source[index], again[index]
                same = label == other and np.array_equal(one, two)
                assert same, f"{split} recording {index} has changed"
            assert source.fingerprint == again.fingerprint, f"{split}: the fingerprint"
        prints = [source.fingerprint for source in self.sources.values()]
        assert None in prints or len(set(prints)) == len(prints), "train and test have one fingerprint"

    def test_every_encoding_keeps_every_event_in_its_window(self) -> None:
        """Every encoding gives frames of its shape that hold the events of its window, each once"""
        for name, encoding in self.dataset.encodings.items():
            shape = sample_shape(encoding, self.dataset.sensor_size)
            for where, index, events, _ in list(self._recordings())[:10]:
                bulk = self.sources[where.split()[0]].read([index])
                encoded = encode_bulk(bulk, encoding, self.dataset.sensor_size, np.array([index]))
                assert encoded.frames.shape[2:] == shape, f"{name}: frames of {encoded.frames.shape[2:]}, not {shape}"
                kept = int(encoded.frames.sum(dtype=np.int64))
                left = sum(count for reason, count in encoded.dropped.items() if reason != "incomplete_slices")
                assert kept + left == len(events), (
                    f"{name}, {where}: {kept} kept and {left} dropped of {len(events)} events"
                )
