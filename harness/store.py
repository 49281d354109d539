"""Write-once records on disk. The files are the truth; several writers on one folder are safe."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DataError, UsageError, nearest
from .places import RESULTS, writing
from .records import Record, Status

if TYPE_CHECKING:
    import numpy.typing as npt

LATEST = "latest"


class DamagedRecordWarning(UserWarning):
    """A record that could not be read; it was set aside under the name that the warning gives."""


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


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """``arrays`` as the bytes of an npz file."""
    import numpy as np

    buffer = BytesIO()
    # numpy's stub types the keyword arrays together with its own flag
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


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
        content = (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode()
        with writing(self.path, RESULTS):
            write_atomically(self.path / "run.json", content)

    def summary(self) -> dict[str, Any]:
        """What run.json holds; raises :class:`DataError` for a damaged one."""
        path = self.path / "run.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}; is {self.path} a run?") from None
        except ValueError as error:
            raise DataError(f"{path}: damaged: {error}") from None
        if not isinstance(data, dict):
            raise DataError(f"{path}: damaged: not an object")
        return data

    def timings(self) -> dict[str, Any] | None:
        """What timings.json holds, or None where the timing phase did not run."""
        path = self.path / "timings.json"
        if not path.exists():
            return None
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path}: damaged: {error}") from None
        return data

    def write(self, record: Record, arrays: bytes | None = None) -> Path:
        """Write ``record``, and ``arrays`` (see :func:`pack`) as its npz, under the next free attempt; returns the record's path.

        The npz comes first, so that a record that exists has its arrays. Raises :class:`UsageError` where the system refuses.
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
                if not (self.trials / f"{stem}.json").exists():
                    break
                claim.unlink()
            except FileExistsError:
                if time.time() - _modified(claim) > 60:  # its writer died
                    claim.unlink(missing_ok=True)
            attempt += 1
        try:
            record = replace(record, attempt=attempt, arrays=f"{stem}.npz" if arrays else None)
            if arrays:
                write_atomically(self.trials / f"{stem}.npz", arrays)
            path = self.trials / f"{stem}.json"
            write_atomically(path, record.to_text().encode())
        finally:
            claim.unlink(missing_ok=True)
        return path

    def reuse(self, path: Path, record: Record) -> Path:
        """Take a finished record from another run into this one, with its provenance and its arrays."""
        origin = path.parent.parent
        provenance = {**record.provenance, "cached_from": str(record.provenance.get("cached_from") or origin.name)}
        arrays = path.with_name(record.arrays).read_bytes() if record.arrays else None
        return self.write(replace(record, attempt=1, provenance=provenance), arrays)

    def records(self) -> list[Record]:
        """The last attempt of every key, as run.json plans them, and others in order of starting.

        A damaged file is set aside and named in a warning.
        """
        newest: dict[str, Record] = {}
        for path in sorted(self.trials.glob("*.json")):
            record = read_record(path)
            if record and (record.key not in newest or record.attempt > newest[record.key].attempt):
                newest[record.key] = record
        planned = self._planned()
        return sorted(newest.values(), key=lambda item: (planned.get(item.key, len(planned)), item.started, item.key))

    def _planned(self) -> dict[str, int]:
        """The place of every key in the plan; empty where run.json does not tell."""
        try:
            trials = self.summary().get("trials")
        except DataError:
            return {}
        keys = [trial.get("key") for trial in trials if isinstance(trial, dict)] if isinstance(trials, list) else []
        return {key: place for place, key in enumerate(dict.fromkeys(key for key in keys if isinstance(key, str)))}


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def read_record(path: Path) -> Record | None:
    """The record at ``path``; None and a warning where it is damaged, after it was set aside."""
    try:
        return Record.from_text(path.read_text(encoding="utf-8"), str(path))
    except (DataError, UnicodeDecodeError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        try:
            path.replace(aside)
            where = f"it was set aside as {aside.name}"
        except OSError:
            where = "it could not be set aside"
        warnings.warn(f"{error}; {where}", DamagedRecordWarning, stacklevel=2)
        return None


class Store:
    """Every run below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        return [
            Run(path)
            for path in sorted(self.folder.iterdir())
            if path.is_dir() and not path.is_symlink() and (path / "run.json").exists()
        ]

    def open(self, name: str) -> Run:
        """The run called ``name``: an id, the beginning of one, ``latest``, or a path; raises :class:`UsageError`."""
        as_path = Path(name)
        try:
            if name and (as_path / "run.json").exists():
                return Run(as_path.resolve())
        except OSError as error:
            raise UsageError(f"there is no run {name[:80]!r}: {error.strerror or error}") from None
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
        """A finished record of ``key`` wherever it lies, the newest first."""
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
            yield from sorted((folder / "trials").glob("*.*.json"), key=_attempt, reverse=True)


def _attempt(path: Path) -> int:
    number = path.name.split(".")[-2]
    return int(number) if number.isdigit() else 0


def _has_arrays(path: Path, record: Record) -> bool:
    return record.arrays is not None and path.with_name(record.arrays).is_file()
