"""The history: what of a run enters, each line once, and nothing lost among many writers or in a damaged file."""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_history import PLATFORM, entry, measured
from made_records import figure, record, seeds

from harness.errors import DataError, UsageError
from harness.history import Entry, append, entries_of, read
from harness.store import Store

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
MEASURED = st.builds(
    lambda values, unit, title: measured(values, unit=unit, title=title),
    st.dictionaries(st.integers(0, 99), NUMBER),
    TEXT,
    TEXT,
)


@given(TEXT, TEXT, st.dictionaries(TEXT, MEASURED, max_size=3), st.none() | TEXT)
def test_a_line_gives_its_entry_back(label, note, figures, commit):
    made = entry(label=label, note=note, figures=figures, commit=commit)
    line = made.to_line()
    assert line.count("\n") == 1
    assert Entry.from_line(line.encode()) == made


def test_a_line_refuses_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        entry(figures={"f": measured(float("nan"))}).to_line()


# -- from a run -------------------------------------------------------------------------------------------------------


def made_run(folder, records, timings=None, **summary):
    run = Store(folder).create("made")
    base = {
        "state": "finished",
        "harness": "9.9",
        "started": "2026-01-01T02:00:00+02:00",
        "experiment": {"seeds": [0, 1]},
        "environment": {
            "machine": "x86_64",
            "cpu": "made",
            "python": "3",
            "packages": {"torch": "2", "numpy": "2"},
            "git": {"commit": "c0ffee" * 6, "dirty": True},
        },
        "trials": [],
    }
    run.write_summary({**base, **summary})
    for one in records:
        run.write(one)
    if timings is not None:
        (run.path / "timings.json").write_text(json.dumps(timings))
    return run


def with_metrics(one, *rows):
    return replace(one, outcome={**one.outcome, "metrics": list(rows)})


def test_a_configuration_is_a_line_with_its_figures_by_seed(tmp_path):
    records = [replace(one, environment={"device": "cpu", "threads": 1}) for one in seeds("lif", [0.5, 0.75])]
    clock = figure("p50", 3.0, split="test", phase="timing", unit="ms", kind="noisy", title="p50")
    timings = {"rounds": 3, "threads": 1, "rows": {records[0].row: {"key": records[1].key, "metrics": [clock]}}}
    (made,), left_out = entries_of(made_run(tmp_path, records, timings), note="why")
    assert left_out == []
    assert (made.time, made.commit, made.dirty) == ("2026-01-01T00:00:00+00:00", "c0ffee" * 6, True)
    assert (made.label, made.dataset, made.seeds, made.failed, made.note) == ("toy lif", "toy", (0, 1), 0, "why")
    assert {name: value for name, value in made.platform.items() if value is not None} == PLATFORM
    assert {name: dict(item.values) for name, item in made.figures.items()} == {
        "after.test.accuracy": {0: 0.5, 1: 0.75},
        "after.train.accuracy": {0: 0.8, 1: 0.8},
        "after.test.synops": {0: 12400.0, 1: 12400.0},
        "timing.test.p50": {1: 3.0},
    }
    assert made.figures["timing.test.p50"].kind == "noisy"


def test_what_failed_is_counted_or_named_never_lost(tmp_path):
    broken = {"metric": "accuracy", "name": "accuracy", "phase": "after", "split": "test", "error": "no\nwhere"}
    records = [
        record("lif", 0),
        record("lif", 1, status="timeout"),
        record("iaf", 0, status="failed"),
        with_metrics(record("alif", 0), broken, figure("synops", None), figure("spikes", 2.0, phase="before")),
    ]
    run = made_run(tmp_path, records, trials=[{"label": "toy elif s0", "status": None}], state="failed")
    entries, left_out = entries_of(run)
    found = {made.label: made for made in entries}
    assert {name: (made.seeds, made.failed) for name, made in found.items()} == {
        "toy lif": ((0,), 1),
        "toy alif": ((0,), 1),
    }
    assert found["toy alif"].figures == {}
    assert sorted(left_out) == [
        "toy alif: metric accuracy failed: no where",
        "toy elif s0: it was never started",
        "toy iaf: no trial finished (failed), so nothing of it enters",
    ]


