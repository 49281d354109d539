"""The backend exodus where there is no GPU: what it says about itself, and its own code over emulated kernels.

On a machine with a device and sinabs-exodus, ``test_exodus_cuda.py`` runs the compiled kernels.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from harness_exodus import SURROGATES, available, refuses
from harness_exodus.layer import ExodusLayer
from harness_exodus.layer import layer as real_layer
from harness_exodus.scan import too_large
from harness_neurons.reference import layer as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import specification
from small_job import UNTIMED

from harness import Registry
from harness.plan import refusal
from harness.testing.rules import spikes_differ

EMULATED = Path(__file__).with_name("exodus_emulated.py")
REGISTRY = Registry.discover(files=[EMULATED])
emulated = sys.modules["exodus_emulated"]
layer = emulated.layer


def neuron(name="lif", **values):
    return REGISTRY.find(name).component.choose(**values)


def drive(*shape, seed=0, size=2.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * size


# --- what it says


@pytest.fixture
def driver(tmp_path):
    made = tmp_path / "version"
    made.touch()
    return (str(tmp_path / "absent"), str(made))


def test_without_a_driver_it_says_so_and_names_others(tmp_path):
    reason = available([str(tmp_path / "absent")])
    assert "NVIDIA" in reason
    assert "fused or sinabs" in reason


def test_without_the_library_it_says_how_to_install_it(driver, monkeypatch):
    monkeypatch.setattr("harness_exodus.find_spec", lambda name: None)
    reason = available(driver)
    assert "pip install --no-build-isolation 'snn-harness[exodus]'" in reason
    assert "nvcc" in reason
    assert "\n" not in reason


def test_with_both_it_can_be_used(driver, tmp_path, monkeypatch):
    (tmp_path / "exodus_cuda.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert available(driver) is None


@pytest.mark.parametrize(
    ("name", "values", "recurrent", "device", "said"),
    [
        ("lif", {}, False, "cpu", "CUDA devices alone; use fused or sinabs"),
        ("alif", {}, False, "cuda", "no alif"),
        ("lif", {}, True, "cuda", "no recurrent layers; use fused or sinabs"),
        ("iaf", {"reset": "value"}, False, "cuda", "resets by subtraction alone"),
        ("lif", {"surrogate": "sigmoid"}, False, "cuda", "no surrogate sigmoid"),
        ("lif", {"surrogate": "heaviside", "surrogate_scale": 2.0}, False, "cuda", "has no scale; use fused"),
        ("lif", {"v_min": 0.25}, False, "cuda", "v_min is 0.25; use fused or sinabs"),
        ("lif", {"v_min": 0.0, "taus": "neuron", "train_taus": True}, False, "cuda:1", None),
        ("iaf", {"v_min": None, "spikes": "max", "tau_syn": None}, False, "auto", None),
    ],
)
def test_refusals_say_what_and_who_can(name, values, recurrent, device, said):
    reason = refuses(neuron(name, **values), recurrent, device)
    assert reason is None if said is None else said in reason
    if reason:
        assert "use fused" in reason or "no alif" in reason
        assert "\n" not in reason


def test_a_plan_gives_its_refusals_as_reasons_to_skip():
    entry = REGISTRY.find("exodus")
    assert refusal(entry, specification("lif"), "cuda:0") is None
    assert refusal(entry, specification("lif"), "cpu") == "exodus runs on cuda, not on cpu"
    assert refusal(entry, specification("alif"), "cuda") == "exodus does not compute alif"
    recurrent = specification("lif", network={"hidden": (8,), "recurrent": True})
    assert "no recurrent layers" in refusal(entry, recurrent, "cuda")


def harness(*arguments):
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_listed_with_the_reason_why_it_cannot_be_used():
    shown = json.loads(harness("plugins", "exodus", "--json").stdout)[0]
    assert (shown["usable"], shown["reason"]) == (available() is None, available())
    assert "2205.10242" in shown["citation"]


@pytest.mark.skipif(available() is None, reason="EXODUS can be used here")
def test_a_run_that_names_it_ends_in_one_line():
    done = harness("run", "--plugins", "shd-synthetic,iaf,exodus")
    assert done.returncode == 4
    assert done.stderr.strip().splitlines() == [f"error: backend exodus cannot be used here: {available()}"]


# --- what it computes, over emulated kernels


class TestEmulated(emulated.SinglePrecisionSuite):
    name = "exodus-emulated"
    examples = 12


def gradients(make, chosen, inputs, *, together):
    """Of each input and of the time constants, in one backward pass for all calls or one a call."""
    made = make(chosen, tuple(inputs[0].shape[2:]))
    given = [x.clone().requires_grad_() for x in inputs]
    losses = []
    for x in given:
        out = made(x)
        losses.append((out * torch.linspace(-1, 1.5, out.numel()).reshape(out.shape)).sum())
        if not together:
            losses.pop().backward()
    if together:
        sum(losses).backward()
    return [x.grad for x in given] + [p.grad for p in made.parameters() if p.requires_grad]


@given(
    v_min=st.sampled_from([None, 0.0, -0.5]),
    spikes=st.sampled_from(["single", "multi", "max"]),
    taus=st.sampled_from(["layer", "neuron"]),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=15, deadline=None)
def test_several_calls_before_one_backward_pass(v_min, spikes, taus, seed):
    chosen = neuron(v_min=v_min, spikes=spikes, taus=taus, train_taus=True, tau_mem=5.0, tau_syn=3.0)
    inputs = [drive(batch, steps, 5, seed=seed + batch) for batch, steps in ((3, 12), (1, 7), (4, 12))]
    together = gradients(layer, chosen, inputs, together=True)
    apart = gradients(layer, chosen, inputs, together=False)
    expected = gradients(reference, chosen, inputs, together=True)
    for mine, single, defined in zip(together, apart, expected, strict=True):
        torch.testing.assert_close(mine, single, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(mine, defined, rtol=1e-3, atol=1e-3)


def test_a_step_below_the_floor_keeps_the_gradient_of_its_spikes():
    # The library's own layers give 0 here.
    chosen = neuron("iaf", v_min=0.0, tau_syn=None, surrogate_width=0.5)
    x = torch.tensor([[[-0.3], [0.4]]], requires_grad=True)
    layer(chosen, (1,))(x).sum().backward()
    slopes = [math.exp(-abs(v - 1.0) / 0.5) / 0.5 for v in (-0.3, 0.4)]
    assert x.grad.flatten().tolist() == pytest.approx(slopes)  # nothing of the first step reaches the second


@given(batches=st.lists(st.integers(1, 5), min_size=2, max_size=3), shape=st.sampled_from([(4,), (2, 3, 2), ()]))
@settings(max_examples=15, deadline=None)
def test_every_call_starts_from_zero_whatever_the_batch(batches, shape):
    made = layer(neuron(tau_mem=20.0), shape)
    for batch in batches:
        x = drive(batch, 9, *shape, seed=batch)
        expected = layer(neuron(tau_mem=20.0), shape)(x)
        assert torch.equal(made(x), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_computed_in_single_precision(dtype):
    x = drive(3, 12, 5).to(dtype).requires_grad_()
    made = layer(neuron(), (5,))
    out = made(x)
    out.sum().backward()
    assert (out.dtype, x.grad.dtype) == (dtype, dtype)
    assert torch.equal(out.float(), made(x.detach().float()))


def test_gradients_of_any_memory_layout_are_read():
    made, x = layer(neuron(), (2, 6)), drive(3, 12, 2, 6)
    found = []
    for pick in (lambda out: out[..., ::2], lambda out: out[..., ::2].contiguous()):
        given_ = x.clone().requires_grad_()
        picked = pick(made(given_))
        picked.transpose(0, 1).reshape(-1).dot(torch.linspace(-1, 1, picked.numel())).backward()
        found.append(given_.grad)
    assert torch.equal(*found)


@pytest.mark.parametrize("tau_syn", [None, 2.0])
@pytest.mark.parametrize("train", [True, False])
def test_a_second_derivative_is_an_error(tau_syn, train):
    x = drive(2, 6, 3).requires_grad_()
    made = layer(neuron(tau_syn=tau_syn, train_taus=train, norm_input=True), (3,))
    (first,) = torch.autograd.grad(made(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(first.square().sum(), x, allow_unused=True)


@pytest.mark.parametrize(
    ("make", "x", "error", "said"),
    [
        (real_layer, torch.zeros(2, 3, 4), RuntimeError, "computes on CUDA devices, not on cpu; use fused or sinabs"),
        (layer, torch.zeros(2, 3, 4, dtype=torch.float64), TypeError, "float32, not in float64; use fused"),
        (layer, torch.zeros(2, 3, 5), ValueError, "expected"),
        (layer, torch.zeros(2), ValueError, "expected"),
        (layer, torch.zeros(1).expand(2**23, 3, 4), ValueError, r"33,554,432 neurons \(batch 8,388,608 x 4\)"),
    ],
)
def test_what_cannot_be_is_an_error_of_one_line(make, x, error, said):
    made = make(neuron(), (4,))
    with pytest.raises(error, match=said) as raised:
        made(x)
    assert "\n" not in str(raised.value)


def test_a_library_built_for_another_torch_is_said_so(tmp_path, monkeypatch):
    (tmp_path / "exodus_cuda.py").write_text("raise ImportError('undefined symbol: _ZN2at4_ops5zeros4call\\nmore')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "exodus_cuda", raising=False)
    monkeypatch.setattr(ExodusLayer, "devices", ("cpu",))
    with pytest.raises(
        RuntimeError, match=r"not built for this torch .*zeros4call\); pip install --no-build-isol"
    ) as raised:
        real_layer(neuron(), (4,))(torch.zeros(2, 3, 4))
    assert "\n" not in str(raised.value)


def test_recurrence_is_refused_where_a_layer_is_made_too():
    with pytest.raises(ValueError, match="no recurrent layers"):
        real_layer(neuron(), (4,), torch.nn.Linear(4, 4))


@given(rows=st.integers(1, 2**24), steps=st.integers(1, 300))
def test_sizes_that_pass_fit_the_kernels_launches(rows, steps):
    """Rows are cut into launches of at most 65,535 blocks of 8, and the last of those is an error."""
    launches = math.ceil(rows / 8 / 65_535)
    blocks = math.ceil(math.ceil(rows / launches) / 8)
    assert too_large(rows, steps) == (blocks >= 65_535 or rows * steps >= 2**32)


@pytest.mark.parametrize(
    ("rows", "steps", "large"),
    [
        (524_272, 10, False),
        (524_273, 10, True),
        (524_280, 10, True),
        (524_281, 10, False),
        (2**24, 255, False),
        (2**24, 256, True),
        (2**24 + 1, 1, True),
        (1, 1, False),
        (0, 0, False),
    ],
)
def test_sizes_at_the_limits(rows, steps, large):
    assert too_large(rows, steps) == large


def test_a_trial_on_it_is_one_on_fused():
    """Over emulated kernels: as trained and measured, the smallest job gives what fused gives."""
    named = "shd-synthetic,lif,fused,exodus-emulated"
    done = harness("run", "-P", str(EMULATED), "--plugins", named, *UNTIMED, "--json")
    assert done.returncode == 0, done.stderr
    fused, mine = (record["outcome"] for record in json.loads(done.stdout)["records"])
    assert mine["predictions"] == fused["predictions"]
    assert mine["curves"]["train_loss"] == pytest.approx(fused["curves"]["train_loss"], rel=1e-5)
    before = [[item for item in side["metrics"] if item["phase"] == "before"] for side in (mine, fused)]
    assert before[0] == before[1]
    assert before[0]


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_surrogates_are_those_declared(surrogate):
    chosen = neuron(surrogate=surrogate, surrogate_width=0.7, threshold=1.3, v_min=-0.4, tau_mem=5.0)
    x = drive(4, 20, 6)
    mine, defined = (gradients(make, chosen, [x], together=True)[0] for make in (layer, reference))
    exact = reference(chosen, (6,)).double()
    assert spikes_differ(layer(chosen, (6,))(x), exact(x.double()), exact.margins(x.double()), feedback=False) is None
    torch.testing.assert_close(mine, defined, rtol=1e-4, atol=1e-4)
