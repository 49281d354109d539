"""Sparse counts, packed: a bit a cell tells whether it holds any, and only the counts that are not 0 are stored.

A sample is the number of 8-byte words of its mask, the mask (a bit a cell, lowest first), a byte a count in the order of
the cells, and zeros up to a multiple of 8 bytes. A byte of 255 stands before a count of 255 or more, which follows in four
bytes, lowest first. Cells past the mask's end are 0.
"""

from __future__ import annotations

import math
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import DataError

_PLAIN = (int, np.integer, slice)


class PackedFrames:
    """Counts (N, T, *shape), read-only, that are indexed by sample as a numpy array is and give numpy arrays.

    ``nbytes`` is what they take unpacked, as an array's; ``stored_bytes`` what they take. Reading a sample that is damaged raises
    :class:`DataError`.
    """

    def __init__(
        self, stored: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> None:
        """``stored`` holds sample k at bytes ``[starts[k], starts[k + 1])``; raises ``ValueError`` where that cannot be."""
        if starts.shape != (shape[0] + 1,) or starts[0] != 0 or starts[-1] != len(stored):
            raise ValueError(f"{len(starts)} starts for {shape[0]} samples in {len(stored)} bytes")
        if (starts % 8).any() or (np.diff(starts) < 0).any():
            raise ValueError("starts that do not ascend by multiples of 8 bytes")
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._stored, self._starts = np.asarray(stored), np.ascontiguousarray(starts, dtype=np.int64)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of counts."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the same counts as an array."""
        return self.size * self.dtype.itemsize

    @property
    def stored_bytes(self) -> int:
        """Bytes that they take packed."""
        return len(self._stored) + self._starts.nbytes

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        """As numpy's indexing: anything for the samples, then integers and slices for the other axes."""
        first, *rest = index if isinstance(index, tuple) and index else (index,)
        if rest and (first is ... or first is None or any(not isinstance(item, _PLAIN) for item in rest)):
            raise IndexError("packed frames are indexed by sample; index what that gives by arrays")
        samples = np.arange(len(self))[first]
        counts = self._unpack(samples, self.dtype)
        found: npt.NDArray[Any] = counts[(*(slice(None) for _ in np.shape(samples)), *rest)] if rest else counts
        return found

    def take_float32(self, samples: npt.NDArray[np.integer[Any]] | slice) -> npt.NDArray[np.float32]:
        """``self[samples].astype(np.float32)`` in one pass, for single precision is what networks are given."""
        return self._unpack(np.arange(len(self))[samples], np.float32)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("packed frames become an array by being copied")
        return self[:].astype(dtype or self.dtype, copy=False)

    def _unpack(self, samples: npt.NDArray[np.int64], kind: Any) -> npt.NDArray[Any]:
        from .packing import unpack

        flat = np.ascontiguousarray(samples, dtype=np.int64).reshape(-1)
        out = np.empty((len(flat), math.prod(self.shape[1:])), dtype=kind)
        wrong = unpack(self._stored.view(np.uint64), self._stored, self._starts, flat, out)
        if wrong >= 0:
            raise DataError(f"sample {flat[wrong]} of the cached frames is damaged; 'harness cache clear' removes them")
        return out.reshape(*np.shape(samples), *self.shape[1:])


class Packer:
    """Writes samples packed to a file; they may differ in steps, and those that end early are 0 from there on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sizes: list[int] = []

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each sample begins, and the end."""
        return np.concatenate([[0], np.cumsum(self._sizes, dtype=np.int64)]).astype(np.int64)

    def add(self, frames: npt.NDArray[Any]) -> None:
        """Append samples (n, steps, *shape) of uint8, uint16 or uint32."""
        from .packing import pack

        rows = np.ascontiguousarray(frames).reshape(len(frames), math.prod(frames.shape[1:]))
        # The header, the mask, at most five bytes a count, and what fills up to a multiple of 8.
        room = np.empty(8 + rows.shape[1] // 8 + 8 + 5 * rows.shape[1] + 8, dtype=np.uint8)
        for row in rows:
            size = pack(row, room)
            self._file.write(room[:size].data)
            self._sizes.append(size)
