"""A metric that writes into what it is shown, into the network or into the process changes no other metric."""

from __future__ import annotations

import dataclasses
import random
import sys

import numpy as np
import pytest
import torch
from samples import frames, specification

from harness import Metric, MetricValue, Registry
from harness.evaluation import evaluate
from harness.initialisation import initialise
from harness.model import build, context

REGISTRY = Registry.discover()
OTHERS = ("accuracy", "firing-rate", "synops", "first-spike", "decision", "footprint")


class Writer:
    """Does what the test puts into ``ACTS``: once at the start, and in every batch."""

    ACTS: tuple = (None, None)

    def start(self, model, context):
        self.model = model
        if self.ACTS[0]:
            self.ACTS[0](model, context)

    def batch(self, view):
        if self.ACTS[1]:
            self.ACTS[1](self.model, view)

    def merge(self, other):
        pass

    def result(self):
        return {"written": MetricValue(value=1, unit="", direction="none", kind="exact", title="written")}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setitem(sys.modules, "isolation_observers", sys.modules[__name__])


@pytest.fixture(scope="module")
def network():
    spec = specification()
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, frames(), np.arange(60), 0)
    return model.eval()


def rows(model, at_start=None, in_batch=None, *, first=True):
    """The rows of the usual metrics, with a writer before them, and its own row."""
    Writer.ACTS = (at_start, in_batch)
    needs = frozenset({"layers", "inputs", "states"})
    writer = Metric(name="writer", summary="s", observer="isolation_observers:Writer", needs=needs)
    chosen = [REGISTRY.find(name).component for name in OTHERS]
    wanted = [(item, item.choose()) for item in ((writer, *chosen) if first else (*chosen, writer))]
    told = context(
        model, classes=[str(k) for k in range(20)], split="test", phase="after", dt_ms=10.0, batch_size=16, device="cpu"
    )
    found = evaluate(model, frames(), batch_size=16, context=told, metrics=wanted)
    others = [row for row in found.metrics if row["metric"] != "writer"]
    (own,) = (row for row in found.metrics if row["metric"] == "writer")
    return others, own, found


