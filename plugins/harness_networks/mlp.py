"""The fully connected network, (batch, time, ...) to (batch, time, classes)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn


class Mlp(nn.Module):
    """Linear and spiking layers in turn; recurrent weights belong to the network, backends only call them."""

    def __init__(
        self,
        sizes: tuple[int, ...],
        spiking_layer: Callable[..., nn.Module],
        recurrent: bool,
        bias: bool,
    ) -> None:
        super().__init__()
        self.weights = nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in pairwise(sizes))
        hidden = sizes[1:-1] if recurrent else ()
        self.recurrent = nn.ModuleList(nn.Linear(size, size, bias=False) for size in hidden)
        self.spiking = nn.ModuleList(
            spiking_layer((size,), self.recurrent[number] if number < len(self.recurrent) else None)
            for number, size in enumerate(sizes[1:])
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(2)
        for weight, spiking in zip(self.weights, self.spiking, strict=True):
            x = spiking(weight(x))
        return x


def build(
    input_shape: tuple[int, ...],
    classes: int,
    spiking_layer: Callable[..., nn.Module],
    hidden: tuple[int, ...],
    recurrent: bool,
    bias: bool,
) -> Mlp:
    """An mlp from prod(``input_shape``) inputs over ``hidden`` to ``classes`` outputs."""
    return Mlp((math.prod(input_shape), *hidden, classes), spiking_layer, recurrent, bias)
