"""Encoded frames on disk: written whole or not at all, checked on opening, rebuilt when damaged."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..npz import read_npy
from ..places import CACHE, reason, writing
from ..reading import RefusedFileError, open_regular, read_json
from ..schema import fields, file_name, list_of, mapping, size, text
from ..text import one_line
from .frames import Frames
from .packed import PackedFrames

MANIFEST = "manifest.json"
DENSE_FILE = "frames.bin"
PACKED_FILE = "packed.bin"
# What the system says of a file that is not there, or of something else in its place.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_ARRAYS = ("labels", "recordings", "groups", "lengths")


def _names_of_files(value: Any, path: str) -> None:
    """Accept CRC-32s by the names of files in the same folder."""
    mapping(size)(value, path)
    for name in value:
        file_name(name, path)


_MANIFEST = fields({"shape": list_of(size), "dtype": text, "form": text, "checksums": _names_of_files})


@dataclass(frozen=True)
class Entry:
    """One encoding of one dataset: a folder with a folder for each split."""

    path: Path

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.path.name.rpartition("-")[0]

    @property
    def cache(self) -> Path:
        """The cache that it lies in."""
        return self.path.parent.parent

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
        """Keep other processes from building this entry; ``waiting`` is called once if another one does.

        Raises :class:`UsageError` where the cache cannot be written.
        """
        with writing(self.cache, CACHE):
            self.path.mkdir(parents=True, exist_ok=True)
            # Without O_NONBLOCK a named pipe in its place would wait for a reader.
            flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
            opened = os.fdopen(os.open(self.path.parent / f".{self.path.name}.lock", flags, 0o666), "wb", buffering=0)
        with opened as lock:
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
        path = self.path / split / MANIFEST
        try:
            data = read_json(path)
        except RefusedFileError as error:
            raise RefusedFileError(f"{error}; mend that, or name another folder with {CACHE}") from None
        except DataError as error:
            raise DataError(f"{error}; 'harness cache clear' removes it") from None
        try:
            _MANIFEST(data, "")
        except ValueError as error:
            raise DataError(f"{path}: damaged: {one_line(error)}; 'harness cache clear' removes it") from None
        return data

    def intact(self, split: str) -> bool:
        """Return True if the split is there and every byte is as it was written.

        Raises:
            DataError: the system refuses to read it, which says nothing of what is there.
        """
        try:
            manifest = self.manifest(split)
            return all(checksum(self.path / split / name) == crc for name, crc in manifest["checksums"].items())
        except RefusedFileError:
            raise
        except DataError:
            return False
        except OSError as error:
            if error.errno in _ABSENT:
                return False
            raise _unreadable(self.path / split, error) from None

    def set_aside(self, split: str) -> list[str]:
        """Move a damaged split out of the way; a sentence for the record if there was one."""
        folder = self.path / split
        if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
            folder.unlink()
            return [f"{self.dataset} {split}: what lay in the place of cached frames was removed"]
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
    try:
        arrays: dict[str, Any] = {
            name: read_npy(folder / f"{name}.npy")
            for name in (*_ARRAYS, "starts")
            if os.path.lexists(folder / f"{name}.npy")
        }
    except DataError as error:
        raise DataError(f"{error}; 'harness cache clear' removes it") from None
    try:
        shape = tuple(int(size) for size in manifest["shape"])
        dtype = np.dtype({"uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32}[manifest["dtype"]])
        starts = arrays.pop("starts", None)
        opened = _dense(folder, shape, dtype) if manifest["form"] == "dense" else _packed(folder, starts, shape, dtype)
        return Frames(frames=opened, **arrays)
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise _unreadable(folder, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    """What to say of cached frames: those that are damaged may go, those that the system refuses to read are named."""
    if isinstance(error, OSError) and error.errno is not None and error.errno not in _ABSENT:
        return DataError(f"{path}: cannot be read: {reason(error)}; mend that, or name another folder with {CACHE}")
    return DataError(f"{path}: cannot be read: {one_line(error, 200)}; 'harness cache clear' removes it")


def _dense(folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    file = folder / DENSE_FILE
    size = file.stat().st_size if file.exists() else 0
    if size != math.prod(shape) * dtype.itemsize:
        raise DataError(f"{file}: {size} bytes where {shape} {dtype} were written; 'harness cache clear' removes it")
    # No file of no bytes can be mapped.
    return np.memmap(file, dtype=dtype, mode="r", shape=shape) if size else np.zeros(shape, dtype=dtype)


def _packed(
    folder: Path, starts: npt.NDArray[np.int64] | None, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> PackedFrames:
    file = folder / PACKED_FILE
    size = file.stat().st_size if file.exists() else 0
    wanted = -1 if starts is None else int(starts[-1])
    if starts is None or size != wanted:
        raise DataError(f"{file}: {size} bytes where {wanted} were written; 'harness cache clear' removes it")
    return PackedFrames(np.memmap(file, dtype=np.uint8, mode="r", shape=(size,)), starts, shape, dtype)


def checksum(path: Path) -> int:
    """CRC-32 of the file, read block by block."""
    crc = 0
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc
