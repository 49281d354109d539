"""The layer that the backend hands to the harness."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from harness import Choice

from .scan import FusedScan, Scan

State = dict[str, torch.Tensor]

_TAUS = ("tau_syn", "tau_mem", "tau_adapt")


class FusedLayer(nn.Module):
    """(batch, time, *shape) in and out, float32 or float64; a call starts from zero state, :meth:`stream` from a given one."""

    def __init__(self, neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None) -> None:
        super().__init__()
        self.neuron = neuron
        self.shape = tuple(shape)
        # Out of the module tree: the network owns recurrent weights.
        self._recurrent = (recurrent,)
        self._scan = Scan(neuron)
        for name in _TAUS:
            value = neuron.values.get(name)
            size = self.shape if neuron["taus"] == "neuron" else ()
            tau = None if value is None else nn.Parameter(torch.full(size, value), requires_grad=neuron["train_taus"])
            self.register_parameter(name, tau)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._run(x, None, wants_state=False)[0]

    def stream(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Spikes, and the state after the last step: ``i_syn`` with tau_syn, ``v_mem``, ``b`` of alif, ``spikes`` with recurrence.

        Each is (batch, *shape). Pieces that hand their state on compute what one call does, gradients included.
        """
        return self._run(x, state, wants_state=True)

    def trace(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Spikes, and ``i_syn``, ``v_mem`` and alif's ``b`` after every step, each (batch, time, *shape)."""
        spikes, _, kept = self._stepped(x, state)
        if not kept:
            return spikes, dict.fromkeys(self._planes(), spikes)
        return spikes, {name: torch.stack([seen[name] for seen in kept], 1) for name in kept[0]}

    def _planes(self) -> dict[str, int]:
        return {"i_syn": 0, "v_mem": 1} | ({"b": 2} if self._scan.adaptive else {})

    def _run(self, x: torch.Tensor, state: State | None, *, wants_state: bool) -> tuple[torch.Tensor, State]:
        recurrent = self._recurrent[0]
        if recurrent is None or self._inside(recurrent, x):
            out, end = self._scanned(x, state, recurrent, wants_end=wants_state)
            return out, self._state_after(out, end, state) if wants_state else {}
        spikes, state, _ = self._stepped(x, state)
        return spikes, state or {}

    def _stepped(self, x: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State | None, list[State]]:
        """Step by step: spikes, the state after the last step, and what can be seen after each, (batch, *shape)."""
        spikes, kept = [], []
        for step in range(x.shape[1]):
            out, end = self._scanned(x[:, step : step + 1], state, self._recurrent[0], wants_end=True)
            state = self._state_after(out, end, state)
            spikes.append(out)
            kept.append({name: end[plane].reshape(x.shape[0], *x.shape[2:]) for name, plane in self._planes().items()})
        return (torch.cat(spikes, 1) if spikes else torch.zeros_like(x)), state, kept

    @staticmethod
    def _function(device: torch.device) -> Any:
        """The differentiable scan of that kind of device."""
        if device.type == "cpu":
            return FusedScan
        from .cuda import TritonScan  # Triton comes with CUDA builds of torch alone

        return TritonScan

    def _inside(self, recurrent: nn.Module, x: torch.Tensor) -> bool:
        """Whether the kernel can apply ``recurrent`` itself: exactly a linear map over the layer, with nobody looking on."""
        if self._function(x.device) is not FusedScan:
            return False
        watched = recurrent._forward_hooks or recurrent._forward_pre_hooks or recurrent._backward_hooks
        return type(recurrent) is nn.Linear and len(self.shape) == 1 and not watched

    def _scanned(
        self, x: torch.Tensor, state: State | None, recurrent: nn.Module | None, *, wants_end: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self._check(x)
        asked, x = x, x if x.dtype in (torch.float32, torch.float64) else x.float()
        order = self._order(x) if state is None and recurrent is None and not wants_end else None
        laid = x if order is None else x.permute(order)
        flat = laid.reshape(x.shape[0], x.shape[1], math.prod(self.shape))
        start, weight, bias = None, None, None
        inside = recurrent is not None and self._inside(recurrent, x)
        if state is not None:
            flat_state = {name: value.to(x.dtype).reshape(x.shape[0], flat.shape[2]) for name, value in state.items()}
            zero = flat.new_zeros(flat.shape[0], flat.shape[2])
            planes = ("i_syn", "v_mem", "b", "spikes") if inside and "spikes" in state else ("i_syn", "v_mem", "b")
            start = torch.stack([flat_state.get(name, zero) for name in planes])
            if recurrent is not None and not inside and "spikes" in state and x.shape[1]:
                fed_back = recurrent(state["spikes"].to(x.dtype)).reshape(flat.shape[0], 1, flat.shape[2])
                flat = torch.cat([flat[:, :1] + fed_back, flat[:, 1:]], 1)
        if recurrent is not None and inside:
            weight, bias = recurrent.weight, recurrent.bias
        decays = self._decays(x)
        wants_gradient = any(item is not None and item.requires_grad for item in (flat, decays, weight, bias, start))
        keep = torch.is_grad_enabled() and wants_gradient
        out, end = self._function(x.device).apply(flat, decays, weight, bias, start, self._scan, wants_end, keep)
        out = out.reshape(laid.shape)
        if order is not None:
            out = out.permute([order.index(dimension) for dimension in range(x.dim())])
        return out.to(asked.dtype), end

    def _order(self, x: torch.Tensor) -> list[int] | None:
        """Dimensions as they lie in memory, where that differs from their order and neurons are all alike; else None.

        Convolutions put channels last; neurons that do not meet are computed as well in that order, and nothing is copied.
        """
        if x.is_contiguous() or self.neuron["taus"] == "neuron":
            return None
        order = [0, 1, *sorted(range(2, x.dim()), key=lambda dimension: -x.stride(dimension))]
        return order if x.permute(order).is_contiguous() else None

    def _check(self, x: torch.Tensor) -> None:
        if x.device.type not in ("cpu", "cuda"):
            raise RuntimeError(f"the backend fused computes on CPUs and CUDA devices, not on {x.device}")
        if x.dim() < 2 or tuple(x.shape[2:]) != self.shape:
            raise ValueError(f"expected (batch, time, *{self.shape}), got {tuple(x.shape)}")

    def _decays(self, x: torch.Tensor) -> torch.Tensor:
        """exp(-1 / tau) of current, membrane and adaptation, (3, 1 or neurons); 1 where there is no such tau."""
        taus = (self.tau_syn, self.tau_mem, self.tau_adapt)
        # An infinite time constant has the decay 1.
        absent = torch.full(next((tau.shape for tau in taus if tau is not None), ()), math.inf, device=x.device)
        stacked = torch.stack([absent if tau is None else tau for tau in taus])
        return torch.exp(-1 / stacked.to(x.dtype)).reshape(3, -1)

    def _state_after(self, out: torch.Tensor, end: torch.Tensor, before: State | None) -> State:
        shape = (out.shape[0], *out.shape[2:])
        state = {name: end[plane].reshape(shape) for name, plane in self._planes().items()}
        if not self._scan.filtered:
            del state["i_syn"]
        if self._recurrent[0] is not None:
            if out.shape[1]:
                state["spikes"] = out[:, -1]
            elif before is not None and "spikes" in before:
                state["spikes"] = before["spikes"]
        return state


def layer(neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None = None) -> FusedLayer:
    """The fused layer of ``neuron``; ``recurrent`` maps (batch, *shape) to the same, from the last step's spikes."""
    return FusedLayer(neuron, shape, recurrent)
