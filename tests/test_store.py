"""Records on disk: write-once, atomic, several writers, damage named and set aside."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torture import damage

from harness import records
from harness.errors import DataError, UsageError
from harness.events.cache import entry_at
from harness.events.writer import SplitWriter
from harness.records import Record, Status
from harness.store import DamagedRecordWarning, Store, pack, read_record

RECORD = Record(
    key="k" * 20,
    row="r" * 20,
    label="toy lif s0",
    seed=0,
    attempt=1,
    status=Status.OK,
    specification={
        **{kind: {"name": kind, "parameters": {}} for kind in ("dataset", "network", "neuron", "backend")},
        "recipe": {
            "name": "recipe",
            "parameters": {"epochs": 1, "learning_rate": 0.1, "batch_size": 2, "init": "calibrated"},
        },
        "encoding": {},
        "limit": None,
    },
    started="2026-01-01T00:00:00.000+00:00",
    harness="0",
)


def unchecked(record):
    """The text of ``record`` as versions without checksums wrote it."""
    return re.sub(r',\n "checksum": "[0-9a-f]{64}"', "", record.to_text())


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN), st.lists(st.text()).map(tuple), st.sampled_from(Status))
def test_a_record_survives_its_text(content, sentences, status):
    record = replace(RECORD, outcome=content, warnings=sentences, status=status)
    assert Record.from_text(record.to_text(), "here") == record


def test_a_record_refuses_nan():
    with pytest.raises(ValueError, match=r"not JSON compliant"):
        replace(RECORD, outcome={"x": float("nan")}).to_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a record"),
        ("[]", "not an object of JSON"),
        ('{"schema": true}', "no schema number"),
        ('{"schema": 99}', "schema 99; this harness reads schema 1"),
        ('{"schema": 1}', "without attempt"),
        (RECORD.to_text().replace('"ok"', '"fine"'), "damaged: its checksum differs"),
        (unchecked(RECORD).replace('"ok"', '"fine"'), "status: expected one of ok, .*, not 'fine'"),
        (unchecked(RECORD).replace('"key"', '"kee"'), "without key"),
        (unchecked(RECORD).replace('"seed": 0', '"seed": "0"'), "seed: expected an integer, not '0'"),
        (RECORD.to_text()[:100], "not a record"),
    ],
)
def test_what_is_no_record_is_named(text, message):
    with pytest.raises(DataError, match=message):
        Record.from_text(text, "here")


def test_records_and_arrays_come_back(tmp_path):
    run = Store(tmp_path).create("toy-lif")
    path = run.write(RECORD, pack({"weights/a": np.arange(3)}))
    (record,) = run.records()
    assert record.arrays == f"{RECORD.key}.1.npz"
    with np.load(path.with_name(record.arrays), allow_pickle=False) as arrays:
        assert arrays["weights/a"].tolist() == [0, 1, 2]


@contextlib.contextmanager
def files_of_at_most(size):
    """As on a full disk: the system refuses to write more than ``size`` bytes into a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_the_system_refuses_to_write_is_one_line_and_costs_nothing_that_is_there(tmp_path):
    run = Store(tmp_path).create("toy")
    path = run.write(RECORD)
    wanted = re.escape(
        f"{run.path}: cannot be written: File too large; name a folder with --results or HARNESS_RESULTS"
    )
    with files_of_at_most(1000):
        with pytest.raises(UsageError, match=wanted):
            run.write(replace(RECORD, key="a" * 20), pack({"weights/a": np.arange(1000)}))
        with pytest.raises(UsageError, match=wanted):
            run.write_summary({"text": "x" * 2000})
    assert [item.key for item in run.records()] == [RECORD.key]
    assert [item for item in run.path.rglob("*") if item.is_file()] == [path]


def test_frames_that_the_system_refuses_to_write_are_one_line_and_leave_no_half(tmp_path):
    entry = entry_at(tmp_path, "toy", "0")
    wanted = re.escape(f"{tmp_path}: cannot be written: File too large; name a folder with --cache or HARNESS_CACHE")

    def write():
        with SplitWriter(entry, "train", (100,)) as writer:
            writer.add(np.ones((50, 10, 100), dtype=np.uint8), np.arange(50), None)
            writer.finish(labels=np.zeros(50, dtype=np.int64), groups=None, facts={})

    with files_of_at_most(1000), entry.locked(lambda: None), pytest.raises(UsageError, match=wanted):
        write()
    assert not list(entry.path.iterdir())
    (tmp_path / "frames").rename(tmp_path / "elsewhere")
    (tmp_path / "frames").touch()
    with pytest.raises(UsageError, match="cannot be written: Not a directory"), entry.locked(lambda: None):
        pass


