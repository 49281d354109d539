"""A single-file plugin for tests of the backend exodus: it on CPU tensors, over kernels written here from their mathematics.

``KERNELS`` stands in for the compiled module of sinabs-exodus 2.0: the same names, arguments and checks.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import ModuleType

import harness_exodus
import torch
from harness_exodus.layer import ExodusLayer
from hypothesis import assume
from hypothesis import strategies as st
from torch import nn

from harness import Backend, Registry, hookimpl
from harness.testing import BackendSuite


def _check(*tensors):
    for tensor in tensors:
        assert tensor.dtype == torch.float32, tensor.dtype
        assert tensor.is_contiguous()
        assert tensor.numel(), "a launch of no blocks is an error"


def _leaky_forward(x, start, decay):
    """y_t = a y_(t-1) + x_t."""
    _check(x, start, decay)
    out, y = torch.empty_like(x), start
    for t in range(x.shape[1]):
        y = decay * y + x[:, t]
        out[:, t] = y
    return out


def _leaky_backward(grad, decay):
    """The derivative by x: g_t = grad_t + a g_(t+1)."""
    _check(grad, decay)
    out, g = torch.empty_like(grad), torch.zeros_like(decay)
    for t in reversed(range(grad.shape[1])):
        g = grad[:, t] + decay * g
        out[:, t] = g
    return out


def _leaky_backward_alpha(grad, out, start, decay):
    """The derivative by a: D_t = a D_(t-1) + y_(t-1), summed with grad."""
    _check(grad, out, start, decay)
    d, total = torch.zeros_like(decay), torch.zeros_like(decay)
    for t in range(grad.shape[1]):
        d = decay * d + (out[:, t - 1] if t else start)
        total += d * grad[:, t]
    return total


def _lif_forward(spikes, potentials, x, start, decay, subtract, threshold, floor, floored, most):
    """v_t = max(a (v_(t-1) - s_(t-1) subtract) + x_t, floor); s = trunc(v / threshold) from the threshold on, at most ``most``."""
    _check(spikes, potentials, x, start, decay, subtract, threshold, floor)
    v, s = start, torch.zeros_like(start)
    for t in range(x.shape[1]):
        v = decay * (v - s * subtract) + x[:, t]
        if floored:
            v = torch.where(v < floor, floor, v)
        s = torch.where(v >= threshold, torch.trunc(v / threshold), 0.0)
        s = s.clamp(max=2**32 - 1 if most < 0 else most)
        spikes[:, t], potentials[:, t] = s, v


def _lif_backward(slopes, grad, open_, decay, subtract):
    """g_t = open_t (grad_t + (a - slope_t subtract) g_(t+1)): by the input, given grad by the potentials and 0 where clipped."""
    _check(slopes, grad, open_, decay, subtract)
    out, g = torch.empty_like(grad), torch.zeros_like(decay)
    for t in reversed(range(grad.shape[1])):
        g = open_[:, t] * (grad[:, t] + (decay - slopes[:, t] * subtract) * g)
        out[:, t] = g
    return out


def _lif_backward_alpha(slopes, grad, after, start, open_, decay, subtract):
    """D_t = open_t (a (1 - slope_(t-1) subtract) D_(t-1) + after_(t-1)), summed with grad; D_0 = start goes on unmasked."""
    _check(slopes, grad, after, start, open_, decay, subtract)
    d = start
    total = open_[:, 0] * d * grad[:, 0]
    for t in range(1, grad.shape[1]):
        d = open_[:, t] * (decay * (1 - slopes[:, t - 1] * subtract) * d + after[:, t - 1])
        total = total + d * grad[:, t]
    return total


KERNELS = ModuleType("exodus_cuda")
for _name, _function in (
    ("leakyForward", _leaky_forward),
    ("leakyBackward", _leaky_backward),
    ("leakyBackwardAlpha", _leaky_backward_alpha),
    ("lifForward", _lif_forward),
    ("lifBackward", _lif_backward),
    ("lifBackwardAlpha", _lif_backward_alpha),
):
    setattr(KERNELS, _name, _function)


class Emulated(ExodusLayer):
    devices = ("cpu",)

    @staticmethod
    def _kernels():
        return KERNELS


class Carried(nn.Module):
    """A layer that computes on a CUDA device, for checks whose tensors lie on the processor."""

    def __init__(self, inner, device="cuda"):
        super().__init__()
        self.inner, self.device = inner, device

    def forward(self, x):
        there = {name: parameter.to(self.device) for name, parameter in self.inner.named_parameters()}
        return torch.func.functional_call(self.inner, there, (x.to(self.device),)).to(x.device)

    def trace(self, x):
        spikes, states = copy.deepcopy(self.inner).to(self.device).trace(x.to(self.device))
        return spikes.to(x.device), {name: value.to(x.device) for name, value in states.items()}


def layer(neuron, shape, recurrent=None):
    return Emulated(neuron, shape)


def carried_layer(neuron, shape, recurrent=None):
    return Carried(ExodusLayer(neuron, shape))


def refuses(neuron, recurrent, device):
    return harness_exodus.refuses(neuron, recurrent, "cuda")


@hookimpl
def register_backends(register):
    for name, summary, made in (
        ("exodus-emulated", "EXODUS over emulated kernels", "layer"),
        ("exodus-carried", "EXODUS on a CUDA device for tensors of the processor", "carried_layer"),
    ):
        register(
            Backend(
                name=name,
                summary=summary,
                layer=f"exodus_emulated:{made}",
                neurons=("iaf", "lif"),
                devices=("cpu",),
                refuses="exodus_emulated:refuses",
                speed=0.0,
            )
        )


class SinglePrecisionSuite(BackendSuite):
    """The conformance kit, but for what single precision and whole 32-bit counts cannot give."""

    test_spikes_are_the_definitions_in_double_precision = None
    test_gradients_are_the_definitions_in_double_precision = None
    test_states_are_the_definitions = None  # in double precision; below in single
    test_a_second_derivative_is_right_or_an_error = None  # likewise; a test of its own
    test_threads_change_no_bit = None  # nothing of it has threads

    @cached_property
    def registry(self):
        return Registry.discover(files=[Path(__file__)])

    def test_states_in_single_precision(self):
        """Recorded states are the definition's in single precision"""

        def check(case):
            mine, defined, _, _ = self.pair(case, torch.float32)
            with torch.no_grad():
                spikes, states = mine.trace(case.inputs(torch.float32))
                expected_spikes, expected = defined.trace(case.inputs(torch.float64))
            assert set(states) == set(expected)
            if torch.equal(spikes.double(), expected_spikes):
                for name, value in expected.items():
                    scale = float(value.abs().max()) + 1.0
                    torch.testing.assert_close(states[name].double(), value, rtol=1e-5, atol=1e-5 * scale)

        self.for_all(self.cases(), check)

    def test_what_is_not_a_number_passes_as_in_the_definition(self):
        """NaN and infinity pass as in the definition, but where an infinite potential spikes without a limit"""

        def check(drawn):
            case, bad = drawn
            case = replace(case, feedback=False, drive=0.3)
            assume(case.neuron["spikes"] != "multi")
            x = case.inputs(torch.float32)
            x[:, x.shape[1] // 2] = bad
            with torch.no_grad():
                spikes, expected = self.layer(case)(x), self.definition(case)(x)
            torch.testing.assert_close(spikes, expected, rtol=0, atol=0, equal_nan=True)

        self.for_all(st.tuples(self.cases(), st.sampled_from([float("nan"), float("inf"), float("-inf")])), check)
