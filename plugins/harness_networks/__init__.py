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
    register(
        Network(
            name="conv",
            summary="convolutions over each frame, each followed by a spiking layer and a pool",
            build="harness_networks.conv:build",
            parameters=(
                Parameter(
                    name="channels", default=(8, 16, 32, 64), kind="ints", minimum=1, summary="of each convolution"
                ),
                Parameter(
                    name="kernel",
                    default=(5, 3),
                    kind="ints",
                    minimum=1,
                    unit="cells a side",
                    summary="of each convolution; the last value goes on for the rest",
                ),
                Parameter(
                    name="stride",
                    default=(1,),
                    kind="ints",
                    minimum=1,
                    unit="cells",
                    summary="of each convolution; the last value goes on for the rest",
                ),
                Parameter(
                    name="padding",
                    default=(1,),
                    kind="ints",
                    minimum=0,
                    unit="cells",
                    summary="zeros around the map, of each convolution; the last value goes on for the rest",
                ),
                Parameter(
                    name="pool",
                    default="sum",
                    kind="str",
                    choices=("sum", "average", "max", "none"),
                    summary="what becomes of the spikes of a window behind each convolution",
                ),
                Parameter(
                    name="pool_size",
                    default=(2,),
                    kind="ints",
                    minimum=1,
                    unit="cells a side",
                    summary="of the window behind each convolution; the last value goes on for the rest",
                ),
                Parameter(
                    name="dense",
                    default=(),
                    kind="ints",
                    minimum=1,
                    summary="neurons of fully connected layers between the convolutions and the output",
                ),
                Parameter(
                    name="dropout",
                    default=0.0,
                    kind="float",
                    minimum=0,
                    maximum=0.95,
                    summary="share of units that each training recording loses for its whole length, behind hidden layers",
                ),
                Parameter(
                    name="batch_norm",
                    default=False,
                    kind="bool",
                    summary="normalise each hidden convolution over recordings and steps; takes the place of its bias",
                ),
                Parameter(name="bias", default=False, kind="bool", summary="a trained constant input to every neuron"),
            ),
        )
    )
