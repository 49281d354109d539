"""Checks of a dataset: readers agree, and events, labels, groups and fingerprint are what they are said to be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, cast
from unittest import SkipTest

import numpy as np

from ..components import Dataset, load_reference
from ..errors import DataError
from ..events.encode import encode, sample_shape
from ..events.splits import hold_out
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

    def open(self, split: str) -> Any:
        """A source of ``split``, opened anew; the dataset's reason to skip where there is no data."""
        try:
            return load_reference(self.dataset.source)(data_folder(self.data), split, **self.dataset.choose().values)
        except DataError as error:
            raise SkipTest(str(error)) from None

    @cached_property
    def sources(self) -> dict[str, Any]:
        """A source a split."""
        return {split: self.open(split) for split in _SPLITS}

    def _fields(self) -> list[str]:
        """The fields that the sensor has."""
        _, height, polarities = self.dataset.sensor_size
        return ["t", "x", *(["y"] if height > 1 else []), *(["p"] if polarities > 1 else [])]

    def _some(self, source: Any) -> list[int]:
        spread = np.linspace(0, len(source) - 1, min(self.examples, len(source)))
        return [int(index) for index in np.unique(spread.astype(int))]

    def _recordings(self) -> Iterator[tuple[str, int, Any, int]]:
        for split, source in self.sources.items():
            for index in self._some(source):
                events, label = source[index]
                yield f"{split} recording {index}", index, events, int(label)

    def test_events_are_sorted_and_inside_the_sensor(self) -> None:
        """Events are sorted in time from 0 on and lie inside the sensor"""
        width, height, polarities = self.dataset.sensor_size
        for where, _, events, _ in self._recordings():
            names = events.dtype.names or ()
            assert {"t", "x"} <= set(names), f"{where} has fields {names}, not t and x"
            times = events["t"].astype(np.int64)
            assert not len(times) or times[0] >= 0, f"{where} has an event before time 0"
            assert bool((np.diff(times) >= 0).all()), f"{where} is not sorted in time"
            for name, size in (("x", width), ("y", height), ("p", polarities)):
                # A field that the sensor does not have is not read: SHD carries a polarity that is always 1.
                if name in names and len(events) and size > 1:
                    low, high = int(events[name].min()), int(events[name].max())
                    inside = min(low, size - 1 - high) >= 0
                    assert inside, f"{where} has {name} from {low} to {high}; the sensor has {size}"
            assert height == 1 or "y" in names, f"{where} has no y, and the sensor is {width} x {height}"
            assert polarities == 1 or "p" in names, f"{where} has no p, and the sensor has {polarities} polarities"

    def test_both_readers_agree(self) -> None:
        """The bulk reader gives the events that recordings give one by one"""
        for split, source in self.sources.items():
            if not hasattr(source, "bulk"):
                raise SkipTest("it has one reader")
            for start in self._some(source)[:: max(self.examples // 4, 1)]:
                stop = min(start + 5, len(source))
                bulk = source.bulk(start, stop)
                assert len(bulk.offsets) == stop - start + 1, f"{split}: {len(bulk.offsets)} offsets"
                for place, index in enumerate(range(start, stop)):
                    begin, end = int(bulk.offsets[place]), int(bulk.offsets[place + 1])
                    events, _ = source[index]
                    for name in self._fields():
                        held = getattr(bulk, name, None)
                        assert held is not None, f"{split}: the bulk reader has no {name}"
                        same = np.array_equal(events[name].astype(np.int64), held[begin:end].astype(np.int64))
                        assert same, f"{split} recording {index}: the readers differ in {name}"

    def test_labels_are_in_range_and_agree(self) -> None:
        """Labels are in range, agree with the list of all, and every class is named"""
        classes = len(self.dataset.classes)
        for where, _, _, label in self._recordings():
            assert 0 <= label < classes, f"{where} has label {label}; there are {classes} classes"
        for split, source in self.sources.items():
            listed = getattr(source, "labels", None)
            if listed is not None:
                assert len(listed) == len(source), f"{split}: {len(listed)} labels of {len(source)} recordings"
                for index in self._some(source):
                    assert int(listed[index]) == int(source[index][1]), f"{split} recording {index}: labels differ"

    def test_groups_are_held_out_whole(self) -> None:
        """Groups are named for every recording, and validation shares none with training"""
        source = self.sources["train"]
        groups = getattr(source, "groups", None)
        if groups is None:
            raise SkipTest("it names no groups")
        assert len(groups) == len(source), f"{len(groups)} groups of {len(source)} recordings"
        labels = (
            np.asarray([int(label) for label in source.labels]) if hasattr(source, "labels") else np.zeros(len(source))
        )
        named = np.array([str(group) for group in groups])
        for seed in range(5):
            training, validation, _ = hold_out(labels.astype(np.int64), named, np.arange(len(source)), 0.2, seed)
            both = set(named[training]) & set(named[validation])
            assert not both, f"{', '.join(sorted(both))} are in training and in validation"
            assert min(len(training), len(validation)) > 0, "one of training and validation is empty"

    def test_reading_twice_gives_the_same(self) -> None:
        """Reading twice gives the same events, and the fingerprint is stable and its split's own"""
        for split, source in self.sources.items():
            again = self.open(split)
            for index in self._some(source)[:10]:
                (one, label), (two, other) = source[index], again[index]
                same = int(label) == int(other) and np.array_equal(one, two)
                assert same, f"{split} recording {index} has changed"
            assert getattr(source, "fingerprint", None) == getattr(again, "fingerprint", None), (
                f"{split}: the fingerprint"
            )
        prints = [getattr(source, "fingerprint", None) for source in self.sources.values()]
        assert None in prints or len(set(prints)) == len(prints), "train and test have one fingerprint"

    def test_every_encoding_keeps_every_event_in_its_window(self) -> None:
        """Every encoding gives frames of its shape that hold the events of its window, each once"""
        for name, encoding in self.dataset.encodings.items():
            shape = sample_shape(encoding, self.dataset.sensor_size)
            for where, _, events, _ in list(self._recordings())[:10]:
                encoded = encode(events, encoding, self.dataset.sensor_size)
                assert encoded.frames.shape[2:] == shape, f"{name}: frames of {encoded.frames.shape[2:]}, not {shape}"
                kept = int(encoded.frames.sum(dtype=np.int64))
                left = sum(count for reason, count in encoded.dropped.items() if reason != "incomplete_slices")
                assert kept + left == len(events), (
                    f"{name}, {where}: {kept} kept and {left} dropped of {len(events)} events"
                )