def copied(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def write(tensor):
    tensor.add_(3)


def write_by_numpy(tensor):
    tensor.numpy()[...] = 5


def spiking(view):
    return view.layers["spiking.0"]


WRITES = {
    "outputs": lambda model, view: view.outputs.zero_(),
    "outputs, by numpy": lambda model, view: write_by_numpy(view.outputs),
    "outputs, by data": lambda model, view: view.outputs.data.fill_(9),
    "counts": lambda model, view: view.counts.zero_(),
    "labels": lambda model, view: view.labels.zero_(),
    "labels, by numpy": lambda model, view: write_by_numpy(view.labels),
    "recordings": lambda model, view: view.recordings.zero_(),
    "inputs": lambda model, view: write_by_numpy(view.inputs),
    "a layer's output": lambda model, view: write(spiking(view).output),
    "a layer's input": lambda model, view: write_by_numpy(view.layers["weights.1"].input),
    "what a layer sent": lambda model, view: write(spiking(view).sent.tensor),
    "what a layer received": lambda model, view: write(view.layers["weights.1"].received.tensor),
    "a layer's states": lambda model, view: write(spiking(view).states["v_mem"]),
    "the mapping of layers": lambda model, view: view.layers.clear(),
    "another's key": lambda model, view: view.once("harness_metrics.counts", lambda: np.zeros(1)),
    "another's labels": lambda model, view: write_by_numpy(torch.from_numpy(labels_of(view))),
    "another's readout": lambda model, view: readout_of(view).predictions.fill(0),
    "another's operations": lambda model, view: Operations(model, CONTEXT[0]).of(view).clear(),
    "a view made of parts": lambda model, view: dataclasses.replace(view, seconds=1.0).outputs.zero_(),
}
CONTEXT: list = []


def labels_of(view):
    from harness_metrics.sums import labels_of

    return labels_of(view)


def readout_of(view):
    from harness_metrics.readout import readout_of

    return readout_of(view)


def Operations(model, context):
    from harness_metrics.operations import Operations

    return Operations(model, context)


@pytest.mark.parametrize("what", WRITES)
def test_writing_into_a_view_changes_no_other_metric(network, what):
    def start(model, told):
        CONTEXT[:] = [told]

    expected, _, whole = rows(network)
    before = copied(network)
    found, own, evaluation = rows(network, start, WRITES[what])
    assert found == expected
    assert own["value"] == 1
    assert evaluation.predictions.tolist() == whole.predictions.tolist()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_what_is_counted_for_all_cannot_be_written_into(network):
    expected, _, _ = rows(network)
    for name in ("events", "active", "events_at", "active_at"):
        found, own, _ = rows(network, None, lambda model, view, name=name: write_array(view, name))
        assert found == expected
        assert "read-only" in own["error"]


def write_array(view, name):
    getattr(view.tally(spiking(view).sent), name)[...] = 0


def in_place(model, *_):
    with torch.no_grad():
        next(model.parameters()).zero_()


def by_data(model, *_):
    next(model.parameters()).data.mul_(2)


def by_numpy(model, *_):
    next(model.parameters()).detach().numpy()[...] = 1


def leave_a_hook(model, *_):
    model.register_forward_hook(lambda module, given, out: out * 0)


CHANGES = {
    "weights": (in_place, "the weights of the network"),
    "weights, by data": (by_data, "the weights of the network"),
    "weights, by numpy": (by_numpy, "the weights of the network"),
    "mode": (lambda model, *_: model.train(), "the layers, the mode or the hooks of the network"),
    "hooks": (leave_a_hook, "the layers, the mode or the hooks of the network"),
    "hooks of all": (
        lambda *_: torch.nn.modules.module.register_module_forward_hook(lambda module, given, out: out * 0),
        "torch: hooks on every module",
    ),
    "frozen": (lambda model, *_: model.requires_grad_(False), "the weights of the network"),
    "threads": (lambda *_: torch.set_num_threads(torch.get_num_threads() + 1), "torch: the number of threads"),
    "type": (lambda *_: torch.set_default_dtype(torch.float64), "torch: torch's default type"),
}


@pytest.mark.parametrize("when", ["start", "batch"])
@pytest.mark.parametrize("what", CHANGES)
def test_changing_the_network_or_the_process_is_an_error_of_the_metric_that_does_it(network, what, when):
    act, said = CHANGES[what]
    before, threads = copied(network), torch.get_num_threads()
    gradients = [value.requires_grad for value in network.parameters()]
    hooks = [len(module._forward_hooks) for module in network.modules()]
    expected, _, whole = rows(network)
    found, own, evaluation = rows(network, *((act, None) if when == "start" else (None, act)))
    assert found == expected
    assert own["error"].startswith("it changed what is not its own: ")
    assert said in own["error"]
    assert evaluation.predictions.tolist() == whole.predictions.tolist()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert [value.requires_grad for value in network.parameters()] == gradients
    assert not network.training
    assert [len(module._forward_hooks) for module in network.modules()] == hooks
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, torch.float32)


DRAWS = {
    "torch": (lambda *_: torch.rand(3), lambda: torch.rand(1).item()),
    "numpy": (lambda *_: np.random.random(3), lambda: np.random.random()),
    "python": (lambda *_: random.random(), random.random),
}


class Draws(Writer):
    """Returns the last number that it drew."""

    def batch(self, view):
        self.drawn = torch.rand(1).item()

    def result(self):
        return {"drawn": MetricValue(value=self.drawn, unit="", direction="none", kind="seeded", title="drawn")}


@pytest.mark.parametrize("what", DRAWS)
def test_drawing_random_numbers_is_allowed_and_changes_no_other_draw(network, what):
    draw, read = DRAWS[what]

    def seeded():
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)

    seeded()
    undisturbed = read()
    seeded()
    expected, _, _ = rows(network)
    seeded()
    found, own, _ = rows(network, None, draw)
    assert found == expected
    assert own["value"] == 1
    assert read() == undisturbed


def test_two_metrics_that_draw_have_streams_of_their_own(network):
    def drawn(*names):
        torch.manual_seed(3)
        made = [Metric(name=name, summary="s", observer="isolation_observers:Draws") for name in names]
        told = context(
            network,
            classes=[str(k) for k in range(20)],
            split="test",
            phase="after",
            dt_ms=10.0,
            batch_size=16,
            device="cpu",
        )
        observed = evaluate(
            network, frames(), batch_size=16, context=told, metrics=[(item, item.choose()) for item in made]
        )
        return observed.metrics[-1]

    alone, beside = drawn("mine"), drawn("other")
    assert alone["value"] == beside["value"]
    torch.manual_seed(3)
    one_batch = torch.rand(1).item()
    assert alone["value"] != one_batch
