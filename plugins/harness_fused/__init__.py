"""The backend fused: every neuron of the harness as one compiled scan over time, exact to the definition."""

from collections.abc import Callable
from importlib.util import find_spec

from harness import Backend, Choice, hookimpl


def available() -> str | None:
    """Why fused cannot be used here, or None."""
    return None if find_spec("numba") else "numba is not installed; pip install numba"


def refuses(neuron: Choice, recurrent: bool, device: str) -> str | None:
    """What fused cannot compute, or None."""
    if device.startswith("cuda") and not find_spec("triton"):
        return "fused needs triton on CUDA devices, which CUDA builds of torch bring"
    return None


@hookimpl
def register_backends(register: Callable[[Backend], None]) -> None:
    register(
        Backend(
            name="fused",
            summary="one compiled scan over time, forward and backward, exact to the neuron's definition",
            layer="harness_fused.layer:layer",
            neurons=("iaf", "lif", "alif"),
            available="harness_fused:available",
            refuses="harness_fused:refuses",
            libraries=("numba", "llvmlite"),
            speed=10.0,
        )
    )
