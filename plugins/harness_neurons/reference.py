"""The definition of iaf, lif and alif in plain torch: slow, readable, any float type.

One step at input x, with a = exp(-1 / tau):

1. i <- a_syn (i + x); without tau_syn, i = x
2. u = (1 - a_mem) i under norm_input, else u = i; alif scales the stored i itself
3. v <- a_mem v + u; iaf has a_mem = 1 and no norm_input
4. s = spikes of v at the threshold; alif's threshold is th + adapt_scale b with b from before this step
5. v <- v - s threshold, or the reset value where s > 0
6. alif: b <- a_adapt b + (1 - a_adapt) s
7. v <- max(v, v_min)

The derivative of 4 is the surrogate at v and the threshold; none flows to the threshold there, it does through 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness import Choice

from .surrogates import find


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: torch.Tensor, threshold: torch.Tensor, neuron: Choice) -> torch.Tensor:
        ctx.save_for_backward(v, threshold)
        ctx.neuron = neuron
        if neuron["spikes"] == "single":
            return (v - threshold >= 0).to(v.dtype)
        count = torch.where(v > 0, torch.trunc(v / threshold), torch.zeros_like(v))
        return count.clamp(max=neuron["max_spikes"]) if neuron["spikes"] == "max" else count

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        v, threshold = ctx.saved_tensors
        slope = find(ctx.neuron["surrogate"])(v, threshold, ctx.neuron["surrogate_width"])
        return gradients[0] * slope * ctx.neuron["surrogate_scale"], None, None


State = dict[str, torch.Tensor]


class Reference(nn.Module):
    """(batch, time, *shape) in and out; a call starts from zero state, :meth:`stream` from a given one."""

    def __init__(self, neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None) -> None:
        super().__init__()
        self.neuron = neuron
        # Held out of the module tree: the network owns and names its weights.
        self._recurrent = (recurrent,)
        for name in ("tau_syn", "tau_mem", "tau_adapt"):
            value = neuron.values.get(name)
            size = shape if neuron["taus"] == "neuron" else ()
            tau = None if value is None else nn.Parameter(torch.full(size, value), requires_grad=neuron["train_taus"])
            self.register_parameter(name, tau)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._scan(x, {})[0]

    def stream(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Spikes, and the state after the last step: ``i_syn`` with tau_syn, ``v_mem``, ``b`` of alif, ``spikes`` with recurrence.

        Each is (batch, *shape). Pieces that hand their state on compute what one call does, gradients included.
        """
        return self._scan(x, state or {})[:2]

    def trace(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Spikes, and ``i_syn``, ``v_mem`` and alif's ``b`` after every step, each (batch, time, *shape)."""
        spikes, _, traces = self._scan(x, state or {})
        return spikes, traces

    def _scan(self, x: torch.Tensor, state: State) -> tuple[torch.Tensor, State, State]:
        neuron, recurrent = self.neuron, self._recurrent[0]
        one = x.new_tensor(1.0)
        a_syn, a_mem, a_adapt = (
            one if tau is None else torch.exp(-1 / tau.to(x.dtype))
            for tau in (self.tau_syn, self.tau_mem, self.tau_adapt)
        )
        base = one * neuron["threshold"]
        adaptive = self.tau_adapt is not None
        normalised = bool(neuron.values.get("norm_input", False))
        zero = x.new_zeros(x.shape[0], *x.shape[2:])
        i, v, b = (state.get(name, zero) for name in ("i_syn", "v_mem", "b"))
        s = state.get("spikes")
        fed_back = recurrent(s) if recurrent is not None and s is not None and x.shape[1] else zero
        out: list[torch.Tensor] = []
        seen: list[tuple[torch.Tensor, ...]] = []
        for step in range(x.shape[1]):
            received = x[:, step] + fed_back
            i = received if self.tau_syn is None else a_syn * (i + received)
            if normalised and adaptive:
                i = (1 - a_mem) * i
            v = a_mem * v + ((1 - a_mem) * i if normalised and not adaptive else i)
            threshold = base + neuron["adapt_scale"] * b if adaptive else base
            s = _Spike.apply(v, threshold, neuron)
            v = v - s * threshold if neuron["reset"] == "subtract" else torch.where(s > 0, neuron["reset_value"], v)
            if adaptive:
                b = a_adapt * b + (1 - a_adapt) * s
            if neuron["v_min"] is not None:
                v = torch.relu(v - neuron["v_min"]) + neuron["v_min"]
            if recurrent is not None and step + 1 < x.shape[1]:
                fed_back = recurrent(s)
            out.append(s)
            seen.append((i, v, b) if adaptive else (i, v))
        after = {"v_mem": v}
        if self.tau_syn is not None:
            after["i_syn"] = i
        if adaptive:
            after["b"] = b
        if recurrent is not None and s is not None:
            after["spikes"] = s
        names = ("i_syn", "v_mem", "b") if adaptive else ("i_syn", "v_mem")
        nothing = torch.zeros_like(x)
        planes = list(zip(*seen, strict=True)) or [[]] * len(names)
        traces = {name: torch.stack(plane, 1) if plane else nothing for name, plane in zip(names, planes, strict=True)}
        return (torch.stack(out, 1) if out else nothing), after, traces


def layer(neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None = None) -> Reference:
    """The reference layer of ``neuron``; ``recurrent`` maps (batch, *shape) to the same, from the last step's spikes."""
    return Reference(neuron, shape, recurrent)