def test_a_second_attempt_never_overwrites_the_first(tmp_path):
    run = Store(tmp_path).create("toy")
    first = run.write(RECORD)
    second = run.write(replace(RECORD, status=Status.FAILED))
    assert first != second
    assert first.exists()
    assert [record.attempt for record in run.records()] == [2]


def test_records_stand_as_they_were_planned_whatever_was_reused_or_ended_first(tmp_path):
    run = Store(tmp_path).create("toy")
    for key, started in (("a", "2026-01-03"), ("b", "2026-01-01"), ("c", "2026-01-02")):
        run.write(replace(RECORD, key=key * 20, started=started))
    assert [record.key[0] for record in run.records()] == ["b", "c", "a"]
    run.write_summary({"trials": [{"key": "a" * 20}, None, {"key": None}, {"key": "c" * 20}]})
    assert [record.key[0] for record in run.records()] == ["a", "c", "b"]
    for damaged in ("{", '{"trials": 3}', "[]"):
        (run.path / "run.json").write_text(damaged)
        assert [record.key[0] for record in run.records()] == ["b", "c", "a"]


def test_a_damaged_record_is_named_and_set_aside(tmp_path):
    run = Store(tmp_path).create("toy")
    run.write(replace(RECORD, key="a" * 20))
    path = run.write(RECORD)
    path.write_text(path.read_text()[:50])
    with pytest.warns(DamagedRecordWarning, match=path.name):
        assert [record.key for record in run.records()] == ["a" * 20]
    assert path.with_name(f"{path.name}.damaged").exists()
    assert [record.key for record in run.records()] == ["a" * 20]


def test_a_finished_key_is_found_wherever_it_lies_and_reused_with_its_origin(tmp_path):
    store = Store(tmp_path)
    first = store.create("toy")
    first.write_summary({})
    first.write(RECORD, pack({"weights/a": np.arange(3)}))
    found = store.finished(RECORD.key)
    assert found is not None
    second = store.create("toy")
    path = second.reuse(*found)
    (record,) = second.records()
    assert record.cached
    assert record.provenance["cached_from"] == first.id
    assert path.with_name(record.arrays).read_bytes() == found[0].with_name(found[1].arrays).read_bytes()
    third = store.create("toy")
    third.reuse(path, record)
    assert third.records()[0].provenance["cached_from"] == first.id


def test_many_keys_are_found_by_listing_every_folder_once(tmp_path, monkeypatch):
    store = Store(tmp_path)
    arrays = pack({"weights/a": np.arange(3)})
    keys = [f"{letter}" * 20 for letter in "abcdef"]
    older, newer = store.create("toy"), store.create("toy")
    older, newer = sorted((older, newer), key=lambda run: run.id)
    for key in keys:
        older.write(replace(RECORD, key=key), arrays)
    newer.write(replace(RECORD, key="b" * 20), arrays)
    newer.write(replace(RECORD, key="c" * 20, status=Status.FAILED))
    older.write(replace(RECORD, key="d" * 20), arrays)
    listed = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scan(path))
    find = store.finder()
    found = {key: find(key)[0] for key in keys}
    assert sorted(listed) == sorted([older.trials, newer.trials])
    assert found["b" * 20].parent == newer.trials
    assert found["c" * 20].parent == older.trials  # the newer one failed
    assert found["d" * 20].name == f"{'d' * 20}.2.json"
    assert find("e" * 19) is None


def test_a_failed_record_or_one_without_its_arrays_is_not_reused(tmp_path):
    store = Store(tmp_path)
    run = store.create("toy")
    run.write(replace(RECORD, status=Status.FAILED))
    assert store.finished(RECORD.key) is None
    path = run.write(RECORD, pack({"weights/a": np.arange(3)}))
    assert store.finished(RECORD.key) is not None
    path.with_suffix(".npz").unlink()
    with pytest.warns(
        DamagedRecordWarning, match=r"npz: No such file or directory; the trial runs again; it was set aside"
    ):
        assert store.finished(RECORD.key) is None


