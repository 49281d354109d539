"""The history of figures: one line of JSON a configuration and run, in a file that many may append to and git can merge."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import schema
from .errors import DataError, UsageError
from .metric_rows import meaning
from .reading import MissingFileError, RefusedFileError, check_regular, parse_json, read_lines
from .records import Record, Status
from .run_state import RUNNING, shown
from .specification import digest
from .store import Run

SCHEMA = 1
FILE = "history.jsonl"
_LARGEST = 256 << 20  # bytes
_ROLES = ("quality", "cost")
_PHASES = ("after", "timing")
_BEGIN = b'{"schema": '
_CONFLICT = (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One metric value of a configuration: ``values`` by seed, and what the record says of it.

    ``metric`` is the one that returned it; it is empty in lines of older histories, which did not store it.
    """

    values: Mapping[int, float]
    unit: str
    direction: str
    kind: str
    title: str
    metric: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One configuration of one run: a line of the history.

    ``id`` names the run and the row, so that no run enters twice. ``time`` is when the run started, in UTC. ``platform`` is what
    wall-clock times depend on. ``seeds`` are those that finished, ``failed`` is how many did not. ``figures`` stand by
    ``phase.split.name``. ``data`` is the identity of the recordings, empty in lines that were written before there was any.
    """

    id: str
    time: str
    run: str
    row: str
    label: str
    dataset: str
    synthetic: bool
    harness: str
    commit: str | None
    dirty: bool
    platform: Mapping[str, Any]
    seeds: tuple[int, ...]
    failed: int = 0
    note: str = ""
    data: str = ""
    figures: Mapping[str, Measured] = field(default_factory=dict)

    def to_line(self) -> str:
        """One line of JSON, with its end; refuses NaN."""
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        if not self.data:
            del data["data"]
        data["figures"] = {
            name: {**vars(figure), "values": {str(seed): value for seed, value in figure.values.items()}}
            for name, figure in self.figures.items()
        }
        return json.dumps({"schema": SCHEMA, **data}, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        """The entry in ``line``; raises ``ValueError`` that says what is wrong with it."""
        try:
            data = parse_json(line, "it")
        except DataError as error:
            raise ValueError(str(error)) from None
        if not isinstance(data, dict) or "schema" not in data:
            raise ValueError("it has no schema number")
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {schema.short(data['schema'])}, and this harness reads schema {SCHEMA}")
        _ENTRY(data, "")
        made = cls(
            **{item.name: data[item.name] for item in fields(cls) if item.name not in ("seeds", "figures", "data")},
            data=data.get("data", ""),
            seeds=tuple(data["seeds"]),
            figures={name: _measured(given) for name, given in data["figures"].items()},
        )
        if datetime.fromisoformat(made.time).tzinfo is None:
            raise ValueError(f"its time {made.time} names no time zone")
        return made


def _seeds(value: Any, path: str) -> None:
    """Accept numbers by seed, which JSON writes as text."""
    schema.mapping(schema.number)(value, path)
    for seed in value:
        if not (len(seed) <= 300 and seed.removeprefix("-").isdecimal() and seed.isascii()):
            raise ValueError(f"{path}: expected seeds, not {schema.short(seed)}")


_ENTRY = schema.fields(
    {
        **dict.fromkeys(("id", "run", "row", "label", "dataset", "harness", "note"), schema.text),
        "time": schema.instant,
        "synthetic": schema.boolean,
        "commit": schema.optional(schema.text),
        "dirty": schema.boolean,
        "platform": schema.mapping(),
        "seeds": schema.list_of(schema.integer),
        "failed": schema.size,
        "figures": schema.mapping(
            schema.fields(
                {
                    "values": _seeds,
                    "unit": schema.text,
                    "direction": schema.one_of("higher", "lower", "none"),
                    "kind": schema.one_of("exact", "seeded", "noisy"),
                    "title": schema.text,
                },
                {"metric": schema.text},
            )
        ),
    },
    {"data": schema.text},
)


def _measured(given: Mapping[str, Any]) -> Measured:
    values = {int(seed): value for seed, value in given["values"].items()}
    named = {name: given[name] for name in ("unit", "direction", "kind", "title")}
    return Measured(values=values, metric=given.get("metric", ""), **named)


# -- from a run -------------------------------------------------------------------------------------------------------


def entries_of(run: Run, note: str = "") -> tuple[list[Entry], list[str]]:
    """An entry a configuration of ``run`` that has a finished trial, and a sentence for whatever is left out.

    Raises :class:`UsageError` for a run that is limited or has not ended.
    """
    summary = run.summary()
    records = run.records()
    limits = {record.specification.get("limit") for record in records} - {None}
    if limits:
        raise UsageError(f"{run.id} is limited to {limits.pop()} recordings a split: it cannot enter a history")
    if summary.get("state") == RUNNING:
        raise UsageError(
            f"{run.id} has not ended, or was killed ({shown(summary)}): 'harness run' again reuses what finished; track that"
        )
    timings = (run.timings() or {}).get("rows", {})
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.row, []).append(record)
    entries: list[Entry] = []
    sentences = [
        f"{trial.get('label')}: it was never started"
        for trial in summary.get("trials", ())
        if trial.get("status") is None
    ]
    for row, group in groups.items():
        label = group[0].label.rpartition(" ")[0]
        done = [record for record in group if record.status is Status.OK]
        if not done:
            ended = ", ".join(dict.fromkeys(str(record.status) for record in group))
            sentences.append(f"{label}: no trial finished ({ended}), so nothing of it enters")
            continue
        timed = timings.get(row, {})
        sentences += _failed_metrics(label, done, timed)
        entries.append(_entry(run, summary, label, group, done, timed, note))
    return entries, sentences


def _entry(
    run: Run,
    summary: Mapping[str, Any],
    label: str,
    group: Sequence[Record],
    done: Sequence[Record],
    timed: Mapping[str, Any],
    note: str,
) -> Entry:
    first = done[0]
    environment = summary.get("environment", {})
    git = environment.get("git") or {}
    seeds = tuple(sorted(record.seed for record in done))
    planned = {*summary.get("experiment", {}).get("seeds", ()), *(record.seed for record in group)}
    return Entry(
        id=digest([run.id, first.row]),
        time=_utc(run, summary.get("started") or first.started),
        run=run.id,
        row=first.row,
        label=label,
        dataset=str(first.specification["dataset"]["name"]),
        synthetic=first.synthetic,
        harness=str(summary.get("harness", first.harness)),
        commit=git.get("commit"),
        dirty=bool(git.get("dirty")),
        platform=_platform(environment, first.environment),
        seeds=seeds,
        failed=len(planned - set(seeds)),
        note=note,
        data=str(first.data.get("identity", "")),
        figures=_figures(done, timed),
    )


def _utc(run: Run, text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise DataError(f"{run.path / 'run.json'}: damaged: started: no date and time: {schema.short(text)}") from None


def _platform(environment: Mapping[str, Any], trial: Mapping[str, Any]) -> dict[str, Any]:
    packages = environment.get("packages", {})
    return {
        **{name: environment.get(name) for name in ("machine", "cpu", "python")},
        **{name: packages.get(name) for name in ("torch", "numpy")},
        **{name: trial.get(name) for name in ("device", "gpu", "threads")},
    }


def _figures(done: Sequence[Record], timed: Mapping[str, Any]) -> dict[str, Measured]:
    found: dict[str, dict[str, Any]] = {}
    owners: dict[str, tuple[str, ...]] = {}
    for seed, row in _rows(done, timed):
        if row["phase"] in _PHASES and row.get("role") in _ROLES and row.get("value") is not None:
            name = f"{row['phase']}.{row['split']}.{row['name']}"
            if owners.setdefault(name, meaning(row)) != meaning(row):
                name = f"{row['phase']}.{row['split']}.{row['metric']}.{row['name']}"
                if owners.setdefault(name, meaning(row)) != meaning(row):
                    continue  # one metric whose units differ between seeds
            given = {part: row[part] for part in ("unit", "direction", "kind", "title", "metric")}
            found.setdefault(name, {**given, "values": {}})["values"][seed] = row["value"]
    return {name: Measured(**given) for name, given in found.items()}


def _rows(done: Sequence[Record], timed: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Seed and row of every metric that did not fail."""
    for record in sorted(done, key=lambda item: item.seed):
        # What is noisy in a reused record was measured by another run, perhaps elsewhere.
        for row in record.outcome.get("metrics", ()) if record.cached else record.figures():
            if "error" not in row:
                yield record.seed, row
    seeds = {record.key: record.seed for record in done}
    for row in timed.get("metrics", ()):
        if "error" not in row:
            yield seeds.get(str(timed.get("key")), done[0].seed), row