def test_what_a_reused_trial_measured_of_a_machine_stays_out(tmp_path):
    noisy = {**figure("memory", 5.0), "kind": "noisy"}
    fresh = replace(record("lif", 0), noisy=(noisy,))
    reused = replace(record("iaf", 0), noisy=(noisy,), provenance={"cached_from": "another"})
    entries, _ = entries_of(made_run(tmp_path, [fresh, reused]))
    assert {made.label: "after.test.memory" in made.figures for made in entries} == {"toy lif": True, "toy iaf": False}


@pytest.mark.parametrize(
    ("records", "state", "message"),
    [
        ([record(limit=50)], "finished", "is limited to 50 recordings a split"),
        ([record()], "running", "has not ended, or was killed"),
    ],
)
def test_what_cannot_enter_says_why(tmp_path, records, state, message):
    with pytest.raises(UsageError, match=message):
        entries_of(made_run(tmp_path, records, state=state))


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_run_enters_once_and_reading_sorts_by_time(tmp_path):
    path = tmp_path / "deep" / "history.jsonl"
    late, early = entry(5), entry(1)
    assert append(path, [late]).added == (late,)
    done = append(path, [early, late, early])
    assert (done.added, done.known, done.mended) == ((early,), (late,), "")
    assert read(path) == [early, late]
    # A union merge may leave a line twice, and blank ones.
    path.write_text(path.read_text() + "\n" + path.read_text())
    assert read(path) == [early, late]


