"""A single-file plugin that raises in every place: what would end a process must end a row, or be a warning."""

from harness import Backend, Dataset, Encoding, Metric, MetricValue, Network, Parameter, hookimpl

KINDS = ("exit-0", "exit-3", "interrupt", "generator", "base", "recursion", "memory")
NAMES = {
    "exit-0": "SystemExit",
    "exit-3": "SystemExit",
    "interrupt": "KeyboardInterrupt",
    "generator": "GeneratorExit",
    "base": "OddError",
    "recursion": "RecursionError",
    "memory": "MemoryError",
}


class OddError(BaseException):
    """Derived from nothing that ``except Exception`` catches."""


def fail(kind):
    if kind == "exit-0":
        raise SystemExit(0)
    if kind == "exit-3":
        raise SystemExit(3)
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind == "generator":
        raise GeneratorExit
    if kind == "base":
        raise OddError("odd")
    if kind == "recursion":
        fail(kind)
    if kind == "memory":
        raise MemoryError("no more")


class Source:
    """Four recordings of one event each."""

    def __init__(self, kind):
        self.kind = kind

    def __len__(self):
        return 8

    def __getitem__(self, index):
        import numpy as np

        fail(self.kind)
        if not 0 <= index < 8:
            raise IndexError(index)
        events = np.zeros(4, [("t", np.int64), ("x", np.int64)])
        events["t"], events["x"] = np.arange(4) * 1000, index % 2
        return events, index % 2


def source(root, split, kind):
    return Source(kind)


def layer(neuron, shape, recurrent=None, kind="none"):
    from harness_neurons.reference import layer as reference

    fail(kind)
    return reference(neuron, shape, recurrent)


def build(input_shape, classes, spiking_layer, kind):
    from harness_networks.mlp import build as mlp

    fail(kind)
    return mlp(input_shape, classes, spiking_layer, (4,), False, False)


class _Observer:
    kind = ""

    def start(self, model, context):
        pass

    def batch(self, view):
        fail(self.kind)

    def merge(self, other):
        pass

    def result(self):
        return {"never": MetricValue(value=1.0, unit="", direction="none", kind="seeded", title="never")}


for _kind in KINDS:
    _name = "observer_" + _kind.replace("-", "_")
    globals()[_name] = type(_name, (_Observer,), {"kind": _kind})
    globals()["available_" + _kind.replace("-", "_")] = lambda _kind=_kind: fail(_kind)
    globals()["refuses_" + _kind.replace("-", "_")] = lambda neuron, recurrent, device, _kind=_kind: fail(_kind)

_KIND = Parameter(name="kind", default="none", kind="str", summary="what is raised")


@hookimpl
def register_datasets(register):
    register(
        Dataset(
            name="hostile-data", summary="s", sensor_size=(2, 1, 1), classes=("a", "b"), source="hostile:source",
            encodings={"default": Encoding(crop=4, dt=1)}, parameters=(_KIND,),
            defaults={"network": "mlp", "neuron": "iaf", "mlp.hidden": (4,), "recipe.batch_size": 4},
        )
    )  # fmt: skip


@hookimpl
def register_networks(register):
    register(Network(name="hostile-net", summary="s", build="hostile:build", parameters=(_KIND,)))


@hookimpl
def register_backends(register):
    register(
        Backend(
            name="hostile-layer", summary="s", layer="hostile:layer", neurons=("iaf",), speed=0.0, parameters=(_KIND,)
        )
    )
    for kind in KINDS:
        end = kind.replace("-", "_")
        register(
            Backend(
                name=f"unavailable-{kind}", summary="s", layer="hostile:layer", neurons=("iaf",), speed=0.0,
                available=f"hostile:available_{end}",
            )
        )  # fmt: skip
        register(
            Backend(
                name=f"refusing-{kind}", summary="s", layer="hostile:layer", neurons=("iaf",), speed=0.0,
                refuses=f"hostile:refuses_{end}",
            )
        )  # fmt: skip


@hookimpl
def register_metrics(register):
    for kind in KINDS:
        register(
            Metric(name=f"hostile-{kind}", summary="s", observer=f"hostile:observer_{kind.replace('-', '_')}", on=False)
        )
