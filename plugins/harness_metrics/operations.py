"""Synaptic operations of every weight layer in one batch, by recording and time step; counted once for all metrics.

An operation is one event on one non-zero outgoing weight. An element with count c is \\|c\\| events, and one active element. A value
that is not whole has no number of events: it is one multiply-accumulate a weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from harness.model import spiking_layers
from harness.observation import Kept

from .pools import events_of
from .synapses import NotUnderstood, dimensions, fan_out, is_folded
from .tracing import Given, Structures

if TYPE_CHECKING:
    from harness import Context, LayerView, View
    from harness.tally import Sums


@dataclass
class LayerOperations:
    """One weight layer in one batch, each (B, T) float64 whole numbers.

    ``events`` and ``active`` operations (one array where they are the same), and ``multiplied``: those among the events that
    are multiply-accumulates, None where none is.
    ``reads_input`` tells that the layer is given what the network is given; ``bias`` additions a step, those of the shift of a batch
    normalisation that is folded into the layer too.
    """

    events: Sums
    active: Sums
    multiplied: Sums | None
    reads_input: bool
    bias: int


class Operations:
    """Counts the operations of a model; what depends on its weights is counted once."""

    def __init__(self, model: nn.Module, context: Context, structures: Structures | None = None) -> None:
        self._recurrent = frozenset(context.recurrent_layers)
        modules = dict(model.named_modules())
        for name, spiking in spiking_layers(model).items():
            if spiking.recurrent is not None and spiking.recurrent not in modules.values():
                raise NotUnderstood(f"the recurrent weights of {name} belong to no module of the network")
        names = (*context.weight_layers, *context.recurrent_layers)
        self._folded = frozenset(name for name in names if is_folded(modules[name]))
        self._dimensions = {name: dimensions(name, modules[name]) for name in names if name not in self._folded}
        self._fan_outs: dict[tuple[str, tuple[int, ...], tuple[int, ...]], Sums] = {}
        self._structures = Structures(model) if structures is None else structures

    def of(self, view: View) -> Mapping[str, LayerOperations]:
        """Operations by layer, those of several calls together; raises ``TypeError`` or ``ValueError`` where they cannot be counted."""
        return view.once("harness_metrics.operations", lambda: self._count(view))

    def _count(self, view: View) -> dict[str, LayerOperations]:
        structure = self._structures.of(view)
        if structure is not None and structure.findings:
            raise NotUnderstood(
                f"weights that belong to no call of a weight layer cannot be counted: {'; '.join(structure.findings)}"
            )
        calls: dict[str, dict[str, LayerView]] = {}
        for name, layer in view.layers.items():
            calls.setdefault(name.partition("#")[0], {})[name] = layer
        missing = sorted(set(self._dimensions) - set(calls))
        if missing:
            raise ValueError(f"weight layers {missing} were not seen in the forward pass")
        shifted = self._shifted(calls)
        return {
            name: _together(
                [
                    self._call(
                        name,
                        layer,
                        view,
                        _given(layer) if structure is None else structure.given[call],
                        name in shifted,
                    )
                    for call, layer in layers.items()
                ]
            )
            for name, layers in calls.items()
            if name in self._dimensions
        }

    def _shifted(self, calls: Mapping[str, Mapping[str, LayerView]]) -> frozenset[str]:
        """Layers that take up the shift of a batch normalisation: the weights before it, or behind it where neurons lie before."""
        shifted: set[str] = set()
        before: str | None = None
        waiting = False
        for name, layers in calls.items():
            if next(iter(layers.values())).spiking:
                before = None
            elif name in self._folded:
                waiting = before is None
                if before is not None:
                    shifted.add(before)
            elif name in self._dimensions and name not in self._recurrent:
                if waiting:
                    shifted.add(name)
                before, waiting = name, False
        return frozenset(shifted)

    def _call(self, name: str, layer: LayerView, view: View, received: Given, shifted: bool) -> LayerOperations:
        batch, steps, _ = view.shape
        own = self._dimensions[name]
        given = layer.input_shape
        lead = given[:-own] if len(given) > own else ()
        if lead[:2] == (batch, steps):
            sample = given[2:]
        elif lead == (batch * steps,):  # one recording, step and channel look like time and channels
            sample = given[1:]
        else:
            raise ValueError(
                f"weight layer {name} was given {given}; expected {batch} recordings of {steps} steps at "
                f"once, flattened, or a step a call"
            )
        made = layer.output_shape
        out = sample if name in self._recurrent else made[len(made) - own :]
        weights = self._fan_out(name, layer.module, sample, own, out)
        if received.changed:
            raise NotUnderstood(
                f"weight layer {name} is given averages that are no numbers of events any more: {received.changed}"
            )
        seen = layer.received
        if received.divisor is not None:
            seen = Kept(given, events_of(layer.received.shared, received.divisor, received.whole))
        events, active, multiplied = view.tally(seen).weighted(weights)
        biased = shifted or getattr(layer.module, "bias", None) is not None
        return LayerOperations(
            events=events,
            active=active,
            multiplied=multiplied,
            reads_input=received.reads_input,
            bias=math.prod(made) // (batch * steps or 1) if biased else 0,
        )

    def _fan_out(self, name: str, module: nn.Module, sample: tuple[int, ...], own: int, out: tuple[int, ...]) -> Sums:
        key = (name, sample, out)
        if key not in self._fan_outs:
            one = fan_out(module, sample[len(sample) - own :], out).expand(sample).reshape(-1).numpy()
            # One number for all is counted without another pass.
            alike = len(one) > 0 and bool((one == one[0]).all())
            self._fan_outs[key] = one[:1] if alike else one
        return self._fan_outs[key]


def _given(layer: LayerView) -> Given:
    return Given(divisor=None, whole=False, reads_input=layer.reads_input, changed="")


def _sum(one: Sums | None, other: Sums | None) -> Sums | None:
    return other if one is None else one if other is None else one + other


def _together(parts: list[LayerOperations]) -> LayerOperations:
    first, *others = parts
    for other in others:
        first = LayerOperations(
            events=first.events + other.events,
            active=first.active + other.active,
            multiplied=_sum(first.multiplied, other.multiplied),
            reads_input=first.reads_input or other.reads_input,
            bias=first.bias + other.bias,
        )
    return first
