"""The scan as one differentiable function: torch tensors in, compiled kernels on their memory, torch tensors out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from harness import Choice
from harness.team import run

from . import kernels

# Fewer elements than this are done before another thread has started.
_WORTH_A_THREAD = 1 << 14
Gradients = tuple[torch.Tensor | None, ...]
_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


@dataclass(frozen=True)
class Scan:
    """What a layer's neuron asks of the kernels."""

    neuron: Choice

    @property
    def filtered(self) -> bool:
        """Whether there is a synaptic filter."""
        return self.neuron["tau_syn"] is not None

    @property
    def adaptive(self) -> bool:
        """Whether the threshold adapts."""
        return "tau_adapt" in self.neuron.values

    def flags(self) -> tuple[bool, bool, bool]:
        """Normalised input, a floor, reset to a value: branches of the kernels at run time."""
        neuron = self.neuron
        return bool(neuron.values.get("norm_input", False)), neuron["v_min"] is not None, neuron["reset"] == "value"

    @cached_property
    def settings(self) -> dict[torch.dtype, npt.NDArray[Any]]:
        """The numbers that kernels read, by float type."""
        values = dict(self.neuron.values)
        return {dtype: kernels.settings_of(values, self.kind, numpy) for dtype, numpy in _NUMPY.items()}

    @cached_property
    def kind(self) -> int:
        """The surrogate's number."""
        return kernels.KINDS.index(self.neuron["surrogate"])


