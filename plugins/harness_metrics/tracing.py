"""Which weights a network applies to what, found once by following two recordings through every operation of a forward pass."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from harness.model import SpikingLayer, pooling_layers, spiking_layers, weight_layers
from harness.observation import LayerView
from harness.seen import Seen
from harness.state import kept_state, reset

from .origins import COMPUTED, INPUT, SPIKES, Origin
from .rules import DECISIONS, PRODUCTS, Call, labels_after, tensors
from .shadow import Labels, Shadow, collapsed, spread
from .synapses import NotUnderstood, is_folded

if TYPE_CHECKING:
    from harness import View

# What the calls of all layers look like, but for the number of recordings.
Signature = tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True)
class Given:
    """What a weight layer is given in one call.

    Attributes:
        divisor: what its values were divided by since they were numbers of events, broadcast over (time, ...); None where by nothing.
        whole: whether they are then whole numbers.
        reads_input: whether it is given what the network is given, moved or pooled.
        changed: how averages among them became something else on the way; empty where none did.
    """

    divisor: torch.Tensor | None
    whole: bool
    reads_input: bool
    changed: str


@dataclass(frozen=True)
class Structure:
    """What one forward pass does with its input.

    Attributes:
        signature: the calls of all layers.
        given: by name as in :attr:`harness.View.layers`.
        findings: products with weights that belong to no weight layer's call, in words.
        decides: whether Python goes on as values say, so that another batch may be treated otherwise.
    """

    signature: Signature
    given: Mapping[str, Given]
    findings: tuple[str, ...]
    decides: bool


class Structures:
    """The structures of one model, each found the first time that its layers are called so."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._found: dict[Signature, Structure] = {}

    def of(self, view: View) -> Structure | None:
        """What the model did with the batch of ``view``; None for views that were made by hand, which show no input."""
        signature = _signature(view.layers)
        if signature not in self._found:
            inputs = view.inputs
            if inputs is None:
                return None
            # Always two recordings: what a network does with one alone may look like something else.
            found = trace(self._model, inputs[:1].expand(2, *inputs.shape[1:]) if len(inputs) == 1 else inputs[:2])
            if found.decides or found.signature != signature:
                found = trace(self._model, inputs)
            if found.signature != signature:
                raise NotUnderstood("the network takes another path through its layers every time that it is called")
            if found.decides:
                return found
            self._found[signature] = found
        return self._found[signature]


def _signature(layers: Mapping[str, LayerView]) -> Signature:
    return tuple((name, layer.input_shape[1:], layer.output_shape[1:]) for name, layer in layers.items())


def trace(model: nn.Module, inputs: torch.Tensor) -> Structure:
    """Follow ``inputs`` (B, T, ...) through ``model``, which keeps its state, and through no random number of others."""
    tracer = _Tracer(model)
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        _same_random_numbers(inputs.device),
        kept_state(model),
        tracer.hooks(),
    ):
        reset(model)
        x = inputs.clone()
        tracer.begin(x)
        with tracer.mode():
            out = model(x)
        tracer.end(out)
    return tracer.structure()


@contextmanager
def _same_random_numbers(device: torch.device) -> Iterator[None]:
    """Leave every generator as it was."""
    plain, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(arrays)


@dataclass
class _Weights:
    """A call of a weight layer that is under way, and how many products were computed in it."""

    name: str
    products: int = 0


