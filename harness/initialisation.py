"""Initial weights. The harness draws them without the backend, so that two backends start bit-equal.

``init=calibrated`` gives every neuron a comparable start by one rule: layer by layer, weights drawn from N(0, 1 / fan-in)
are scaled until the spiking layer behind them fires at ``init_rate`` on recordings of the training split, as computed by the
neuron's definition. It is the data-driven form of fluctuation-driven initialisation (Rossbroich, Gygax, Zenke 2022,
arXiv 2206.10226), with the firing rate itself as the target in the place of the membrane's mean and variance, which leaky
and non-leaky membranes with a floor do not share. A batch normalisation undoes the scale of the weights before it: there its own
scale is set, and its running statistics start as those of the recordings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .evaluation import batch_of
from .model import SpikingLayer, build_reference, recurrent_layers, spiking_layers, weight_layers
from .specification import seed_for

if TYPE_CHECKING:
    from .events.frames import Frames
    from .registry import Registry
    from .specification import Specification

# Recordings to calibrate on: more change the scale by less than the width of the bisection's last step. Of large frames fewer are
# taken, so that they hold at most so many values.
_RECORDINGS, _VALUES = 256, 2**23
_STEPS = 14
# Inputs of neurons that are computed at once. Where a layer has more, the search is made on every n-th recording, with a quarter as
# many, and what it found is moved until the rate on all of them is this close to what is asked for, relatively.
_AT_ONCE, _CLOSE, _MOVES = 2**22, 0.02, 4
# Tensors that a sentence names.
_NAMED = 3


def initialise(
    model: nn.Module,
    registry: Registry,
    specification: Specification,
    frames: Frames,
    indices: npt.NDArray[np.int64],
    seed: int,
    *,
    classes: int | None = None,
    other: nn.Module | None = None,
) -> list[str]:
    """Draw every weight of ``model`` in place, or keep all of them under ``init=keep``.

    Args:
        model: the network on its backend, as built.
        registry: where the specification's components are found.
        specification: what the trial computes.
        frames: the frames of the training split.
        indices: the samples that may be trained on.
        seed: the trial's seed.
        classes: the number of outputs of the network; default: the outputs of its last weight layer.
        other: the same network, built under another seed. What both builds agree in was not drawn but comes from the
            network.

    Returns:
        A sentence per layer that the rule could not reach, and one on weights of the network that were replaced.
    """
    recipe = specification.recipe
    if recipe["init"] == "keep":
        return []
    before = {} if other is None else _weights(model)
    sentences = _replace(model, registry, specification, frames, indices, seed, classes)
    if other is not None:
        lost = _brought(before, _weights(other), _weights(model), model)
        if lost:
            name = specification.network.name
            sentences.append(
                f"initialisation: init={recipe['init']} replaces weights that the network {name} brings "
                f"({_listed(lost)}); keep them with -o recipe.init=keep"
            )
    return sentences


def seed_of_weights(specification: Specification, shape: tuple[int, ...], seed: int) -> int:
    """Return the seed that weights are drawn under; ``shape`` is that of one time step of one recording."""
    return seed_for(seed, "weights", specification.network.to_json(), list(shape), specification.recipe["init"])


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of the float parameters and buffers of weight layers, by name."""
    return {
        f"{layer}.{name}" if layer else name: value.detach().cpu().clone()
        for layer, module in weight_layers(model).items()
        for name, value in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        if value.is_floating_point()
    }


def _brought(
    before: Mapping[str, torch.Tensor],
    other: Mapping[str, torch.Tensor],
    after: Mapping[str, torch.Tensor],
    model: nn.Module,
) -> list[str]:
    """Return the names of tensors that were replaced though the network brought them.

    A network brings what is equal in two builds under different seeds and not constant, and what it does not train.
    """
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    replaced = [name for name, value in before.items() if name in after and not torch.equal(value, after[name])]
    return [
        name
        for name in replaced
        if name in frozen
        or (
            name in other
            and torch.equal(before[name], other[name])
            and bool((before[name] != before[name].flatten()[0]).any())
        )
    ]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join([*names[:_NAMED], *([f"{more} more"] if more > 0 else [])])