def pieces(recordings: int, neurons: int, threads: int, *, recurrent: bool) -> tuple[int, int]:
    """Blocks of neurons that one task computes side by side, and the number of tasks; every thread gets one where there are enough."""
    blocks = -(-neurons // kernels.BLOCK)
    abreast = blocks if recurrent else min(kernels.ABREAST, blocks, recordings * blocks // threads)
    abreast = max(abreast, 1)
    return abreast, recordings * -(-blocks // abreast)


def threads_for(elements: int) -> int:
    """Threads worth using for that many elements, never more than torch is pinned to."""
    return 1 if elements < _WORTH_A_THREAD else torch.get_num_threads()


def _array(tensor: torch.Tensor | None, dtype: torch.dtype, dimensions: int) -> npt.NDArray[Any]:
    """The tensor's memory, contiguous; an empty array for None."""
    if tensor is None:
        return np.empty((0,) * dimensions, _NUMPY[dtype])
    array: npt.NDArray[Any] = tensor.detach().contiguous().numpy()
    return array


def _wide(decays: npt.NDArray[Any], neurons: int) -> npt.NDArray[Any]:
    if decays.shape[1] == neurons:
        return decays
    wide = np.empty((3, neurons), decays.dtype)
    wide[:] = decays
    return wide


class FusedScan(torch.autograd.Function):
    """x (B, T, N), decays (3, 1 or N), weight (N, N), bias (N,), start (3 or 4, B, N) to spikes (B, T, N) and end (3, B, N).

    ``weight``, ``bias`` and ``start`` may be None; ``end`` is empty unless it is wanted. Rows of decays are those of synaptic
    current, membrane and adaptation; planes of start and end are i, v and b, and the fourth of start the spikes before the
    first step, which recurrent weights map.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        decays: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        start: torch.Tensor | None,
        scan: Scan,
        wants_end: bool,
        keep: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        dtype, (recordings, _, neurons) = x.dtype, x.shape
        recurrent = weight is not None
        given = x.contiguous()
        out = torch.empty_like(given)
        potentials = torch.empty_like(given) if keep else given.new_empty(0, 0, 0)
        end = given.new_empty((3, recordings, neurons) if wants_end else (3, 0, 0))
        into = _array(None if weight is None else weight.t(), dtype, 2)
        arrays = (
            _array(given, dtype, 3),
            _wide(_array(decays, dtype, 2), neurons),
            scan.settings[dtype],
            np.empty((3, 0, 0), _NUMPY[dtype]) if start is None else _array(start, dtype, 3),
            into,
            _array(bias, dtype, 1),
            *scan.flags(),
        )
        written = (out.numpy(), potentials.numpy(), end.numpy())
        kernel = kernels.forward_kernel(scan.filtered, scan.adaptive, scan.neuron["spikes"] != "single", recurrent)
        threads = threads_for(given.numel())
        abreast, tasks = pieces(recordings, neurons, threads, recurrent=recurrent)
        run(lambda first, last: kernel(*arrays, abreast, first, last, *written), tasks, threads)
        if keep:
            trains_decays = ctx.needs_input_grad[1]
            ctx.save_for_backward(
                out, potentials, given if trains_decays else None, decays, weight, bias, start
            )  # fmt: skip
            ctx.scan, ctx.threads, ctx.arrays = scan, threads, arrays[1:6]
            ctx.set_materialize_grads(False)
        return out, end

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        out = ctx.saved_tensors[0]
        with torch.no_grad():
            computed = _backward(ctx, *gradients)
        return (*no_second_derivative(out, gradients, computed), None, None, None)


def no_second_derivative(out: torch.Tensor, gradients: Gradients, computed: Gradients) -> Gradients:
    """What was ``computed`` from ``gradients``, so that a derivative of it is an error."""
    if not torch.is_grad_enabled():
        return computed
    # ``out`` stands for the inputs: its history is theirs.
    upstream = [out, *(gradient for gradient in gradients if gradient is not None)]
    marked = iter(_NoSecondDerivative.apply(len(upstream), *upstream, *(g for g in computed if g is not None)))
    return tuple(None if gradient is None else next(marked) for gradient in computed)


def _backward(ctx: Any, g_out: torch.Tensor | None, g_end: torch.Tensor | None) -> Gradients:
    out, potentials, x, decays, weight, _, _ = ctx.saved_tensors
    scan: Scan = ctx.scan
    dtype, (recordings, _, neurons) = out.dtype, out.shape
    recurrent, taus, moves_start = weight is not None, ctx.needs_input_grad[1], ctx.needs_input_grad[4]
    wide, settings, start_array, into, bias_array = ctx.arrays
    g_x = torch.empty_like(out)
    g_start = out.new_zeros((len(start_array), recordings, neurons) if moves_start else (3, 0, 0))
    sums = np.zeros((3, recordings, neurons) if taus else (3, 0, 0), np.float64)
    arrays = (
        _array(torch.zeros_like(out) if g_out is None else g_out, dtype, 3),
        np.empty((3, 0, 0), _NUMPY[dtype]) if g_end is None or not g_end.numel() else _array(g_end, dtype, 3),
        out.detach().numpy(),
        potentials.detach().numpy(),
        _array(x, dtype, 3),
        wide,
        settings,
        scan.kind,
        start_array,
        _array(weight, dtype, 2),
        into,
        bias_array,
        *scan.flags(),
    )
    written = (g_x.numpy(), g_start.numpy(), sums)
    kernel = kernels.backward_kernel(scan.filtered, scan.adaptive, taus, recurrent)
    abreast, tasks = pieces(recordings, neurons, ctx.threads, recurrent=recurrent)
    run(lambda first, last: kernel(*arrays, abreast, first, last, *written), tasks, ctx.threads)
    g_decays = None
    if taus:
        # Over recordings, then over neurons, in float64 and always in that order.
        per_neuron = sums.sum(1)
        summed = per_neuron if decays.shape[1] == neurons else per_neuron.sum(1, keepdims=True)
        g_decays = torch.from_numpy(np.ascontiguousarray(summed)).to(dtype)
    g_weight, g_bias = _recurrent_gradients(ctx, g_x, out) if recurrent else (None, None)
    return (
        g_x if ctx.needs_input_grad[0] else None,
        g_decays,
        g_weight if ctx.needs_input_grad[2] else None,
        g_bias if ctx.needs_input_grad[3] else None,
        g_start if moves_start else None,
    )


def _recurrent_gradients(ctx: Any, g_x: torch.Tensor, out: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    neurons = out.shape[2]
    to_weights, to_bias = np.zeros((neurons, neurons)), np.zeros(neurons)
    arrays = g_x.numpy(), out.detach().numpy(), ctx.arrays[2]
    run(
        lambda first, last: kernels.recurrent_gradient(*arrays, first, last, to_weights, to_bias),
        neurons,
        ctx.threads,
    )
    return torch.from_numpy(to_weights).t().to(out.dtype).contiguous(), torch.from_numpy(to_bias).to(out.dtype)


class _NoSecondDerivative(torch.autograd.Function):
    """Hands gradients on; a derivative of them is an error, not a silent zero."""

    @staticmethod
    def forward(ctx: Any, upstream: int, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensor.view_as(tensor) for tensor in tensors[upstream:])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        raise RuntimeError(
            "the backend fused has no second derivative; take the neuron's reference or the backend sinabs"
        )
