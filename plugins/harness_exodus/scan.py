"""Two differentiable scans over EXODUS' compiled kernels: the synaptic filter, and the membrane with its spikes.

Tensors are rows (neurons of every recording, steps) in float32, contiguous, decays one a row; both start from zero state. The kernels
are those of the module ``exodus_cuda`` (sinabs-exodus 2.0). The gradients that its Python layers compute around them are not the
definition's where the membrane reaches its floor; :class:`Membrane` computes the definition's with the same kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Surrogate = Callable[[torch.Tensor, float], torch.Tensor]

# Rows that one backward launch takes: 65,535 blocks of 8, of which the last raises an error in the kernel's own check.
_LAUNCH = 8 * 65_535
# Single precision counts rows in the kernels' launches, 32 bits number their elements.
_MOST_ROWS, _MOST_ELEMENTS = 2**24, 2**32


def too_large(rows: int, steps: int) -> bool:
    """Whether EXODUS would leave out some of ``rows``, address them wrongly, or raise an internal error."""
    launches = -(-rows // _LAUNCH)
    return rows > _MOST_ROWS or rows * steps >= _MOST_ELEMENTS or -(-rows // max(launches, 1)) > _LAUNCH - 8


class _NoSecondDerivative(torch.autograd.Function):
    """``gradient`` as it is, with the history of ``source``, so that a derivative of it is an error and not 0."""

    @staticmethod
    def forward(ctx: Any, gradient: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[None, None]:
        raise RuntimeError("the backend exodus has no second derivative")


def _marked(source: torch.Tensor, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
    if not torch.is_grad_enabled():
        return gradients
    return tuple(None if gradient is None else _NoSecondDerivative.apply(gradient, source) for gradient in gradients)


class Filter(torch.autograd.Function):
    """y_t = decay y_(t-1) + x_t."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, decay: torch.Tensor, kernels: Any) -> torch.Tensor:
        start = torch.zeros_like(decay)
        with torch.cuda.device_of(x):  # the kernels change the current device
            out: torch.Tensor = kernels.leakyForward(x, start, decay)
        ctx.kernels = kernels
        ctx.save_for_backward(decay, *([start, out] if ctx.needs_input_grad[1] else []))
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        decay, *kept = ctx.saved_tensors
        g_decay = None
        with torch.no_grad(), torch.cuda.device_of(grad):
            given = grad.contiguous()
            g_x = ctx.kernels.leakyBackward(given, decay)
            if kept:
                start, out = kept
                g_decay = ctx.kernels.leakyBackwardAlpha(given, out, start, decay)
        return (*_marked(grad, g_x, g_decay), None)


class Membrane(torch.autograd.Function):
    """Spikes of v_t = decay h_(t-1) + x_t, where h is v after the reset and the floor, and v before reset, held above the floor."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        decay: torch.Tensor,
        threshold: float,
        floor: float | None,
        most: int,
        surrogate: Surrogate,
        kernels: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        spikes, potentials = torch.empty_like(x), torch.empty_like(x)
        start, thresholds = torch.zeros_like(decay), torch.full_like(decay, threshold)
        floors = start if floor is None else torch.full_like(decay, floor)
        with torch.cuda.device_of(x):
            kernels.lifForward(
                spikes, potentials, x, start, decay, thresholds, thresholds, floors, floor is not None, most
            )
        ctx.threshold, ctx.floor, ctx.surrogate, ctx.kernels = threshold, floor, surrogate, kernels
        # The input tells how far below the floor a potential would have gone.
        ctx.save_for_backward(spikes, potentials, decay, *([] if floor is None else [x]))
        ctx.mark_non_differentiable(potentials)
        ctx.set_materialize_grads(False)
        return spikes, potentials

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor | None, _: None) -> tuple[torch.Tensor | None, ...]:
        if grad is None:
            return (None,) * 7
        spikes = ctx.saved_tensors[0]
        with torch.no_grad():
            computed = _backward(ctx, grad)
        return (*_marked(spikes, *computed), None, None, None, None, None)


def _backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    spikes, potentials, decay, *given = ctx.saved_tensors
    threshold, floor = ctx.threshold, ctx.floor
    held = potentials - threshold * spikes
    v = potentials
    if floor is not None:
        free = given[0].clone()
        free[:, 1:].addcmul_(decay.unsqueeze(1), held[:, :-1])
        v = torch.where(potentials > floor, potentials, free)
    slopes = ctx.surrogate(v, threshold)
    wanted = slopes * grad
    # What the reset takes from a potential's effect on the next one; where the floor holds, that is all of it.
    lost = slopes.mul_(threshold)
    if floor is not None:
        lost = torch.where(held > floor, lost, 1.0)
    # The kernel computes g_t = wanted_t + (decay - decay lost_t) g_(t+1). Its own masking of clipped steps is left open: that
    # would drop the gradient of a clipped step's spikes as well, which the definition keeps.
    with torch.cuda.device_of(grad):
        g_x = ctx.kernels.lifBackward(lost.contiguous(), wanted.contiguous(), torch.ones_like(lost), decay, decay)
    g_decay = (g_x[:, 1:] * held[:, :-1]).sum(1) if ctx.needs_input_grad[1] else None
    return g_x, g_decay
