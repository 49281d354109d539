"""Encoded frames on disk: written whole or not at all, checked on opening, rebuilt when damaged."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..store import write_atomically
from .frames import Frames

_MANIFEST = "manifest.json"
_ARRAYS = ("labels", "recordings", "groups", "lengths")


@dataclass(frozen=True)
class Entry:
    """One encoding of one dataset: a folder with a folder for each split."""

    path: Path

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.path.name.rpartition("-")[0]

    @property
    def bytes(self) -> int:
        """Room it takes."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    @property
    def created(self) -> str:
        """Local time at which it was made."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.path.stat().st_mtime))

    @contextlib.contextmanager
    def locked(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Keep other processes from building this entry; ``waiting`` is called once if another one does."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / f".{self.path.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            # The entry may have been cleared while this process waited.
            self.path.mkdir(parents=True, exist_ok=True)
            yield

    def manifest(self, split: str) -> dict[str, Any]:
        """What the split holds; raises :class:`DataError` where it cannot be read."""
        path = self.path / split / _MANIFEST
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read: {error}; 'harness cache clear' removes it") from None
        return data

    def intact(self, split: str) -> bool:
        """Whether the split is there and every byte is as it was written."""
        try:
            manifest = self.manifest(split)
            return all(_checksum(self.path / split / name) == crc for name, crc in manifest["checksums"].items())
        except (DataError, OSError, KeyError):
            return False

    def set_aside(self, split: str) -> list[str]:
        """Move a damaged split out of the way; a sentence for the record if there was one."""
        folder = self.path / split
        for stale in self.path.glob(f".{split}.*.tmp"):  # a builder that was killed; the lock says that none lives
            shutil.rmtree(stale, ignore_errors=True)
        if not folder.exists():
            return []
        shutil.rmtree(folder)
        return [f"cached frames of {self.dataset} {split} were damaged and have been encoded again"]


def entry_at(cache: Path, dataset: str, key: str) -> Entry:
    """The entry of ``dataset`` under ``key``, there or not."""
    return Entry(cache / "frames" / f"{dataset}-{key}")


def cache_entries(cache: Path) -> list[Entry]:
    """Every entry, by name."""
    folder = cache / "frames"
    if not folder.is_dir():
        return []
    return [Entry(path) for path in sorted(folder.iterdir()) if path.is_dir()]


def clear(cache: Path) -> None:
    """Remove every entry, each after whoever builds it is done."""
    for entry in cache_entries(cache):
        with entry.locked(lambda: None):
            shutil.rmtree(entry.path)


def open_split(path: Path, split: str) -> Frames:
    """Map the frames of ``split`` at the entry ``path``; raises :class:`DataError` where sizes are wrong."""
    folder = path / split
    manifest = Entry(path).manifest(split)
    shape, dtype = tuple(manifest["shape"]), np.dtype(manifest["dtype"])
    file = folder / "frames.bin"
    size = file.stat().st_size if file.exists() else 0
    if size != int(np.prod(shape)) * dtype.itemsize:
        raise DataError(f"{file}: {size} bytes where {shape} {dtype} were written; 'harness cache clear' removes it")
    arrays = {
        name: np.load(folder / f"{name}.npy", allow_pickle=False)
        for name in _ARRAYS
        if (folder / f"{name}.npy").exists()
    }
    return Frames(frames=np.memmap(file, dtype=dtype, mode="r", shape=shape), **arrays)


def _checksum(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc


class SplitWriter:
    """Writes a split chunk by chunk into a temporary folder, and gives it its name when it is whole."""

    def __init__(self, entry: Entry, split: str, shape: tuple[int, ...]) -> None:
        self._final = entry.path / split
        self._folder = entry.path / f".{split}.{secrets.token_hex(4)}.tmp"
        self._shape = shape
        self._dtype = np.dtype(np.uint8)
        self._steps: int | None = None
        self._samples = 0
        self._recordings: list[npt.NDArray[np.int64]] = []
        self._lengths: list[npt.NDArray[np.int64]] = []
        self._file: BinaryIO | None = None

    def __enter__(self) -> SplitWriter:
        self._folder.mkdir(parents=True)
        self._file = (self._folder / "frames.bin").open("w+b")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(
        self, frames: npt.NDArray[Any], recordings: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64] | None
    ) -> None:
        """Append samples; earlier ones are widened when a count or a recording no longer fits."""
        assert self._file is not None
        steps = frames.shape[1]
        dtype = max(frames.dtype, self._dtype, key=lambda item: item.itemsize)
        if self._steps is None:
            self._steps, self._dtype = steps, dtype
        if dtype != self._dtype or steps > self._steps:
            self._widen(max(steps, self._steps), dtype)
        if steps < self._steps:
            frames = np.pad(frames, [(0, 0), (0, self._steps - steps)] + [(0, 0)] * len(self._shape))
        self._file.write(np.ascontiguousarray(frames, dtype=self._dtype).data)
        self._samples += len(frames)
        self._recordings.append(recordings)
        if lengths is not None:
            self._lengths.append(lengths)

    def _widen(self, steps: int, dtype: np.dtype[Any]) -> None:
        assert self._file is not None
        assert self._steps is not None
        self._file.flush()
        self._file.seek(0)
        old = np.frombuffer(self._file.read(), dtype=self._dtype).reshape(self._samples, self._steps, *self._shape)
        wide = np.zeros((self._samples, steps, *self._shape), dtype=dtype)
        wide[:, : self._steps] = old
        self._file.seek(0)
        self._file.write(wide.data)
        self._steps, self._dtype = steps, dtype

    def recordings(self) -> npt.NDArray[np.int64]:
        """The recording of every sample so far."""
        return np.concatenate(self._recordings) if self._recordings else np.zeros(0, dtype=np.int64)

    def finish(
        self, *, labels: npt.NDArray[np.int64], groups: npt.NDArray[np.str_] | None, facts: dict[str, Any]
    ) -> None:
        """Write labels and manifest, and put the split in its place."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        lengths = np.concatenate(self._lengths) if self._lengths else None
        arrays = {"labels": labels, "recordings": self.recordings(), "groups": groups, "lengths": lengths}
        for name, array in arrays.items():
            if array is not None:
                np.save(self._folder / f"{name}.npy", array, allow_pickle=False)
        files = sorted(path.name for path in self._folder.iterdir())
        manifest = {
            **facts,
            "samples": self._samples,
            "shape": [self._samples, self._steps, *self._shape],
            "dtype": str(self._dtype),
            "checksums": {name: _checksum(self._folder / name) for name in files},
        }
        write_atomically(self._folder / _MANIFEST, json.dumps(manifest).encode())
        self._folder.rename(self._final)