def _failed_metrics(label: str, done: Sequence[Record], timed: Mapping[str, Any]) -> list[str]:
    rows = [row for record in done for row in record.figures()] + list(timed.get("metrics", ()))
    failed = {row["metric"]: row["error"] for row in rows if "error" in row}
    return [f"{label}: metric {metric} failed: {' '.join(str(error).split())}" for metric, error in failed.items()]


# -- the file ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Appended:
    """What :func:`append` did: the entries that are new, those that were there, and what it had to mend."""

    added: tuple[Entry, ...]
    known: tuple[Entry, ...]
    mended: str = ""


def append(path: Path, entries: Sequence[Entry]) -> Appended:
    """Add those of ``entries`` that ``path`` does not hold, in one write under a lock.

    A last line that a killed writer left unfinished is set aside in ``<name>.damaged``. Raises :class:`DataError` for a file that
    cannot be written, or that is damaged elsewhere.
    """
    _refuse_other(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}; name a file with --history") from None
    try:
        content = _content(path, descriptor)
        piece = _piece(content)
        content = content[: len(content) - len(piece)]
        held = {entry.id for entry in _parsed(path, content)}
        mended = _set_aside(path, descriptor, content, piece) if piece else ""
        added = tuple({entry.id: entry for entry in entries if entry.id not in held}.values())
        begin = b"\n" if content and not content.endswith(b"\n") else b""
        _write(descriptor, begin + "".join(entry.to_line() for entry in added).encode(), len(content))
    except OSError as error:
        raise DataError(f"{path}: nothing was added: {error.strerror or error}") from None
    finally:
        os.close(descriptor)
    return Appended(added, tuple(entry for entry in entries if entry.id in held), mended)


