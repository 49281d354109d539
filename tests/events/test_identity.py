"""Everything that decides frames, labels, groups or their meaning makes another entry and another trial."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import Bulk, Dataset, Encoding
from harness.errors import DataError
from harness.events.prepare import open_split, prepare

PLAIN = [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i2")]


class Source:
    """Twelve recordings; everything that a plugin's author may correct is an attribute."""

    def __init__(self, split):
        self.split = split
        self.fields, self.seed = PLAIN, 0
        self.returned = [index % 2 for index in range(12)]

    def __len__(self):
        return len(self.returned)

    def __getitem__(self, index):
        random = np.random.default_rng([self.seed, index, self.split == "test"])
        # The same bytes whatever the fields are called.
        events = np.zeros(30, dtype=PLAIN)
        events["t"] = np.sort(random.integers(0, 20_000, 30))
        events["x"], events["y"] = random.integers(0, 8, 30), random.integers(0, 4, 30)
        events["p"] = random.integers(0, 2, 30)
        if [kind for _, kind in self.fields] != [kind for _, kind in PLAIN]:
            return events.astype(self.fields), self.returned[index]
        return events.view(self.fields), self.returned[index]


PLUGIN = """
from identity_helper import change
def source(root, split):
    return change(split)
"""
HELPER = """
import test_identity
def change(split):
    made = test_identity.Source(split)
    {line}
    return made
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Prepare with a plugin whose helper module changes the source by one line of code."""
    import importlib
    import sys

    monkeypatch.setitem(sys.modules, "test_identity", sys.modules[__name__])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "identity_plugin.py").write_text(PLUGIN)

    def run(line="pass", encoding=None, limit=None, **given):
        (tmp_path / "identity_helper.py").write_text(HELPER.format(line=line))
        for name in ("identity_plugin", "identity_helper"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        made = dataset(**given)
        return prepare(
            made,
            made.choose(),
            encoding or made.encodings["default"],
            data=tmp_path / "data",
            cache=tmp_path / "cache",
            limit=limit,
            report=lambda stage, done, total: None,
        )

    yield run
    for name in ("identity_plugin", "identity_helper"):
        sys.modules.pop(name, None)


def dataset(**given):
    values = {
        "sensor_size": (8, 8, 2),
        "classes": ("a", "b"),
        "encodings": {"default": Encoding(crop=20, dt=2)},
        **given,
    }
    return Dataset(name="mine", summary="s", source="identity_plugin:source", **values)


@pytest.mark.parametrize(
    ("line", "means_other"),
    [
        ('made.fields = [("t", "i8"), ("y", "i2"), ("x", "i2"), ("p", "i2")]', True),
        ('made.fields = [("t", "i8"), ("x", "i4"), ("y", "i2"), ("p", "i2")]', True),
        ('made.fields = [("t", "i8"), ("x", ">i2"), ("y", "i2"), ("p", "i2")]', True),
        ("made.groups = [str(index // 4) for index in range(12)]", True),
        ("made.labels = [index // 6 for index in range(12)]", True),
        ("made.returned = [index // 6 for index in range(12)]", True),
        ("made.returned = made.returned[:10]", True),
        ("made.seed = 1", True),
        ("made.seed = 0", False),
    ],
)
def test_what_the_source_returns_otherwise_through_a_helper_is_encoded_anew(plugin, line, means_other):
    first, second = plugin(), plugin(line)
    assert second["built"]
    assert first["path"] != second["path"]
    assert first["content"] != second["content"]
    assert (first["identity"] != second["identity"]) == means_other
    again = plugin(line)
    assert not again["built"]
    assert [again[name] for name in ("path", "content", "identity", "frames")] == [
        second[name] for name in ("path", "content", "identity", "frames")
    ]


def test_swapped_coordinates_are_other_frames(plugin):
    swapped = plugin('made.fields = [("t", "i8"), ("y", "i2"), ("x", "i2"), ("p", "i2")]')
    right = plugin()
    first, second = (np.array(open_split(Path(item["path"]), "train").frames) for item in (swapped, right))
    np.testing.assert_array_equal(first, second.swapaxes(-1, -2))
    assert swapped["frames"] != right["frames"]


@pytest.mark.parametrize(
    "given",
    [{"sensor_size": (16, 16, 2)}, {"classes": ("b", "a")}, {"classes": ("a", "b", "c")}, {"sensor_size": (8, 8, 3)}],
)
def test_what_the_descriptor_says_otherwise_is_another_trial(plugin, given):
    first, second = plugin(), plugin(**given)
    assert second["built"]
    assert first["content"] != second["content"]


def test_other_names_of_classes_are_the_same_recordings(plugin):
    assert plugin()["identity"] == plugin(classes=("no", "yes"))["identity"]
    assert plugin()["identity"] != plugin(sensor_size=(16, 16, 2))["identity"]


def test_a_fingerprint_of_its_own_hides_nothing_else(plugin):
    """A source that always names the same fingerprint: the first and the last recording are looked at."""
    constant = "made.fingerprint = 'constant'; "
    lines = [
        "pass",
        "made.seed = 1",
        "made.groups = ['a', 'b'] * 6",
        "made.labels = [1, 0] * 6",
        'made.fields = [("t", "i8"), ("y", "i2"), ("x", "i2"), ("p", "i2")]',
    ]
    made = [plugin(constant + line) for line in lines]
    assert len({item["content"] for item in made}) == len(lines)
    assert len({item["fingerprint"] for item in made}) == 1


def test_files_that_were_written_again_are_read_again_but_are_another_trial_only_with_other_frames(plugin, tmp_path):
    """The state of a file lies outside the plugin's code here, as on disk."""
    state = tmp_path / "state.json"
    line = (
        f"import json, pathlib; state = json.loads(pathlib.Path({str(state)!r}).read_text()); "
        "made.fingerprint, made.modified = 'constant', state['time']; "
        "made.returned = [index % 2 for index in range(13)] if state['more'] else made.returned"
    )
    found = []
    for time, more in (("1", False), ("2", False), ("3", True)):
        state.write_text(json.dumps({"time": time, "more": more}))
        found.append(plugin(line))
    assert [item["built"] for item in found] == [True, True, True]
    assert found[0]["content"] == found[1]["content"] != found[2]["content"]
    assert len({item["path"] for item in found}) == 3


def test_files_that_change_while_they_are_encoded_leave_no_entry(plugin, tmp_path):
    counter = tmp_path / "count"
    line = (
        f"from pathlib import Path; place = Path({str(counter)!r}); number = int(place.read_text()) if place.exists() else 0; "
        "place.write_text(str(number + 1)); made.fingerprint = f'{split} {number // 2}'"
    )
    with pytest.raises(DataError, match="mine: the train split changed while it was encoded; run again"):
        plugin(line)
    assert not list((tmp_path / "cache" / "frames").glob("*/train"))


def test_labels_that_recordings_contradict_are_said(plugin):
    (sentence, *rest) = plugin("made.labels = [0] + [1 - index % 2 for index in range(1, 12)]")["warnings"]
    assert sentence.startswith(
        "train: 11 of 12 recordings that were read come with another label than the source's `labels` say"
    )
    assert "recording 1 with 1 for 0" in sentence
    assert len(rest) == 1
    assert "warnings" not in plugin("made.labels = list(made.returned)")


def test_a_fingerprint_is_what_it_was_before_there_was_an_identity(plugin):
    """Baselines compare by it."""
    assert plugin()["fingerprint"] == "10170c87ba5b4e2f02c2"


def test_an_encoding_alone_does_not_change_what_the_recordings_are(plugin):
    first, second = plugin(), plugin(encoding=replace(Encoding(crop=20, dt=2), dt=1.0))
    assert first["identity"] == second["identity"]
    assert first["content"] != second["content"]


def test_bulk_and_single_readers_are_told_apart_in_their_fields_only(plugin):
    line = (
        "made.fingerprint = 'constant'; made.bulk = lambda start, stop: test_identity.together(made, start, stop{more})"
    )
    first, second = (plugin(line.format(more=more)) for more in ("", ", narrow=True"))
    assert first["content"] != second["content"]


def together(source, start, stop, narrow=False):
    parts = [source[index][0] for index in range(start, stop)]
    t, x, y, p = (np.concatenate([part[name] for part in parts]) for name in ("t", "x", "y", "p"))
    offsets = np.cumsum([0, *map(len, parts)])
    return Bulk(t=t, x=x, y=y, p=p.astype("u1") if narrow else p, offsets=offsets)
