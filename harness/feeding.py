"""Frames on their way to a device: kept there whole where they fit, else sent batch by batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from .devices import free_bytes, is_cuda
from .events.packed import PackedFrames
from .exhausted import is_out_of_memory

if TYPE_CHECKING:
    from .events.frames import Frames

Indices = npt.NDArray[np.int64]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
# In the machine's memory, which trials share; on a device, half of what is free is left to the network.
_MOST_IN_MEMORY = 2 * 2**30
_CHUNK = 64 * 2**20
# Not every torch computes with uint16: its bits are kept as int16 and read again when they are widened.
_KEPT_AS: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.uint8): np.dtype(np.uint8),
    np.dtype(np.uint16): np.dtype(np.int16),
}


class Feed:
    """The samples of ``frames`` as batches on ``device``.

    Under ``keep`` all of them are copied there once, in as many bytes as they are stored in, where they fit: on the CPU up to
    2 GiB, on a CUDA device up to half of its free memory. Otherwise every batch is read when it is asked for.
    """

    def __init__(self, frames: Frames, device: str = "cpu", *, keep: bool = False) -> None:
        self.frames, self.device = frames, device
        self._labels = torch.from_numpy(np.array(frames.labels)).to(device)
        self._lengths = None if frames.lengths is None else torch.from_numpy(np.array(frames.lengths)).to(device)
        self._held = _held(frames.frames, device) if keep else None

    @property
    def resident(self) -> bool:
        """Whether all samples are kept on the device."""
        return self._held is not None

    def counts(self, indices: Indices) -> npt.NDArray[Any]:
        """The frames at ``indices`` (B, T, ...) in the machine's memory, as they are stored."""
        stored = self.frames.frames
        if self._held is not None and not self._held.is_cuda:
            stored = self._held.numpy().view(stored.dtype)
        found: npt.NDArray[Any] = stored[_slice_or(indices)]
        return found

    def __call__(self, indices: Indices, counts: npt.NDArray[Any] | None = None) -> Batch:
        """Inputs (B, T, ...) float32, labels (B,), and the mask (B, T) of real steps or None where all are, on the device.

        ``counts`` are the frames at ``indices`` where they are at hand already.
        """
        chosen = self._sent(indices)
        if self._held is not None and (counts is None or self._held.is_cuda):
            inputs = _widened(self._held.index_select(0, chosen))
        elif counts is None and isinstance(self.frames.frames, PackedFrames) and not is_cuda(self.device):
            inputs = torch.from_numpy(self.frames.frames.take_float32(indices))
        else:
            inputs = self._read(self.counts(indices) if counts is None else counts)
        labels = self._labels[chosen]
        if self._lengths is None:
            return inputs, labels, None
        return inputs, labels, torch.arange(inputs.shape[1], device=self.device) < self._lengths[chosen][:, None]

    def _read(self, counts: npt.NDArray[Any]) -> torch.Tensor:
        if not is_cuda(self.device):
            return torch.from_numpy(counts.astype(np.float32))
        if counts.dtype not in _KEPT_AS:
            return self._sent(counts.astype(np.float32))
        return _widened(self._sent(counts.view(_KEPT_AS[counts.dtype])))

    def _sent(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """``array`` on the device; on a CUDA device it is on its way, and this process need not wait for it."""
        return _sent(array, self.device) if is_cuda(self.device) else torch.from_numpy(array)


def real_steps(frames: Frames, indices: Indices) -> torch.Tensor | None:
    """The mask (B, T) of real steps on the CPU, or None where all are."""
    if frames.lengths is None:
        return None
    return torch.arange(frames.frames.shape[1]) < torch.from_numpy(frames.lengths[indices])[:, None]


def _held(stored: Any, device: str) -> torch.Tensor | None:
    """All of ``stored`` on ``device`` in the bytes that it is stored in; None where it does not fit or is of another type."""
    if isinstance(stored, PackedFrames) and not is_cuda(device):
        return None  # as fast to read as an array in memory, in a third of the room
    # What packed frames hold is less than what they are when they are read.
    size = math.prod(stored.shape) * np.dtype(stored.dtype).itemsize
    if stored.dtype not in _KEPT_AS or size > (free_bytes(device) // 2 if is_cuda(device) else _MOST_IN_MEMORY):
        return None
    kept_as = _KEPT_AS[np.dtype(stored.dtype)]
    try:
        if not is_cuda(device):
            return torch.from_numpy(np.array(stored).view(kept_as))
        held = torch.empty(stored.shape, dtype=_torch_type(kept_as), device=device)
        step = max(1, _CHUNK * len(stored) // max(size, 1))
        for begin in range(0, len(stored), step):
            held[begin : begin + step] = _sent(stored[begin : begin + step].view(kept_as), device)
        return held
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None  # another process took what was free a moment ago


def _sent(array: npt.NDArray[Any], device: str) -> torch.Tensor:
    """``array`` on a CUDA device by way of pinned memory, which torch takes back when the copy is done."""
    pinned = torch.empty(array.shape, dtype=_torch_type(array.dtype), pin_memory=True)
    np.copyto(pinned.numpy(), array)
    return pinned.to(device, non_blocking=True)


def _torch_type(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype


def _widened(counts: torch.Tensor) -> torch.Tensor:
    """Counts as float32."""
    if counts.dtype == torch.int16:
        counts = counts.int().bitwise_and_(0xFFFF)
    return counts.float()


def _slice_or(indices: Indices) -> Any:
    """Indices that follow one another as a slice, which copies nothing."""
    if len(indices) and indices[-1] - indices[0] == len(indices) - 1 and (np.diff(indices) == 1).all():
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices
