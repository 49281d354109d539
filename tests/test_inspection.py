"""What an inspection measures: the same numbers as a run, in one pass and bounded memory, percentiles exact to their bin."""

from __future__ import annotations

import json
import re
import sys
import weakref
from fractions import Fraction
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Bulk, Dataset, Encoding, Registry, hookimpl
from harness.errors import DataError, UsageError
from harness.events.encode import encode_bulk
from harness.events.prepare import open_split, prepare
from harness.experiment import Experiment
from harness.inspection.counting import TimeSums
from harness.inspection.inspecting import inspect_dataset
from harness.inspection.plain import to_json
from harness.plan import make_plan

SHIPPED = Registry.discover()
CLASSES = ("plain", "[red]loud[/red]", "\x1b[31mesc\n$x$", "\u202eaudio", "never")
HELD: dict[str, list] = {}


class Held:
    """Recordings from a list of (times in ms, label), read in bulk; what was read is counted, and what of it is still alive."""

    notes = ("made for a test", "with \x1b[31m in it")

    def __init__(self, split):
        self.recordings = HELD[split]
        self.labels = [label for _, label in self.recordings]
        self.groups = HELD.get(f"{split} groups")
        self.read, self.alive, self.most = [], [], 0
        HELD.setdefault("sources", []).append(self)

    def __len__(self):
        return len(self.recordings)

    def __getitem__(self, index):
        bulk = self.bulk(index, index + 1)
        events = np.zeros(len(bulk.t), dtype=[("t", int), ("x", int)])
        events["t"], events["x"] = bulk.t, bulk.x
        return events, self.labels[index]

    def bulk(self, start, stop):
        self.read += range(start, stop)
        times = [np.array(np.array(times) * 1000, dtype=np.int64) for times, _ in self.recordings[start:stop]]
        t = np.concatenate(times)
        self.alive.append(weakref.ref(t))
        self.most = max(self.most, sum(reference() is not None for reference in self.alive))
        return Bulk(
            t=t, x=np.arange(len(t)) % 10, offsets=np.cumsum([0, *(len(own) for own in times)]).astype(np.int64)
        )


def source(root, split):
    return Held(split)


@hookimpl
def register_datasets(register):
    common = {"summary": "s", "sensor_size": (10, 1, 1), "classes": CLASSES, "source": "inspected:source"}
    whole, cut = Encoding(crop=20, dt=2), Encoding(slice=10, dt=2)
    register(Dataset(name="held", encodings={"default": whole, "cut": cut, "free": Encoding(dt=2)}, **common))


@pytest.fixture
def held(monkeypatch):
    """Inspects recordings that a test hands over: ``{split: [(times in ms, label), ...]}``."""
    monkeypatch.setitem(sys.modules, "inspected", sys.modules[__name__])
    registry = Registry.discover(points=[EntryPoint("inspected", "inspected", "harness")])

    def inspected(train, test=(([1.0], 0),), **asked):
        HELD.clear()
        HELD.update({"train": list(train), "test": list(test), **asked.pop("held", {})})
        return inspect_dataset(registry, "held", **asked)

    yield inspected
    HELD.clear()


SMALL_SHD = {"shd-synthetic.train": ["60"], "shd-synthetic.test": ["20"]}
SMALL_DVS = {
    f"dvsgesture-synthetic.{name}": [value] for name, value in (("train", 22), ("test", 11), ("duration", 300))
}


