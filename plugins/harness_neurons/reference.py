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

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from harness import Choice

from .surrogates import find, formula


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
        names = ("i_syn", "v_mem") if self.tau_adapt is None else ("i_syn", "v_mem", "b")
        spikes, _, seen = self._scan(x, state or {}, names)
        return spikes, seen

    def formulas(self) -> dict[str, str]:
        """The surrogate's ``derivative`` and ``smooth`` function in words of Python, and their ``source``; its scale left out."""
        return asdict(formula(self.neuron["surrogate"]))

    def margins(self, x: torch.Tensor) -> State:
        """Where rounding may decide: distances to the nearest jump, each (batch, time, *shape).

        ``spikes``: of v to the nearest potential at which the number of spikes changes. ``slopes``: to the nearest jump of a
        derivative, at an edge of the surrogate or at the floor; infinite where there is none, or v lies exactly on it, which
        is no matter of rounding. ``scale``: the largest of current, potential and threshold up to the step.
        """
        neuron = self.neuron
        _, _, seen = self._scan(x, {}, ("received", "i_syn", "potential", "threshold", "reset"))
        v, th = seen["potential"], seen["threshold"]
        multiple = torch.round(v / th).clamp(min=1)
        if neuron["spikes"] != "multi":
            multiple = multiple.clamp(max=1 if neuron["spikes"] == "single" else neuron["max_spikes"])
        jumps = {"boxcar": (-1, 1), "heaviside": (-1,)}.get(neuron["surrogate"], ())
        edges = [torch.abs(v - th - side * neuron["surrogate_width"]) for side in jumps]
        if neuron["v_min"] is not None:
            edges.append(torch.abs(seen["reset"] - neuron["v_min"]))
        slopes = torch.full_like(v, torch.inf)
        for edge in edges:
            slopes = torch.minimum(slopes, torch.where(edge == 0, torch.inf, edge))
        largest = torch.stack([torch.abs(seen[name]) for name in ("received", "i_syn", "potential", "threshold")]).amax(
            0
        )
        return {
            "spikes": torch.abs(v - multiple * th),
            "slopes": slopes,
            "scale": torch.cummax(largest, 1).values if x.shape[1] else largest,
        }

    def _scan(self, x: torch.Tensor, state: State, wanted: tuple[str, ...] = ()) -> tuple[torch.Tensor, State, State]:
        """Spikes, the state after the last step, and what is ``wanted`` of every step, by name.

        ``potential`` is v before the reset, ``reset`` v after it, ``v_mem`` v after the floor.
        """
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
        seen: dict[str, list[torch.Tensor]] = {name: [] for name in ("spikes", *wanted)}
        for step in range(x.shape[1]):
            received = x[:, step] + fed_back
            i = received if self.tau_syn is None else a_syn * (i + received)
            if normalised and adaptive:
                i = (1 - a_mem) * i
            v = a_mem * v + ((1 - a_mem) * i if normalised and not adaptive else i)
            threshold = base + neuron["adapt_scale"] * b if adaptive else base
            potential = v
            s = _Spike.apply(v, threshold, neuron)
            v = v - s * threshold if neuron["reset"] == "subtract" else torch.where(s > 0, neuron["reset_value"], v)
            reset = v
            if adaptive:
                b = a_adapt * b + (1 - a_adapt) * s
            if neuron["v_min"] is not None:
                v = torch.relu(v - neuron["v_min"]) + neuron["v_min"]
            if recurrent is not None and step + 1 < x.shape[1]:
                fed_back = recurrent(s)
            now = {
                "spikes": s,
                "received": received,
                "i_syn": i,
                "potential": potential,
                "threshold": threshold.expand_as(v),
                "reset": reset,
                "v_mem": v,
                "b": b,
            }
            for name, values in seen.items():
                values.append(now[name])
        after = {"v_mem": v}
        if self.tau_syn is not None:
            after["i_syn"] = i
        if adaptive:
            after["b"] = b
        if recurrent is not None and s is not None:
            after["spikes"] = s
        nothing = torch.zeros_like(x)
        stacked = {name: torch.stack(values, 1) if values else nothing for name, values in seen.items()}
        return stacked.pop("spikes"), after, stacked


def layer(neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None = None) -> Reference:
    """The reference layer of ``neuron``; ``recurrent`` maps (batch, *shape) to the same, from the last step's spikes."""
    return Reference(neuron, shape, recurrent)
