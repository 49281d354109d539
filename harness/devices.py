"""Devices that trials run on: what a person may name, what is here, and waiting for them. torch is imported on use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    import torch


def check_name(device: object) -> None:
    """Raise :class:`UsageError` for what names no device that trials run on, here or elsewhere."""
    kind, colon, index = device.partition(":") if isinstance(device, str) else ("", "", "")
    if kind not in ("auto", "cpu", "cuda") or (colon and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"--device {device!r}: expected auto, cpu, cuda or cuda:N")


def is_cuda(device: str | torch.device) -> bool:
    """Whether ``device`` is a CUDA device."""
    return str(device).partition(":")[0] == "cuda"


def present() -> list[str]:
    """``cpu`` and every CUDA device, ``cuda:0`` on, that torch can use in this process."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{index}" for index in range(count))]


def why_no_cuda() -> str:
    """Why torch can use no CUDA device, or nothing where it can."""
    import torch

    if not built_for_gpus():
        return f"torch {torch.__version__} is built without CUDA"
    return "" if torch.cuda.is_available() else f"torch {torch.__version__} finds no CUDA device; does nvidia-smi?"


def built_for_gpus() -> bool:
    """Whether this torch could use a GPU; asks no driver."""
    import torch

    return bool(torch.version.cuda or torch.version.hip)


def pick(wanted: str, there: Sequence[str], *, why: str = "") -> str:
    """The one of ``there`` that ``wanted`` names, ``cuda`` being the first; raises :class:`UsageError` with ``why`` it is not."""
    name = "cuda:0" if wanted == "cuda" else wanted
    if name not in there:
        reason = f" ({why})" if why and is_cuda(name) and not any(is_cuda(item) for item in there) else ""
        raise UsageError(f"--device {wanted}: not here; there is: {', '.join(there)}{reason}")
    return name


def use(device: str) -> None:
    """Make ``device`` the one that this process computes on, with float32 meaning float32 there."""
    if not is_cuda(device):
        return
    import torch

    # Triton and some extensions launch on the current device, wherever their tensors lie.
    torch.cuda.set_device(device)
    # Convolutions would otherwise round to the ten bits of TF32.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def synchronise(device: str | torch.device) -> None:
    """Wait until ``device`` has done all that it was asked for; a clock must not be read before."""
    if is_cuda(device):
        import torch

        torch.cuda.synchronize(device)


def free_bytes(device: str | torch.device) -> int:
    """Memory of the CUDA ``device`` that this process could still allocate."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return int(free) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
