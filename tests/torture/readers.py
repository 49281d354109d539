"""Every reader of a file that users keep, on damaged files: one line or a sound value, never another error and never a wait."""

from __future__ import annotations

import json
import random
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from made_baselines import baseline, configuration
from made_history import entry
from made_records import record, seeds
from made_runs import timings, whole

from harness import history, npz
from harness.baselines.files import read_baseline
from harness.baselines.reduction import of_run, unfinished
from harness.comparison.figures import all_figures
from harness.comparison.summary import summarise
from harness.errors import HandledError
from harness.events.cache import Entry, open_split
from harness.experiment import read_toml
from harness.noise import Floor, RowFloor, platform_of, read_floor, write_floor
from harness.records import read
from harness.report.figures import long_rows, markdown
from harness.report.tables import csv_text
from harness.report.tables import markdown as table
from harness.run_state import shown
from harness.store import Run, Store

from . import damage

_PATIENCE = 20  # seconds after which a reader is taken to hang, on any machine


@dataclass
class Report:
    """What came of many damaged files: ``faults`` are what must not happen, ``slowest`` is in seconds."""

    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.inputs} damaged inputs, {self.refused} refused, slowest {self.slowest:.2f} s, {len(self.faults)} faults"


@dataclass(frozen=True)
class Reader:
    """One kind of file: where a sound one lies, and what reads it."""

    name: str
    path: Path
    use: Callable[[], Any]
    damages: tuple[Callable[[bytes, random.Random], bytes], ...]


