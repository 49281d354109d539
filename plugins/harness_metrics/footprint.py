"""How large a network is: weights, states, and the memory that training took."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from harness import Context, MetricValue, View
from harness.observation import ValueKind

from .states import state_bytes


class Footprint:
    """Parameters and non-zero weights from the model, neurons and states from the layers that it computes."""

    def start(self, model: nn.Module, context: Context) -> None:
        modules = dict(model.named_modules())
        names = (*context.weight_layers, *context.recurrent_layers)
        # A pruned weight is a plain tensor, and no parameter.
        weights = [getattr(modules[name], "weight", None) for name in names]
        self.parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        self.bytes = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        self.weights = sum(int(weight.count_nonzero()) for weight in weights if isinstance(weight, torch.Tensor))
        self.training = context.training
        self.neurons: int | None = None
        self.states: int | None = None
        self.no_states = "no batch was seen"

    def batch(self, view: View) -> None:
        if self.neurons is not None:
            return
        spiking = {name: layer for name, layer in view.layers.items() if layer.spiking}
        self.neurons = sum(math.prod(layer.output_shape[2:]) for layer in spiking.values())
        try:
            self.states = sum(state_bytes(name, layer) for name, layer in spiking.items())
        except ValueError as error:
            self.no_states = str(error)

    def merge(self, other: Footprint) -> None:
        if self.neurons is None:
            self.neurons, self.states, self.no_states = other.neurons, other.states, other.no_states

    def result(self) -> Mapping[str, MetricValue]:
        training = self.training
        peak = training.peak_memory_bytes if training is not None else None
        return {
            "parameters": _count(self.parameters, "parameters", "exact"),
            "parameter_bytes": _count(self.bytes, "size of the parameters", "exact", "B"),
            "nonzero_weights": _count(self.weights, "non-zero weights", "seeded"),
            "neurons": _count(self.neurons, "neurons", "exact", reason="no batch was seen"),
            "state_bytes": _count(self.states, "neuron states of a recording", "exact", "B", self.no_states),
            "training_peak_bytes": _count(
                peak, "peak memory of training", "noisy", "B", "what training took was not measured"
            ),
        }


def _count(
    value: int | None,
    title: str,
    kind: ValueKind,
    unit: str = "",
    reason: str = "",
) -> MetricValue:
    return MetricValue(
        value=value,
        reason=reason,
        unit=unit,
        direction="lower",
        kind=kind,
        title=title,
    )