@pytest.mark.parametrize(
    ("name", "chosen", "limit"),
    [
        ("shd-synthetic", SMALL_SHD, None),
        ("shd-synthetic", {**SMALL_SHD, "encoding": ["tutorial"], "encoding.dt": ["20"]}, 15),
        ("shd-synthetic", {**SMALL_SHD, "encoding.crop": ["none"]}, None),
        ("dvsgesture-synthetic", {**SMALL_DVS, "encoding.slice": ["100"], "encoding.dt": ["50"]}, None),
        ("dvsgesture-synthetic", {**SMALL_DVS, "encoding": ["tutorial"], "encoding.crop": ["200"], "encoding.slice": ["none"]}, 4),
    ],
)  # fmt: skip
def test_its_numbers_are_those_of_a_run(name, chosen, limit, tmp_path):
    found = inspect_dataset(SHIPPED, name, settings=chosen, limit=limit)
    experiment = Experiment(plugins=(name,), settings=chosen, limit=limit)
    specification = make_plan(experiment, SHIPPED).trials[0].specification
    assert found.encoding == specification.encoding
    assert found.parameters == specification.dataset.values
    summary = prepare(
        SHIPPED.find(name).component,
        specification.dataset,
        specification.encoding,
        data=tmp_path,
        cache=tmp_path,
        limit=limit,
        report=lambda stage, done, total: None,
    )
    assert found.synthetic == summary["synthetic"]
    assert list(found.notes) == [*summary["notes"], *summary.get("warnings", ())]
    for split, told in summary["splits"].items():
        own, frames = found.splits[split], open_split(Path(summary["path"]), split)
        assert {
            "recordings": len(own.labels),
            "samples": own.samples,
            "groups": sorted(set(own.groups.tolist())),
            "kept": own.losses.kept,
            **{reason: getattr(own.losses, reason) for reason in ("events", "cropped", "incomplete", "incomplete_slices")},
            # What else is told became notes, which were compared.
            **{name: told[name] for name in ("missing_classes",) if limit is not None},
        } == told  # fmt: skip
        counts = np.asarray(frames.frames)
        assert own.frames.occupied == np.count_nonzero(counts)
        assert own.frames.several == np.count_nonzero(counts > 1)
        assert (own.frames.largest, own.frames.events) == (counts.max(), counts.sum())
        assert own.frames.bytes == counts.nbytes
        cells = counts.size if frames.lengths is None else int(frames.lengths.sum()) * counts[0, 0].size
        assert own.frames.cells == cells
        assert own.counts.sum() == own.losses.events == own.times.counts.sum()


TIMES = st.lists(st.one_of(st.integers(0, 5_000), st.integers(0, 80_000_000), st.integers(0, 2**62)), max_size=40)