def _replace(
    model: nn.Module,
    registry: Registry,
    specification: Specification,
    frames: Frames,
    indices: npt.NDArray[np.int64],
    seed: int,
    classes: int | None,
) -> list[str]:
    """Draw every weight of ``model`` in place; returns a sentence for each layer that the rule could not reach."""
    shape = tuple(frames.frames.shape[2:])
    recipe = specification.recipe
    drawn = seed_of_weights(specification, shape, seed)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(drawn)
        for module in weight_layers(model).values():
            _draw(module, calibrated=recipe["init"] == "calibrated")
    if recipe["init"] != "calibrated":
        return []
    twin = build_reference(registry, specification, shape, _outputs(model) if classes is None else classes)
    _copy_rest(model, twin)
    _copy(model, twin)
    order = np.random.default_rng(drawn).permutation(len(indices))
    most = max(1, min(_RECORDINGS, _VALUES // max(1, math.prod(frames.frames.shape[1:]))))
    inputs, _, mask = batch_of(frames, np.sort(indices[order[:most]]), "cpu")
    sentences = _calibrate(twin, inputs, mask, recipe["init_rate"])
    _copy(twin, model)
    return sentences


def _draw(module: nn.Module, *, calibrated: bool) -> None:
    reset: Any = getattr(module, "reset_parameters", None)
    if not calibrated and reset is not None:
        reset()
        return
    weight = getattr(module, "weight", None)
    if not isinstance(weight, nn.Parameter) or weight.dim() < 2:  # such as a normalisation layer: torch's own start
        if reset is not None:
            reset()
        return
    weight.normal_(0.0, float(weight[0].numel()) ** -0.5)
    if isinstance(getattr(module, "bias", None), nn.Parameter):
        module.bias.zero_()  # type: ignore[operator]


def _outputs(model: nn.Module) -> int:
    """Classes: the outputs of the last weight layer that is not recurrent."""
    recurrent = recurrent_layers(model)
    weights = [module.weight for name, module in weight_layers(model).items() if name not in recurrent]
    return int([weight for weight in weights if isinstance(weight, nn.Parameter) and weight.dim() > 1][-1].shape[0])


def _copy(source: nn.Module, target: nn.Module) -> None:
    own = weight_layers(source)
    with torch.no_grad():
        for name, module in weight_layers(target).items():
            for parameter, value in module.named_parameters(recurse=False):
                value.copy_(getattr(own[name], parameter))
            for buffer, statistic in module.named_buffers(recurse=False):
                statistic.copy_(getattr(own[name], buffer))


def _copy_rest(source: nn.Module, target: nn.Module) -> None:
    """Copy parameters and buffers outside of the neurons: networks may draw others than the weights."""
    inside = tuple(f"{name}.inner." for name in spiking_layers(target))
    own = {**dict(source.named_parameters()), **dict(source.named_buffers())}
    with torch.no_grad():
        for name, value in (*target.named_parameters(), *target.named_buffers()):
            if not name.startswith(inside) and name in own and own[name].shape == value.shape:
                value.copy_(own[name])


def _calibrate(model: nn.Module, inputs: torch.Tensor, mask: torch.Tensor | None, rate: float) -> list[str]:
    """One forward pass in which every spiking layer first scales the weights before it; dropout is off meanwhile.

    Rates are over the steps of ``mask`` (recordings, steps) alone: what pads a batch is no time in which neurons might fire.
    """
    recurrent = recurrent_layers(model)
    before: list[nn.Module] = []
    sentences: list[str] = []
    handles = []

    def ran(module: nn.Module, *_: Any) -> None:
        before.append(module)

    def about_to(name: str) -> Callable[..., tuple[torch.Tensor]]:
        def scale(layer: SpikingLayer, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
            scaled = [
                parameter
                for module, after in zip(before, [*before[1:], None], strict=False)
                if not isinstance(after, _BatchNorm)
                for parameter in module.parameters(recurse=False)
            ]
            # A layer without weights before it takes its input as it is.
            factor, reached = _find_scale(layer, given[0], mask, rate) if scaled else (1.0, rate)
            if abs(reached - rate) > 0.1 * rate:
                sentences.append(
                    f"initialisation: {name} starts at {reached:.3g} spikes per neuron and step, not {rate:g}"
                )
            for parameter in scaled:
                parameter.mul_(factor)
            before.clear()
            return (given[0] * factor,)

        return scale

    model.eval()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = None  # the average of all batches, which are one
    try:
        for name, module in weight_layers(model).items():
            if name not in recurrent:
                handles.append(module.register_forward_hook(ran))
        for name, layer in spiking_layers(model).items():
            handles.append(layer.register_forward_pre_hook(about_to(name)))
        with torch.no_grad():
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return sentences


def _find_scale(
    layer: SpikingLayer, current: torch.Tensor, mask: torch.Tensor | None, rate: float
) -> tuple[float, float]:
    """The factor on ``current`` at which ``layer`` fires at ``rate``, and the rate there."""

    def firing(given: torch.Tensor, real: torch.Tensor | None) -> Callable[[float], float]:
        def fires(exponent: float) -> float:
            # The inner module, so that the hook that called this is not called again.
            return _rate(layer.inner(given * 2.0**exponent), real)

        return fires

    parts = -(-current.numel() // _AT_ONCE)
    if parts <= 1 or len(current) < 8:
        exponent, reached = _bisect(firing(current, mask), rate)
        return 2.0**exponent, reached

    def fires_on_all(exponent: float) -> float:
        chunks = current.chunk(8 * parts)  # short ones stay in the processor's cache
        masks = [None] * len(chunks) if mask is None else mask.chunk(8 * parts)
        weights = [len(chunk) if real is None else int(real.sum()) for chunk, real in zip(chunks, masks, strict=True)]
        rates = [firing(chunk, real)(exponent) for chunk, real in zip(chunks, masks, strict=True)]
        return sum(found * weight for found, weight in zip(rates, weights, strict=True)) / max(sum(weights), 1)

    every = min(4 * parts, len(current) // 4)
    few = firing(current[::every], None if mask is None else mask[::every])
    exponent, reached = _bisect(few, rate)
    if abs(reached - rate) > 0.1 * rate:  # those few are no picture of all
        exponent, reached = _bisect(fires_on_all, rate)
        return 2.0**exponent, reached
    found = [(exponent, fires_on_all(exponent))]
    rise = (few(exponent + 0.25) - few(exponent - 0.25)) / 0.5
    for _ in range(_MOVES):
        exponent, reached = found[-1]
        if abs(reached - rate) <= _CLOSE * rate or rise <= 0:
            break
        exponent = min(max(exponent + (rate - reached) / rise, -10.0), 10.0)
        found.append((exponent, fires_on_all(exponent)))
    exponent, reached = min(found, key=lambda item: abs(item[1] - rate))
    return 2.0**exponent, reached


def _rate(spikes: torch.Tensor, mask: torch.Tensor | None) -> float:
    """Spikes (recordings, steps, ...) per neuron and step of ``mask``; 0 where it has none."""
    if mask is None or mask.shape != spikes.shape[:2]:  # a network that changes the steps has others that pad, or none
        return float(spikes.mean())
    real = spikes[mask]
    return float(real.mean()) if real.numel() else 0.0


def _bisect(fires: Callable[[float], float], rate: float) -> tuple[float, float]:
    """The exponent of 2 at which ``fires`` comes nearest to ``rate``, and the rate there."""
    low, high = -10.0, 10.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if fires(middle) < rate:
            low = middle
        else:
            high = middle
    exponent = min((low, high), key=lambda item: abs(fires(item) - rate))
    return exponent, fires(exponent)
