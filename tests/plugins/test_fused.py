"""The fused backend against the definition, and what is its own: threads, streams, copies, second derivatives."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from harness_fused import kernels
from harness_fused.layer import layer
from harness_neurons import SURROGATES
from harness_neurons.reference import layer as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Registry
from harness.team import run


def choose(name, **values):
    return Registry.discover().find(name).component.choose(**values)


@st.composite
def choices(draw):
    name = draw(st.sampled_from(["iaf", "lif", "alif"]))
    values = {
        "tau_syn": draw(st.sampled_from([None, 0.5, 1.0, 5.0])),
        "threshold": draw(st.sampled_from([0.5, 1.0, 2.0])),
        "v_min": draw(st.sampled_from([None, 0.0, -0.5, 0.1])),
        "reset": draw(st.sampled_from(["subtract", "value"])),
        "reset_value": draw(st.sampled_from([0.0, -0.2, 0.1])),
        "spikes": draw(st.sampled_from(["single", "multi", "max"])),
        "max_spikes": draw(st.sampled_from([1, 3])),
        "surrogate": draw(st.sampled_from(SURROGATES)),
        "surrogate_width": draw(st.sampled_from([0.2, 0.5])),
        "surrogate_scale": draw(st.sampled_from([0.3, 1.0])),
        "train_taus": draw(st.booleans()),
        "taus": draw(st.sampled_from(["layer", "neuron"])),
    }
    if name != "iaf":
        values |= {"tau_mem": draw(st.sampled_from([2.0, 10.0])), "norm_input": draw(st.booleans())}
    if name == "alif":
        values |= {"tau_adapt": draw(st.sampled_from([1.0, 8.0])), "adapt_scale": draw(st.sampled_from([0.0, 1.8]))}
    return choose(name, **values)


def weighed(tensor, seed):
    """A sum whose gradient differs at every element."""
    weights = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(seed), dtype=tensor.dtype)
    return (tensor * weights).sum()


def outcome(make, neuron, x, feedback, cut):
    """Spikes, last state and every gradient of a stream in one piece or two."""
    weights = None
    if feedback:
        torch.manual_seed(1)
        weights = torch.nn.Linear(x.shape[-1], x.shape[-1], bias=feedback == "bias").to(x.dtype)
    made = make(neuron, tuple(x.shape[2:]), weights).to(x.dtype)
    given = x.clone().requires_grad_()
    first, state = made.stream(given[:, :cut])
    second, state = made.stream(given[:, cut:], state)
    spikes = torch.cat([first, second], 1)
    (weighed(spikes, 2) + sum(weighed(state[name], index) for index, name in enumerate(sorted(state)))).backward()
    trained = [*made.named_parameters(), *(weights.named_parameters() if weights is not None else ())]
    gradients = {"x": given.grad} | {name: parameter.grad for name, parameter in trained}
    traced, traces = made.trace(x)
    assert torch.equal(traced, spikes)
    return spikes.detach(), state | traces, {name: g for name, g in gradients.items() if g is not None}


@given(
    neuron=choices(),
    seed=st.integers(0, 2**31),
    drive=st.sampled_from([0.3, 1.0, 3.0]),
    shape=st.sampled_from([(5,), (70,), (2, 3, 2), ()]),
    feedback=st.sampled_from([None, None, "plain", "bias"]),
    cut=st.integers(0, 12),
)
@settings(max_examples=60, deadline=None)
def test_spikes_states_and_gradients_are_the_definitions(neuron, seed, drive, shape, feedback, cut):
    x = torch.randn(2, 12, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * drive
    feedback = feedback if len(shape) == 1 else None
    mine, defined = (outcome(make, neuron, x, feedback, cut) for make in (layer, reference))
    assert torch.equal(mine[0], defined[0])
    for own, expected in zip(mine[1:], defined[1:], strict=True):
        assert own.keys() == expected.keys()
        for name in own:
            scale = max(float(expected[name].detach().abs().max()), 1e-3)
            torch.testing.assert_close(own[name] / scale, expected[name] / scale, rtol=1e-9, atol=1e-9, msg=name)


@given(neuron=choices(), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_single_precision_spikes_are_the_definitions_to_the_bit(neuron, seed):
    x = torch.randn(3, 20, 33, generator=torch.Generator().manual_seed(seed)) * 2
    mine, defined = (outcome(make, neuron, x, None, 20) for make in (layer, reference))
    assert torch.equal(mine[0], defined[0])
    exact = outcome(reference, neuron, x.double(), None, 20)[2]
    for name, expected in defined[2].items():
        # Where rounding moves a potential over a surrogate's jump, what is left of a sum says little about its terms.
        scale = max(float(expected.abs().max()), float(exact[name].abs().max()), 1e-3)
        torch.testing.assert_close(mine[2][name] / scale, expected / scale, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("shape", [(0, 5, 4), (3, 0, 4), (1, 1, 4), (2, 3, 0)])
@pytest.mark.parametrize("train", [True, False])
def test_empty_and_single_sizes(shape, train):
    made = layer(choose("alif", train_taus=train), shape[2:])
    x = torch.ones(shape, requires_grad=True)
    out = made(x)
    out.sum().backward()
    assert out.shape == shape
    assert x.grad.shape == shape


@pytest.mark.parametrize("given_memory", ["transposed", "strided", "expanded"])
def test_any_memory_layout(given_memory):
    dense = torch.randn(6, 9, 8, generator=torch.Generator().manual_seed(0)) * 2
    x = {"transposed": dense.transpose(0, 1), "strided": dense[:, ::2, 1::2], "expanded": dense[:1].expand(4, 9, 8)}
    x = x[given_memory]
    assert not x.is_contiguous()
    made = layer(choose("lif"), tuple(x.shape[2:]))
    assert torch.equal(made(x), made(x.clone(memory_format=torch.contiguous_format)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("spikes", ["single", "multi"])
@pytest.mark.parametrize("floor", [None, 0.0])
def test_what_is_not_a_number_passes_as_in_the_definition(bad, spikes, floor):
    x = torch.full((1, 6, 3), 0.7)
    x[0, 2, 1] = bad
    neuron = choose("lif", spikes=spikes, v_min=floor, train_taus=True)
    ours, theirs = (make(neuron, (3,)) for make in (layer, reference))
    torch.testing.assert_close(ours(x), theirs(x), equal_nan=True, rtol=0, atol=0)
    mine, defined = x.clone().requires_grad_(), x.clone().requires_grad_()
    ours(mine).sum().backward()
    theirs(defined).sum().backward()
    torch.testing.assert_close(mine.grad, defined.grad, equal_nan=True)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_recurrent_layer_keeps_what_is_not_a_number_where_it_is(bad):
    torch.manual_seed(0)
    weights, x = torch.nn.Linear(5, 5, bias=False).double(), torch.full((1, 8, 5), 0.7, dtype=torch.float64)
    x[0, 2, 0] = bad  # the first neuron of its block
    neuron = choose("lif", train_taus=True)
    spikes, gradients = [], []
    for make in (layer, reference):
        given = x.clone().requires_grad_()
        spikes.append(make(neuron, (5,), weights)(given))
        spikes[-1].sum().backward()
        gradients.append(given.grad)
    assert spikes[1][..., 1:].sum() > 0
    torch.testing.assert_close(spikes[0], spikes[1], equal_nan=True, rtol=0, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1], equal_nan=True)


@pytest.mark.parametrize("feedback", [False, True])
def test_the_number_of_threads_changes_no_bit(feedback):
    before = torch.get_num_threads()
    x = torch.randn(9, 40, 150, generator=torch.Generator().manual_seed(0)) * 2
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(outcome(layer, choose("alif", train_taus=True), x, "bias" if feedback else None, 40))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert torch.equal(results[0][0], other[0])
        for mine, theirs in zip(results[0][1:], other[1:], strict=True):
            assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_every_part_of_the_work_is_done_once_and_an_error_is_raised_here():
    done = []
    run(lambda first, last: done.extend(range(first, last)), 11, 3)
    assert sorted(done) == list(range(11))
    done.clear()
    run(lambda first, last: done.append((first, last)), 0, 3)
    assert done in ([], [(0, 0)])

    def fails(first, last):
        raise ValueError(f"part {first}")

    with pytest.raises(ValueError, match="part"):
        run(fails, 11, 3)


def test_a_second_derivative_is_an_error():
    x = torch.full((1, 5, 3), 0.8, requires_grad=True)
    (slope,) = torch.autograd.grad(layer(choose("lif"), (3,))(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="fused has no second derivative"):
        slope.sum().backward()


def test_a_call_leaves_nothing_behind_and_a_copy_is_apart():
    torch.manual_seed(0)
    weights = torch.nn.Linear(4, 4)
    made = layer(choose("alif", train_taus=True), (4,), weights)
    x = torch.randn(6, 9, 4) * 2
    first = made(x)
    assert first.sum() > 0
    assert torch.equal(made(x[:2]), first[:2])
    assert torch.equal(made(x.flip(0)), first.flip(0))
    assert set(made.state_dict()) == {"tau_syn", "tau_mem", "tau_adapt"}
    pair = copy.deepcopy(torch.nn.ModuleList([weights, made]))
    torch.nn.init.constant_(weights.weight, -9.0)
    assert not torch.equal(made(x), first)
    assert torch.equal(pair[1](x), first)


def test_a_recurrent_module_of_any_kind_is_called_step_by_step():
    class Twice(torch.nn.Module):
        def forward(self, spikes):
            return spikes * 0.3

    x = torch.randn(2, 9, 2, 3, generator=torch.Generator().manual_seed(0)) * 2
    neuron = choose("lif")
    assert torch.equal(layer(neuron, (2, 3), Twice())(x), reference(neuron, (2, 3), Twice())(x))


def test_a_watched_recurrent_module_is_really_called():
    torch.manual_seed(0)
    weights, seen = torch.nn.Linear(3, 3), []
    weights.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    layer(choose("lif"), (3,), weights)(torch.ones(2, 5, 3))
    assert seen == [(2, 3)] * 4


def test_what_does_not_fit_is_said():
    made = layer(choose("lif"), (3,))
    with pytest.raises(ValueError, match=r"expected \(batch, time, \*\(3,\)\), got \(2, 5, 4\)"):
        made(torch.zeros(2, 5, 4))
    with pytest.raises(RuntimeError, match="computes on CPUs and CUDA devices, not on meta"):
        made(torch.zeros(2, 5, 3, device="meta"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    x = (torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0)) * 2).to(dtype)
    made = layer(choose("lif"), (3,))
    assert made(x).dtype == dtype
    assert torch.equal(made(x).float(), made(x.float()))


def test_the_exponential_is_as_close_as_gradients_need():
    for dtype, lowest, bound in ((torch.float32, -87.0, 3e-7), (torch.float64, -700.0, 1e-15)):
        w = torch.linspace(0, lowest, 20_001, dtype=dtype)
        neuron = choose("iaf", tau_syn=None, surrogate_width=1.0, v_min=None)
        x = (w + 1).reshape(1, 1, -1).requires_grad_()
        layer(neuron, (x.shape[-1],))(x).sum().backward()
        expected = torch.exp(x.detach().double() - 1)
        assert float(((x.grad.double() - expected) / expected).abs().max()) < bound * max(1.0, -lowest)


def test_every_declared_surrogate_has_its_number():
    assert kernels.KINDS == SURROGATES


def test_compiled_code_is_kept_on_disk(tmp_path):
    script = (
        "import torch\n"
        "from harness import Registry\n"
        "from harness_fused import kernels\n"
        "from harness_fused.layer import layer\n"
        "neuron = Registry.discover().find('lif').component.choose()\n"
        "layer(neuron, (3,))(torch.ones(1, 2, 3, requires_grad=True)).sum().backward()\n"
        "made = (kernels.forward_kernel(True, False, False, False), kernels.backward_kernel(True, False, False, False))\n"
        "print([sum(kernel.stats.cache_misses.values()) for kernel in made])\n"
    )
    said = []
    for _ in range(2):
        environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
        )
        said.append(done.stdout.strip())
        assert done.stderr == ""
    assert said == ["[1, 1]", "[0, 0]"]