@given(st.lists(TIMES, max_size=5), st.floats(0, 100, exclude_min=True))
@settings(max_examples=200, deadline=None)
def test_a_percentile_is_exact_to_its_bin_however_late_and_in_whatever_order_events_come(parts, percentile):
    sums = TimeSums()
    for part in parts:
        sums.add(np.array(part, dtype=np.int64))
    found = sums.result(percentile)
    times = np.sort(np.array([t for part in parts for t in part], dtype=np.int64))
    assert found.counts.sum() == len(times)
    assert len(found.counts) <= 2**16
    if not len(times):
        assert (found.percentile_ms, found.t_max_ms) == (None, None)
        return
    assert found.t_max_ms == int(times[-1]) / 1000
    # As fine as 65,536 bins allow, and no coarser.
    assert found.bin_us == 1000 or times[-1] // (found.bin_us // 2) >= 2**16
    np.testing.assert_array_equal(found.counts, np.bincount(times // found.bin_us))
    bins = round(found.percentile_ms * 1000) // found.bin_us
    before = [int((times // found.bin_us < count).sum()) for count in (bins - 1, bins)]
    assert Fraction(before[0]) < Fraction(str(percentile)) * len(times) / 100 <= before[1]


def test_each_split_is_read_once_and_not_held_whatever_is_compared(held):
    random = np.random.default_rng(0)
    recordings = [(np.sort(random.uniform(0, 30, 40)), index % 4) for index in range(300)]
    found = held(recordings, recordings[:200], what_if={"dt": [1, 4, 5], "factor": [1, 2, 5]}, shown=[3])
    assert len(found.compared) == 10
    train, test = HELD["sources"]
    assert train.read == [*range(300), 3]
    assert test.read == [*range(200)]
    # The chunk at hand, and the one before it while the next is read.
    assert max(train.most, test.most) <= 2


def test_other_encodings_see_the_same_recordings(held):
    found = held([([0, 1, 3, 19.999, 20, 25], 0), ([4], 1)], what_if={"dt": [1, 5], "crop": ["none", 10]})
    labels = [item.label for item in found.compared]
    assert labels == [
        "as inspected (dt=2 ms, crop=20 ms)",
        "dt=1 ms, crop=none",
        "dt=1 ms, crop=10 ms",
        "dt=5 ms, crop=none",
        "dt=5 ms, crop=10 ms",
    ]
    assert [item.steps for item in found.compared] == [10, None, 10, None, 2]
    assert [item.losses.cropped for item in found.compared] == [2, 0, 3, 0, 3]
    assert {item.losses.events for item in found.compared} == {8}
    for item in found.compared:
        frames = encode_bulk(found.shown[0].events, item.encoding, (10, 1, 1)).frames
        np.testing.assert_array_equal(item.frames, frames)
    whole = found.splits["train"].losses, found.splits["test"].losses
    assert found.compared[0].losses.kept == sum(part.kept for part in whole) == 6


def test_an_encoding_can_be_compared_by_its_name(held):
    found = held([([0, 12], 0)], what_if={"encoding": ["cut", "free", "default"], "dt": [2]})
    assert [item.label for item in found.compared] == [
        "as inspected (default, dt=2 ms)",
        "cut, dt=2 ms",
        "free, dt=2 ms",
    ]
    # A recording that is shorter than a slice makes no sample, which a comparison shows and does not refuse.
    assert [item.samples for item in found.compared] == [2, 1, 2]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"what_if": {"dt": ["0"]}}, r"^what-if dt=0: encoding\.dt: .*> 0"),
        ({"what_if": {"dt": ["7"]}}, r"^what-if dt=7: .*does not divide the window of 20 ms"),
        ({"what_if": {"dt": ["x"]}}, r"^what-if dt=x: encoding\.dt: 'x' is not"),
        ({"what_if": {"dt": []}}, "no value is named"),
        ({"what_if": {"dtt": [1]}}, r"dtt: an encoding has no such parameter \(did you mean 'dt'\?\)"),
        ({"what_if": {"factor": [3]}}, r"^what-if factor=3: .*does not divide the sensor"),
        ({"what_if": {"slice": [40], "crop": [20]}}, "what-if slice=40 crop=20: .* leave no slice"),
        ({"what_if": {"encoding": ["cutt"]}}, r"what-if encoding=cutt: .*did you mean 'cut'"),
        ({"what_if": {"crop": ["none"], "tonic_window": [1]}}, r"tonic_window needs encoding\.crop or encoding\.slice"),
        ({"what_if": {"dt": [2]}}, "that is the encoding inspected"),
        ({"what_if": {"dt": [1, 2, 4, 5, 10], "factor": [1, 2, 5]}}, "15 encodings; 12 can be compared at once"),
        ({"what_if": {"crop": [1e9], "dt": [0.001]}}, "frames of one sample would take"),
        ({"settings": {"encoding.dt": [1, 2]}}, "one value can be inspected at a time; .* what-if dt="),
        ({"settings": {"encoding.dtt": [1]}}, r"no parameter 'dtt' \(did you mean 'dt'\?\)"),
        ({"settings": {"lif.tau_mem": [1]}}, r"lif\.tau_mem: expected held\.PARAMETER"),
        ({"settings": {"held.train": [1]}}, "held has no parameter 'train'"),
        ({"recipe": "nope"}, "recipe 'nope'"),
        ({"limit": 0}, "limit: 0"),
        ({"percentile": 0.0}, "percentile 0: expected a number above 0, up to 100"),
        ({"percentile": float("nan")}, "percentile nan"),
        ({"split": "validation"}, "split 'validation': expected train or test"),
    ],
)
def test_what_cannot_be_meant_is_one_line_before_anything_is_read(held, asked, message):
    with pytest.raises(UsageError, match=message) as caught:
        held([([0], 0)], **asked)
    assert "\n" not in str(caught.value)
    assert "sources" not in HELD


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"shown": [2]}, "recording 2: the train split has 0 to 1"),
        ({"shown": [-1]}, "recording -1"),
        ({"classes": ["plian"]}, r"no such class \(did you mean 'plain'\?\); there are: plain, "),
        ({"classes": ["never"]}, "class 'never': the train split has no recording of it"),
    ],
)
def test_recordings_that_are_not_there_are_named_before_the_pass(held, asked, message):
    with pytest.raises(UsageError, match=message) as caught:
        held([([0], 0), ([0], 1)], **asked)
    assert str(caught.value).isprintable()
    assert [source.read for source in HELD["sources"]] == [[], []]


def test_a_neuron_is_no_dataset():
    with pytest.raises(UsageError, match=r"lif is a neuron, not a dataset; there are: .*shd-synthetic"):
        inspect_dataset(SHIPPED, "lif")


def test_recordings_are_shown_by_class_and_number_and_few_where_none_is_named(held):
    recordings = [([index + 0.5], label) for index, label in enumerate((3, 1, 2, 1, 0, 0))]

    def shown(**asked):
        found = held(recordings, **asked)
        for item in found.shown:
            assert item.label == recordings[item.recording][1]
            assert item.events.t.tolist() == [item.recording * 1000 + 500]
        return [item.recording for item in found.shown]

    assert shown() == [4, 1, 2, 0]
    assert shown(limit=2) == [4, 1, 2, 0]
    few = held(recordings, limit=2).splits["train"]
    assert few.labels.tolist() == [recordings[number][1] for number in few.recordings]
    assert few.durations_ms.tolist() == [number + 0.501 for number in few.recordings]
    assert shown(classes=[CLASSES[1]], shown=[5, 1, 5]) == [1, 5]
    with pytest.raises(UsageError, match="13 recordings are to be shown; 12"):
        held([([0], 0)] * 13, shown=range(13))


