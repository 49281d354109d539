"""Firing rate over real time steps: of neurons, layers, the network and classes; and who never or always fires."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import nn

from harness import Context, Histogram, MetricValue, View
from harness.tally import Grouped

from .sums import by_label, labels_of, steps_of

if TYPE_CHECKING:
    from harness.tally import Sums

# Width of a bin of the histogram, in spikes a neuron and step.
_BIN = 0.025


@dataclass
class _Layer:
    """Spikes of each neuron by class (C, N), and the steps at which it spiked at all (N,)."""

    spikes: Sums
    active: Sums


class FiringRate:
    """Whole-number sums of spikes; steps that only pad a batch are left out."""

    def start(self, model: nn.Module, context: Context) -> None:
        self.dt_ms = context.dt_ms
        self.steps = np.zeros(len(context.classes))
        self.layers: dict[str, Grouped] = {}

    def batch(self, view: View) -> None:
        classes = len(self.steps)
        self.steps += by_label(view, steps_of(view), classes)
        for name, layer in view.layers.items():
            if not layer.spiking:
                continue
            self.layers.setdefault(name, Grouped(classes)).add(view.tally(layer.sent), labels_of(view))

    def merge(self, other: FiringRate) -> None:
        self.steps = self.steps + other.steps
        for name, layer in other.layers.items():
            self.layers.setdefault(name, Grouped(len(self.steps))).merge(layer)

    def result(self) -> Mapping[str, MetricValue]:
        layers = {name: _Layer(layer.events, layer.active) for name, layer in self.layers.items()}
        neurons, steps = sum(len(layer.active) for layer in layers.values()), float(self.steps.sum())
        if not neurons or not steps:
            reason = "no spiking layer was seen" if not neurons else "no time steps"
            return {
                name: _value(None, unit, title, cost=name == "firing_rate", reason=reason)
                for name, (unit, title) in _FIGURES.items()
            }
        rates = {name: layer.spikes.sum(0) / steps for name, layer in layers.items()}
        of_class = sum(layer.spikes.sum(1) for layer in layers.values())
        total = float(of_class.sum()) / neurons / steps
        silent = {name: _share(layer.active == 0) for name, layer in layers.items()}
        saturated = {name: _share(layer.active == steps) for name, layer in layers.items()}
        sizes = {name: len(layer.active) for name, layer in layers.items()}
        rate_arrays = {
            "layers": {name: float(layer.spikes.sum()) / sizes[name] / steps for name, layer in layers.items()},
            "per_class": [
                float(spikes) / neurons / float(real) if real else None
                for spikes, real in zip(of_class, self.steps, strict=True)
            ],
        }
        return {
            "firing_rate": _value(
                total,
                *_FIGURES["firing_rate"],
                cost=True,
                arrays=rate_arrays,
                histograms=_histograms(rates),
                stored={f"neurons/{name}": rate.astype(np.float32) for name, rate in rates.items()},
            ),
            "firing_rate_hz": _value(
                total / self.dt_ms * 1000,
                *_FIGURES["firing_rate_hz"],
                arrays={"layers": {name: rate / self.dt_ms * 1000 for name, rate in rate_arrays["layers"].items()}},
            ),
            "silent_neurons": _value(_mean(silent, sizes), *_FIGURES["silent_neurons"], arrays={"layers": silent}),
            "saturated_neurons": _value(
                _mean(saturated, sizes), *_FIGURES["saturated_neurons"], arrays={"layers": saturated}
            ),
        }


_FIGURES = {
    "firing_rate": ("spikes/neuron/step", "firing rate"),
    "firing_rate_hz": ("Hz", "firing rate"),
    "silent_neurons": ("fraction", "silent neurons"),
    "saturated_neurons": ("fraction", "saturated neurons"),
}


def _share(those: npt.NDArray[np.bool_]) -> float:
    return int(those.sum()) / len(those)


def _mean(shares: Mapping[str, float], sizes: Mapping[str, int]) -> float:
    return sum(share * sizes[name] for name, share in shares.items()) / sum(sizes.values())


def _histograms(rates: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, Histogram]:
    """One of all neurons and one a layer, over the same bins: from 0 to 1, or as far as the quickest neuron needs."""
    everything = np.concatenate(list(rates.values()))
    bins = max(math.ceil(1 / _BIN), math.floor(everything.max(initial=0) / _BIN) + 1)
    edges = [number * _BIN for number in range(bins + 1)]
    panels = {"all": everything, **(rates if len(rates) > 1 else {})}
    return {
        name: Histogram(
            edges=edges,
            counts=np.histogram(values, edges)[0].tolist(),
            title="firing rate",
            unit="spikes/neuron/step",
            what="neurons",
        )
        for name, values in panels.items()
    }


def _value(value: float | None, unit: str, title: str, *, cost: bool = False, **more: Any) -> MetricValue:
    return MetricValue(
        value=value,
        unit=unit,
        direction="lower" if cost else "none",
        kind="seeded",
        title=title,
        role="cost" if cost else "detail",
        **more,
    )