def test_runs_are_opened_by_id_beginning_latest_and_path(tmp_path):
    store = Store(tmp_path / "results")
    with pytest.raises(UsageError, match="there is no run"):
        store.open("latest")
    first, second = store.create("one"), store.create("two")
    for run in (first, second):
        run.write_summary({"id": run.id})
    assert {run.id for run in store.runs()} == {first.id, second.id}
    assert store.open("latest").id == store.runs()[-1].id
    assert store.open(first.id).id == store.open(first.id[:-2]).id == store.open(str(first.path)).id == first.id
    assert (tmp_path / "results" / "latest").resolve() == second.path.resolve()
    with pytest.raises(UsageError, match="begins 2 runs"):
        store.open("2")
    with pytest.raises(UsageError, match="did you mean"):
        store.open(first.id + "x")


def test_writers_of_one_key_that_are_killed_leave_no_broken_record(tmp_path):
    run = Store(tmp_path).create("toy")
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from harness.store import Run\n"
        "from harness.records import Record\n"
        "record = Record.from_text(Path(sys.argv[3]).read_text(), 'x')\n"
        "run = Run(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "while True: run.write(record, b'x' * 100000)\n"
    )
    template = tmp_path / "record.json"
    template.write_text(replace(RECORD, outcome={"x": list(range(20000))}).to_text())
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(run.path), os.getcwd(), str(template)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    while len(list(run.trials.glob("*.json"))) < 12:
        assert all(writer.poll() is None for writer in writers)
    for writer in writers:
        writer.kill()
        writer.communicate()
    paths = list(run.trials.glob("*.json"))
    for path in paths:
        record = Record.from_text(path.read_text(), str(path))
        assert path.with_name(record.arrays).stat().st_size == 100000


@pytest.mark.parametrize("kind", [*damage.SPECIAL_FILES, "empty", "another record", "later attempt"])
def test_nothing_in_a_records_place_blocks_its_key(tmp_path, kind):
    store = Store(tmp_path)
    run = store.create("toy")
    run.write(replace(RECORD, key="b" * 20))
    place = run.trials / f"{RECORD.key}.1.json"
    if kind == "empty":
        place.touch()
    elif kind == "another record":
        place.write_text((run.trials / f"{'b' * 20}.1.json").read_text())
    elif kind == "later attempt":
        place.write_text(replace(RECORD, attempt=2).to_text())
    else:
        damage.SPECIAL_FILES[kind](place)
    path = run.write(RECORD, pack({"weights/a": np.arange(3)}))
    assert path.name == f"{RECORD.key}.2.json"
    with pytest.warns(DamagedRecordWarning, match=f"{place.name}: .*set aside as {place.name}.damaged"):
        assert {(record.key, record.attempt) for record in run.records()} == {("b" * 20, 1), (RECORD.key, 2)}
    assert store.finished(RECORD.key)[0] == path


def test_a_claim_that_cannot_be_removed_costs_an_attempt_only(tmp_path):
    run = Store(tmp_path).create("toy")
    claim = run.trials / f".{RECORD.key}.1.claim"
    claim.mkdir()
    os.utime(claim, (0, 0))
    (run.trials / f"{RECORD.key}.2.npz").mkdir()
    assert run.write(RECORD, pack({"weights/a": np.arange(3)})).name == f"{RECORD.key}.3.json"


