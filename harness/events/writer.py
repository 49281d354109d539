"""Frames on their way to disk: chunk by chunk, in memory that does not grow with the split."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..places import CACHE, writing
from ..store import write_atomically
from .cache import DENSE_FILE, MANIFEST, PACKED_FILE, Entry, checksum
from .packed import Packer

# Up to here frames lie as they are, so that trials map and share them and slices of them are free; larger ones are packed.
DENSE_BYTES = 256 * 2**20


class SplitWriter:
    """Writes a split chunk by chunk into a temporary folder, and gives it its name when it is whole.

    It begins dense, each chunk in its own width, and goes on packed from where all of it would take more than ``dense_bytes``.
    Raises :class:`harness.UsageError` where the system refuses to write.
    """

    def __init__(self, entry: Entry, split: str, shape: tuple[int, ...], *, dense_bytes: int = DENSE_BYTES) -> None:
        self._dense_bytes = dense_bytes
        self._cache = entry.cache
        self._final = entry.path / split
        self._folder = entry.path / f".{split}.{secrets.token_hex(4)}.tmp"
        self._shape = shape
        self._dtype = np.dtype(np.uint8)
        self._steps = 0
        self._samples = 0
        self._recordings: list[npt.NDArray[np.int64]] = []
        self._lengths: list[npt.NDArray[np.int64]] = []
        self._chunks: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
        self._files = contextlib.ExitStack()
        self._file: BinaryIO | None = None
        self._packer: Packer | None = None

    def __enter__(self) -> SplitWriter:
        try:
            with self._writing():
                self._folder.mkdir(parents=True)
                self._file = self._open(DENSE_FILE)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # of a full disk once more, for what is thrown away
            self._files.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(
        self, frames: npt.NDArray[Any], recordings: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64] | None
    ) -> None:
        """Append samples (n, steps, *shape); all end with the most steps and the widest type of any chunk."""
        assert self._file is not None
        self._samples += len(frames)
        self._steps = max(self._steps, frames.shape[1])
        self._dtype = max(frames.dtype, self._dtype, key=lambda item: item.itemsize)
        self._recordings.append(recordings)
        if lengths is not None:
            self._lengths.append(lengths)
        with self._writing():
            if self._packer is None and math.prod(self._whole) * self._dtype.itemsize > self._dense_bytes:
                self._begin_packing()
            if self._packer is not None:
                self._packer.add(frames)
            else:
                self._chunks.append((frames.shape, frames.dtype))
                self._file.write(np.ascontiguousarray(frames).data)

    def recordings(self) -> npt.NDArray[np.int64]:
        """The recording of every sample so far."""
        return np.concatenate(self._recordings) if self._recordings else np.zeros(0, dtype=np.int64)

    def finish(
        self, *, labels: npt.NDArray[np.int64], groups: npt.NDArray[np.str_] | None, facts: dict[str, Any]
    ) -> None:
        """Write labels and manifest, and put the split in its place."""
        with self._writing():
            self._finish(labels, groups, facts)

    def _finish(
        self, labels: npt.NDArray[np.int64], groups: npt.NDArray[np.str_] | None, facts: dict[str, Any]
    ) -> None:
        if self._packer is None and any((*shape[1:], dtype) != self._one for shape, dtype in self._chunks):
            self._even_out()
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        arrays = {
            "labels": labels,
            "recordings": self.recordings(),
            "groups": groups,
            "lengths": np.concatenate(self._lengths) if self._lengths else None,
            "starts": None if self._packer is None else self._packer.starts,
        }
        for name, array in arrays.items():
            if array is not None:
                np.save(self._folder / f"{name}.npy", array, allow_pickle=False)
        files = sorted(path.name for path in self._folder.iterdir())
        manifest = {
            **facts,
            "samples": self._samples,
            "form": "dense" if self._packer is None else "packed",
            "shape": list(self._whole),
            "dtype": str(self._dtype),
            "checksums": {name: checksum(self._folder / name) for name in files},
        }
        write_atomically(self._folder / MANIFEST, json.dumps(manifest).encode())
        self._folder.rename(self._final)

    @property
    def _whole(self) -> tuple[int, ...]:
        return (self._samples, self._steps, *self._shape)

    @property
    def _one(self) -> tuple[Any, ...]:
        return (self._steps, *self._shape, self._dtype)

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return writing(self._cache, CACHE)

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _open(self, name: str) -> BinaryIO:
        return self._files.enter_context(self._path(name).open("w+b"))

    def _dense_chunks(self) -> Iterator[npt.NDArray[Any]]:
        assert self._file is not None
        self._file.seek(0)
        for shape, dtype in self._chunks:
            read = self._file.read(math.prod(shape) * dtype.itemsize)
            yield np.frombuffer(read, dtype=dtype).reshape(shape)

    def _replace(self, file: BinaryIO) -> None:
        assert self._file is not None
        self._file.close()
        self._file = file

    def _begin_packing(self) -> None:
        file = self._open(PACKED_FILE)
        self._packer = Packer(file)
        for chunk in self._dense_chunks():
            self._packer.add(chunk)
        self._replace(file)
        self._path(DENSE_FILE).unlink()

    def _even_out(self) -> None:
        """Write every chunk anew with the steps and the type of the whole."""
        file = self._open("even.bin")
        for chunk in self._dense_chunks():
            pads = [(0, 0), (0, self._steps - chunk.shape[1])] + [(0, 0)] * len(self._shape)
            file.write(np.ascontiguousarray(np.pad(chunk, pads), dtype=self._dtype).data)
        self._replace(file)
        self._path("even.bin").replace(self._path(DENSE_FILE))
