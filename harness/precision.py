"""Mixed precision: weight layers compute in a narrow float type, neurons and all that follows the network in float32.

Weights, their gradients and the optimiser's state stay float32; torch's autocast decides by operation which compute in the
narrow type. Spiking layers leave it (see :class:`harness.model.SpikingLayer`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def in_precision(network: nn.Module, precision: str) -> nn.Module:
    """``network`` itself, computing in ``precision`` wherever it is called, and putting out float32.

    The precision belongs to the network, so that training, evaluation, timing and whoever loads it from its record compute alike.
    """
    if precision == "float32":
        return network
    kind, dtype = type(network), _NARROW[precision]

    def forward(self: nn.Module, *given: Any, **named: Any) -> torch.Tensor:
        with torch.autocast(_device_of(self, given), dtype=dtype):
            out: torch.Tensor = kind.forward(self, *given, **named)
        return out.float()

    # A class of its own, as torch's parametrisations do: copies keep it, and no name in the state changes.
    network.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})
    return network


@contextmanager
def out_of_autocast(x: torch.Tensor) -> Iterator[torch.Tensor]:
    """Inside, no operation is narrowed; gives ``x``, in float32 where it was."""
    device = x.device.type
    if device == "meta" or not torch.is_autocast_enabled(device):
        yield x
        return
    with torch.autocast(device, enabled=False):
        yield x.float()


def _device_of(network: nn.Module, given: tuple[Any, ...]) -> str:
    tensors = [value for value in given if isinstance(value, torch.Tensor)] or list(network.parameters())
    return tensors[0].device.type if tensors else "cpu"


def loss_scaler(precision: str, device: str) -> torch.amp.GradScaler | None:
    """What keeps small gradients of float16 from vanishing, or None where the precision's range is wide enough."""
    return torch.amp.GradScaler(device.partition(":")[0]) if precision == "float16" else None