@dataclass
class _Tracer:
    model: nn.Module
    shadow: Shadow = field(default_factory=Shadow)
    findings: list[str] = field(default_factory=list)
    decides: bool = False

    def __post_init__(self) -> None:
        self._layers = {**weight_layers(self.model), **pooling_layers(self.model), **spiking_layers(self.model)}
        self._weights = frozenset(name for name, module in weight_layers(self.model).items() if not is_folded(module))
        self._calls = Seen(self.model, whole=True)
        self._calls.copies = True
        self._recurrent = frozenset(self._calls.callers)
        self._inside: list[_Weights] = []
        self._modules: list[str] = []
        self._spiking = 0
        self._mode: _Following | None = None

    def begin(self, x: torch.Tensor) -> None:
        """The input of the pass."""
        self.shadow.write(x, self.shadow.number(INPUT))
        self._calls.begin(x)

    def end(self, out: Any) -> None:
        """What the network has put out."""
        if not any(self.shadow.follows(tensor) for tensor in tensors(out)):
            self.findings.append(
                "what the network puts out is computed from its input by something else than operations of torch"
            )

    @contextmanager
    def mode(self) -> Iterator[None]:
        """While inside, operations are followed, but for those of spiking layers."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        self._mode = _Following(self)
        self._mode.__enter__()

    def _leave(self) -> None:
        if self._mode is not None:
            self._mode.__exit__(None, None, None)
            self._mode = None

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """While inside, it is known which module computes."""
        handles = []
        try:
            for name, module in self.model.named_modules():
                if isinstance(module, torch.jit.ScriptModule):
                    continue
                handles.append(module.register_forward_pre_hook(self._before(name), with_kwargs=True))
                handles.append(module.register_forward_hook(self._after(name), with_kwargs=True))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _before(self, name: str) -> Any:
        def hook(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._modules.append(name)
            if isinstance(module, SpikingLayer):
                self._spiking += 1
                if self._spiking == 1:
                    self._leave()
            elif name in self._weights:
                self._inside.append(_Weights(name))

        return hook

    def _after(self, name: str) -> Any:
        def hook(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any) -> Any:
            self._modules.pop()
            spiking = isinstance(module, SpikingLayer)
            weights = name in self._weights
            x = next(iter(tensors([*given, *named.values()])), None)
            y = next(iter(tensors(out)), None)
            mode = self._mode
            if mode is not None:
                self._leave()
            if weights:
                products = self._inside.pop().products
                if products > 1:
                    self.findings.append(f"weight layer {name} computes {products} products with weights in one call")
            if name in self._layers and name not in self._recurrent and x is not None and y is not None:
                self._calls.record(name, module, spread(self._labels(x), x.shape).clone(), torch.empty(y.shape))
            if spiking:
                self._spiking -= 1
            follows = any(self.shadow.follows(tensor) for tensor in tensors([*given, *named.values()]))
            if (spiking or weights) and not self._spiking and follows:
                # Layers that hand on what they were given put out something else all the same.
                out = _copied(out)
                for tensor in tensors(out):
                    self.shadow.write(tensor, self.shadow.number(SPIKES if spiking else COMPUTED))
            if not self._spiking:
                self._enter()
            return out

        return hook

    def _labels(self, x: torch.Tensor) -> Labels:
        """Labels of what a layer is given; inside of a spiking layer those are spikes."""
        return self.shadow.number(SPIKES) if self._spiking else self.shadow.labels(x)

    def follow(self, operation: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Compute one operation and note what it made."""
        operands = [*tensors(args), *tensors(named)]
        followed = [tensor for tensor in operands if self.shadow.follows(tensor)]
        if not followed:
            return operation(*args, **named)
        schema = operation._schema
        name = schema.name.rpartition("::")[2]
        written = _written(schema, args, named)
        if written and name.endswith("_"):
            name = name.removesuffix("_")
        if name in DECISIONS and not self._inside:
            self.decides = True
        for tensor in written:
            self.shadow.follow(tensor)
        out = operation(*args, **named)
        if self._inside:
            self._inside[-1].products += name in PRODUCTS
            for tensor in tensors(out):
                self._note(tensor, operands, written, self.shadow.number(COMPUTED))
            return out
        call = Call(operation, name, args, named, out, self.shadow, self._where(), self._named, self.findings)
        if name in PRODUCTS:
            constants = [self._named(tensor) for tensor in operands if not self.shadow.follows(tensor)]
            what = constants[-1] if constants else "something else that does"
            self.findings.append(f"what depends on the input is multiplied with {what} by {call.how}")
        results = written or [tensor for tensor in tensors(out) if not _shares(tensor, operands)]
        if not results:
            return out
        labels = labels_after(call)
        if labels is None:
            return out
        each = labels if isinstance(labels, (list, tuple)) else [labels] * len(results)
        for tensor, one in zip(results, each, strict=False):
            self.shadow.write(tensor, one)
        return out

    def _note(
        self, tensor: torch.Tensor, operands: list[torch.Tensor], written: list[torch.Tensor], label: int
    ) -> None:
        if not _shares(tensor, operands) or any(tensor is one for one in written):
            self.shadow.write(tensor, label)

    def _where(self) -> str:
        return next((name for name in reversed(self._modules) if name), "")

    def _named(self, tensor: torch.Tensor) -> str:
        """A constant tensor in words."""
        storage = tensor.untyped_storage()._cdata
        for prefix, module in self.model.named_modules():
            own = {**module._parameters, **module._buffers, **vars(module)}
            for name, value in own.items():
                if isinstance(value, torch.Tensor) and value.untyped_storage()._cdata == storage:
                    kind = "the parameter" if isinstance(value, nn.Parameter) else "the tensor"
                    return f"{kind} {prefix + '.' if prefix else ''}{name}"
        return f"a constant tensor {tuple(tensor.shape)}"

    def structure(self) -> Structure:
        """What was found."""
        views = self._calls.views()
        given = {
            name: self._given(name, layer) for name, layer in views.items() if name.partition("#")[0] in self._weights
        }
        return Structure(_signature(views), given, tuple(dict.fromkeys(self.findings)), self.decides)

    def _given(self, name: str, layer: LayerView) -> Given:
        if layer.module in [self._layers.get(one) for one in self._recurrent]:
            return Given(None, False, False, "")
        labels = layer.input
        if len(labels) and bool((labels != labels[:1]).any()):
            raise NotUnderstood(f"weight layer {name} is given averages over windows that differ between recordings")
        mine = labels[0]
        found = collapsed(mine)
        origins = self.shadow.origins(found)
        changed = next((origin for origin in origins if origin.changed), None)
        live = [origin for origin in origins if not origin.constant]
        pooled = any(origin.averaged for origin in origins)
        return Given(
            divisor=self._divisor(found) if pooled else None,
            whole=pooled and all(origin.whole for origin in origins),
            reads_input=bool(live) and all(origin.source == "input" for origin in live),
            changed="" if changed is None else _told(changed),
        )

    def _divisor(self, labels: Labels) -> torch.Tensor:
        if isinstance(labels, int):
            return torch.tensor(self.shadow.origin(labels).divisor, dtype=torch.float64)
        made = torch.ones(labels.shape, dtype=torch.float64)
        for label in labels.unique().tolist():
            made[labels == label] = self.shadow.origin(label).divisor
        return made


class _Following(TorchDispatchMode):
    """Hands every operation to the tracer."""

    def __init__(self, tracer: _Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler, which takes seconds, to keep it away from here.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._tracer.follow(func, tuple(args), dict(kwargs or {}))


def _written(schema: Any, args: tuple[Any, ...], named: dict[str, Any]) -> list[torch.Tensor]:
    """Tensors that an operation writes into."""
    found: list[torch.Tensor] = []
    for place, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) and not argument.kwarg_only else named.get(argument.name)
            found += tensors(value) if value is not None else []
    return found


def _shares(tensor: torch.Tensor, operands: list[torch.Tensor]) -> bool:
    key = tensor.untyped_storage()._cdata
    return any(operand.untyped_storage()._cdata == key for operand in operands)


def _copied(out: Any) -> Any:
    if isinstance(out, torch.Tensor):
        return out.clone()
    if isinstance(out, tuple) and not hasattr(out, "_fields"):
        return tuple(_copied(each) for each in out)
    if isinstance(out, list):
        return [_copied(each) for each in out]
    return out


def _told(origin: Origin) -> str:
    return f"what the {origin.pool} puts out is changed before it reaches a layer, {origin.changed}"


__all__ = ["Given", "Structure", "Structures", "trace"]
