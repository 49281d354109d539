"""Out of memory: whether an error says so, and what a user could try."""

from __future__ import annotations

import re

# How torch and the libraries under it say so where they raise no type of its own.
_SAID = re.compile(
    r"CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED"
    r"|DefaultCPUAllocator: (can't allocate|not enough) memory"
)
_ON_DEVICE = re.compile(r"CUDA|CUBLAS|CUDNN|HIP", re.IGNORECASE)
_NEEDED = re.compile(r"[Tt]ried to allocate ([\d.]+ ?\w+)")
_FREE = re.compile(r"of which ([\d.]+ ?\w+) is free")
_WHERE = {
    "": "when the device was first used",
    "load": "while frames were opened",
    "initialise": "while the network was built and initialised",
    "train": "in training",
    "check": "while neuron states were checked",
}
_IN_BATCHES = ("train", "check")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory, of the machine or of a device, was not enough."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and _SAID.search(str(error)) is not None


def sentence(error: BaseException, phase: str, batch_size: int) -> str:
    """What ran out, where, how much was asked for, and what to try; ``phase`` is the trial's, as its record names it."""
    text = str(error)
    device = type(error).__name__ == "OutOfMemoryError" or bool(_ON_DEVICE.search(text))
    needed, free = _NEEDED.search(text), _FREE.search(text)
    amounts = [f"needed {needed[1]}"] if needed else []
    amounts += [f"{free[1]} free"] if free else []
    told = f" ({', '.join(amounts)})" if amounts else ""
    what = "CUDA ran out of memory" if device else "out of memory"
    return f"{what} {_where(phase, batch_size)}{told}; {_advice(phase, batch_size, device)}"


def beyond_limit(phase: str, batch_size: int) -> str:
    """What follows the message of a trial that was killed in ``phase`` for what it held: what went on, and what to try."""
    tried = [f"-o recipe.batch_size={batch_size // 2}"] if _fills_batches(phase) and batch_size > 1 else []
    return f" {_where(phase, batch_size)}; try {' or '.join([*tried, 'a higher --memory-limit'])}"


def _where(phase: str, batch_size: int) -> str:
    """What went on in ``phase``, in words, with the batch size where it matters."""
    if phase.startswith("measure "):
        _, when, split = phase.split(" ", 2)
        return f"while measuring on {split} {when} training at batch size {batch_size}"
    return _WHERE.get(phase, "") + (f" at batch size {batch_size}" if phase in _IN_BATCHES else "")


def _fills_batches(phase: str) -> bool:
    return phase in _IN_BATCHES or phase.startswith("measure ")


def _advice(phase: str, batch_size: int, device: bool) -> str:
    """The batch size where batches filled memory, of a ``device`` or not."""
    if _fills_batches(phase):
        if batch_size > 1:
            return f"try -o recipe.batch_size={batch_size // 2}"
        return "a batch is one sample already: try a smaller network, or coarser frames"
    if device:
        return (
            "no batch was on the device yet: try a smaller network, or free the device (nvidia-smi says who holds it)"
        )
    if phase == "initialise":
        return "no batch size changes that: try --jobs 1, a smaller network, or -o recipe.init=torch"
    return "no batch size changes that: try --jobs 1"
