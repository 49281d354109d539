"""What the layers of a network are given and put out in one forward pass, however the network calls them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .model import SpikingLayer, pooling_layers, recurrent_layers, spiking_layers, weight_layers
from .observation import LayerView, Place


@dataclass
class _Call:
    """One call of a layer: its tensors, or copies of them, and where they lay and in which version when it happened."""

    module: nn.Module
    given: torch.Tensor
    out: torch.Tensor
    states: Mapping[str, torch.Tensor] | None
    lay: tuple[Place, Place]
    reads_input: bool
    originals: tuple[torch.Tensor, torch.Tensor]


class Seen:
    """The calls of one pass. ``copies`` keeps copies of what is seen, for networks that write into it later."""

    def __init__(self, model: nn.Module) -> None:
        weights = weight_layers(model)
        # A module that feeds back is not hooked at every step where it is a single weight layer: its input is known.
        self.callers = {
            name: layer for name, layer in recurrent_layers(model).items() if layer.recurrent is weights[name]
        }
        self.copies = False
        self._calls: dict[str, list[_Call]] = {}
        self._batch = self._time = 0
        self._input = 0

    def begin(self, inputs: torch.Tensor) -> None:
        """Forget the last pass; the next is of ``inputs`` (B, T, ...)."""
        self._calls = {}
        self._batch, self._time = inputs.shape[:2]
        self._input = _storage(inputs)

    def record(
        self,
        name: str,
        module: nn.Module,
        given: torch.Tensor,
        out: torch.Tensor,
        states: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """Keep one call of ``module``."""
        kept = (given.clone(), out.clone()) if self.copies else (given, out)
        call = _Call(
            module=module,
            given=kept[0],
            out=kept[1],
            states=states,
            lay=(place_of(given), place_of(out)),
            reads_input=_storage(given) == self._input,
            # While they are held, nothing else takes their place.
            originals=(given, out),
        )
        self._calls.setdefault(name, []).append(call)

    def overwritten(self) -> bool:
        """Whether anything that was seen was written into afterwards; known of passes outside of inference mode alone."""
        return any(
            place_of(tensor) != place
            for calls in self._calls.values()
            for call in calls
            for tensor, place in zip(call.originals, call.lay, strict=True)
        )

    def views(self) -> Mapping[str, LayerView]:
        """The layers since :meth:`begin`; the second call of one over all steps is ``name#1``."""
        stepwise = any(self._step_by_step(calls) for calls in self._calls.values())
        views: dict[str, LayerView] = {}
        for name, calls in self._calls.items():
            # A layer over as many places as there are steps looks like one over all steps.
            if self._step_by_step(calls) or (stepwise and self._step_by_step(calls, either=True)):
                views[name] = self._stacked(calls)
                continue
            for number, call in enumerate(calls):
                views[f"{name}#{number}" if number else name] = self._view(call, call.given, call.out)
        spikes = {id(view.module): view for view in views.values() if view.spiking}
        for name, layer in self.callers.items():
            if id(layer) in spikes and layer.recurrent is not None:
                # Every spike is sent back; hooking the call of every step would slow the scan itself.
                given = spikes[id(layer)].output
                views[name] = LayerView(layer.recurrent, given, given, False)
        return views

    def _step_by_step(self, calls: list[_Call], *, either: bool = False) -> bool:
        """Whether ``calls`` are one a time step, each of (B, ...), or of (B, 1, ...) for a spiking layer.

        ``either``: also where each could be of (B, T, ...) as well.
        """
        if len(calls) != self._time or self._time < 2:
            return False
        for call in calls:
            shape = call.given.shape
            if not shape or shape[0] != self._batch or call.out.dim() < 1 or call.out.shape[0] != self._batch:
                return False
            if isinstance(call.module, SpikingLayer):
                if len(shape) < 2 or shape[1] != 1:
                    return False
            elif len(shape) > 2 and shape[1] == self._time and not either:
                return False
        return True

    def _stacked(self, calls: list[_Call]) -> LayerView:
        first = calls[0]
        join = torch.cat if isinstance(first.module, SpikingLayer) else torch.stack
        given, out = join([call.given for call in calls], 1), join([call.out for call in calls], 1)
        states = None
        if all(call.states is not None for call in calls):
            names = first.states or {}
            states = {name: torch.cat([(call.states or {})[name] for call in calls], 1) for name in names}
        reads_input = all(call.reads_input for call in calls)
        return LayerView(first.module, given, out, isinstance(first.module, SpikingLayer), states, reads_input)

    def _view(self, call: _Call, given: torch.Tensor, out: torch.Tensor) -> LayerView:
        places = (None, None) if self.copies else call.lay
        return LayerView(
            call.module,
            self._unflattened(given),
            self._unflattened(out),
            isinstance(call.module, SpikingLayer),
            call.states,
            call.reads_input,
            *places,
        )

    def _unflattened(self, x: torch.Tensor) -> torch.Tensor:
        batch, time = self._batch, self._time
        flattened = x.shape[:2] != (batch, time) and x.dim() > 0 and x.shape[0] == batch * time
        return x.reshape(batch, time, *x.shape[1:]) if flattened else x


def place_of(values: torch.Tensor) -> Place:
    """Where ``values`` lie, how many, and in which version where that is counted."""
    return values.data_ptr(), values.numel(), -1 if values.is_inference() else values._version


def _storage(values: torch.Tensor) -> int:
    return values.untyped_storage().data_ptr()


@contextmanager
def layers_seen(model: nn.Module, *, states: bool = False) -> Iterator[Seen]:
    """While inside, what every weight, pooling and spiking layer of ``model`` is given and puts out.

    With ``states``, what is inside the neurons of spiking layers too, where their backend records it.
    """
    seen = Seen(model)
    handles = []

    def hook(name: str) -> Any:
        def see(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
            # Some layers give more than a tensor, and some are called by keyword.
            x, y = _tensor((*given, *named.values())), _tensor(out if isinstance(out, (tuple, list)) else (out,))
            if x is None or y is None:
                return  # not seen: metrics that need this layer say so
            inside = None
            if states and isinstance(module, SpikingLayer) and module.records_states:
                inside = module.states(x)
            seen.record(name, module, x, y, inside)

        return see

    try:
        for name, module in {**weight_layers(model), **pooling_layers(model), **spiking_layers(model)}.items():
            if name not in seen.callers:
                handles.append(module.register_forward_hook(hook(name), with_kwargs=True))
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _tensor(values: Iterable[Any]) -> torch.Tensor | None:
    return next((value for value in values if isinstance(value, torch.Tensor)), None)
