"""How much memory a piece of work takes at most, above what was held before it."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Peak:
    """``bytes`` above what was held at the start, or None where this system does not tell; ``what`` was measured.

    ``reserved`` is all that torch had taken from a CUDA device at most, held before and free for reuse included.
    """

    bytes: int | None = None
    what: str = ""
    reserved: int | None = None


@contextmanager
def peak_memory(device: str = "cpu") -> Iterator[Peak]:
    """Measure the block; the figures are there when it ends, by an error too."""
    found = Peak()
    measured = _of_cuda(found, device) if device.startswith("cuda") else _of_process(found)
    with measured:
        yield found


@contextmanager
def _of_cuda(found: Peak, device: str) -> Iterator[None]:
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    try:
        yield
    finally:
        found.bytes, found.what = torch.cuda.max_memory_allocated(device) - before, "memory allocated on the device"
        found.reserved = torch.cuda.max_memory_reserved(device)


@contextmanager
def _of_process(found: Peak) -> Iterator[None]:
    found.what = "resident memory of the trial's process"
    try:
        _CLEAR.write_text("5")  # Linux: the peak counts from now on
        before: int | None = _kilobytes("VmRSS")
    except OSError:
        before = None
    unit = 1 if sys.platform == "darwin" else 1024
    earlier = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    try:
        yield
    finally:
        if before is None:
            found.bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - earlier
        else:
            found.bytes = max(_kilobytes("VmHWM") - before, 0) * 1024


def _kilobytes(name: str) -> int:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise OSError(f"{_STATUS} has no {name}")