def _locked(path: Path) -> int:
    """``path``, opened and locked."""
    import fcntl

    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # What replaces the file meanwhile, as a checkout does, leaves a lock on one that nobody will read.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _refuse_other(path: Path) -> None:
    try:
        check_regular(path)
    except (MissingFileError, RefusedFileError):
        return
    except DataError as error:
        raise DataError(f"{error} of lines; name one with --history") from None


def _content(path: Path, descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > _LARGEST:
            raise DataError(f"{path}: {size:,} bytes, and at most {_LARGEST:,} are read; is it a history?")
        file.seek(0)
        return file.read(_LARGEST)


def _piece(content: bytes) -> bytes:
    """The beginning of an entry at the end of ``content``, or nothing where the last line is whole, or of something else."""
    tail = content.rpartition(b"\n")[2]
    begins = tail.startswith(_BEGIN) or _BEGIN.startswith(tail)
    return tail if begins and not _is_entry(tail) else b""


def _set_aside(path: Path, descriptor: int, content: bytes, piece: bytes) -> str:
    """Keep ``piece`` in another file and cut it off; returns a sentence that says so."""
    aside = path.with_name(f"{path.name}.damaged")
    if os.path.lexists(aside):
        check_regular(aside)
    with aside.open("ab") as file:
        file.write(piece + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.ftruncate(descriptor, len(content))
    line = content.count(b"\n") + 1
    return f"{path}:{line}: cut short, as by a writer that was killed; it was set aside as {aside.name}"


def _is_entry(line: bytes) -> bool:
    try:
        Entry.from_line(line)
    except ValueError:
        return False
    return True


def _write(descriptor: int, content: bytes, size: int) -> None:
    """Append ``content`` whole, or leave the file at ``size`` bytes."""
    try:
        if content and os.write(descriptor, content) != len(content):
            raise OSError("no room for all of it")
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def read(path: Path) -> list[Entry]:
    """Every entry of the history at ``path``, oldest first, each once; raises :class:`DataError` that names what is damaged."""
    import fcntl

    _refuse_other(path)
    try:
        with path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH)
            content = _content(path, file.fileno())
    except FileNotFoundError:
        raise DataError(f"{path}: there is no history; 'harness track' begins one") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; name a file with --history") from None
    found: dict[str, Entry] = {}
    for entry in _parsed(path, content):
        found.setdefault(entry.id, entry)
    if not found:
        raise DataError(f"{path}: the history is empty; 'harness track' adds a run")
    return sorted(found.values(), key=lambda entry: (datetime.fromisoformat(entry.time), entry.run))


def _parsed(path: Path, content: bytes) -> Iterator[Entry]:
    for number, line in read_lines(content):
        if line.startswith(_CONFLICT):
            raise DataError(
                f"{path}:{number}: a conflict that git left; keep the lines of both sides and delete the markers "
                f"('{path.name} merge=union' in .gitattributes makes git do so)"
            )
        try:
            yield Entry.from_line(line)
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: not a line of a history: {' '.join(str(error).split())}; mend or delete it, and track "
                "its run again"
            ) from None
