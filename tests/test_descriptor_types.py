"""Descriptors whose fields are given as another type: converted, or refused in one line when they are registered."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from harness import Backend, Dataset, Encoding, Metric, Network, Neuron, Parameter
from harness.registry import PluginWarning, Registry

SIZE = Parameter(name="size", default=1.0, kind="float", summary="a size")


def metric(**more):
    return Metric(**{"name": "mine", "summary": "s", "observer": "m:M", **more})


def backend(**more):
    return Backend(**{"name": "mine", "summary": "s", "layer": "m:layer", "neurons": ("lif",), **more})


def dataset(**more):
    sound = {
        "sensor_size": (10, 1, 1),
        "classes": ("a", "b"),
        "source": "m:s",
        "encodings": {"default": Encoding(crop=100)},
    }
    return Dataset(**{"name": "mine", "summary": "s", **sound, **more})


CONVERTED = [
    *(
        (metric(needs=given), "needs", frozenset({"spikes"}))
        for given in ("spikes", ("spikes",), ["spikes"], {"spikes"})
    ),
    *((metric(phases=given), "phases", ("after",)) for given in ("after", ["after"], {"after"}, frozenset({"after"}))),
    (metric(splits=["train", "test"]), "splits", ("train", "test")),
    (metric(splits={"test": 1}.keys()), "splits", ("test",)),
    (metric(parameters=[SIZE]), "parameters", (SIZE,)),
    (metric(parameters=SIZE), "parameters", (SIZE,)),
    (metric(licence=None), "licence", ""),
    (backend(neurons="lif"), "neurons", ("lif",)),
    (backend(neurons={"lif", "iaf"}), "neurons", ("iaf", "lif")),
    (backend(devices="cpu", libraries="torch", floats="float32"), "devices", ("cpu",)),
    (backend(libraries="torch"), "libraries", ("torch",)),
    (backend(floats=["float32"]), "floats", ("float32",)),
    (backend(speed=3), "speed", 3.0),
    (backend(speed=np.float32(3)), "speed", 3.0),
    (backend(available=None), "available", ""),
    (dataset(classes=["a", "b"]), "classes", ("a", "b")),
    (dataset(sensor_size=[10, 1, 1]), "sensor_size", (10, 1, 1)),
    (dataset(sensor_size=(np.int64(10), 1, 1)), "sensor_size", (10, 1, 1)),
]


@pytest.mark.parametrize(("component", "field", "expected"), CONVERTED, ids=lambda item: str(item)[:24])
def test_what_is_plainly_meant_is_converted(component, field, expected):
    found = getattr(component, field)
    assert found == expected
    assert type(found) is type(expected)
    assert component.problems() == []


class Callable:
    pass


WRONG = [
    (lambda: metric(name=3), "name is 3; it is text"),
    (lambda: metric(summary=None), "summary is None; it is text"),
    (lambda: metric(observer=Callable), f"a reference such as '{__name__}:Callable'"),
    (lambda: metric(observer=lambda: 1), "a reference such as 'package.module:attribute'"),
    (lambda: metric(needs=3), "needs is 3; it is a list of texts"),
    (lambda: metric(needs=[["spikes"]]), "needs is [['spikes']]; it is a list of texts"),
    (lambda: metric(needs={"spikes": True}), "it is a list of texts"),
    (lambda: metric(phases=None), "phases is None; it is a list of texts"),
    (lambda: metric(phases=(1,)), "phases is (1,); it is a list of texts"),
    (lambda: metric(on="yes"), "on is 'yes'; it is True or False"),
    (lambda: metric(parameters={"size": 1.0}), "parameters is {'size': 1.0}; it is a list of harness.Parameter"),
    (lambda: metric(parameters=3), "parameters is 3; it is a list of harness.Parameter"),
    (lambda: metric(parameters=("size",)), "it is a list of harness.Parameter"),
    (lambda: metric(presets=["tutorial"]), "it is a mapping from names to mappings"),
    (lambda: metric(presets={"tutorial": 3}), "it is a mapping from names to mappings"),
    (
        lambda: metric(parameters=(Parameter(name="a", default="x", kind="word", summary="s"),)),
        "kind is 'word'; it is one of bool",
    ),
    (
        lambda: metric(parameters=(Parameter(name="a", default=1, kind="int", summary="s", minimum="0"),)),
        "minimum is '0'",
    ),
    (lambda: backend(speed="fast"), "speed is 'fast'; it is a finite number"),
    (lambda: backend(speed=float("nan")), "speed is nan; it is a finite number"),
    (lambda: backend(neurons=(Neuron(name="lif", summary="s"),)), "it is a list of texts"),
    (lambda: backend(neurons="lif,iaf"), "neurons: 'lif,iaf' is not lower-case words"),
    (lambda: dataset(classes="abc"), "classes must name at least two"),
    (lambda: dataset(classes=2), "classes is 2; it is a list of texts"),
    (lambda: dataset(classes=(0, 1)), "classes is (0, 1); it is a list of texts"),
    (lambda: dataset(sensor_size=10), "sensor_size is 10; it is 3 whole numbers"),
    (lambda: dataset(sensor_size=(10, 1)), "it is 3 whole numbers"),
    (lambda: dataset(sensor_size=(10.5, 1, 1)), "it is 3 whole numbers"),
    (lambda: dataset(encodings=Encoding()), "it is a mapping from names to harness.Encoding"),
    (lambda: dataset(encodings={"default": {"dt": 1}}), "it is a mapping from names to harness.Encoding"),
    (lambda: dataset(defaults=[("network", "mlp")]), "it is a mapping from names to values"),
    (lambda: dataset(defaults={1: "mlp"}), "it is a mapping from names to values"),
    (lambda: Network(name="mine", summary="s", build=Callable()), "build is"),
    (lambda: Neuron(name="mine", summary=["s"]), "summary is ['s']; it is text"),
]


@pytest.mark.parametrize(("make", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_anything_else_is_refused_in_one_line(make, said):
    problems = make().problems()
    assert any(said in problem for problem in problems), problems
    assert all("\n" not in problem and len(problem) < 300 for problem in problems)


def test_a_wrong_descriptor_costs_its_plugin_alone_and_a_tuple_of_needs_is_fine(tmp_path):
    def load(name, descriptor):
        path = tmp_path / f"{name}.py"
        path.write_text(f"from harness import *\n@hookimpl\ndef register_metrics(register): register({descriptor})\n")
        return path

    good = load(
        "good_one", "Metric(name='good', summary='s', observer='good_one:M', needs=('spikes',), phases='after')"
    )
    bad = load("bad_one", "Metric(name='bad', summary='s', observer='bad_one:M', needs=7)")
    with pytest.warns(PluginWarning, match=r"bad_one .* metric 'bad': needs is 7; it is a list of texts"):
        registry = Registry.discover(points=[], files=[good, bad])
    assert registry.find("good").component.needs == frozenset({"spikes"})
    for name in ("good_one", "bad_one"):
        sys.modules.pop(name, None)
