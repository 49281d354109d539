"""How large a network is: counted, so exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn

from harness import Context, MetricValue, View


class Footprint:
    """Trained parameters and non-zero weights from the model, neurons from the shapes that it computes."""

    def start(self, model: nn.Module, context: Context) -> None:
        modules = dict(model.named_modules())
        weights = [modules[name].weight for name in (*context.weight_layers, *context.recurrent_layers)]
        self.parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        self.weights = sum(int(weight.count_nonzero()) for weight in weights if isinstance(weight, torch.Tensor))
        self.neurons: int | None = None

    def batch(self, view: View) -> None:
        if self.neurons is None:
            self.neurons = sum(layer.output[0, 0].numel() for layer in view.layers.values() if layer.spiking)

    def merge(self, other: Footprint) -> None:
        self.neurons = self.neurons if self.neurons is not None else other.neurons

    def result(self) -> Mapping[str, MetricValue]:
        return {
            "parameters": _count(self.parameters, "parameters", "exact"),
            "nonzero_weights": _count(self.weights, "non-zero weights", "seeded"),
            "neurons": _count(self.neurons, "neurons", "exact"),
        }


def _count(value: int | None, title: str, kind: Literal["exact", "seeded"]) -> MetricValue:
    return MetricValue(
        value=value,
        reason="" if value is not None else "no batch was seen",
        unit="",
        direction="lower",
        kind=kind,
        title=title,
    )