def test_a_last_line_without_its_end_is_completed(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_text(entry(0).to_line().rstrip("\n"))
    assert append(path, [entry(1)]).mended == ""
    assert read(path) == [entry(0), entry(1)]


def test_a_byte_order_mark_of_an_editor_is_no_damage(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_text(entry(0).to_line(), encoding="utf-8-sig")
    assert append(path, [entry(0), entry(1)]).known == (entry(0),)
    assert read(path) == [entry(0), entry(1)]


@pytest.mark.parametrize("length", [1, 5, 80, 500])
def test_a_line_that_was_cut_short_is_set_aside(tmp_path, length):
    path = tmp_path / "h.jsonl"
    piece = entry(1).to_line()[:length]
    path.write_text(entry(0).to_line() + piece)
    with pytest.raises(DataError, match=r"h\.jsonl:2: not a line of a history"):
        read(path)
    done = append(path, [entry(1)])
    assert "h.jsonl:2: cut short" in done.mended
    assert "h.jsonl.damaged" in done.mended
    assert read(path) == [entry(0), entry(1)]
    assert (tmp_path / "h.jsonl.damaged").read_text() == piece + "\n"


@pytest.mark.parametrize("piece", ["no history at all", '{"schema": 1, "id'])
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, piece):
    path = tmp_path / "notes.txt"
    path.write_text(f"notes\n{piece}")
    with pytest.raises(DataError, match=r"notes\.txt:1: not a line of a history"):
        append(path, [entry(0)])
    assert path.read_text() == f"notes\n{piece}"
    assert [item.name for item in tmp_path.iterdir()] == ["notes.txt"]


def changed(**more):
    return json.dumps({**json.loads(entry(1).to_line()), **more})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "mend or delete it"),
        ("[]", "no schema number"),
        (changed(schema=2), "schema 2, and this harness reads schema 1"),
        ('{"schema": 1}', "id: missing"),
        (changed(time="yesterday"), "yesterday"),
        (changed(time="2026-01-01"), "names no time zone"),
        (changed(label=3), "label: expected a string, not 3"),
        (changed(platform=None), "platform: expected an object, not None"),
        (changed(figures={"f": {}}), "figures.f.values: missing"),
        (changed(figures=[]), "figures: expected an object, not []"),
        (changed(figures={"f": {"values": {"0": float("inf")}}}), "Infinity is no number of JSON"),
        (changed(figures={"f": {"values": {"0": True}}}), "figures.f.values.'0': expected a number, not True"),
        (changed(figures={"f": {"values": {"first": 1}}}), "figures.f.values: expected seeds, not 'first'"),
        (changed(figures={"f": {"values": {"0": 10**400}}}), "an integer of 401 digits"),
        ("[" * 100_000, "nested too deeply"),
        ("<<<<<<< HEAD", "a conflict that git left"),
        ("\udcff", "not a line of a history"),
    ],
)
def test_a_damaged_line_is_named_with_its_number_and_nothing_is_added(tmp_path, line, message):
    path = tmp_path / "h.jsonl"
    content = f"{entry(0).to_line()}{line}\n{entry(2).to_line()}".encode(errors="surrogateescape")
    path.write_bytes(content)
    for use in (lambda: read(path), lambda: append(path, [entry(3)])):
        with pytest.raises(DataError, match=r"h\.jsonl:2: ") as told:
            use()
        assert message in str(told.value)
        assert "\n" not in str(told.value)
    assert path.read_bytes() == content


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(DataError, match="'harness track' begins one"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(DataError, match="the history is empty"):
        read(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match="below: cannot be written: "):
        append(tmp_path / "empty.jsonl" / "below", [entry()])
    for path, word in ((tmp_path, "a folder"), (Path("/dev/zero"), "a device")):
        for use in (lambda path=path: read(path), lambda path=path: append(path, [entry()])):
            with pytest.raises(DataError, match=f"{word}, not a file of lines; name one with --history"):
                use()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_is_read_only_is_named(tmp_path):
    path = tmp_path / "h.jsonl"
    append(path, [entry(0)])
    path.chmod(0o444)
    with pytest.raises(DataError, match="cannot be written: Permission denied"):
        append(path, [entry(1)])
    assert read(path) == [entry(0)]


def test_where_there_is_no_room_nothing_is_added(tmp_path):
    path = tmp_path / "h.jsonl"
    append(path, [entry(0)])
    before, (soft, hard) = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(DataError, match=r"h\.jsonl: nothing was added: "):
            append(path, [entry(1)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from made_history import entry, measured
from harness.history import append
for number in range(10_000):
    # Long lines: a kill finds some of them half written.
    figures = {f"after.test.f{index}": measured({seed: 0.5 for seed in range(50)}) for index in range(60)}
    made = entry(number, neuron=sys.argv[2], figures=figures)
    append(Path(sys.argv[1]), [made])
    print(made.id, flush=True)
"""


def test_eight_writers_half_of_them_killed_lose_nothing_that_was_said_to_be_written(tmp_path):
    path = tmp_path / "h.jsonl"
    tests = os.path.dirname(__file__)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), f"n{index}", tests], stdout=subprocess.PIPE, text=True
        )
        for index in range(8)
    ]
    said = [[writer.stdout.readline().strip()] for writer in writers]
    draw = random.Random(0)
    for index, writer in enumerate(writers):
        time.sleep(draw.uniform(0.0, 0.1))
        if index % 2:
            writer.send_signal(signal.SIGKILL)
    time.sleep(0.2)
    for writer in writers[::2]:
        writer.terminate()
    for lines, writer in zip(said, writers, strict=True):
        lines += writer.communicate()[0].split()
    append(path, [entry(0, neuron="last")])
    found = {made.id for made in read(path)}
    # What a killed process printed last may itself be cut short.
    whole = {name for lines in said for name in lines if len(name) == 20}
    assert len(whole) >= 8
    assert whole <= found
    # A writer dies at most between its line and its word.
    assert len(found) <= len(whole) + 1 + len(writers)


def test_a_file_that_is_replaced_while_it_waits_is_opened_anew(tmp_path):
    path = tmp_path / "h.jsonl"
    append(path, [entry(0)])
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(append, path, [entry(1)])
            time.sleep(0.2)
            replaced = tmp_path / "other"
            replaced.write_text(entry(2).to_line())
            replaced.replace(path)
            fcntl.flock(held, fcntl.LOCK_UN)
            waiting.result(timeout=10)
    assert {item.id for item in read(path)} == {entry(1).id, entry(2).id}


def test_a_line_names_the_identity_of_the_data_and_old_lines_are_read(tmp_path):
    one = replace(record("lif"), data={"identity": "d" * 20, "synthetic": False, "classes": ["a"]})
    (made,), _ = entries_of(made_run(tmp_path, [one]))
    assert made.data == "d" * 20
    assert Entry.from_line(made.to_line().encode()) == made
    assert '"data"' not in replace(made, data="").to_line()
    assert Entry.from_line(replace(made, data="").to_line().encode()).data == ""