def test_groups_of_both_splits_are_named_and_splits_without_any_are_none(held):
    named = {"train groups": ["a", "b"], "test groups": ["b"]}
    assert held([([0], 0), ([1], 1)], held=named).shared_groups == ("b",)
    bare = held([([0], 0), ([1], 1)])
    assert bare.splits["train"].groups is None
    assert bare.shown[0].group is None
    assert bare.shared_groups == ()


def test_empty_recordings_and_too_short_ones_are_found_and_said(held):
    found = held([([], 0), ([], 1)], settings={"encoding": ["cut"]})
    train = found.splits["train"]
    assert train.durations_ms.tolist() == [0, 0]
    assert (train.times.percentile_ms, train.times.t_max_ms, train.losses.share(0)) == (None, None, 0.0)
    assert train.samples == 0
    assert found.notes[0] == "made for a test"
    assert "no train recording is as long as one slice of 10 ms" in found.notes[2]
    assert found.shown[0].frames.shape == (0, 5, 10)
    json.dumps(to_json(found), allow_nan=False)


def test_a_recording_that_cannot_be_is_named(held):
    with pytest.raises(DataError, match=r"^held train, recording 1: an event at t = -1000 µs lies before time 0"):
        held([([0], 0), ([-1], 0)])
    with pytest.raises(DataError, match="train recording 1 has label 9; there are 5 classes"):
        held([([0], 0), ([1], 9)])
    with pytest.raises(DataError, match="held: the train split holds no recordings"):
        held([])
    with pytest.raises(DataError, match=r"^held train under crop=none, recording 1: with an event 1e\+09 s"):
        held([([0], 0), ([1e12], 0)], what_if={"crop": ["none"]})


@pytest.mark.parametrize(
    ("groups", "label", "message"),
    [
        (["a"], 0, "train: 1 groups for 2 recordings"),
        (None, "a", "train: labels are no whole numbers, one a recording: that of recording 1 is 'a'"),
        (None, [1, 2], "train: labels are no whole numbers, one a recording: that of recording 1 is a list of shape"),
    ],
)
def test_what_a_source_says_of_its_recordings_must_fit_them(held, groups, label, message):
    with pytest.raises(DataError, match=message):
        held([([0], 0), ([1], label)], held={"train groups": groups})


def test_what_a_run_would_refuse_or_warn_of_is_noted(held):
    """An inspection shows such a split all the same, so that one can see what is wrong."""
    late = held([([25], 0), ([30, 31], 1)])
    assert any(
        note.startswith("a run would refuse this train split: all of its 3 events lie after encoding.crop = 20 ms")
        for note in late.notes
    )
    assert late.splits["train"].losses.cropped == 3
    short = held([([0.1, 0.3], 0), ([0.2], 1)])
    assert any(note.startswith("train: half of its recordings lie within one bin of 2 ms") for note in short.notes)
    cut = held([([0.1], 0)], settings={"encoding": ["cut"]})
    assert any("one slice of 10 ms: a run would refuse this encoding: at the median" in note for note in cut.notes)
    assert not any("times must be" in note for note in held([([0.1, 9], 0)], [([2, 12], 1)]).notes)


def test_json_is_strict_and_holds_every_number(held):
    found = held([([0, 1, 30], 0), ([4], 1)], what_if={"dt": [1]}, held={"train groups": ["b", "a"]}, percentile=50)
    told = json.loads(json.dumps(to_json(found), allow_nan=False))
    train = told["splits"]["train"]
    assert train["recordings_of_class"] == [1, 1, 0, 0, 0]
    assert train["recordings_of_group"] == {"a": 1, "b": 1}
    assert train["times"]["percentile_ms"] == 2.0
    assert sum(train["times"]["events_of_bin"]) == train["events"] == 4
    assert train["duration_ms"] == {"min": 4.001, "median": 17.001, "mean": 17.001, "max": 30.001}
    assert (train["kept"], train["cropped"]) == (3, 1)
    assert [item["label"] for item in told["compared"]] == ["as inspected (dt=2 ms)", "dt=1 ms"]
    assert told["splits"]["test"]["recordings_of_group"] is None
    assert told["classes"] == list(CLASSES)


