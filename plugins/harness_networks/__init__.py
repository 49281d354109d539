"""Networks: topologies of weights with spiking layers between."""

from collections.abc import Callable

from harness import Network, Parameter, hookimpl


@hookimpl
def register_networks(register: Callable[[Network], None]) -> None:
    register(
        Network(
            name="mlp",
            summary="fully connected layers, each followed by a spiking layer, the last one too",
            build="harness_networks.mlp:build",
            parameters=(
                Parameter(name="hidden", default=(64, 64), kind="ints", minimum=1, summary="neurons a hidden layer"),
                Parameter(
                    name="recurrent", default=False, kind="bool", summary="hidden layers feed back on themselves"
                ),
                Parameter(name="bias", default=False, kind="bool", summary="a trained constant input to every neuron"),
            ),
        )
    )
