"""The backend exodus on a CUDA device: the conformance kit, the library's own layers, memory, streams and a whole run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from harness_exodus import available
from harness_exodus.layer import layer
from harness_neurons.reference import layer as reference
from small_job import UNTIMED

from harness import Registry
from harness.testing.rules import spikes_differ

REASON = available() or (None if torch.cuda.is_available() else "torch sees no CUDA device")
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

REGISTRY = Registry.discover(files=[Path(__file__).with_name("exodus_emulated.py")])
emulated = sys.modules["exodus_emulated"]


def neuron(name="lif", **values):
    return REGISTRY.find(name).component.choose(**values)


def drive(*shape, seed=0, size=2.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * size


class TestOnCuda(emulated.SinglePrecisionSuite):
    name = "exodus-carried"
    examples = 60


@pytest.mark.parametrize("v_min", [None, 0.0, -1.0])
@pytest.mark.parametrize("name", ["iaf", "lif"])
def test_a_large_layer_spikes_and_learns_as_defined(name, v_min):
    chosen = neuron(name, v_min=v_min, **({"tau_mem": 10.0} if name == "lif" else {}))
    x = drive(16, 200, 300, size=0.7)
    weights = torch.linspace(-1, 1.5, x.numel()).reshape(x.shape)
    exact, given = x.double().requires_grad_(), x.clone().to("cuda").requires_grad_()
    defined = reference(chosen, (300,)).double()
    spikes, expected = layer(chosen, (300,)).to("cuda")(given), defined(exact)
    with torch.no_grad():
        assert spikes_differ(spikes.cpu(), expected, defined.margins(exact), feedback=False) is None
    (spikes * weights.to("cuda")).sum().backward()
    (expected * weights.double()).sum().backward()
    same = (spikes.detach().cpu().double() == expected).all(1, keepdim=True).expand_as(exact)
    assert same.double().mean() > 0.99
    torch.testing.assert_close(given.grad.cpu().double()[same], exact.grad[same], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("spikes", ["single", "multi"])
@pytest.mark.parametrize("v_min", [None, 0.0])
def test_its_spikes_are_those_of_the_librarys_layer(v_min, spikes):
    import sinabs.activation as activation
    import sinabs.exodus.layers as library

    chosen = neuron(v_min=v_min, spikes=spikes, tau_mem=5.0, tau_syn=3.0)
    function = activation.SingleSpike if spikes == "single" else activation.MultiSpike
    theirs = library.LIF(tau_mem=5.0, tau_syn=3.0, min_v_mem=v_min, norm_input=False, spike_fn=function).to("cuda")
    x = drive(8, 100, 50).to("cuda")
    with torch.no_grad():
        assert torch.equal(layer(chosen, (50,)).to("cuda")(x), theirs(x))


def test_the_kernels_compute_what_their_emulation_does():
    import exodus_cuda

    random = torch.Generator().manual_seed(0)
    x, grad = (torch.randn(40, 60, generator=random) for _ in range(2))
    slopes, decay = torch.rand(40, 60, generator=random), torch.rand(40, generator=random)
    open_ = (torch.rand(40, 60, generator=random) > 0.2).float()
    zero, one = torch.zeros(40), torch.ones(40)
    for name, arguments in (
        ("leakyForward", (x, zero, decay)),
        ("leakyBackward", (grad, decay)),
        ("leakyBackwardAlpha", (grad, x, zero, decay)),
        ("lifBackward", (slopes, grad, open_, decay, one)),
        ("lifBackwardAlpha", (slopes, grad, x, one, open_, decay, one)),
    ):
        expected = getattr(emulated.KERNELS, name)(*arguments)
        found = getattr(exodus_cuda, name)(*(tensor.to("cuda") for tensor in arguments))
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-5)


def test_a_call_leaves_no_memory_behind():
    made, x = layer(neuron(), (500,)).to("cuda"), drive(16, 100, 500).to("cuda").requires_grad_()
    x.grad = torch.zeros_like(x)
    made(x).sum().backward()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    made(x).sum().backward()
    assert torch.cuda.memory_allocated() == before
    made(x)
    assert torch.cuda.memory_allocated() == before


def test_another_stream_is_an_error():
    made, x = layer(neuron(), (4,)).to("cuda"), torch.zeros(2, 3, 4, device="cuda")
    with torch.cuda.stream(torch.cuda.Stream()), pytest.raises(RuntimeError, match="default stream"):
        made(x)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device here, not two")
def test_the_current_device_stays():
    x = drive(2, 9, 4).to("cuda:1").requires_grad_()
    out = layer(neuron(), (4,)).to("cuda:1")(x)
    out.sum().backward()
    assert torch.cuda.current_device() == 0
    assert torch.equal(out.cpu(), emulated.layer(neuron(), (4,))(x.detach().cpu()))


def test_a_run_trains_on_it_and_skips_what_it_refuses(tmp_path):
    named = "shd-synthetic,lif,alif,exodus,fused"
    command = [sys.executable, "-m", "harness", "run", "--plugins", named, "--device", "cuda", *UNTIMED, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    records = json.loads(done.stdout)["records"]
    status = {
        (r["specification"]["neuron"]["name"], r["specification"]["backend"]["name"]): r["status"] for r in records
    }
    assert status == {
        ("lif", "exodus"): "ok",
        ("lif", "fused"): "ok",
        ("alif", "exodus"): "skipped",
        ("alif", "fused"): "ok",
    }
