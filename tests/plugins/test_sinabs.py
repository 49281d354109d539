"""The sinabs backend against the definition: spikes, gradients, state, refusals."""

from __future__ import annotations

import copy

import pytest
import torch
from harness_neurons.reference import layer as reference
from harness_sinabs import SURROGATES, refuses
from harness_sinabs.layers import layer
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Registry


@st.composite
def choices(draw):
    name = draw(st.sampled_from(["iaf", "lif", "alif"]))
    values = {
        "tau_syn": draw(st.sampled_from([None, 1.0, 3.7])),
        "threshold": draw(st.sampled_from([0.5, 1.0, 1.7])),
        "v_min": draw(st.sampled_from([None, 0.0, -1.0])),
        "reset": draw(st.sampled_from(["subtract", "value"])),
        "spikes": draw(st.sampled_from(["single", "multi", "max"])),
        "surrogate": draw(st.sampled_from(SURROGATES)),
        "surrogate_width": draw(st.sampled_from([0.3, 0.5, 1.0])),
    }
    if values["surrogate"] != "heaviside":
        values["surrogate_scale"] = draw(st.sampled_from([1.0, 2.5]))
    if name != "iaf":
        values |= {"tau_mem": draw(st.sampled_from([1.0, 2.0, 20.0])), "norm_input": draw(st.booleans())}
    if name == "alif":
        values |= {"tau_adapt": draw(st.sampled_from([1.0, 5.0])), "adapt_scale": draw(st.sampled_from([0.0, 1.8]))}
    return Registry.discover().find(name).component.choose(**values)


def feedback(size):
    torch.manual_seed(1)
    return torch.nn.Linear(size, size, bias=False)


def both(neuron, x, recurrent, layout="plain"):
    results = []
    for make in (lambda *a: layer(*a, layout=layout), reference):
        weights = feedback(x.shape[-1]) if recurrent else None
        given = x.clone().requires_grad_()
        out = make(neuron, tuple(x.shape[2:]), weights)(given)
        (out * torch.linspace(0.5, 1.5, out.numel()).reshape(out.shape)).sum().backward()
        results.append((out.detach(), given.grad, weights.weight.grad if weights is not None else torch.zeros(1)))
    return results


@given(neuron=choices(), seed=st.integers(0, 2**31), drive=st.sampled_from([0.1, 1.0, 4.0]), recurrent=st.booleans())
@settings(max_examples=80, deadline=None)
def test_spikes_and_gradients_are_the_definitions(neuron, seed, drive, recurrent):
    x = torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(seed)) * drive
    mine, defined = both(neuron, x, recurrent)
    assert torch.equal(mine[0], defined[0])
    for own, expected in zip(mine[1:], defined[1:], strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-6)


@given(
    neuron=choices(),
    seed=st.integers(0, 2**31),
    drive=st.sampled_from([0.1, 1.0, 4.0]),
    form=st.sampled_from(["plain", "flattened", "recurrent"]),
)
@settings(max_examples=60, deadline=None)
def test_states_are_the_definitions(neuron, seed, drive, form):
    x = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(seed)) * drive
    weights = [feedback(5) if form == "recurrent" else None for _ in range(2)]
    mine = layer(neuron, (5,), weights[0], layout="flattened" if form == "flattened" else "plain")
    with torch.no_grad():
        spikes, states = mine.trace(x)
        expected_spikes, expected = reference(neuron, (5,), weights[1]).trace(x)
        assert torch.equal(spikes, expected_spikes)
        assert set(states) == set(expected)
        for name, value in expected.items():
            torch.testing.assert_close(states[name], value, rtol=1e-5, atol=1e-6)
        assert torch.equal(mine(x), spikes)
    assert not set(mine.state_dict()) & {"layer.v_mem", "layer.i_syn", "layer.b"}


@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4), (1, 1, 4)])
def test_states_of_empty_and_single_sizes(shape):
    spikes, states = layer(Registry.discover().find("alif").component.choose(), (4,)).trace(torch.ones(shape))
    assert {spikes.shape, *(value.shape for value in states.values())} == {shape}


@given(neuron=choices(), seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_the_flattened_layout_computes_the_same(neuron, seed):
    x = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(seed)) * 2
    plain, flattened = layer(neuron, (4,)), layer(neuron, (4,), layout="flattened")
    assert torch.equal(plain(x), flattened(x))


@pytest.mark.parametrize("layout", ["plain", "flattened"])
@pytest.mark.parametrize("name", ["iaf", "lif", "alif"])
def test_every_call_starts_from_zero_whatever_the_batch(name, layout):
    made = layer(Registry.discover().find(name).component.choose(), (4,), layout=layout)
    x = torch.randn(6, 9, 4, generator=torch.Generator().manual_seed(0)) * 2
    first = made(x)
    assert first.sum() > 0
    assert torch.equal(made(x[:2]), first[:2])
    assert torch.equal(made(x.flip(0)), first.flip(0))
    assert torch.equal(made(x), first)


@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4), (1, 1, 4)])
def test_empty_and_single_sizes(shape):
    made = layer(Registry.discover().find("lif").component.choose(), (4,))
    assert made(torch.zeros(shape)).shape == shape


def test_state_dict_holds_parameters_alone_and_a_copy_is_apart():
    weights = feedback(4)
    made = layer(Registry.discover().find("lif").component.choose(train_taus=True), (4,), weights)
    x = torch.full((2, 9, 4), 1.2)
    before = made(x)
    assert not {"layer.v_mem", "layer.i_syn", "layer.rec_connect.weight"} & set(made.state_dict())
    pair = copy.deepcopy(torch.nn.ModuleList([weights, made]))
    torch.nn.init.constant_(weights.weight, -9.0)
    assert not torch.equal(made(x), before)
    assert torch.equal(pair[1](x), before)


@pytest.mark.parametrize("train", [True, False])
def test_time_constants_are_trained_only_when_asked(train):
    made = layer(Registry.discover().find("alif").component.choose(train_taus=train), (4,))
    trained = {name for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert trained == ({"layer.tau_mem", "layer.tau_syn", "layer.tau_adapt"} if train else set())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"surrogate": "sigmoid"}, "no surrogate sigmoid"),
        ({"surrogate": "heaviside", "surrogate_scale": 2.0}, "does not scale"),
        ({"reset": "value", "reset_value": 0.5}, "resets wrongly to a value"),
        ({"reset": "value"}, None),
        ({}, None),
    ],
)
def test_what_it_cannot_compute_is_refused(values, reason):
    said = refuses(Registry.discover().find("lif").component.choose(**values), False, "cpu")
    assert said is None if reason is None else reason in said
