"""The backend exodus: iaf and lif on NVIDIA GPUs by the compiled kernels of sinabs-exodus."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from harness import Backend, Choice, hookimpl

SURROGATES = ("single-exponential", "periodic-exponential", "heaviside", "gaussian", "multi-gaussian")

# Plain Linux, containers, Windows' Linux, Jetson.
_DRIVER_FILES = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/nvmap")


def available(driver_files: Sequence[str] = _DRIVER_FILES) -> str | None:
    """Why EXODUS cannot be used here, or None."""
    if not any(Path(file).exists() for file in driver_files):
        return "no driver of an NVIDIA GPU is here, and EXODUS runs on nothing else; use fused or sinabs"
    if not find_spec("exodus_cuda"):
        return (
            "sinabs-exodus is not installed; pip install --no-build-isolation 'snn-harness[exodus]' "
            "with nvcc of the CUDA version that torch was built for (docs/exodus.md)"
        )
    return None


def refuses(neuron: Choice, recurrent: bool, device: str) -> str | None:
    """What EXODUS cannot compute and who can, or None."""
    if device == "cpu":
        return "EXODUS computes on CUDA devices alone; use fused or sinabs on CPUs"
    if neuron.name not in ("iaf", "lif"):
        return f"EXODUS has no {neuron.name}, only iaf and lif; use fused or sinabs"
    if recurrent:
        return "EXODUS has no recurrent layers; use fused or sinabs"
    if neuron["reset"] != "subtract":
        return "EXODUS resets by subtraction alone; use fused or sinabs"
    if neuron["surrogate"] not in SURROGATES:
        return f"EXODUS has no surrogate {neuron['surrogate']}, it takes those of sinabs: {', '.join(SURROGATES)}; use fused"
    if neuron["surrogate"] == "heaviside" and neuron["surrogate_scale"] != 1:
        return "the heaviside surrogate that EXODUS takes from sinabs has no scale; use fused"
    if neuron["v_min"] is not None and neuron["v_min"] > 0:
        # It holds the membrane above the floor before the reset, which is the same only for floors of at most 0.
        return f"EXODUS takes no floor above 0, and v_min is {neuron['v_min']:g}; use fused or sinabs"
    return None


@hookimpl
def register_backends(register: Callable[[Backend], None]) -> None:
    register(
        Backend(
            name="exodus",
            summary="iaf and lif on NVIDIA GPUs by the compiled kernels of sinabs-exodus",
            layer="harness_exodus.layer:layer",
            neurons=("iaf", "lif"),
            devices=("cuda",),
            available="harness_exodus:available",
            refuses="harness_exodus:refuses",
            libraries=("sinabs-exodus", "sinabs"),
            floats=("float32",),
            speed=5.0,
            licence="sinabs-exodus: Apache-2.0",
            citation="Bauer, Lenz, Haghighatshoar and Sheik 2022, EXODUS: Stable and Efficient Training of Spiking Neural Networks, "
            "arXiv 2205.10242",
        )
    )
