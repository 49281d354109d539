"""The frame cache: built once, checked, rebuilt when damaged, shared by processes."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from harness import Dataset, Encoding, Registry
from harness.errors import DataError
from harness.events.packed import PackedFrames
from harness.events.prepare import cache_entries, clear, open_split, prepare
from harness.events.remarks import sentences
from harness.events.writer import SplitWriter

CALLS = []


class Plain:
    """The least that a source may be: a length and items."""

    def __init__(self, split, labels=(0, 1, 0, 1, 1, 0)):
        CALLS.append(split)
        self.items = [(self.events(index + 100 * (split == "test")), label) for index, label in enumerate(labels)]

    @staticmethod
    def events(index):
        random = np.random.default_rng(index)
        events = np.zeros(50, dtype=[("t", int), ("x", int)])
        events["t"] = np.sort(random.integers(0, 20_000, 50))
        events["x"] = random.integers(0, 10, 50)
        return events

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def source(root, split):
    return Plain(split)


def wrong_labels(root, split):
    return Plain(split, (0, 2))


def empty(root, split):
    return Plain(split, ())


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setitem(sys.modules, "prepared_sources", sys.modules[__name__])
    CALLS.clear()


def dataset(attribute="source", **given):
    values = {"encodings": {"default": Encoding(crop=20, dt=2)}, "sensor_size": (10, 1, 1), **given}
    return Dataset(name="toy", summary="s", classes=("a", "b"), source=f"prepared_sources:{attribute}", **values)


def run(cache, made=None, encoding=None, limit=None):
    made = made or dataset()
    return prepare(
        made,
        made.choose(),
        encoding or made.encodings["default"],
        data=cache / "data",
        cache=cache,
        limit=limit,
        report=lambda stage, done, total: None,
    )


def test_a_plain_sequence_is_a_source(tmp_path):
    summary = run(tmp_path)
    assert summary["built"]
    assert summary["splits"]["train"] | {} == {
        "recordings": 6,
        "samples": 6,
        "events": 300,
        "kept": 300,
        "cropped": 0,
        "incomplete": 0,
        "incomplete_slices": 0,
        "groups": None,
    }
    frames = open_split(Path(summary["path"]), "train")
    assert frames.frames.shape == (6, 10, 10)
    assert frames.frames.sum() == 300
    assert frames.labels.tolist() == [0, 1, 0, 1, 1, 0]
    assert json.loads(json.dumps(summary)) == summary


def test_what_is_there_is_found_again(tmp_path):
    first, second = run(tmp_path), run(tmp_path)
    assert (first["built"], second["built"]) == (True, False)
    assert first["path"] == second["path"]
    assert first["fingerprint"] == second["fingerprint"]


def test_another_encoding_or_limit_is_another_entry(tmp_path):
    paths = {
        run(tmp_path)["path"],
        run(tmp_path, encoding=Encoding(crop=20, dt=1))["path"],
        run(tmp_path, limit=4)["path"],
    }
    assert len(paths) == 3
    assert len(cache_entries(tmp_path)) == 3
    clear(tmp_path)
    assert cache_entries(tmp_path) == []


def test_a_limit_takes_classes_in_turn_and_the_same_recordings_every_time(tmp_path):
    first = open_split(Path(run(tmp_path / "a", limit=4)["path"]), "train")
    second = open_split(Path(run(tmp_path / "b", limit=4)["path"]), "train")
    assert sorted(first.labels.tolist()) == [0, 0, 1, 1]
    np.testing.assert_array_equal(first.frames, second.frames)


@pytest.mark.parametrize("file", ["frames.bin", "labels.npy", "manifest.json"])
def test_damage_is_noticed_and_mended(tmp_path, file):
    summary = run(tmp_path)
    whole = np.array(open_split(Path(summary["path"]), "train").frames)
    path = Path(summary["path"]) / "train" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    again = run(tmp_path)
    assert again["built"]
    assert any("damaged" in note for note in again["notes"])
    np.testing.assert_array_equal(open_split(Path(again["path"]), "train").frames, whole)


@pytest.fixture
def packing(monkeypatch):
    """Splits of any size are packed."""
    monkeypatch.setattr("harness.events.prepare.SplitWriter", functools.partial(SplitWriter, dense_bytes=0))


def test_packed_frames_are_the_same_frames(tmp_path, monkeypatch, packing):
    packed = run(tmp_path / "packed")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "prepared_sources", sys.modules[__name__])
    dense = run(tmp_path / "dense")
    assert packed["splits"] == dense["splits"]
    assert packed["steps"] == dense["steps"]
    for split in ("train", "test"):
        ours, theirs = (open_split(Path(summary["path"]), split) for summary in (packed, dense))
        assert isinstance(ours.frames, PackedFrames)
        assert isinstance(theirs.frames, np.memmap)
        np.testing.assert_array_equal(ours.frames, theirs.frames)
        np.testing.assert_array_equal(ours.labels, theirs.labels)


@pytest.mark.parametrize("file", ["packed.bin", "starts.npy"])
def test_damaged_packed_frames_are_noticed_and_mended(tmp_path, packing, file):
    path = Path(run(tmp_path)["path"]) / "train" / file
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        content = bytearray(whole)
        content[place] ^= 0x40
        path.write_bytes(content)
        assert run(tmp_path)["built"]
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "packed.bin").write_bytes(b""), r"packed\.bin: 0 bytes where \d+ were written"),
        (lambda folder: (folder / "packed.bin").unlink(), r"packed\.bin: 0 bytes where"),
        (lambda folder: (folder / "starts.npy").unlink(), r"packed\.bin: \d+ bytes where -1"),
        (lambda folder: (folder / "starts.npy").write_bytes(b"no array"), "damaged"),
        (lambda folder: (folder / "labels.npy").write_bytes(b"\x93NUMPY"), "damaged"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "not an object of JSON"),
        (lambda folder: (folder / "manifest.json").write_text('{"shape": [1], "dtype": "O"}'), "form: missing"),
    ],
)
def test_a_damaged_entry_is_one_line_on_opening(tmp_path, packing, change, message):
    path = Path(run(tmp_path)["path"])
    change(path / "train")
    with pytest.raises(DataError, match=message) as raised:
        open_split(path, "train")
    assert "harness cache clear" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_truncated_frames_are_refused_on_opening(tmp_path):
    path = Path(run(tmp_path)["path"])
    file = path / "train" / "frames.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"frames\.bin: 599 bytes where"):
        open_split(path, "train")


def test_an_interrupted_build_keeps_what_was_whole(tmp_path):
    class Stop(Exception):
        pass

    made = dataset()

    def report(stage, done, total):
        if stage == "encoding test":
            raise Stop

    with pytest.raises(Stop):
        prepare(
            made, made.choose(), made.encodings["default"], data=tmp_path, cache=tmp_path, limit=None, report=report
        )
    (entry,) = cache_entries(tmp_path)
    assert sorted(path.name for path in entry.path.iterdir()) == ["train"]
    written = (entry.path / "train" / "manifest.json").stat().st_mtime_ns
    assert run(tmp_path)["built"]
    assert (entry.path / "train" / "manifest.json").stat().st_mtime_ns == written


def test_recordings_of_their_own_length_are_padded_and_their_lengths_kept(tmp_path):
    summary = run(tmp_path, encoding=Encoding(dt=1))
    frames = open_split(Path(summary["path"]), "train")
    assert frames.lengths is not None
    assert frames.frames.shape[1] == frames.lengths.max() == summary["steps"]
    for index, length in enumerate(frames.lengths):
        assert frames.frames[index, length - 1].any()
        assert not frames.frames[index, length:].any()


def nearly_empty(root, split):
    made = Plain(split, (0, 1) * 8)
    late = np.zeros(2, dtype=[("t", int), ("x", int)])
    late["t"] = [0, 1_599_999]
    made.items = [(late, label) for _, label in made.items]
    return made


def test_memory_follows_frames_and_not_how_few_events_make_them(tmp_path):
    """Sixteen recordings of two events and 16 MB of frames each, in two splits: half a gigabyte, never in memory at once."""
    tracemalloc.start()
    try:
        summary = run(tmp_path, dataset("nearly_empty"), Encoding(dt=0.001))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 150e6
    frames = open_split(Path(summary["path"]), "train")
    assert frames.frames.shape == (16, 1_600_000, 10)
    assert frames.frames[7].sum() == 2
    assert frames.frames[7, -1, 0] == 1


@pytest.mark.parametrize(
    ("attribute", "message"),
    [("wrong_labels", "recording 1 has label 2; there are 2 classes"), ("empty", "train split holds no recordings")],
)
def test_bad_data_is_one_line(tmp_path, attribute, message):
    with pytest.raises(DataError, match=message):
        run(tmp_path, dataset(attribute))


def shifted(root, split):
    made = Plain(split)
    for events, _ in made.items:
        events["t"] += 18_500 if split == "train" else 0
    return made


def absolute(root, split):
    made = Plain(split)
    for events, _ in made.items:
        events["t"] += 1_700_000_000_000_000
    return made


def milliseconds(root, split):
    made = Plain(split)
    for events, _ in made.items:
        events["t"] //= 1000
    return made


def seconds(root, split):
    made = Plain(split)
    for place, (events, label) in enumerate(made.items):
        own = events.astype([("t", "f8"), ("x", int)])
        own["t"] /= 1e6
        made.items[place] = (own, label)
    return made


def changing(root, split):
    made = Plain(split)
    made.items = Changing(made.items)
    return made


class Changing(list):
    def __getitem__(self, index):
        events, label = super().__getitem__(index)
        events["x"] = (events["x"] + 1) % 10
        return events, label


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (
            "absolute",
            r"^toy train: all of its 300 events lie after encoding\.crop = 20 ms \(.*1\.7e\+09 s.*times must be in µs",
        ),
        ("seconds", r"^toy train, recording 0: an event at t = \S+ is not at a whole number of microseconds"),
        ("changing", r"^toy train, recording 0: it changes between readings"),
    ],
)
def test_data_that_would_train_on_nothing_or_on_something_else_is_refused(tmp_path, attribute, message):
    with pytest.raises(DataError, match=message):
        run(tmp_path, dataset(attribute))
    assert not list(tmp_path.glob("frames/*/train"))


@pytest.mark.parametrize(
    ("attribute", "splits", "message"),
    [
        ("shifted", ["train"], r"9\d(\.\d)? % of its events lie after encoding\.crop = 20 ms"),
        ("milliseconds", ["train", "test"], "half of its recordings lie within one bin of 2 ms"),
    ],
)
def test_times_that_are_doubtful_are_noted_also_when_frames_are_found_again(tmp_path, attribute, splits, message):
    for built in (True, False):
        summary = run(tmp_path, dataset(attribute))
        assert summary["built"] is built
        found = [warning for warning in summary["warnings"] if "times must be in µs" in warning]
        assert len(found) == len(splits)
        for split, warning in zip(splits, found, strict=True):
            assert re.match(f"{split}: {message}", warning)
    assert "warnings" not in run(tmp_path)


def test_splits_of_one_fingerprint_are_noted(tmp_path):
    assert run(tmp_path)["notes"] == []
    (note,) = run(tmp_path, dataset("one_split"))["notes"]
    assert note == "toy: train and test have one fingerprint; do they hold the same recordings?"


def one_split(root, split):
    return Plain("train")


@pytest.mark.parametrize("what", [PermissionError(13, "Permission denied"), OSError(24, "Too many open files")])
def test_frames_that_the_system_refuses_to_read_are_not_called_damaged(tmp_path, monkeypatch, what):
    path = Path(run(tmp_path)["path"])

    def refused(place):
        raise what

    monkeypatch.setattr("harness.events.cache.checksum", refused)
    with pytest.raises(
        DataError, match=f"train: cannot be read: {what.strerror}; mend that, or name another folder"
    ) as raised:
        run(tmp_path)
    assert "harness cache clear" not in str(raised.value)
    assert (path / "train" / "manifest.json").exists()


def test_events_outside_the_sensor_name_dataset_and_split(tmp_path):
    with pytest.raises(DataError, match=r"toy train, recording 0: .*outside the sensor"):
        run(tmp_path, dataset(sensor_size=(5, 1, 1)))


BUILDER = """
import sys
from pathlib import Path
from harness import Registry
from harness.events.prepare import prepare
made = Registry.discover().find("shd-synthetic").component
summary = prepare(made, made.choose(train=60, test=20), made.encodings["default"], data=Path("x"), cache=Path(sys.argv[1]),
                  limit=None, report=lambda *_: None)
