"""An example plugin, written as docs/plugins.md tells."""

from harness import Backend, Dataset, Encoding, Metric, Neuron, Parameter, hookimpl


@hookimpl
def register_datasets(register):
    register(
        Dataset(
            name="two-tones",
            summary="generated: events on the low or on the high channels",
            sensor_size=(20, 1, 1),
            classes=("low", "high"),
            source="harness_example.tones:source",
            encodings={"default": Encoding(crop=100, dt=10, factor=2)},
            defaults={
                "network": "mlp",
                "neuron": "threshold",
                "mlp.hidden": (8,),
                "recipe.epochs": 20,
                "recipe.batch_size": 8,
            },
            parameters=(
                Parameter(name="train", default=40, kind="int", minimum=10, summary="training recordings"),
                Parameter(name="test", default=20, kind="int", minimum=2, summary="test recordings"),
            ),
            synthetic=True,
            licence="CC0",
        )
    )


@hookimpl
def register_neurons(register):
    register(
        Neuron(
            name="threshold",
            summary="spikes where the input passes a threshold; no memory",
            parameters=(Parameter(name="threshold", default=1.0, kind="float", above=0, summary="the threshold"),),
            reference="harness_example.threshold:layer",
        )
    )


@hookimpl
def register_backends(register):
    register(
        Backend(
            name="example-torch",
            summary="the threshold neuron in plain torch",
            layer="harness_example.threshold:layer",
            neurons=("threshold",),
        )
    )


@hookimpl
def register_metrics(register):
    register(
        Metric(
            name="first-class-share",
            summary="share of recordings predicted as the first class",
            observer="harness_example.share:Share",
        )
    )
