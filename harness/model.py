"""From a specification to a torch module whose layers the harness can find, whatever the backend."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from .components import Backend, Choice, Network, Neuron, load_reference
from .errors import PluginError, UsageError
from .foreign import foreign_code
from .observation import Context, Recordings, Training
from .precision import in_precision, out_of_autocast
from .text import kind_of, one_line

if TYPE_CHECKING:
    from .registry import Registry
    from .specification import Specification

# The lowest and the highest value, None if there is no bound.
Range = tuple[float | None, float | None]


class SpikingLayer(nn.Module):
    """One spiking layer, (batch, time, *shape) to the same: the backend's module, and the recurrent weights it calls.

    Under mixed precision neurons and recurrent weights compute in float32 all the same, on inputs that are cast to it.
    ``definition`` makes the same layer as its neuron's definition, or is None where the neuron has none. ``shape`` is what
    the network asked for, or None if that is unknown. ``ranges`` hold the lowest and the highest value that training may
    give parameters of ``inner``, by their name in it.
    """

    def __init__(
        self,
        inner: nn.Module,
        recurrent: nn.Module | None,
        definition: Callable[[], nn.Module] | None = None,
        *,
        shape: tuple[int, ...] | None = None,
        ranges: Mapping[str, Range] | None = None,
    ) -> None:
        super().__init__()
        self.inner = inner
        self.definition = definition
        self.shape = shape
        self.ranges = dict(ranges or {})
        # Out of the module tree: the network owns recurrent weights, under a name that no backend changes.
        self._recurrent = (recurrent,)

    @property
    def recurrent(self) -> nn.Module | None:
        """The module that feeds the last step's spikes back, or None."""
        return self._recurrent[0]

    @property
    def records_states(self) -> bool:
        """Whether the backend can record what is inside its neurons."""
        return hasattr(self.inner, "trace")

    def states(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """``i_syn``, ``v_mem`` and what else the neuron has after every step on the input ``x``, (batch, time, *shape) each."""
        trace: Callable[[torch.Tensor], tuple[torch.Tensor, dict[str, torch.Tensor]]] = self.inner.trace  # type: ignore[assignment]
        with out_of_autocast(x) as given:
            return trace(given)[1]

    def last_states(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the states on ``x``, (batch, time, *shape), after the last step, or after every step.

        Empty if the backend offers neither ``stream`` nor ``trace``.
        """
        if not hasattr(self.inner, "stream"):
            return self.states(x) if self.records_states else {}
        stream: Callable[[torch.Tensor], tuple[torch.Tensor, dict[str, torch.Tensor]]] = self.inner.stream  # type: ignore[assignment]
        with out_of_autocast(x) as given:
            return stream(given)[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # A membrane that is rounded to eight bits at every step spikes otherwise than the neuron's definition.
        with out_of_autocast(x) as given:
            out: torch.Tensor = self.inner(given)
        return out


def build(registry: Registry, specification: Specification, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The specification's network with its neuron on its backend, in its recipe's precision; weights are still to be initialised."""
    backend = cast(Backend, registry.find(specification.backend.name).component)
    make = backend.layer_of(cast(Neuron, registry.find(specification.neuron.name).component))
    values = specification.backend.values
    network = _network(
        registry,
        specification,
        input_shape,
        classes,
        lambda shape, recurrent: make(specification.neuron, shape, recurrent, **values),
    )
    return in_precision(network, specification.recipe["precision"])


def build_reference(
    registry: Registry, specification: Specification, input_shape: tuple[int, ...], classes: int
) -> nn.Module:
    """The same network with the neuron's definition in the place of the backend, in float32."""
    neuron = cast(Neuron, registry.find(specification.neuron.name).component)
    if not neuron.reference:
        raise UsageError(
            f"neuron {neuron.name} has no reference, which init=calibrated needs; set -o recipe.init=torch"
        )
    make = load_reference(neuron.reference)
    return _network(
        registry,
        specification,
        input_shape,
        classes,
        lambda shape, recurrent: make(specification.neuron, shape, recurrent),
    )


def _network(
    registry: Registry,
    specification: Specification,
    input_shape: tuple[int, ...],
    classes: int,
    make: Callable[[tuple[int, ...], nn.Module | None], nn.Module],
) -> nn.Module:
    network = cast(Network, registry.find(specification.network.name).component)
    neuron = cast(Neuron, registry.find(specification.neuron.name).component)

    def spiking_layer(shape: Sequence[int], recurrent: nn.Module | None = None) -> SpikingLayer:
        sizes = _sizes(network, shape)

        def definition() -> nn.Module:
            made: nn.Module = load_reference(neuron.reference)(specification.neuron, sizes, recurrent)
            return made

        # What a backend draws must not change the weights that the network draws after it.
        with torch.random.fork_rng(devices=[]):
            inner = make(sizes, recurrent)
        return SpikingLayer(
            inner,
            recurrent,
            definition if neuron.reference else None,
            shape=sizes,
            ranges=trained_ranges(neuron, specification.neuron, inner),
        )

    # Modules draw weights as they are made; those are replaced, and must not move the generator of whoever calls.
    with torch.random.fork_rng(devices=[]), foreign_code():
        built: object = load_reference(network.build)(
            tuple(input_shape), classes, spiking_layer, **specification.network.values
        )
    if not isinstance(built, nn.Module):
        raise PluginError(f"network {network.name}: build returned {kind_of(built)}, not a torch.nn.Module")
    return built


def _sizes(network: Network, shape: object) -> tuple[int, ...]:
    """Return ``shape`` as sizes, or raise ``PluginError`` if it is no shape of one time step of one recording."""
    try:
        sizes = tuple(operator.index(size) for size in shape)  # type: ignore[attr-defined]
    except TypeError:
        sizes = (0,)
    if any(size < 1 for size in sizes):
        raise PluginError(
            f"network {network.name}: spiking_layer expects the shape of one time step of one recording, such as (64,), "
            f"got {one_line(repr(shape))}"
        )
    return sizes


def trained_ranges(neuron: Neuron, choice: Choice, inner: nn.Module) -> dict[str, Range]:
    """Return the range that training keeps each parameter of ``inner`` in, for parameters that ``neuron`` declares.

    A parameter of the module belongs to the declared one that its name ends in: ``layer.tau_mem`` to ``tau_mem``.
    Parameters without a bound are left out.
    """
    declared = {item.name: item for item in neuron.parameters if item.kind in ("float", "floats")}
    found: dict[str, Range] = {}
    for name, _ in inner.named_parameters():
        item = declared.get(name.rpartition(".")[2])
        start = None if item is None else choice.values.get(item.name)
        if item is None or start is None or start == ():
            continue
        smallest = min(start) if isinstance(start, tuple) else start
        lowest, highest = item.trained_range(float(smallest))
        if lowest is not None or highest is not None:
            found[name] = (lowest, highest)
    return found


def spiking_layers(model: nn.Module) -> dict[str, SpikingLayer]:
    """Spiking layers by name, in the order of the module tree."""
    return {name: module for name, module in model.named_modules() if isinstance(module, SpikingLayer)}


def weight_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Modules that own a ``weight``, or any matrix of parameters, by name; recurrent ones, and those in spiking layers, included."""
    spiking = {id(module) for layer in spiking_layers(model).values() for module in layer.modules()}
    # What a weight is made of by torch's parametrisations is no layer; the layer that has the weight is.
    parts = {
        id(part) for module in model.modules() if isinstance(module, ParametrizationList) for part in module.modules()
    }
    return {
        name: module
        for name, module in model.named_modules()
        if id(module) not in parts and _has_weights(module, neurons=id(module) in spiking)
    }


def _has_weights(module: nn.Module, *, neurons: bool) -> bool:
    # A pruned or parametrised weight is a plain tensor.
    weight = getattr(module, "weight", None)
    if neurons:  # time constants may have any shape, but are no weight
        return isinstance(weight, torch.Tensor) and weight.dim() > 1
    return isinstance(weight, torch.Tensor) or any(item.dim() > 1 for item in module.parameters(recurse=False))


def recurrent_layers(model: nn.Module) -> dict[str, SpikingLayer]:
    """The name of each weight layer that feeds spikes back, alone or as part of a module, and the spiking layer that calls it."""
    callers = {
        id(part): layer
        for layer in spiking_layers(model).values()
        if layer.recurrent is not None
        for part in layer.recurrent.modules()
    }
    return {name: callers[id(module)] for name, module in weight_layers(model).items() if id(module) in callers}


def pooling_layers(model: nn.Module) -> dict[str, nn.Module]:
    """torch's pooling modules, and those made from them, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if any(kind.__module__ == "torch.nn.modules.pooling" for kind in type(module).__mro__)
    }


def context(
    model: nn.Module,
    *,
    classes: Sequence[str],
    split: str,
    phase: str,
    dt_ms: float,
    batch_size: int,
    device: str,
    training: Training | None = None,
    events: Recordings | None = None,
) -> Context:
    """What observers are told about an evaluation of ``model``."""
    recurrent = tuple(recurrent_layers(model))
    return Context(
        classes=tuple(classes),
        split=split,
        phase=phase,
        dt_ms=dt_ms,
        batch_size=batch_size,
        device=device,
        spiking_layers=tuple(spiking_layers(model)),
        weight_layers=tuple(name for name in weight_layers(model) if name not in recurrent),
        recurrent_layers=recurrent,
        pooling_layers=tuple(pooling_layers(model)),
        training=training,
        events=events,
    )


__all__ = [
    "SpikingLayer",
    "build",
    "build_reference",
    "context",
    "pooling_layers",
    "recurrent_layers",
    "spiking_layers",
    "trained_ranges",
    "weight_layers",
]
