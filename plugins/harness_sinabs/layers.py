"""sinabs layers behind the harness's contract."""

from __future__ import annotations

import copy
from typing import Any

import sinabs.activation as activation
import sinabs.layers as layers
import torch
from sinabs.layers.alif import ALIFSqueeze  # not among the names that sinabs.layers exports
from torch import nn

from harness import Choice

_CLASSES = {
    ("iaf", False, "plain"): layers.IAF,
    ("lif", False, "plain"): layers.LIF,
    ("alif", False, "plain"): layers.ALIF,
    ("iaf", False, "flattened"): layers.IAFSqueeze,
    ("lif", False, "flattened"): layers.LIFSqueeze,
    ("alif", False, "flattened"): ALIFSqueeze,
    ("iaf", True, "plain"): layers.IAFRecurrent,
    ("lif", True, "plain"): layers.LIFRecurrent,
    ("alif", True, "plain"): layers.ALIFRecurrent,
}


class _Unregistered:
    """Calls a module without registering it: the network owns and names recurrent weights."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, spikes: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.module(spikes)
        return out


class SinabsLayer(nn.Module):
    """One sinabs layer; (batch, time, ...) in and out, zero state at every call."""

    def __init__(self, neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None, layout: str) -> None:
        super().__init__()
        self.neuron = neuron
        self.shape = tuple(shape)
        self.layout = layout
        self._recurrent = None if recurrent is None else _Unregistered(recurrent)
        self.layer = _CLASSES[neuron.name, recurrent is not None, layout](**self._arguments())
        for name in ("tau_mem", "tau_syn", "tau_adapt"):
            tau = getattr(self.layer, name, None)
            if isinstance(tau, nn.Parameter):
                # sinabs makes every time constant a trained parameter.
                tau.requires_grad_(neuron["train_taus"])
        self._forget()

    def _arguments(self) -> dict[str, Any]:
        neuron = self.neuron
        arguments: dict[str, Any] = {
            "tau_syn": self._tau("tau_syn"),
            "min_v_mem": neuron["v_min"],
            "spike_threshold": torch.tensor(neuron["threshold"]),
            "spike_fn": _spike_function(neuron),
            "reset_fn": activation.MembraneSubtract() if neuron["reset"] == "subtract" else activation.MembraneReset(),
            "surrogate_grad_fn": _surrogate(neuron),
        }
        if neuron.name in ("lif", "alif"):
            arguments |= {"tau_mem": self._tau("tau_mem"), "norm_input": neuron["norm_input"]}
        if neuron.name == "alif":
            arguments |= {"tau_adapt": self._tau("tau_adapt"), "adapt_scale": neuron["adapt_scale"]}
        if self._recurrent is not None:
            arguments["rec_connect"] = self._recurrent
        if self.layout == "flattened":
            arguments["num_timesteps"] = 1  # set at every call
        return arguments

    def _tau(self, name: str) -> Any:
        value = self.neuron[name]
        return value if value is None or self.neuron["taus"] == "layer" else torch.full(self.shape, value)

    def _forget(self) -> None:
        """Empty the state and keep it out of state_dict; a state left from another batch would be drawn from at random."""
        for name, buffer in list(self.layer.named_buffers()):
            self.layer.register_buffer(name, buffer.new_zeros(0), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if 0 in x.shape:
            return torch.zeros_like(x)  # sinabs stacks the steps of an empty loop
        out = self._called(x)
        self._forget()
        return out

    def trace(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Spikes, and ``i_syn``, ``v_mem`` and alif's ``b`` after every step, each (batch, time, *shape)."""
        names = ("i_syn", "v_mem", "b") if self.neuron.name == "alif" else ("i_syn", "v_mem")
        if 0 in x.shape:
            return torch.zeros_like(x), {name: torch.zeros_like(x) for name in names}
        # The library's own recordings keep no current without tau_syn and, of ALIF and of recurrent layers, the states
        # that the next step has overwritten (sinabs 3.1.3); every step calls the reset, which sees them all.
        reset, seen = self.layer.reset_fn, list[dict[str, torch.Tensor]]()

        def listening(spikes: torch.Tensor, state: dict[str, torch.Tensor], threshold: torch.Tensor) -> Any:
            after = reset(spikes, state, threshold)
            seen.append(dict(after))
            return after

        self.layer.reset_fn = listening
        try:
            spikes = self._called(x)
        finally:
            self.layer.reset_fn = reset
        states = {name: [step[name] for step in seen] for name in names}
        if self.layer.min_v_mem is not None:
            floor = self.layer.min_v_mem
            states["v_mem"] = [torch.relu(v - floor) + floor for v in states["v_mem"]]
        if "b" in states:
            states["b"] = [*states["b"][1:], self.layer.b]  # it moves after the reset
        self._forget()
        return spikes, {name: torch.stack(values, 1) for name, values in states.items()}

    def _called(self, x: torch.Tensor) -> torch.Tensor:
        """The spikes of a call from zero state, which leaves the library's state behind."""
        self.layer.init_state_with_shape((x.shape[0], *x.shape[2:]))
        if self.layout == "flattened":
            self.layer.num_timesteps = x.shape[1]
            flat: torch.Tensor = self.layer(x.flatten(0, 1))
            return flat.unflatten(0, x.shape[:2])
        out: torch.Tensor = self.layer(x)
        return out

    def __deepcopy__(self, memo: dict[int, Any]) -> SinabsLayer:
        # The library's own copies by constructor arguments and would keep calling the old recurrent weights.
        recurrent = None if self._recurrent is None else copy.deepcopy(self._recurrent.module, memo)
        made = SinabsLayer(self.neuron, self.shape, recurrent, self.layout)
        made.load_state_dict(self.state_dict())
        made.train(self.training)
        memo[id(self)] = made
        return made


def _spike_function(neuron: Choice) -> Any:
    if neuron["spikes"] == "max":
        return activation.MaxSpike(max_num_spikes_per_bin=neuron["max_spikes"])
    return activation.SingleSpike if neuron["spikes"] == "single" else activation.MultiSpike


def _surrogate(neuron: Choice) -> Any:
    width, scale = neuron["surrogate_width"], neuron["surrogate_scale"]
    made = {
        "single-exponential": lambda: activation.SingleExponential(grad_width=width, grad_scale=scale),
        "periodic-exponential": lambda: activation.PeriodicExponential(grad_width=width, grad_scale=scale),
        "heaviside": lambda: activation.Heaviside(window=width),
        "gaussian": lambda: activation.Gaussian(sigma=width, grad_scale=scale),
        "multi-gaussian": lambda: activation.MultiGaussian(sigma=width, grad_scale=scale),
    }
    return made[neuron["surrogate"]]()


def layer(
    neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None = None, layout: str = "plain"
) -> SinabsLayer:
    """The sinabs layer of ``neuron``; recurrent layers exist in the plain layout alone."""
    return SinabsLayer(neuron, shape, recurrent, "plain" if recurrent is not None else layout)
