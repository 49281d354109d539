"""Synaptic operations (SynOps) by layer, class and time step, averaged by recording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from harness import Context, MetricValue, View

from .operations import Operations
from .sums import ByClass, by_label, means, steps_in

if TYPE_CHECKING:
    from harness.observation import Role
    from harness.tally import Sums

    from .operations import LayerOperations
    from .tracing import Structures

_UNIT = "operations/recording"


class SynOps:
    """Whole-number sums in float64 (exact to 2**53) by class and step, so that no batch size and no order changes a digit."""

    def __init__(self, structures: Structures | None = None) -> None:
        self._structures = structures

    def start(self, model: nn.Module, context: Context) -> None:
        self.operations = Operations(model, context, self._structures)
        self.recurrent = frozenset(context.recurrent_layers)
        self.dt_ms = context.dt_ms
        self.classes = len(context.classes)
        self.recordings = ByClass(self.classes)
        self.layers: dict[str, _Layer] = {}
        self.steps = self.updates = self.biases = 0

    def batch(self, view: View) -> None:
        counted = self.operations.of(view)
        self.recordings.add(view)
        steps = steps_in(view)
        self.steps += steps
        for name, layer in counted.items():
            self.layers.setdefault(name, _Layer(layer.reads_input)).add(layer, view, self.classes)
            self.biases += layer.bias * steps
        for layer in view.layers.values():
            if layer.spiking:
                self.updates += math.prod(layer.output_shape[2:]) * steps

    def merge(self, other: SynOps) -> None:
        self.recordings.merge(other.recordings)
        self.steps += other.steps
        self.updates += other.updates
        self.biases += other.biases
        for name, layer in other.layers.items():
            self.layers.setdefault(name, _Layer(layer.reads_input)).merge(layer)

    def result(self) -> Mapping[str, MetricValue]:
        counts = self.recordings.counts()
        count = sum(counts)
        if not count:
            return {"synops": _value(None, "SynOps", role="cost", reason="no recordings")}
        layers = {name: layer.total for name, layer in self.layers.items()}
        multiplied = {name: layer.multiplied for name, layer in self.layers.items()}
        total = sum(layers.values())
        of_input = sum(layers[name] for name, layer in self.layers.items() if layer.reads_input)
        fed_back = sum(value for name, value in layers.items() if name in self.recurrent)
        seconds = self.steps * self.dt_ms / 1000
        tables = [layer.events for layer in self.layers.values() if layer.events is not None]
        together = sum(tables) if tables else np.zeros((self.classes, 0))
        arrays = {
            "layers": _each(layers, count),
            "per_class": means(together.sum(1).tolist(), counts),
            "per_step": (together.sum(0) / count).tolist(),
        }
        apart = {"layers": _each({name: layers[name] - multiplied[name] for name in layers}, count)}
        return {
            "synops": _value(total / count, "SynOps", role="cost", arrays=arrays, note=_told(multiplied)),
            "synops_active": _value(
                sum(layer.active for layer in self.layers.values()) / count, "SynOps on non-zero elements"
            ),
            "synops_input": _value(of_input / count, "SynOps of the input"),
            "synops_hidden": _value((total - of_input - fed_back) / count, "SynOps of later layers"),
            "synops_recurrent": _value(fed_back / count, "SynOps of recurrent weights"),
            "accumulates": _value((total - sum(multiplied.values())) / count, "accumulates", arrays=apart),
            "multiply_accumulates": _value(
                sum(multiplied.values()) / count, "multiply-accumulates", arrays={"layers": _each(multiplied, count)}
            ),
            "synops_per_second": _value(
                total / seconds if seconds else None, "SynOps a second", unit="operations/s", reason="no time steps"
            ),
            "bias_additions": _value(self.biases / count, "bias additions"),
            "neuron_updates": _value(self.updates / count, "neuron updates", unit="updates/recording"),
        }


class _Layer:
    """Operations of one layer: those of events by class and step (C, T)."""

    def __init__(self, reads_input: bool) -> None:
        self.reads_input = reads_input
        self.events: Sums | None = None
        self.active = self.multiplied = 0.0

    @property
    def total(self) -> float:
        """Operations of events."""
        return 0.0 if self.events is None else float(self.events.sum())

    def add(self, counted: LayerOperations, view: View, classes: int) -> None:
        """Take in one batch."""
        events = by_label(view, counted.events, classes)
        self.events = events if self.events is None else self.events + events
        self.active += float(counted.active.sum())
        self.multiplied += 0.0 if counted.multiplied is None else float(counted.multiplied.sum())

    def merge(self, other: _Layer) -> None:
        """Take over what another has counted of the same layer."""
        if other.events is not None:
            self.events = other.events if self.events is None else self.events + other.events
        self.active += other.active
        self.multiplied += other.multiplied


def _told(multiplied: Mapping[str, float]) -> str:
    """What a reader must know who expects spikes everywhere."""
    real = [name for name, value in multiplied.items() if value]
    return f"holds multiply-accumulates: {', '.join(real)} receives values that are not whole" if real else ""


def _each(totals: Mapping[str, float], count: int) -> dict[str, float]:
    return {name: value / count for name, value in totals.items()}


def _value(
    value: float | None,
    title: str,
    *,
    role: Role = "detail",
    unit: str = _UNIT,
    reason: str = "",
    note: str = "",
    arrays: Mapping[str, Any] | None = None,
) -> MetricValue:
    return MetricValue(
        value=value,
        reason=reason,
        note=note,
        unit=unit,
        direction="lower",
        kind="seeded",
        title=title,
        role=role,
        arrays=arrays or {},
    )
