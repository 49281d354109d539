"""Synaptic operations (SynOps).

Over weight layers, real time steps and input elements: number of events x number of non-zero outgoing weights. An element
with count c is c events for ``synops``, one for ``synops_active``; a negative count is as many events. Sums are whole numbers
in float64 (exact to 2**53) per recording, so no batch size or order changes a digit.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from harness import Context, LayerView, MetricValue, View


class SynOps:
    """Per recording and layer; every layer is linear, or named in the error."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.first = context.weight_layers[0] if context.weight_layers else ""
        self.recurrent = frozenset(context.recurrent_layers)
        self.expected = frozenset(context.weight_layers) | self.recurrent
        self.recordings: set[int] = set()
        self.totals: dict[str, dict[str, float]] = {}

    def batch(self, view: View) -> None:
        missing = self.expected - {name.partition("#")[0] for name in view.layers}
        if missing:
            raise ValueError(f"weight layers {sorted(missing)} were not seen in the forward pass")
        self.recordings.update(view.recordings.tolist())
        for name, layer in view.layers.items():
            if layer.spiking:
                continue
            self._add(name.partition("#")[0], layer, view.mask)

    def _add(self, name: str, layer: LayerView, mask: torch.Tensor | None) -> None:
        fan_out = _fan_out(name, layer.module)
        given = layer.input.flatten(2) if mask is None else layer.input.flatten(2) * mask[:, :, None]
        whole = given == torch.round(given)
        # Real-valued input has no number of events: each non-zero element is one multiply-accumulate.
        events = torch.where(whole, given.abs(), (given != 0).to(given.dtype)).sum((0, 1), dtype=torch.float64)
        active = torch.count_nonzero(given, dim=(0, 1)).double()
        multiplied = torch.count_nonzero(given * ~whole, dim=(0, 1)).double()
        total = self.totals.setdefault(name, {"synops": 0.0, "active": 0.0, "multiply": 0.0})
        total["synops"] += float((events * fan_out).sum())
        total["active"] += float((active * fan_out).sum())
        total["multiply"] += float((multiplied * fan_out).sum())

    def merge(self, other: SynOps) -> None:
        self.recordings |= other.recordings
        for name, total in other.totals.items():
            own = self.totals.setdefault(name, dict.fromkeys(total, 0.0))
            for part, value in total.items():
                own[part] += value

    def result(self) -> Mapping[str, MetricValue]:
        count = len(self.recordings)
        if not count:
            return {"synops": _value(None, "SynOps", role="cost", reason="no recordings")}
        layers = {name: total["synops"] / count for name, total in self.totals.items()}
        of_input = sum(value for name, value in layers.items() if name == self.first)
        fed_back = sum(value for name, value in layers.items() if name in self.recurrent)
        total = sum(total["synops"] for total in self.totals.values()) / count
        multiply = sum(total["multiply"] for total in self.totals.values()) / count
        active = sum(total["active"] for total in self.totals.values()) / count
        return {
            "synops": _value(total, "SynOps", role="cost", layers=layers),
            "synops_active": _value(active, "SynOps on non-zero elements"),
            "synops_input": _value(of_input, "SynOps of the input layer"),
            "synops_hidden": _value(total - of_input - fed_back, "SynOps of later layers"),
            "synops_recurrent": _value(fed_back, "SynOps of recurrent weights"),
            "accumulates": _value(total - multiply, "accumulates"),
            "multiply_accumulates": _value(multiply, "multiply-accumulates"),
        }


def _fan_out(name: str, module: nn.Module) -> torch.Tensor:
    """Non-zero outgoing weights of every input element."""
    if isinstance(module, nn.Linear):
        return torch.count_nonzero(module.weight, dim=0).double()
    raise TypeError(f"weight layer {name} is a {type(module).__name__}, whose synapses this metric cannot count")


def _value(
    value: float | None, title: str, role: str = "detail", reason: str = "", layers: object = None
) -> MetricValue:
    return MetricValue(
        value=value,
        reason=reason,
        unit="operations/recording",
        direction="lower",
        kind="seeded",
        title=title,
        role="cost" if role == "cost" else "detail",
        arrays={} if layers is None else {"layers": layers},
    )
