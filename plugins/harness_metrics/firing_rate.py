"""Firing rate over real time steps, and who never or always fires."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from harness import Context, MetricValue, View


class FiringRate:
    """Integer sums of spikes per neuron of every spiking layer; steps that only pad a batch are left out."""

    def start(self, model: torch.nn.Module, context: Context) -> None:
        self.dt_ms = context.dt_ms
        self.steps = 0
        self.spikes: dict[str, torch.Tensor] = {}
        self.active: dict[str, torch.Tensor] = {}  # steps in which a neuron spiked at all

    def batch(self, view: View) -> None:
        batch, time = view.outputs.shape[:2]
        self.steps += batch * time if view.mask is None else int(view.mask.sum())
        for name, layer in view.layers.items():
            if not layer.spiking:
                continue
            spikes = layer.output.flatten(2)
            if view.mask is not None:
                spikes = spikes * view.mask[:, :, None]
            # Float32 sums of whole numbers are exact below 2**24 a neuron and batch; float64 beyond any doubt.
            counted = spikes.sum((0, 1), dtype=torch.float64).to(torch.int64).cpu()
            active = torch.count_nonzero(spikes, dim=(0, 1)).cpu()
            if name in self.spikes:
                self.spikes[name] += counted
                self.active[name] += active
            else:
                self.spikes[name], self.active[name] = counted, active

    def merge(self, other: FiringRate) -> None:
        self.steps += other.steps
        for name in other.spikes:
            if name in self.spikes:
                self.spikes[name] = self.spikes[name] + other.spikes[name]
                self.active[name] = self.active[name] + other.active[name]
            else:
                self.spikes[name], self.active[name] = other.spikes[name], other.active[name]

    def result(self) -> Mapping[str, MetricValue]:
        neurons = sum(len(counts) for counts in self.spikes.values())
        if not neurons or not self.steps:
            reason = "no spiking layer was seen" if not neurons else "no time steps"
            return {"firing_rate": _value(None, "spikes/neuron/step", "firing rate", "cost", reason=reason)}
        total = sum(int(counts.sum()) for counts in self.spikes.values())
        rate = total / neurons / self.steps
        layers = {name: int(counts.sum()) / len(counts) / self.steps for name, counts in self.spikes.items()}
        silent = sum(int((counts == 0).sum()) for counts in self.active.values()) / neurons
        saturated = sum(int((counts == self.steps).sum()) for counts in self.active.values()) / neurons
        by_layer = {name: int((counts == 0).sum()) / len(counts) for name, counts in self.active.items()}
        return {
            "firing_rate": _value(rate, "spikes/neuron/step", "firing rate", "cost", layers=layers),
            "firing_rate_hz": _value(rate / self.dt_ms * 1000, "Hz", "firing rate"),
            "silent_neurons": _value(silent, "fraction", "silent neurons", layers=by_layer),
            "saturated_neurons": _value(saturated, "fraction", "saturated neurons"),
        }


def _value(
    value: float | None, unit: str, title: str, role: str = "detail", reason: str = "", layers: object = None
) -> MetricValue:
    return MetricValue(
        value=value,
        reason=reason,
        unit=unit,
        direction="lower" if role == "cost" else "none",
        kind="seeded",
        title=title,
        role="cost" if role == "cost" else "detail",
        arrays={} if layers is None else {"layers": layers},
    )