def test_what_is_printed_shows_names_as_text(held, capsys, monkeypatch):
    from harness.cli.inspected import print_inspection

    monkeypatch.setenv("COLUMNS", "100")
    recordings = [([0, 1, 30], label) for label in range(4)]
    print_inspection(held(recordings, what_if={"dt": [1]}, classes=CLASSES[:3]))
    out = capsys.readouterr().out
    assert "[red]loud[/red]" in out
    assert "?[31mesc?$x$" in out
    assert all(letter.isprintable() for letter in out.replace("\n", ""))
    assert "held: 10 channels\nencoding: 2 ms bins, events before 20 ms: 10 steps x 10 channels\n" in out
    assert re.search(r"lost to crop at 20 ms +33\.3 % \(4\) +0\.0 % \(0\)\n", out)
    assert "what if (both splits)" in out
    assert "as inspected (dt=2 ms)" in out


PRINTED = """\
held: 10 channels
encoding: 5 ms bins, 10 channels summed, slices of 10 ms: 2 steps x 1 channels

                                    train               test
recordings                              4                  1
events                                 11                  5
  a recording *                 1 / 2 / 6          5 / 5 / 5
duration, ms *          1.0 / 10.0 / 25.0 13.0 / 13.0 / 13.0
classes                    2 of 5, 2 each     1 of 5, 1 each
50 % of events before              9.0 ms             3.0 ms
last event at                     25.0 ms            13.0 ms
lost in incomplete ends        36.4 % (4)         40.0 % (2)
  recordings cut so                     3                  1
samples                                 4                  1
  cells not 0                      62.5 %             50.0 %
  of these above 1                 40.0 %            100.0 %
  mean count / most              1.40 / 2           3.00 / 3
  memory of all (one)           8 B (2 B)          2 B (2 B)
* least / median / most

class           train test
plain               2    0
[red]loud[/red]     2    1
?[31mesc?$x$        0    0
?audio              0    0
never               0    0

                                                            of
                                                  cells  these   mean       memory
what if (both splits)   steps cells  incomplete   not 0    > 1  count  most of one
as inspected (dt=5 ms)      2     2      37.5 %  60.0 % 50.0 %   1.67     3    2 B
dt=10 ms                    1     1      37.5 %  80.0 % 75.0 %   2.50     4    1 B

shown: train recordings 0 (plain), 1 ([red]loud[/red])
"""


def test_every_number_that_is_printed_is_the_one_counted_by_hand(held, capsys, monkeypatch):
    from harness.cli.inspected import print_inspection

    monkeypatch.setenv("COLUMNS", "120")
    train = [([1, 1, 8, 9, 24, 25], 0), ([1], 1), ([0, 10], 1), ([3, 9.999], 0)]
    asked = {"encoding": ["cut"], "encoding.dt": [5], "encoding.factor": [10]}
    print_inspection(held(train, [([2, 2, 2, 12, 13], 1)], settings=asked, what_if={"dt": [10]}, percentile=50))
    printed = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("note: ")]
    # How far columns stand apart is the table's.
    assert [line.split() for line in printed] == [line.split() for line in PRINTED.splitlines()]


def test_real_digits_have_the_speakers_times_and_losses_that_were_counted_by_hand(real_data):
    import h5py
    from harness_shd.files import fetch, find

    place = real_data / "heidelberg-spikes"
    found = inspect_dataset(SHIPPED, "shd", data=place, classes=["neun"])
    assert found.shared_groups == ()
    assert found.shown[0].label == 19
    fetch(place, lambda stage, done, total: None)
    for split, own in found.splits.items():
        with h5py.File(find(place, split)) as file:
            seconds = [np.asarray(item, dtype=np.float64) for item in file["spikes/times"][()]]
            speakers = file["extra/speaker"][()]
        t = (np.concatenate(seconds) * 1e6).astype(np.int64)
        np.testing.assert_array_equal(own.counts, [len(item) for item in seconds])
        assert own.losses.cropped == np.count_nonzero(t >= 700_000)
        assert own.times.t_max_ms == t.max() / 1000
        assert own.times.percentile_ms == np.sort(t)[-(-99 * len(t) // 100) - 1] // 1000 + 1
        assert own.groups.tolist() == [str(speaker) for speaker in speakers]
