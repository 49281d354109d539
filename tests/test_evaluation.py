"""Evaluation: one pass, observers that disturb nothing, padding hidden from all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import frames, specification

from harness import Metric, MetricValue, Registry
from harness.evaluation import evaluate
from harness.initialisation import initialise
from harness.model import build, context

REGISTRY = Registry.discover()
SEEN = []


class Watch:
    """Keeps every view."""

    def start(self, model, context):
        self.views = []
        SEEN.append(self)

    def batch(self, view):
        self.views.append(view)

    def result(self):
        return {"views": MetricValue(value=len(self.views), unit="", direction="none", kind="exact", title="views")}


class Breaks(Watch):
    """Raises in the second batch."""

    def batch(self, view):
        super().batch(view)
        if len(self.views) == 2:
            raise RuntimeError("boom")


class Untyped(Watch):
    """Gives a figure whose unit is no text."""

    def result(self):
        return {"views": MetricValue(value=1, unit=3, direction="none", kind="exact", title="views")}


def broken():
    raise ImportError("no such thing")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "evaluation_observers", sys.modules[__name__])
    SEEN.clear()


def metric(attribute, needs=()):
    made = Metric(
        name=attribute.lower(), summary="s", observer=f"evaluation_observers:{attribute}", needs=frozenset(needs)
    )
    return made, made.choose()


def network(**given):
    spec = specification(**given)
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, frames(), np.arange(60), 0)
    told = context(
        model, classes=[str(k) for k in range(20)], split="test", phase="after", dt_ms=10.0, batch_size=16, device="cpu"
    )
    return model, told


@given(size=st.integers(1, 70))
@settings(max_examples=15, deadline=None)
def test_the_batch_size_changes_nothing(size):
    model, _ = network()
    whole, parts = evaluate(model, frames(), batch_size=60), evaluate(model, frames(), batch_size=size)
    np.testing.assert_array_equal(whole.predictions, parts.predictions)
    np.testing.assert_array_equal(whole.counts, parts.counts)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-5)


def test_indices_choose_and_order():
    model, _ = network()
    whole = evaluate(model, frames(), batch_size=16)
    part = evaluate(model, frames(), np.array([7, 3, 50]), batch_size=2)
    assert part.recordings.tolist() == [7, 3, 50]
    np.testing.assert_array_equal(part.counts, whole.counts[[7, 3, 50]])


def test_the_mode_is_restored_and_no_hook_is_left():
    model, told = network()
    model.train()
    evaluate(model, frames(), batch_size=16, context=told, metrics=[metric("Watch", ["layers"])])
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())


def test_a_metric_that_raises_leaves_its_error_and_disturbs_no_other():
    model, told = network()
    wanted = [metric("Breaks"), metric("Watch"), metric("broken")]
    rows = evaluate(model, frames(), batch_size=16, context=told, metrics=wanted).metrics
    lines = {made.__name__: made.__code__.co_firstlineno for made in (Breaks.batch, broken)}
    assert [(row["metric"], row.get("error")) for row in rows] == [
        ("breaks", f"RuntimeError: boom (test_evaluation.py:{lines['batch'] + 3})"),
        ("watch", None),
        ("broken", f"ImportError: no such thing (test_evaluation.py:{lines['broken'] + 1})"),
    ]
    assert rows[1]["value"] == 4
    assert "value" not in rows[0]


def test_a_figure_that_no_reader_takes_is_an_error_in_its_own_row():
    model, told = network()
    rows = evaluate(model, frames(), batch_size=16, context=told, metrics=[metric("Untyped"), metric("Watch")]).metrics
    assert rows[0]["error"] == "the value 'views' has a unit that is of type int (3); it is text"
    assert rows[1]["value"] == 4


def test_layers_are_seen_only_when_asked_for():
    model, told = network(network={"hidden": (16, 8), "recurrent": True})
    evaluate(model, frames(), batch_size=60, context=told, metrics=[metric("Watch", ["layers", "inputs"])])
    (view,) = SEEN[0].views
    assert view.inputs.shape == (60, 20, 140)
    shapes = {name: (layer.spiking, tuple(layer.input.shape)) for name, layer in view.layers.items()}
    assert shapes == {
        "weights.0": (False, (60, 20, 140)),
        "spiking.0": (True, (60, 20, 16)),
        "weights.1": (False, (60, 20, 16)),
        "spiking.1": (True, (60, 20, 8)),
        "weights.2": (False, (60, 20, 8)),
        "spiking.2": (True, (60, 20, 20)),
        "recurrent.0": (False, (60, 20, 16)),
        "recurrent.1": (False, (60, 20, 8)),
    }
    assert torch.equal(view.layers["recurrent.0"].input, view.layers["spiking.0"].output)
    evaluate(model, frames(), batch_size=60, context=told, metrics=[metric("Watch")])
    assert not SEEN[1].views[0].layers
    assert SEEN[1].views[0].inputs is None


def test_padding_is_hidden_from_readout_and_loss():
    lengths = np.arange(60) % 15 + 5
    short, padded = frames(lengths=lengths), frames(steps=20, lengths=lengths)
    longer = type(padded)(
        np.concatenate([padded.frames, np.zeros_like(padded.frames)], 1),
        padded.labels,
        padded.recordings,
        padded.groups,
        padded.lengths,
    )
    model, _ = network()
    first, second = evaluate(model, short, batch_size=16), evaluate(model, longer, batch_size=16)
    np.testing.assert_array_equal(first.counts, second.counts)
    assert first.loss == second.loss
    for index in (0, 9):
        alone = type(short)(
            short.frames[index : index + 1, : lengths[index]], short.labels[index : index + 1], np.array([index])
        )
        np.testing.assert_array_equal(evaluate(model, alone, batch_size=1).counts[0], first.counts[index])


def test_wide_counts_are_read_as_they_are():
    model, _ = network()
    narrow = frames()
    wide = type(narrow)(narrow.frames.astype(np.uint16), narrow.labels, narrow.recordings)
    np.testing.assert_array_equal(
        evaluate(model, narrow, batch_size=16).counts, evaluate(model, wide, batch_size=16).counts
    )


@pytest.mark.parametrize("temperature", [1.0, 10.0])
def test_the_loss_is_that_of_counts_over_the_temperature_and_predictions_do_not_depend_on_it(temperature):
    model, _ = network()
    given = frames()
    seen = evaluate(model, given, batch_size=16, temperature=temperature)
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(seen.counts) / temperature, torch.from_numpy(seen.labels)
    )
    assert seen.loss == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_array_equal(seen.predictions, evaluate(model, given, batch_size=16).predictions)


@pytest.mark.parametrize("recurrent", [False, True])
def test_states_are_shown_to_who_needs_them_and_computed_for_nobody_else(recurrent):
    fused = Registry.discover().find("fused").component.choose()
    spec = specification("alif", {"hidden": (16,), "recurrent": recurrent}).with_backend(fused)
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, frames(), np.arange(60), 0)
    told = context(
        model, classes=[str(k) for k in range(20)], split="test", phase="after", dt_ms=10.0, batch_size=16, device="cpu"
    )
    evaluate(model, frames(), batch_size=60, context=told, metrics=[metric("Watch", ["states", "layers"])])
    (view,) = SEEN[0].views
    spiking = {name: layer for name, layer in view.layers.items() if layer.spiking}
    assert set(spiking) == {"spiking.0", "spiking.1"}
    for layer in spiking.values():
        assert {name: tuple(state.shape) for name, state in layer.states.items()} == dict.fromkeys(
            ("i_syn", "v_mem", "b"), tuple(layer.output.shape)
        )
        traced = layer.module.states(layer.input)
        assert all(torch.equal(state, traced[name]) for name, state in layer.states.items())
    evaluate(model, frames(), batch_size=60, context=told, metrics=[metric("Watch", ["layers"])])
    assert all(layer.states is None for layer in SEEN[1].views[0].layers.values())


def test_states_that_a_backend_does_not_record_are_an_error_in_that_metrics_row_alone(monkeypatch):
    monkeypatch.delattr("harness_sinabs.layers.SinabsLayer.trace")
    model, told = network()
    rows = evaluate(
        model, frames(), batch_size=60, context=told, metrics=[metric("Watch", ["states"]), metric("Watch")]
    ).metrics
    assert "the backend of spiking.0 does not record states" in rows[0]["error"]
    assert rows[1]["value"] == 1


def test_what_metrics_share_is_computed_once():
    model, told = network()
    evaluate(model, frames(), batch_size=60, context=told, metrics=[metric("Watch", ["layers", "inputs"])] * 2)
    first, second = (watch.views[0] for watch in SEEN)
    layer, following = first.layers["spiking.0"], second.layers["weights.1"]
    assert first.tally(layer.sent) is second.tally(following.received)
    calls = []
    assert [view.once("mine", lambda: calls.append(1) or 7) for view in (first, first, second)] == [7, 7, 7]
    assert calls == [1]


def test_a_network_that_writes_into_its_input_is_counted_by_what_its_layers_were_given():
    class Binary(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.Linear(140, 20, bias=False)

        def forward(self, x):
            return self.weights(x.clamp_(max=1))

    from harness.testing import measure

    given = frames().frames
    found = measure("synops", Binary(), given)
    assert found["synops"].value == (given > 0).sum() * 20 / len(given)
