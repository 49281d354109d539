"""Synaptic operations of every weight layer in one batch, by recording and time step; counted once for all metrics.

An operation is one event on one non-zero outgoing weight. An element with count c is \\|c\\| events, and one active element. A value
that is not whole has no number of events: it is one multiply-accumulate a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from . import pools
from .synapses import NotUnderstood, dimensions, fan_out, is_folded

if TYPE_CHECKING:
    from harness import Context, LayerView, View

_Place = tuple[int, int]


@dataclass
class LayerOperations:
    """One weight layer in one batch, each (B, T) float64 whole numbers.

    ``events`` and ``active`` operations (one tensor where they are the same), and ``multiplied``: those among the events that
    are multiply-accumulates, None where none is.
    ``reads_input`` tells that the layer is given what the network is given; ``bias`` additions a step.
    """

    events: torch.Tensor
    active: torch.Tensor
    multiplied: torch.Tensor | None
    reads_input: bool
    bias: int


class Operations:
    """Counts the operations of a model; what depends on its weights is counted once."""

    def __init__(self, model: nn.Module, context: Context) -> None:
        self._pools = frozenset(context.pooling_layers)
        self._recurrent = frozenset(context.recurrent_layers)
        modules = dict(model.named_modules())
        names = (*context.weight_layers, *context.recurrent_layers)
        self._dimensions = {name: dimensions(name, modules[name]) for name in names if not is_folded(modules[name])}
        self._fan_outs: dict[tuple[str, tuple[int, ...]], torch.Tensor] = {}

    def of(self, view: View) -> Mapping[str, LayerOperations]:
        """Operations by layer, those of several calls together; raises ``TypeError`` or ``ValueError`` where they cannot be counted."""
        return view.once("harness_metrics.operations", lambda: self._count(view))

    def _count(self, view: View) -> dict[str, LayerOperations]:
        calls: dict[str, list[LayerView]] = {}
        for name, layer in view.layers.items():
            calls.setdefault(name.partition("#")[0], []).append(layer)
        missing = sorted(set(self._dimensions) - set(calls))
        if missing:
            raise ValueError(f"weight layers {missing} were not seen in the forward pass")
        origins = _Origins(view, [layer for name in calls if name in self._pools for layer in calls[name]])
        found: dict[str, LayerOperations] = {}
        # In order of execution, so that the first layer comes first whatever the order of the module tree.
        for name, layers in calls.items():
            if name in self._dimensions:
                parts = [
                    self._call(name, layer, view, origins, number, len(layers)) for number, layer in enumerate(layers)
                ]
                found[name] = _together(parts)
        return found

    def _call(
        self, name: str, layer: LayerView, view: View, origins: _Origins, number: int, calls: int
    ) -> LayerOperations:
        batch, steps = view.outputs.shape[:2]
        own = self._dimensions[name]
        lead = tuple(layer.input.shape[:-own]) if layer.input.dim() > own else ()
        stepwise = False
        if lead[:2] == (batch, steps):
            sample = tuple(layer.input.shape[2:])
        elif lead == (batch * steps,):
            sample = tuple(layer.input.shape[1:])
        elif lead[:1] == (batch,) and calls == steps:
            sample, stepwise = tuple(layer.input.shape[1:]), True
        else:
            raise ValueError(
                f"weight layer {name} was given {tuple(layer.input.shape)} in call {number + 1} of {calls}; expected "
                f"{batch} recordings of {steps} steps at once, flattened, or a step a call"
            )
        values, reads_input = origins.events(layer.input)
        values = values.reshape(batch, 1 if stepwise else steps, *sample)
        mask = None if view.mask is None else view.mask[:, number : number + 1] if stepwise else view.mask
        out = layer.output.shape[layer.output.dim() - own :] if name not in self._recurrent else sample
        weights = self._fan_out(name, layer.module, sample, own, tuple(out))
        events, active, multiplied = view.tally(values, mask if stepwise else None).weighted(weights)
        if stepwise:
            events, active = _placed(events, number, steps), _placed(active, number, steps)
            multiplied = None if multiplied is None else _placed(multiplied, number, steps)
        outputs = layer.output.numel() // (batch * (1 if stepwise else steps) or 1)
        return LayerOperations(
            events=events,
            active=active,
            multiplied=multiplied,
            reads_input=reads_input,
            # A layer that is called for every step adds its bias once in each, all calls together.
            bias=outputs if getattr(layer.module, "bias", None) is not None and (not stepwise or number == 0) else 0,
        )

    def _fan_out(
        self, name: str, module: nn.Module, sample: tuple[int, ...], own: int, out: tuple[int, ...]
    ) -> torch.Tensor:
        key = (name, sample)
        if key not in self._fan_outs:
            one = fan_out(module, sample[len(sample) - own :], out).expand(sample).reshape(-1)
            # One number for all is counted without another pass.
            alike = len(one) > 0 and bool((one == one[0]).all())
            self._fan_outs[key] = one[:1] if alike else one
        return self._fan_outs[key]


class _Origins:
    """What pools made, by the place of their outputs in memory: views of a tensor share it, whatever their shapes."""

    def __init__(self, view: View, pooled: list[LayerView]) -> None:
        self._divided: dict[_Place, tuple[torch.Tensor, tuple[int, ...]]] = {}
        # A step of the input is a view of its storage.
        self._inputs = {_storage(view.inputs)} if view.inputs is not None else set()
        for layer in pooled:
            found = pools.divisors(layer.module, tuple(layer.input.shape), tuple(layer.output.shape))
            place = _place(layer.input)
            if found is None:
                continue
            if place in self._divided:
                before = self._divided[place][0]
                if before.numel() > 1 and bool((before != before.flatten()[0]).any()):
                    raise NotUnderstood("a pool of averages over windows of unequal size feeds another pool")
                found = found * before.flatten()[0]
            self._divided[_place(layer.output)] = (found, tuple(layer.output.shape))
            if _storage(layer.input) in self._inputs:
                self._inputs.add(_storage(layer.output))

    def events(self, given: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """``given`` in events, and whether it is what the network was given."""
        reads_input, place = _storage(given) in self._inputs, _place(given)
        if place in self._divided:
            divided_by, shape = self._divided[place]
            given = pools.events_of(given.reshape(shape), divided_by).reshape(given.shape)
        return given, reads_input


def _place(values: torch.Tensor) -> _Place:
    return values.data_ptr(), values.numel()


def _storage(values: torch.Tensor) -> int:
    return values.untyped_storage().data_ptr()


def _placed(part: torch.Tensor, step: int, steps: int) -> torch.Tensor:
    whole = torch.zeros(len(part), steps, dtype=part.dtype)
    whole[:, step : step + 1] = part
    return whole


def _sum(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
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
