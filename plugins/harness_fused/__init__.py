"""The backend fused: every neuron of the harness as one compiled scan over time, exact to the definition."""

from collections.abc import Callable
from importlib.util import find_spec

from harness import Backend, hookimpl


def available() -> str | None:
    """Why fused cannot be used here, or None."""
    return None if find_spec("numba") else "numba is not installed; pip install numba"


@hookimpl
def register_backends(register: Callable[[Backend], None]) -> None:
    register(
        Backend(
            name="fused",
            summary="one compiled scan over time, forward and backward, exact to the neuron's definition",
            layer="harness_fused.layer:layer",
            neurons=("iaf", "lif", "alif"),
            devices=("cpu",),
            available="harness_fused:available",
            libraries=("numba", "llvmlite"),
            speed=10.0,
        )
    )
