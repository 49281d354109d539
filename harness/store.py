"""Write-once records on disk. The files are the truth; several writers on one folder are safe."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import npz, records
from .errors import DataError, UsageError, nearest
from .metric_rows import sound_rows
from .npz import pack as pack
from .places import RESULTS, writing
from .processes import Life
from .reading import MissingFileError, RefusedFileError, read_bytes, read_json
from .records import OtherSchemaError, Record, Status
from .run_state import RUNNING, life_of_run, settle
from .schema import Check
from .schemas import RUN, TIMINGS
from .text import clean_json, one_line

LATEST = "latest"
_LARGEST_ARRAYS = 16 << 30  # bytes; weights and what metrics store


class DamagedRecordWarning(UserWarning):
    """A record that could not be used; if it was damaged it was set aside under the name that the warning gives."""


class WrongTypeError(DataError):
    """A file of sound JSON in which a part has another type than it should, or is missing."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all, also when the machine goes down."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    path: Path

    @property
    def id(self) -> str:
        """The folder's name: sorts by time, says what ran."""
        return self.path.name

    @property
    def trials(self) -> Path:
        """Where records lie."""
        return self.path / "trials"

    @property
    def logs(self) -> Path:
        """Where the output of trials lies."""
        return self.path / "logs"

    def path_of(self, record: Record) -> Path:
        """Where ``record``, one of this run, lies."""
        return self.trials / f"{record.key}.{record.attempt}.json"

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write run.json; raises :class:`UsageError` where the system refuses."""
        content = (json.dumps(clean_json(summary), indent=1, allow_nan=False) + "\n").encode()
        with writing(self.path, RESULTS):
            write_atomically(self.path / "run.json", content)

    def summary(self) -> dict[str, Any]:
        """Return what run.json holds; a state that a dead process left at running is derived from the records.

        The derived state is written back if that is possible. Raises :class:`DataError` for a damaged run.json.
        """
        data = self._manifest()
        if data.get("state") != RUNNING:
            return data
        life = life_of_run(data)
        if life is Life.DEAD:
            # It may have written its last word between the two.
            data = self._manifest()
            if data.get("state") != RUNNING:
                return data
        settled = settle(data, self.records(), life)
        if life is Life.DEAD:
            # Where nothing can be written, every reader derives it anew.
            with contextlib.suppress(UsageError):
                self.write_summary(settled)
        return settled

    def _manifest(self) -> dict[str, Any]:
        path = self.path / "run.json"
        try:
            data = read_json(path)
        except (MissingFileError, RefusedFileError) as error:
            raise DataError(f"{error}; is {one_line(self.path)} a run?") from None
        return _checked(data, RUN, path)

    def timings(self) -> dict[str, Any] | None:
        """Return what timings.json holds, or None if the timing phase did not run; raises :class:`DataError`."""
        path = self.path / "timings.json"
        try:
            data = read_json(path)
        except MissingFileError:
            return None
        timed = data.get("rows") if isinstance(data, dict) else None
        for item in timed.values() if isinstance(timed, dict) else ():
            if isinstance(item, dict) and isinstance(item.get("metrics"), list):
                item["metrics"] = sound_rows(item["metrics"])
        return _checked(data, TIMINGS, path)

    def write(self, record: Record, arrays: bytes | None = None) -> Path:
        """Write ``record``, and ``arrays`` (see :func:`pack`) as its npz, under the next free attempt; returns the record's path.

        The npz comes first, so that a record that exists has its arrays.

        Raises:
            UsageError: the system refuses.
            DataError: the record is larger than any that is read back.
        """
        with writing(self.path, RESULTS):
            return self._write(record, arrays)

    def _write(self, record: Record, arrays: bytes | None) -> Path:
        self.trials.mkdir(parents=True, exist_ok=True)
        attempt = record.attempt
        while True:
            stem = f"{record.key}.{attempt}"
            claim = self.trials / f".{stem}.claim"
            try:
                # The claim is what makes two writers of one key take different attempts.
                os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                # Whatever lies in either place, if only a link to nothing, is left alone.
                if not any(os.path.lexists(self.trials / f"{stem}.{suffix}") for suffix in ("json", "npz")):
                    break
                claim.unlink()
            except FileExistsError:
                if time.time() - _modified(claim) > 60:  # its writer died
                    _remove(claim)
            attempt += 1
        try:
            held = {"arrays": f"{stem}.npz", "arrays_checksum": npz.checksum(arrays)} if arrays else {"arrays": None}
            record = replace(record, attempt=attempt, **{"arrays_checksum": None, **held})  # type: ignore[arg-type]
            content = record.to_text().encode()
            if len(content) > records.LARGEST:
                raise DataError(
                    f"the record of {one_line(record.label)} would hold {len(content):,} bytes, and at most "
                    f"{records.LARGEST:,} are read; metrics hand large arrays over in stored"
                )
            if arrays:
                write_atomically(self.trials / f"{stem}.npz", arrays)
            path = self.trials / f"{stem}.json"
            write_atomically(path, content)
        finally:
            claim.unlink(missing_ok=True)
        return path

    def reuse(self, path: Path, record: Record) -> Path:
        """Take a finished record from another run into this one, with its provenance and its arrays.

        Raises :class:`DataError` if its arrays are not what was written with it.
        """
        origin = path.parent.parent
        provenance = {**record.provenance, "cached_from": str(record.provenance.get("cached_from") or origin.name)}
        arrays = None
        if record.arrays:
            beside = path.with_name(record.arrays)
            arrays = read_bytes(beside, _LARGEST_ARRAYS)
            # The very bytes that are copied: the file may have changed since it was checked.
            if record.arrays_checksum not in (None, npz.checksum(arrays)):
                raise DataError(f"{one_line(beside)}: damaged: its checksum differs")
        return self.write(replace(record, attempt=1, provenance=provenance), arrays)

    def records(self) -> list[Record]:
        """The last attempt of every key, as run.json plans them, and others in order of starting.

        A damaged file is set aside and named in a warning. Raises :class:`DataError` for a folder that cannot be read.
        """
        newest: dict[str, Record] = {}
        for path in _listed(self.trials):
            record = read_record(path)
            if record and (record.key not in newest or record.attempt > newest[record.key].attempt):
                newest[record.key] = record
        planned = self._planned()
        return sorted(newest.values(), key=lambda item: (planned.get(item.key, len(planned)), item.started, item.key))

    def _planned(self) -> dict[str, int]:
        """The place of every key in the plan; empty where run.json does not tell."""
        try:
            trials = read_json(self.path / "run.json").get("trials")
        except DataError:
            return {}
        keys = [trial.get("key") for trial in trials if isinstance(trial, dict)] if isinstance(trials, list) else []
        return {key: place for place, key in enumerate(dict.fromkeys(key for key in keys if isinstance(key, str)))}


def _is_run(path: Path) -> bool:
    """Whether ``path`` is a folder with a run.json, or one that may not be looked into, which whoever reads it names."""
    try:
        return path.is_dir() and os.path.lexists(path / "run.json")
    except OSError:
        return True


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _remove(path: Path) -> None:
    # A folder, or another user's file, stays: another attempt has another name.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _checked(data: dict[str, Any], schema: Check, path: Path) -> dict[str, Any]:
    try:
        schema(data, "")
    except ValueError as error:
        raise WrongTypeError(f"{one_line(path)}: damaged: {one_line(error)}") from None
    return data


def _listed(trials: Path) -> list[Path]:
    """The files of records in ``trials``, by name; empty if the folder does not exist."""
    try:
        with os.scandir(trials) as entries:
            names = [entry.name for entry in entries]
    except FileNotFoundError:
        if os.path.islink(trials):
            raise DataError(f"{one_line(trials)}: a link to nothing, not a folder of records") from None
        return []
    except OSError as error:
        raise DataError(f"{one_line(trials)}: cannot be read: {one_line(error.strerror or error)}") from None
    return [trials / name for name in sorted(names) if name.endswith(".json") and not name.startswith(".")]


def read_record(path: Path) -> Record | None:
    """Return the record at ``path``; None and a warning if it cannot be used.

    What is damaged, or is something else than the record that the name promises, is set aside with its arrays. What another
    user or another version of the harness keeps there stays.
    """
    try:
        record = records.read(path)
        if path.name != f"{record.key}.{record.attempt}.json":
            raise DataError(f"{one_line(path)}: holds the record {record.key}.{record.attempt}, not what its name says")
        return record
    except (RefusedFileError, OtherSchemaError) as error:
        warnings.warn(f"{error}; it is skipped", DamagedRecordWarning, stacklevel=2)
    except MissingFileError as error:
        if os.path.lexists(path):
            set_aside(path, str(error))
    except DataError as error:
        set_aside(path, str(error))
    return None


def set_aside(path: Path, cause: str) -> None:
    """Rename the record at ``path`` and its arrays to ``*.damaged``, and warn with ``cause`` and the new names."""
    names = []
    for place in (path, path.with_suffix(".npz")):
        if not os.path.lexists(place):
            continue
        aside = place.with_name(f"{place.name}.damaged")
        number = 2
        while os.path.lexists(aside):
            aside = place.with_name(f"{place.name}.{number}.damaged")
            number += 1
        try:
            place.rename(aside)
            names.append(one_line(aside.name))
        except OSError:  # another process was first, or nothing may be renamed there
            continue
    where = f"it was set aside as {' and '.join(names)}" if names else "it could not be set aside"
    warnings.warn(f"{cause}; {where}", DamagedRecordWarning, stacklevel=3)


class Store:
    """Every run below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._refused: set[Path] = set()

    def create(self, names: str) -> Run:
        """A new, empty run whose id is the time and ``names``; raises :class:`UsageError` where the system refuses."""
        slug = re.sub(r"[^a-z0-9]+", "-", names.lower()).strip("-")[:48]
        with writing(self.folder, RESULTS):
            return self._create(slug)

    def _create(self, slug: str) -> Run:
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            run = Run(self.folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}")
            try:
                run.path.mkdir()
            except FileExistsError:
                continue
            break
        for folder in (run.trials, run.logs):
            folder.mkdir()
        self._point_latest(run)
        return run

    def _point_latest(self, run: Run) -> None:
        link = self.folder / f".{LATEST}.{os.getpid()}.{secrets.token_hex(2)}"
        try:
            link.symlink_to(run.path.name)
            link.replace(self.folder / LATEST)
        except OSError:  # no links on this file system: "latest" is found by name all the same
            link.unlink(missing_ok=True)

    def repair_latest(self) -> None:
        """Point ``latest`` at the newest run that is left, or remove it."""
        runs = self.runs()
        if runs:
            self._point_latest(runs[-1])
        else:
            (self.folder / LATEST).unlink(missing_ok=True)

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        if not self.folder.is_dir():
            return []
        return [Run(path) for path in sorted(self.folder.iterdir()) if not path.is_symlink() and _is_run(path)]

    def open(self, name: str) -> Run:
        """The run called ``name``: an id, the beginning of one, ``latest``, or a path; raises :class:`UsageError`."""
        as_path = Path(name)
        try:
            if name and (as_path / "run.json").exists():
                return Run(as_path.resolve())
        except (OSError, RuntimeError, ValueError) as error:  # of a loop of links, of a NUL character
            cause = one_line(getattr(error, "strerror", None) or error)
            raise UsageError(f"there is no run {one_line(name, 80)!r}: {cause}") from None
        runs = self.runs()
        if name == LATEST:
            if not runs:
                raise UsageError(f"there is no run in {self.folder}; 'harness run' makes one")
            return runs[-1]
        if not name:
            raise UsageError("a run's name is empty; 'harness runs' lists them")
        matching = [run for run in runs if run.id == name] or [run for run in runs if run.id.startswith(name)]
        if len(matching) > 1:
            raise UsageError(
                f"{name!r} begins {len(matching)} runs in {self.folder}: {', '.join(r.id for r in matching)}"
            )
        if not matching:
            close = nearest(name, [run.id for run in runs])
            raise UsageError(f"there is no run {name!r} in {self.folder}{close}; 'harness runs' lists them")
        return matching[0]

    def finished(self, key: str) -> tuple[Path, Record] | None:
        """Return a finished record of ``key`` and its path wherever it lies, the newest first, its arrays verified.

        Damage is named in a warning and set aside, and the next record is tried.
        """
        return self.finder()(key)

    def finder(self) -> Callable[[str], tuple[Path, Record] | None]:
        """Return :meth:`finished` for many keys over the runs that are here now: every folder is listed once, not once per key."""
        paths: dict[str, list[Path]] = {}
        for path in self._paths():
            paths.setdefault(path.name.split(".")[0], []).append(path)

        def find(key: str) -> tuple[Path, Record] | None:
            for path in paths.get(key, ()):
                record = read_record(path)
                if record and record.status is Status.OK and _has_arrays(path, record):
                    return path, record
            return None

        return find

    def _paths(self) -> Iterator[Path]:
        """Every record, those of the newest run and of the latest attempt first."""
        if not self.folder.is_dir():
            return
        folders = sorted((path for path in self.folder.iterdir() if not path.is_symlink()), reverse=True)
        for folder in folders:
            try:
                found = _listed(folder / "trials")
            except DataError as error:
                if (folder / "trials") not in self._refused and _is_folder(folder):
                    self._refused.add(folder / "trials")
                    warnings.warn(f"{error}; its records are not reused", DamagedRecordWarning, stacklevel=3)
                continue
            yield from sorted(found, key=_attempt, reverse=True)


def _attempt(path: Path) -> int:
    number = path.name.split(".")[-2]
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return True


def _has_arrays(path: Path, record: Record) -> bool:
    """Whether the arrays of a finished record are what was written with it; damage is set aside."""
    if record.arrays is None:
        return False
    beside = path.with_name(record.arrays)
    try:
        if record.arrays != f"{path.stem}.npz":
            raise DataError(
                f"{one_line(path)}: names {one_line(record.arrays)} as its arrays, which are another record's"
            )
        npz.verify(beside, record.arrays_checksum)
    except RefusedFileError as error:
        warnings.warn(f"{error}; its record is not reused", DamagedRecordWarning, stacklevel=4)
        return False
    except DataError as error:
        set_aside(path, f"{error}; the trial runs again")
        return False
    return True
