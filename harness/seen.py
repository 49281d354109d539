"""What the layers of a network are given and put out in one forward pass, however the network calls them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .model import SpikingLayer, pooling_layers, recurrent_layers, spiking_layers, weight_layers
from .observation import Kept, LayerView
from .tally import Tally

_Place = tuple[int, int, int]


@dataclass
class _Call:
    """One call of a layer, with its own shapes."""

    module: nn.Module
    given: Kept
    out: Kept
    states: Mapping[str, torch.Tensor] | None
    reads_input: bool


class Seen:
    """The calls of one pass.

    What is seen is counted at once, while it lies in the processor's cache, and spikes are kept in a byte an element: tensors
    that are let go leave warm memory to the next. Without ``whole``, of what weight layers put out and of what neurons
    and pools are given the shape alone is kept.
    """

    def __init__(self, model: nn.Module, *, whole: bool) -> None:
        weights = weight_layers(model)
        self._whole = whole
        self._weights, self._pools = frozenset(weights), frozenset(pooling_layers(model))
        # A module that feeds back is not hooked at every step where it is a single weight layer: its input is known.
        self.callers = {
            name: layer for name, layer in recurrent_layers(model).items() if layer.recurrent is weights[name]
        }
        # Whether the network writes into what was seen: copies are kept then.
        self.copies = False
        self._calls: dict[str, list[_Call]] = {}
        self._batch = self._time = 0
        self._mask: torch.Tensor | None = None
        self._input = 0
        # By where they lie, tensors that are held and what was kept of them; and those whose place must not be taken.
        self._held: dict[_Place, tuple[torch.Tensor, Kept]] = {}
        self._recent: tuple[_Place, torch.Tensor, Kept] | None = None
        self._watched: list[tuple[torch.Tensor, _Place]] = []

    def begin(self, inputs: torch.Tensor, mask: torch.Tensor | None = None, tally: Tally | None = None) -> None:
        """The next pass is of ``inputs`` (B, T, ...); their ``tally`` where it is known and the network leaves them alone."""
        self.forget()
        self._batch, self._time = inputs.shape[:2]
        self._mask = mask
        self._input = _storage(inputs)
        if tally is not None:
            self._held[_place(inputs)] = (inputs, Kept(inputs.shape, inputs, tally))

    def record(
        self,
        name: str,
        module: nn.Module,
        given: torch.Tensor,
        out: torch.Tensor,
        states: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """Keep one call of ``module``."""
        weights = name in self._weights
        for tensor in (given, out):
            if not tensor.is_inference():
                self._watched.append((tensor, _place(tensor)))
        call = _Call(
            module=module,
            given=self._kept(given, name) if self._whole or weights else Kept(given.shape),
            out=self._kept(out, name) if self._whole or not weights else Kept(out.shape),
            states=states,
            reads_input=_storage(given) == self._input,
        )
        self._calls.setdefault(name, []).append(call)

    def _kept(self, x: torch.Tensor, name: str) -> Kept:
        """What is kept of ``x``: one layer's output is the next one's input, in whatever shape."""
        place = _place(x)
        if not self.copies:
            if place in self._held and _is_reshaped(self._held[place][0], x):
                return _reshaped(self._held[place][1], x.shape)
            if self._recent is not None and self._recent[0] == place and _is_reshaped(self._recent[1], x):
                found = self._recent[2]
                # Let go of at once: another layer that is given it counts it anew.
                self._recent = None
                return _reshaped(found, x.shape)
        whole = self._unflattened(x)
        steps = whole.shape[:2] == (self._batch, self._time)
        tally = Tally(whole, self._mask) if steps else None
        # What pools put out is seldom whole, and what is watched must stay.
        if tally is not None and name not in self._pools and x.is_inference() and tally.settle():
            kept = Kept(x.shape, None, tally)
            # Held until the next, so that its place names it when the next layer is given it.
            self._recent = (place, x, kept)
            return kept
        if self.copies:
            copy = x.clone()
            return Kept(x.shape, copy, Tally(self._unflattened(copy), self._mask) if steps else None)
        kept = Kept(x.shape, x, tally)
        self._held[place] = (x, kept)
        return kept

    def overwritten(self) -> bool:
        """Whether anything that was seen was written into afterwards; known of passes outside of inference mode alone."""
        return any(_place(tensor) != place for tensor, place in self._watched)

    def views(self) -> Mapping[str, LayerView]:
        """The layers since :meth:`begin`; the second call of one over all steps is ``name#1``."""
        stepwise = any(self._step_by_step(calls) for calls in self._calls.values())
        views: dict[str, LayerView] = {}
        for name, calls in self._calls.items():
            # A layer over as many places as there are steps looks like one over all steps.
            if self._step_by_step(calls) or (stepwise and self._step_by_step(calls, either=True)):
                views[name] = _stacked(calls)
                continue
            for number, call in enumerate(calls):
                views[f"{name}#{number}" if number else name] = self._view(call)
        spikes = {id(view.module): view for view in views.values() if view.spiking}
        for name, layer in self.callers.items():
            if id(layer) in spikes and layer.recurrent is not None:
                # Every spike is sent back; hooking the call of every step would slow the scan itself.
                given = spikes[id(layer)].sent
                views[name] = LayerView(layer.recurrent, given, given, False)
        return views

    def forget(self) -> None:
        """Let go of everything; views keep what is theirs."""
        self._calls, self._held, self._recent, self._watched = {}, {}, None, []

    def _step_by_step(self, calls: list[_Call], *, either: bool = False) -> bool:
        """Whether ``calls`` are one a time step, each of (B, ...), or of (B, 1, ...) for a spiking layer.

        ``either``: also where each could be of (B, T, ...) as well.
        """
        if len(calls) != self._time or self._time < 2:
            return False
        for call in calls:
            shape = call.given.shape
            if shape[:1] != (self._batch,) or call.out.shape[:1] != (self._batch,):
                return False
            if isinstance(call.module, SpikingLayer):
                if shape[1:2] != (1,):
                    return False
            elif len(shape) > 2 and shape[1] == self._time and not either:
                return False
        return True

    def _view(self, call: _Call) -> LayerView:
        given, out = (_reshaped(kept, self._unflattened_shape(kept.shape)) for kept in (call.given, call.out))
        return LayerView(call.module, given, out, isinstance(call.module, SpikingLayer), call.states, call.reads_input)

    def _unflattened_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        batch, time = self._batch, self._time
        flattened = shape[:2] != (batch, time) and shape[:1] == (batch * time,)
        return (batch, time, *shape[1:]) if flattened else shape

    def _unflattened(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(self._unflattened_shape(tuple(x.shape)))


def _reshaped(kept: Kept, shape: Iterable[int]) -> Kept:
    """The same in another shape."""
    return kept if kept.shape == tuple(shape) else kept.in_shape(tuple(shape))


def _stacked(calls: list[_Call]) -> LayerView:
    """Calls of one step each as one of all."""
    first = calls[0]
    spiking = isinstance(first.module, SpikingLayer)
    states = None
    if all(call.states is not None for call in calls):
        names = first.states or {}
        states = {name: torch.cat([(call.states or {})[name] for call in calls], 1) for name in names}
    given, out = _joined([call.given for call in calls], spiking), _joined([call.out for call in calls], spiking)
    return LayerView(first.module, given, out, spiking, states, all(call.reads_input for call in calls))


def _joined(parts: list[Kept], spiking: bool) -> Kept:
    if all(part.known for part in parts):
        joined = (torch.cat if spiking else torch.stack)([part.tensor for part in parts], 1)
        return Kept(joined.shape, joined)
    shape = parts[0].shape
    return Kept((shape[0], len(parts), *shape[2 if spiking else 1 :]))


def _place(values: torch.Tensor) -> _Place:
    """Where ``values`` lie, how many, and in which version where that is counted."""
    return values.data_ptr(), values.numel(), -1 if values.is_inference() else values._version


def _is_reshaped(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether ``other``, which begins at the same place and is as large, holds the elements of ``one`` in the same order."""
    if one.shape == other.shape:
        again = one
    else:
        try:
            again = one.view(other.shape)
        except RuntimeError:  # no view of it has this shape
            return False
    return all(
        size == 1 or step == its for size, step, its in zip(other.shape, again.stride(), other.stride(), strict=True)
    )


def _storage(values: torch.Tensor) -> int:
    return values.untyped_storage().data_ptr()


@contextmanager
def layers_seen(model: nn.Module, *, whole: bool = True, states: bool = False) -> Iterator[Seen]:
    """While inside, what every weight, pooling and spiking layer of ``model`` is given and puts out.

    Without ``whole``, what weight layers are given and the others put out. With ``states``, what is inside the neurons of
    spiking layers too, where their backend records it.
    """
    seen = Seen(model, whole=whole)
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
