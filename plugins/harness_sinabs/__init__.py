"""The backend sinabs: the library's own layers, plain or time-flattened, started from zero state at every call."""

from collections.abc import Callable
from importlib.util import find_spec

from harness import Backend, Choice, Parameter, hookimpl

SURROGATES = ("single-exponential", "periodic-exponential", "heaviside", "gaussian", "multi-gaussian")


def available() -> str | None:
    """Why sinabs cannot be used here, or None."""
    return None if find_spec("sinabs") else "sinabs is not installed; pip install sinabs"


def refuses(neuron: Choice, recurrent: bool, device: str) -> str | None:
    """What sinabs cannot compute, or None."""
    if neuron["surrogate"] not in SURROGATES:
        return f"sinabs has no surrogate {neuron['surrogate']}; it has {', '.join(SURROGATES)}"
    if neuron["surrogate"] == "heaviside" and neuron["surrogate_scale"] != 1:
        return "sinabs does not scale its heaviside surrogate"
    if neuron.name == "alif" and neuron["taus"] == "neuron" and neuron["tau_syn"] is not None:
        # ALIF asks whether tau_syn is true, which a tensor of several values cannot say (sinabs 3.1.3).
        return "sinabs' ALIF takes no tau_syn a neuron"
    if neuron["reset"] == "value" and neuron["reset_value"] != 0:
        # MembraneReset adds the value to every neuron at every step (sinabs 3.1.3).
        return "sinabs resets wrongly to a value other than 0"
    return None


@hookimpl
def register_backends(register: Callable[[Backend], None]) -> None:
    register(
        Backend(
            name="sinabs",
            summary="the layers of the sinabs library, a Python loop over time",
            layer="harness_sinabs.layers:layer",
            neurons=("iaf", "lif", "alif"),
            available="harness_sinabs:available",
            refuses="harness_sinabs:refuses",
            libraries=("sinabs",),
            parameters=(
                Parameter(
                    name="layout",
                    default="plain",
                    kind="str",
                    choices=("plain", "flattened"),
                    summary="sinabs.layers.LIF and its like, or LIFSqueeze and its like",
                ),
            ),
        )
    )
