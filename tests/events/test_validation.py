"""Sources that are wrong in one way each: one line that names dataset, split and recording, by either reader."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Bulk, Dataset, Encoding
from harness.errors import DataError
from harness.events.validation import CheckedSource, open_source

FIELDS = [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i2")]


def events(seed=0, fields=FIELDS, count=20):
    random = np.random.default_rng(seed)
    made = np.zeros(count, dtype=fields)
    for name in made.dtype.names:
        made[name] = np.sort(random.integers(0, 50_000, count)) if name == "t" else random.integers(0, 2, count)
    return made


def dataset(sensor=(8, 8, 2), classes=("a", "b", "c")):
    return Dataset(
        name="toy",
        summary="s",
        sensor_size=sensor,
        classes=classes,
        source="validated:source",
        encodings={"default": Encoding(crop=50, dt=5)},
    )


class Source(list):
    """A list of (events, label) that takes attributes."""

    def __init__(self, items, **attributes):
        super().__init__(items)
        vars(self).update(attributes)


def items(count=4, **given):
    return [(events(index, **given), index % 3) for index in range(count)]


def checked(source, **given):
    return CheckedSource(dataset(**given), "train", source)


def read_all(source, **given):
    found = checked(source, **given)
    assert len(found.labels) == len(found)
    assert found.groups is None or len(found.groups) == len(found)
    found.read(range(len(found)), bulk=True)


def refusal(source, message, **given):
    """The one line for which everything that a run reads of ``source`` is refused."""
    with pytest.raises(DataError, match=message) as raised:
        read_all(source, **given)
    text = str(raised.value)
    assert text.startswith("toy train")
    assert "\n" not in text
    return text


class Other:
    """Neither a length nor items."""


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (None, "None"),
        ((one for one in items()), "a generator"),
        (3, "an int"),
        (Source, "the class Source"),
        (Other(), "an Other"),
    ],
)
def test_what_is_no_sequence_is_named(source, kind):
    refusal(source, f"toy train: validated:source returned {kind}, not a sequence of")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, "it is None, not a pair"),
        ((events(),), "it is a tuple of 1, not a pair"),
        ((events(), 1, 2), "it is a tuple of 3, not a pair"),
        (events(), "it is an? ndarray, not a pair"),
        ((None, 1), "its events are None, not a structured array"),
        (([(0, 1, 1, 0)], 1), "its events are a list, not"),
        (([], 1), "its events are a list, not"),
        (({"t": [1]}, 1), "its events are a dict, not"),
        ((np.zeros((20, 4)), 1), r"an array \(20, 4\) of float64 without fields"),
        ((np.zeros(0), 1), "without fields"),
        ((np.array([[1, 2]], object), 1), r"an array \(1, 2\) of object without fields"),
        ((events().reshape(2, 10), 1), r"2 dimensions, shape \(2, 10\)"),
        ((events()[0], 1), "its events are a void, not"),
        ((np.ma.masked_array(events()), 1), "a masked array; leave masked events out"),
        ((np.zeros(2, [("t", "i8"), ("x", "i2", (3,)), ("y", "i2"), ("p", "i2")]), 1), r"field x holds \(3,\) values an event"),
        ((events(fields=[("t", "f8"), ("x", "i2"), ("y", "i2"), ("p", "U3")]), 1), "its field p is <U3"),
        ((events(fields=FIELDS[:2]), 1), "no field y, p; they have t, x "),
        ((events(fields=FIELDS[1:]), 1), "no field t"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 3])
def test_a_recording_that_is_none_is_named_wherever_it_is(item, message, place):
    broken = items()
    broken[place] = item
    assert f"recording {place}" in refusal(Source(broken), message)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("b", "that of recording 2 is 'b', not the index of a class, 0 to 2; 'b' is class 1"),
        ("1", "is '1', not the index"),
        (None, "is None, not the index"),
        ([0, 1, 0], r"is a list of shape \(3,\), .*; take the argmax of a one-hot vector"),
        (np.array([0, 0, 1.0]), r"is an? ndarray of shape \(3,\), .*; take the argmax of a one-hot vector"),
        (np.array([1]), r"is an? ndarray of shape \(1,\)"),
        ({"label": 1}, r"is \{'label': 1\}"),
        (0.5, "is 0.5, not"),
        (np.float32("nan"), "is nan, not"),
        (np.inf, "is inf, not"),
        (10**400, "is 1000"),
        (1j, "is 1j, not"),
        (np.ma.masked, "is masked, not"),
        (-1, "recording 2 has label -1; there are 3 classes"),
        (3, "recording 2 has label 3; there are 3 classes"),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_a_label_that_is_no_index_of_a_class_is_named(label, message, listed):
    made = items()
    labels = [0, 1, label, 0]
    if not listed:
        made = [(own, labels[index]) for index, (own, _) in enumerate(made)]
    refusal(Source(made, **({"labels": labels} if listed else {})), message)


@given(
    labels=st.lists(st.integers(0, 2), min_size=1, max_size=6),
    kind=st.sampled_from(["i8", "u1", "f4", "?", "O", "list"]),
)
@settings(max_examples=40, deadline=None)
def test_whole_labels_of_any_kind_are_taken(labels, kind):
    if kind == "?":
        labels = [min(label, 1) for label in labels]
    told = labels if kind == "list" else np.array(labels, dtype=kind)
    made = [(events(index), label) for index, label in enumerate(told)]
    for source in (Source(made), Source(made, labels=told)):
        found = checked(source)
        assert found.labels.dtype == np.int64
        assert found.labels.tolist() == [int(label) for label in labels]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"labels": [0, 1]}, "toy train: 2 labels for 4 recordings"),
        ({"labels": []}, "toy train: 0 labels for 4 recordings"),
        ({"labels": "abca"}, "its labels are a str, not a sequence"),
        ({"labels": {0: 1}}, "its labels are a dict, not a sequence"),
        ({"labels": np.array(3)}, "its labels are an? ndarray, not a sequence"),
        ({"labels": (one for one in [0, 1, 2, 0])}, "its labels are a generator, which can be read only once"),
        ({"labels": np.eye(4, 3)}, "take the argmax of a one-hot vector"),
        ({"groups": ["a"]}, "toy train: 1 groups for 4 recordings"),
        ({"groups": "abcd"}, "its groups are a str, not a sequence"),
        ({"groups": 4}, "its groups are an int, not a sequence"),
        ({"groups": ["a", None, "b", "c"]}, "recording 1: its group is None"),
        ({"groups": [1.0, 2.0, float("nan"), 3.0]}, "recording 2: its group is nan"),
    ],
)
def test_what_a_source_says_of_all_recordings_must_fit_them(attributes, message):
    refusal(Source(items(), **attributes), message)


class Raising(Source):
    """Says that it has more than it holds."""

    def __len__(self):
        return 9


def test_a_length_that_is_too_large_is_named_with_what_was_raised():
    refusal(Raising(items()), "toy train, recording 4 of 9: IndexError: list index out of range$")


@pytest.mark.parametrize(
    "error", [KeyError("x"), SystemExit(3), ValueError("of\ntwo lines"), FileNotFoundError(2, "No such file", "f.npy")]
)
def test_what_a_plugin_raises_is_named(error):
    class Broken(Source):
        def __getitem__(self, index):
            raise error

    name = "f.npy: cannot be read: No such file" if isinstance(error, OSError) else type(error).__name__
    assert name in refusal(Broken(items()), "toy train, recording 0 of 4: ")


def test_memory_that_runs_out_is_no_fault_of_the_data():
    class Large(Source):
        def __getitem__(self, index):
            raise MemoryError

    with pytest.raises(MemoryError):
        checked(Large(items())).read([0])


# Coordinates that the sensor has, and those that it lacks.


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(
    ("sensor", "changes", "message"),
    [
        ((8, 8, 1), {"p": [0, 1]}, "one polarity, and events have p = 0 and p = 1.*encoding.polarity=merge"),
        ((8, 8, 1), {"p": [7, 7]}, "p = 7"),
        ((8, 1, 1), {"y": [0, 1]}, "an event at y = 1, and the sensor has a height of 1"),
        ((8, 8, 2), {"x": [0.0, 0.5]}, "x = 0.5, and x counts in whole numbers"),
        ((8, 8, 2), {"y": [0.0, np.nan]}, "y = nan, and y counts in whole numbers"),
        ((8, 8, 2), {"t": [0.1, 0.5]}, "t = 0.1 is not at a whole number"),
        ((8, 8, 2), {"p": None}, "no field p"),
        ((8, 8, 2), {"y": None}, "no field y"),
    ],
)
def test_both_readers_find_the_same(sensor, changes, message, bulk):
    fine = {"t": np.array([1, 2]), "x": np.zeros(2, int)}
    fine |= {"y": np.zeros(2, int)} if sensor[1] > 1 else {}
    fine |= {"p": np.zeros(2, int)} if sensor[2] > 1 else {}
    wrong = {name: values for name, values in (fine | changes).items() if values is not None}

    def structured(columns):
        made = np.zeros(2, [(name, np.asarray(values).dtype) for name, values in columns.items()])
        for name, values in columns.items():
            made[name] = values
        return made

    recordings = [(structured(fine), 0), (structured(wrong), 0)]

    def read(start, stop):
        columns = {name: np.concatenate([np.asarray(fine.get(name, [0, 0])), values]) for name, values in wrong.items()}
        return Bulk(**columns, offsets=np.array([0, 2, 4])[start : stop + 1])

    text = refusal(Source(recordings, **({"bulk": read} if bulk else {})), message, sensor=sensor)
    assert "recording 1" in text or (bulk and changes in ({"p": None}, {"y": None}))


def test_polarities_of_one_recording_each_are_merged_no_more_than_those_of_one():
    made = items()
    for index, (own, _) in enumerate(made):
        own["p"] = index == 2
    refusal(Source(made), "recording 2: the sensor has one polarity, and events have p = 0 and p = 1", sensor=(8, 8, 1))
    for own, _ in made:
        own["p"] = 1
    assert checked(Source(made), sensor=(8, 8, 1)).read([0, 1]).p is None


@given(
    kinds=st.lists(
        st.sampled_from(["i8 i2 i2 i1", "u4 u1 u1 ?", "f8 f4 f8 f4", "m8[us] i8 >i2 u8"]), min_size=1, max_size=4
    ),
    extra=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_recordings_of_several_kinds_are_read_as_one(kinds, extra):
    plain, made = [], []
    for index, kind in enumerate(kinds):
        own = events(index)
        fields = list(zip("txyp", kind.split(), strict=True)) + ([("flag", "U4")] if extra and index else [])
        other = np.zeros(len(own), dtype=fields)
        for name in "txyp":
            other[name] = own[name]
        plain.append(own)
        made.append((other, 0))
    bulk = checked(Source(made)).read(range(len(made)))
    assert bulk.t.dtype == np.int64
    for name in "txyp":
        np.testing.assert_array_equal(getattr(bulk, name), np.concatenate([own[name] for own in plain]))
    assert bulk.offsets.tolist() == list(range(0, 20 * len(made) + 1, 20))


# The bulk reader.

RIGHT = Bulk(
    t=np.arange(8), x=np.zeros(8, int), y=np.zeros(8, int), p=np.zeros(8, int), offsets=np.array([0, 2, 4, 6, 8])
)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"bulk\(0, 4\) returned None, not a harness\.Bulk"),
        ((1, 2), "returned a tuple"),
        (dataclasses.replace(RIGHT, t=[1, 2]), r"bulk\(0, 4\)\.t is a list, not a plain array"),
        (dataclasses.replace(RIGHT, x=np.zeros((8, 1), int)), "x is an? ndarray"),
        (dataclasses.replace(RIGHT, p=np.ma.zeros(8, int)), "p is a MaskedArray"),
        (
            dataclasses.replace(RIGHT, offsets=np.array([0, 4, 8])),
            "offsets are 3 of int64, not 5 whole numbers for 4 recordings",
        ),
        (dataclasses.replace(RIGHT, offsets=np.array([0, 2.5, 4, 6, 8])), "offsets are 5 of float64"),
        (dataclasses.replace(RIGHT, offsets=np.array([0, 6, 4, 6, 8])), "its offsets do not divide"),
        (dataclasses.replace(RIGHT, x=np.zeros(7, int)), "arrays differ in length"),
    ],
)
def test_a_bulk_reader_that_errs_is_named(answer, message):
    refusal(Source(items(), bulk=lambda start, stop: answer), message)


def test_readers_that_disagree_are_found_by_a_look_at_three_recordings():
    made = items(9)

    def bulk(start, stop):
        own = [made[index][0] for index in range(start, stop)]
        together = np.concatenate(own)
        shifted = together["t"] + (stop == 9)
        return Bulk(
            t=shifted, x=together["x"], y=together["y"], p=together["p"], offsets=np.arange(0, 20 * len(own) + 1, 20)
        )

    found = checked(Source(made, bulk=bulk))
    found.spot_check(np.arange(8))
    with pytest.raises(DataError, match=r"toy train, recording 8: source\[index\] and bulk\(\) give other events"):
        found.spot_check(np.arange(9))


def test_recordings_that_change_between_readings_are_found():
    class Random(Source):
        def __getitem__(self, index):
            self.seed = getattr(self, "seed", 0) + 1
            return events(self.seed), 0

    with pytest.raises(DataError, match="toy train, recording 0: it changes between readings"):
        checked(Random(items())).spot_check(np.arange(4))


def failing(root, split):
    raise RuntimeError("no\nluck")


def test_a_source_that_cannot_be_opened_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "validated", sys.modules[__name__])
    made = dataclasses.replace(dataset(), source="validated:failing")
    with pytest.raises(
        DataError, match=r"^toy train: validated:failing: RuntimeError: no luck \(test_validation\.py:\d+\)$"
    ):
        open_source(made, Path("data"), "train", {})