def test_damage_beside_a_sound_record_is_named_and_an_older_one_is_reused(tmp_path):
    store = Store(tmp_path)
    run = store.create("toy")
    first = run.write(RECORD, pack({"weights/a": np.arange(3)}))
    second = run.write(RECORD, pack({"weights/a": np.arange(3)}))
    content = bytearray(second.with_suffix(".npz").read_bytes())
    content[len(content) // 2] ^= 1
    second.with_suffix(".npz").write_bytes(content)
    with pytest.warns(
        DamagedRecordWarning, match=r"\.2\.npz: damaged: .*the trial runs again; it was set aside as .* and "
    ):
        found = store.finished(RECORD.key)
    assert found[0] == first
    assert sorted(path.name for path in run.trials.glob("*.damaged")) == [
        f"{second.stem}.json.damaged",
        f"{second.stem}.npz.damaged",
    ]


def test_arrays_that_change_after_they_were_checked_are_not_copied(tmp_path):
    store = Store(tmp_path)
    path = store.create("toy").write(RECORD, pack({"weights/a": np.arange(3)}))
    found = store.finished(RECORD.key)
    path.with_suffix(".npz").write_bytes(pack({"weights/a": np.arange(4)}))
    with pytest.raises(DataError, match=r"\.npz: damaged: its checksum differs"):
        store.create("again").reuse(*found)


def test_records_of_earlier_versions_are_read_and_gain_checksums_when_copied(tmp_path):
    store = Store(tmp_path)
    path = store.create("toy").write(RECORD, pack({"weights/a": np.arange(3)}))
    record = Record.from_text(path.read_text(), "x")
    path.write_text(unchecked(replace(record, arrays_checksum=None)))
    assert "checksum" not in path.read_text()
    found = store.finished(RECORD.key)
    assert found is not None
    copy = Record.from_text(store.create("again").reuse(*found).read_text(), "x")
    assert copy.arrays_checksum == record.arrays_checksum
    content = path.with_suffix(".npz").read_bytes()
    path.with_suffix(".npz").write_bytes(content.replace(np.int64(2).tobytes(), np.int64(3).tobytes()))
    with pytest.warns(DamagedRecordWarning, match=r"npz: damaged: weights/a\.npy is not what was written"):
        assert store.finished(RECORD.key)[0] != path


def test_a_record_as_large_as_metrics_may_make_it_is_read_and_a_larger_one_is_not_written(tmp_path, monkeypatch):
    run = Store(tmp_path).create("toy")
    large = replace(RECORD, outcome={**RECORD.outcome, "curves": {"train_loss": [0.123456789] * 3_000_000}})
    path = run.write(large)
    assert path.stat().st_size > 32 << 20
    assert read_record(path).outcome["curves"] == large.outcome["curves"]
    monkeypatch.setattr(records, "LARGEST", 1 << 20)
    before = sorted(run.trials.iterdir())
    with pytest.raises(DataError, match=r"the record of toy lif s0 would hold \d\d,\d{3},\d{3} bytes"):
        run.write(large, b"arrays")
    assert sorted(run.trials.iterdir()) == before


def test_a_record_of_no_epochs_is_one():
    parameters = {**RECORD.specification["recipe"]["parameters"], "epochs": 0}
    specification = {**RECORD.specification, "recipe": {"name": "default", "parameters": parameters}}
    untrained = replace(RECORD, specification=specification)
    assert Record.from_text(untrained.to_text(), "here") == untrained


def test_the_log_in_an_error_is_text():
    failed = replace(RECORD, status=Status.FAILED, error={"type": "E", "message": "m", "traceback": None, "log": 3})
    with pytest.raises(DataError, match=re.escape("error.log: expected a string, not 3")):
        Record.from_text(failed.to_text(), "here")


def test_a_record_names_no_file_elsewhere():
    text = unchecked(replace(RECORD, arrays="../../elsewhere.npz"))
    with pytest.raises(DataError, match="arrays: expected the name of a file"):
        Record.from_text(text, "here")


def test_a_record_of_a_later_version_is_skipped_and_stays(tmp_path):
    run = Store(tmp_path).create("toy")
    path = run.write(RECORD)
    path.write_text('{"schema": 2}')
    with pytest.warns(DamagedRecordWarning, match="schema 2; this harness reads schema 1; it is skipped"):
        assert run.records() == []
    assert path.exists()


def test_a_folder_of_records_that_cannot_be_read_is_an_error_and_not_empty(tmp_path, monkeypatch):
    store = Store(tmp_path)
    run, other = store.create("toy"), store.create("other")
    run.write_summary({"state": "finished"})
    run.write(RECORD, pack({"weights/a": np.arange(3)}))
    refused = other.trials

    def scandir(path):
        if path == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="trials: cannot be read: Permission denied"):
        other.records()
    # Other runs' records are reused all the same, and the refusal is said once.
    with pytest.warns(DamagedRecordWarning, match="trials: cannot be read: Permission denied") as caught:
        assert [store.finished(key) is not None for key in (RECORD.key, "x" * 20)] == [True, False]
    assert len(caught) == 1
    run.trials.rename(run.path / "moved")
    run.trials.touch()
    with pytest.raises(DataError, match="trials: cannot be read: Not a directory"):
        run.records()
