"""Facts about the layers of sinabs-exodus 2.0 itself, which docs/exodus.md tells: a change in the library fails here.

They run on a CUDA device with the compiled kernels, else on the processor over emulated ones where the library's Python part lies
beside sinabs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import sinabs
import sinabs.activation as activation
import sinabs.layers as plain
import torch
from harness_exodus import available

from harness import Registry

Registry.discover(files=[Path(__file__).with_name("exodus_emulated.py")])
emulated = sys.modules["exodus_emulated"]


@pytest.fixture
def library(monkeypatch):
    """The library's layers, its kernels, and the device on which they compute."""
    if not any((Path(place) / "exodus" / "layers").is_dir() for place in sinabs.__path__):
        pytest.skip("sinabs-exodus is not installed")
    if available() is None and torch.cuda.is_available():
        return SimpleNamespace(
            layers=import_module("sinabs.exodus.layers"), kernels=import_module("exodus_cuda"), device="cuda"
        )
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, "exodus_cuda", emulated.KERNELS)
    layers = import_module("sinabs.exodus.layers")
    yield SimpleNamespace(layers=layers, kernels=emulated.KERNELS, device="cpu")
    for name in set(sys.modules) - before:
        if name.startswith("sinabs.exodus"):
            del sys.modules[name]


def gradients(kind, device, calls, **values):
    """Spikes of all calls, one backward pass through them, and the gradients of inputs and time constants."""
    made = kind(tau_mem=5.0, tau_syn=3.0, norm_input=False, **values).to(device)
    random = torch.Generator().manual_seed(3)
    inputs = [torch.randn(3, 20, 6, generator=random).to(device).requires_grad_() for _ in range(calls)]
    outs = [made(x) for x in inputs]
    sum((out * torch.linspace(-1, 1.5, out.numel(), device=device).reshape(out.shape)).sum() for out in outs).backward()
    found = [x.grad for x in inputs] + [made.tau_mem.grad, made.tau_syn.grad]
    return torch.stack([out.detach() for out in outs]).cpu(), [gradient.cpu() for gradient in found]


def off_by(library, calls, **values):
    """The largest error of each gradient, relative to its largest element; spikes are equal."""
    spikes, found = gradients(library.layers.LIF, library.device, calls, **values)
    expected_spikes, expected = gradients(plain.LIF, library.device, calls, **values)
    assert torch.equal(spikes, expected_spikes)
    return [float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, expected, strict=True)]


@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize(
    "surrogate", [activation.SingleExponential(), activation.PeriodicExponential(), activation.Gaussian()]
)
def test_without_a_floor_gradients_are_right_through_several_calls_too(library, calls, surrogate):
    assert max(off_by(library, calls, surrogate_grad_fn=surrogate)) < 1e-3


@pytest.mark.parametrize("floor", [0.0, -1.0])
def test_with_a_floor_they_are_wrong(library, floor):
    assert max(off_by(library, 1, min_v_mem=floor)) > 0.01


def test_a_step_below_the_floor_loses_the_gradient_of_its_spikes(library):
    found = []
    for kind in (library.layers.IAF, plain.IAF):
        x = torch.tensor([[[-0.3], [0.4]]], device=library.device, requires_grad=True)
        kind(min_v_mem=0.0).to(library.device)(x).sum().backward()
        found.append(float(x.grad[0, 0, 0]))
    assert found[0] == 0
    assert found[1] == pytest.approx(0.14855, abs=1e-4)


def test_a_floor_above_zero_is_another_neuron(library):
    with pytest.raises(AssertionError):
        off_by(library, 1, min_v_mem=0.3)


def test_a_state_left_by_an_earlier_call_is_not_clipped_in_the_gradient_of_a_decay(library):
    start, decay, one = (torch.tensor([value], device=library.device) for value in (0.5, 0.8, 1.0))
    slopes = torch.full((1, 2), 0.5, device=library.device)
    grad, after = torch.ones_like(slopes), torch.zeros_like(slopes)
    clipped_first = torch.tensor([[0.0, 1.0]], device=library.device)
    got = library.kernels.lifBackwardAlpha(slopes, grad, after, start, clipped_first, decay, one)
    # The first step is held at the floor, so that the state before it moves nothing.
    assert float(got) == pytest.approx(0.8 * (1 - 0.5) * 0.5)


def test_a_layer_keeps_the_history_of_its_last_call(library):
    made = library.layers.LIF(tau_mem=5.0).to(library.device)
    made(torch.ones(2, 3, 4, device=library.device, requires_grad=True)).sum().backward()
    assert made.v_mem.grad_fn is not None