print(summary["built"], summary["path"])
"""


def test_two_processes_build_one_entry(tmp_path):
    builders = [
        subprocess.Popen([sys.executable, "-c", BUILDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [builder.communicate()[0].split() for builder in builders]
    assert sorted(answer[0] for answer in answers) == ["False", "False", "True"]
    assert len({answer[1] for answer in answers}) == 1
    made = Registry.discover().find("shd-synthetic").component
    alone = prepare(
        made,
        made.choose(train=60, test=20),
        made.encodings["default"],
        data=tmp_path,
        cache=tmp_path / "alone",
        limit=None,
        report=lambda *_: None,
    )
    np.testing.assert_array_equal(
        open_split(Path(answers[0][1]), "train").frames, open_split(Path(alone["path"]), "train").frames
    )


def uneven(root, split):
    """Recordings that last 5, 25, 12, ... ms, one without an event, one whose events all come late."""
    made = Plain(split, (0, 1, 0, 1, 0, 1))
    for index, last in enumerate((4_999, 24_999, 11_999, 24_999)):
        made.items[index][0]["t"] = np.linspace(0, last, 50).astype(int)
    made.items[4] = (made.items[4][0][:0], 0)
    made.items[5][0]["t"] = 60_000
    return made


def test_recordings_without_a_sample_are_counted_and_named(tmp_path):
    summary = run(tmp_path, dataset("uneven"), Encoding(slice=10, crop=50, dt=2))
    for split in ("train", "test"):
        told = summary["splits"][split]
        assert told["recordings"] == 6
        assert told["without_sample"] == {"count": 2, "first": [0, 4]}
        assert told["without_event"] == {"count": 1, "first": [4]}
        assert told["wholly_cropped"] == {"count": 1, "first": [5]}
        assert sorted(set(open_split(Path(summary["path"]), split).recordings.tolist())) == [1, 2, 3, 5]
    assert summary["warnings"][:2] == [
        "train: 2 of 6 recordings are shorter than one slice of 10 ms, and so in no metric value: 0, 4",
        "train: 1 of 6 recordings is without an event: 4",
    ]
    assert run(tmp_path, dataset("uneven"), Encoding(slice=10, crop=50, dt=2))["warnings"] == summary["warnings"]


def test_silent_recordings_of_a_fixed_window_are_named_and_count(tmp_path):
    summary = run(tmp_path, dataset("uneven"), Encoding(crop=20, dt=2))
    assert summary["warnings"][:2] == [
        "train: 1 of 6 recordings is without an event; they count in every metric value, as silence: 4",
        "train: 1 of 6 recordings is without an event before the crop at 20 ms; they count in every metric value, as silence: 5",
    ]
    assert "without_sample" not in summary["splits"]["train"]


def test_long_lists_are_bounded(tmp_path):
    given = {"count": 50, "first": list(range(20))}
    (sentence,) = sentences(
        "test", {"recordings": 60, "without_sample": given}, Encoding(slice=10, dt=1), ("a", "b"), None
    )
    assert sentence.endswith("in no metric value: 0, 1, 2, 3, 4, 5, 6, 7 and 42 more")


def lacking(root, split):
    return Plain(split, (0, 0, 1, 1) if split == "train" else (0, 0, 0))


def test_classes_without_a_sample_are_named(tmp_path):
    summary = run(tmp_path, dataset("lacking"))
    assert summary["warnings"] == ["test: no sample of 1 of 2 classes: b; an accuracy on test is one of the other 1"]
    limited = run(tmp_path, dataset("lacking"), limit=1)
    assert limited["warnings"][0] == (
        "train: no sample of 1 of 2 classes, limited to 1: b; the network is never trained on them"
    )
    assert "warnings" not in run(tmp_path)