@contextmanager
def _patience() -> Iterator[None]:
    def hangs(number: int, frame: Any) -> None:
        raise TimeoutError(f"it hangs: no answer within {_PATIENCE} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _attempt(report: Report, what: str, path: Path, use: Callable[[], Any]) -> None:
    report.inputs += 1
    started = time.perf_counter()
    try:
        with _patience(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            use()
        report.refused += bool(caught)
        said = [str(item.message) for item in caught]
    except HandledError as error:
        report.refused += 1
        said = [str(error)]
    except Exception as error:
        report.faults.append(f"{what}: {type(error).__name__}: {error}"[:400])
        said = []
    report.slowest = max(report.slowest, time.perf_counter() - started)
    for line in said:
        if "\n" in line or len(line) > 1000 or not line.isprintable():
            report.faults.append(f"{what}: not one clean line: {line[:200]!r}")
        elif path.name not in line and path.parent.name not in line:
            report.faults.append(f"{what}: without the file's name: {line[:200]!r}")


def make_run(folder: Path, name: str = "20260101-000000-toy-0001") -> Run:
    """Return a run of four sound trials below ``folder``, with arrays and times."""
    run = Run(folder / name)
    for part in (run.trials, run.logs):
        part.mkdir(parents=True)
    records = [whole(one) for one in [*seeds("iaf", [0.5, 0.52]), *seeds("lif", [0.4, 0.43])]]
    arrays = npz.pack(
        {
            "weights/a": np.arange(6.0),
            "test/predictions": np.arange(6) % 3,
            "test/labels": np.arange(6) % 2,
            "test/recordings": np.arange(6),
        }
    )
    for one in records:
        run.write(one, arrays)
    (run.path / "timings.json").write_text(json.dumps(timings(*records)))
    run.write_summary(
        {
            "schema": 1,
            "id": name,
            "state": "finished",
            "harness": "9.9",
            "started": "2026-01-01T00:00:00+00:00",
            "seconds": 3.5,
            "experiment": {
                "plugins": ["toy", "lif"],
                "settings": {"recipe.epochs": [2]},
                "seeds": [0, 1],
                "recipe": "default",
                "limit": None,
                "report_inflation": False,
            },
            "gate": {"confidence": 0.99},
            "options": {"device": "auto", "threads": 1},
            "loading": {"block": [], "only": None, "files": []},
            "environment": {"python": "3.11.7", "packages": {"torch": "2"}, "git": None, "platform": "Linux-x"},
            "trials": [
                {"label": one.label, "key": one.key, "status": str(one.status), "cached": False} for one in records
            ],
            "error": None,
        }
    )
    return run


def use_run(run: Run) -> None:
    """Read a run as every command does: tables, figures, baseline, history, state."""
    from harness.report.page.gathering import gather

    summary = run.summary()
    shown(summary)
    records, times = run.records(), run.timings()
    folded = summarise(records, times)
    table(folded)
    csv_text(folded)
    sheet = all_figures(records, times)
    markdown(folded, sheet)
    json.dumps(long_rows(folded, sheet))
    json.dumps([one.to_json() for one in records], indent=1)
    unfinished(run)
    of_run(run).to_text()
    for made in history.entries_of(run)[0]:
        history.Entry.from_line(made.to_line().encode())
    gather([run])


def readers(folder: Path) -> list[Reader]:
    """Return every reader with a sound file below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    run = make_run(folder / "runs")
    first = sorted(run.trials.glob("*.json"))[0]
    # Of earlier versions, so that damage of types is not found by the checksum.
    old = run.trials / first.name
    data = json.loads(old.read_text())
    del data["checksum"], data["arrays_checksum"]
    old.write_text(json.dumps(data))
    made = folder / "main.json"
    made.write_text(baseline(configuration(np.ones((2, 8), dtype=bool))).to_text())
    lines = folder / "history.jsonl"
    history.append(lines, [entry(0), entry(1)])
    floor = Floor(
        rows=(RowFloor(row="r", label="l", work="w", seconds=1.0, floor=0.01),),
        platform=platform_of(1, "cpu"),
        blocks=20,
        launches=2,
        comparisons=3,
        when="2026-01-01T00:00:00+00:00",
    )
    noise = write_floor(folder / "noise", floor)
    toml = folder / "experiment.toml"
    toml.write_text(
        'plugins = ["toy", "lif"]\nseeds = 3\n[sweep]\nlif.tau_mem = [1, 2]\n[gate.accuracy]\nmargin = 0.1\n'
    )
    entry_, split = _cache_entry(folder / "cache")
    bytewise = (damage.flip_bit, damage.cut, damage.scramble)
    everything = (*bytewise, damage.other_types, damage.other_types, damage.other_types)
    return [
        Reader("record", old, lambda: use_run(run), everything),
        Reader("one record", old, lambda: read(old), everything),
        Reader("run.json", run.path / "run.json", lambda: use_run(run), everything),
        Reader("timings.json", run.path / "timings.json", lambda: use_run(run), everything),
        Reader("npz of a run", first.with_suffix(".npz"), lambda: use_run(run), bytewise),
        Reader("npz", first.with_suffix(".npz"), lambda: npz.read_npz(first.with_suffix(".npz")), bytewise),
        Reader("baseline", made, lambda: read_baseline(made), everything),
        Reader("history", lines, lambda: history.read(lines), everything),
        Reader("noise", noise, lambda: read_floor(noise.parent, 1, "cpu"), everything),
        Reader("experiment", toml, lambda: read_toml(toml), bytewise),
        Reader("manifest", split / "manifest.json", lambda: open_split(entry_.path, "train"), everything),
        Reader("labels", split / "labels.npy", lambda: open_split(entry_.path, "train"), bytewise),
    ]


def _cache_entry(cache: Path) -> tuple[Entry, Path]:
    from harness.events.cache import entry_at
    from harness.events.writer import SplitWriter

    made = entry_at(cache, "toy", "0")
    with made.locked(lambda: None), SplitWriter(made, "train", (5,)) as writer:
        writer.add(np.ones((4, 3, 5), dtype=np.uint8), np.arange(4), None)
        writer.finish(labels=np.zeros(4, dtype=np.int64), groups=None, facts={})
    return made, made.path / "train"


def torture_readers(folder: Path, count: int, seed: int = 0) -> Report:
    """Read ``count`` damaged files, spread over all readers and kinds of damage."""
    report, random_ = Report(), random.Random(seed)
    all_readers = readers(folder)
    sound = {reader.path: reader.path.read_bytes() for reader in all_readers}
    fixed = [(reader, name) for reader in all_readers for name in damage.SPECIAL_FILES]
    texts = [(reader, text) for reader in all_readers for text in damage.HOSTILE_TEXTS]
    fixed, texts = (random_.sample(items, min(len(items), count // 4)) for items in (fixed, texts))
    for reader, name in fixed:
        damage.remove(reader.path)
        damage.SPECIAL_FILES[name](reader.path)
        _attempt(report, f"{reader.name}, {name}", reader.path, reader.use)
        _restore(reader.path, sound)
    for reader, text in texts:
        reader.path.write_bytes(text)
        _attempt(report, f"{reader.name}, {text[:30]!r}", reader.path, reader.use)
        _restore(reader.path, sound)
    while report.inputs < count:
        reader = random_.choice(all_readers)
        content = random_.choice(reader.damages)(sound[reader.path], random_)
        reader.path.write_bytes(content)
        _attempt(report, f"{reader.name}, input {report.inputs} of seed {seed}", reader.path, reader.use)
        _restore(reader.path, sound)
    return report


def _restore(path: Path, sound: dict[Path, bytes]) -> None:
    """Put back what a reader set aside, and the sound content."""
    for aside in path.parent.glob("*.damaged"):
        damage.remove(aside)
    damage.remove(path)
    for place, content in sound.items():
        if not place.is_file():
            place.write_bytes(content)


def torture_reuse(folder: Path, count: int, seed: int = 0) -> Report:
    """Flip one bit in a record or its arrays, ``count`` times: what is damaged must never be found as finished."""
    report, random_ = Report(), random.Random(seed)
    run = make_run(folder)
    store = Store(folder)
    path = sorted(run.trials.glob("*.json"))[0]
    key = record("iaf").key if path.name.startswith(record("iaf").key) else path.name.partition(".")[0]
    sound = {place: place.read_bytes() for place in (path, path.with_suffix(".npz"))}
    for number in range(count):
        place = random_.choice(list(sound))
        place.write_bytes(damage.flip_bit(sound[place], random_))
        report.inputs += 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = store.finished(key)
        if found is not None:
            report.faults.append(f"{place.suffix}, input {number} of seed {seed}: reused")
        elif not caught or (path.name not in str(caught[0].message) and place.name not in str(caught[0].message)):
            report.faults.append(f"{place.suffix}, input {number} of seed {seed}: not named")
        else:
            report.refused += 1
        for aside in run.trials.glob("*.damaged"):
            aside.unlink()
        for name, content in sound.items():
            name.write_bytes(content)
    return report
