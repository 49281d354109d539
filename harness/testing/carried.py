"""A layer of a backend that computes on CUDA devices alone, for checks whose tensors lie on the processor."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


class Carried(nn.Module):
    """A layer that computes on a CUDA device, for tensors and parameters that lie on the processor."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        if hasattr(inner, "trace"):
            self.trace = self._trace

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        there = {name: parameter.to("cuda") for name, parameter in self.inner.named_parameters()}
        out: torch.Tensor = torch.func.functional_call(self.inner, there, (x.to("cuda"),))
        return out.to(x.device)

    def _trace(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        inner: Any = copy.deepcopy(self.inner).to("cuda")
        spikes, states = inner.trace(x.to("cuda"))
        return spikes.to(x.device), {name: value.to(x.device) for name, value in states.items()}
