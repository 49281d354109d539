"""How many non-zero weights an event meets: by element of a layer's input, edges, stride, padding, dilation and groups included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

_CONVOLUTIONS: dict[type[nn.Module], Callable[..., torch.Tensor]] = {
    nn.Conv1d: F.conv1d,
    nn.Conv2d: F.conv2d,
    nn.Conv3d: F.conv3d,
}
_TRANSPOSED: dict[type[nn.Module], Callable[..., torch.Tensor]] = {
    nn.ConvTranspose1d: F.conv_transpose1d,
    nn.ConvTranspose2d: F.conv_transpose2d,
    nn.ConvTranspose3d: F.conv_transpose3d,
}
# At inference a scale and a shift a channel, which belong into the weights before: no synapses of their own.
_FOLDED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class NotUnderstood(TypeError):
    """A layer with weights whose synapses cannot be counted; an error, never a silent 0."""


def is_folded(module: nn.Module) -> bool:
    """Whether the layer is a batch normalisation, which inference folds into the weights before it."""
    return isinstance(module, _FOLDED)


def dimensions(name: str, module: nn.Module) -> int:
    """Dimensions of what the layer takes as one sample: 1 of a linear layer, channels and space of a convolution.

    Raises :class:`NotUnderstood` for any other layer, and for one of those that computes something else.
    """
    known: type[nn.Module]
    for known in (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED):
        if isinstance(module, known):
            if type(module).forward is not known.forward:
                break
            return 1 if known is nn.Linear else 1 + int(known.__name__[-2])
    what = f"weight layer {name}" if name else "the network itself"
    raise NotUnderstood(f"{what} is a {type(module).__name__}, whose synapses this metric cannot count")


def fan_out(module: nn.Module, sample: tuple[int, ...], output: tuple[int, ...]) -> torch.Tensor:
    """Non-zero outgoing weights of every element of a ``sample``, of that shape, float64 on the CPU.

    ``output`` is the shape of what the layer makes of it. An element that is padded into several places meets the weights of all.
    """
    weight: torch.Tensor = module.weight  # type: ignore[assignment]  # every layer that is understood has one
    # What follows may run inside an evaluation's inference mode, where nothing can be differentiated.
    with torch.inference_mode(False), torch.enable_grad():
        there = (weight.detach() != 0).double().cpu()
        if isinstance(module, nn.Linear):
            return there.sum(0).expand(sample).contiguous()
        # The layer is linear, so the gradient of the sum of its outputs is the sum of weights behind each input.
        x = torch.zeros(sample, dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(_convolved(module, x, there, output).sum(), x)
        return found


def _convolved(module: Any, x: torch.Tensor, weight: torch.Tensor, output: tuple[int, ...]) -> torch.Tensor:
    for known, transposed in _TRANSPOSED.items():
        if isinstance(module, known):
            return transposed(
                x,
                weight,
                None,
                module.stride,
                module.padding,
                _beyond(module, x, output),
                module.groups,
                module.dilation,
            )
    convolve = next(function for known, function in _CONVOLUTIONS.items() if isinstance(module, known))
    padding = module.padding
    if module.padding_mode != "zeros":
        mode = {"reflect": "reflect", "replicate": "replicate", "circular": "circular"}[module.padding_mode]
        # torch pads batches alone in these modes.
        x = F.pad(x.unsqueeze(0), module._reversed_padding_repeated_twice, mode=mode).squeeze(0)
        padding = 0
    return convolve(x, weight, None, module.stride, padding, module.dilation, module.groups)


def _beyond(module: Any, x: torch.Tensor, output: tuple[int, ...]) -> list[int]:
    """The output padding that gives the output's size, which a caller may choose at every call."""
    sizes = zip(
        output[1:], x.shape[1:], module.stride, module.padding, module.dilation, module.kernel_size, strict=True
    )
    return [
        out - ((given - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1)
        for out, given, stride, padding, dilation, kernel in sizes
    ]
