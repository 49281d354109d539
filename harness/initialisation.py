"""Initial weights. The harness draws them without the backend, so that two backends start bit-equal.

``init=calibrated`` gives every neuron a comparable start by one rule: layer by layer, weights drawn from N(0, 1 / fan-in)
are scaled until the spiking layer behind them fires at ``init_rate`` on recordings of the training split, as computed by the
neuron's definition. It is the data-driven form of fluctuation-driven initialisation (Rossbroich, Gygax, Zenke 2022,
arXiv 2206.10226), with the firing rate itself as the target in the place of the membrane's mean and variance, which leaky
and non-leaky membranes with a floor do not share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from .evaluation import batch_of
from .model import SpikingLayer, build_reference, recurrent_layers, spiking_layers, weight_layers
from .specification import seed_for

if TYPE_CHECKING:
    from .events.frames import Frames
    from .registry import Registry
    from .specification import Specification

# Recordings to calibrate on: more change the scale by less than the width of the bisection's last step.
_RECORDINGS = 256
_STEPS = 14


def initialise(
    model: nn.Module,
    registry: Registry,
    specification: Specification,
    frames: Frames,
    indices: npt.NDArray[np.int64],
    seed: int,
) -> list[str]:
    """Draw every weight of ``model`` in place; returns a sentence for each layer that the rule could not reach."""
    shape = tuple(frames.frames.shape[2:])
    recipe = specification.recipe
    drawn = seed_for(seed, "weights", specification.network.to_json(), list(shape), recipe["init"])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(drawn)
        for module in weight_layers(model).values():
            _draw(module, calibrated=recipe["init"] == "calibrated")
    if recipe["init"] != "calibrated":
        return []
    classes = _outputs(model)
    twin = build_reference(registry, specification, shape, classes)
    _copy(model, twin)
    order = np.random.default_rng(drawn).permutation(len(indices))
    inputs, _, _ = batch_of(frames, np.sort(indices[order[:_RECORDINGS]]), "cpu")
    sentences = _calibrate(twin, inputs, recipe["init_rate"])
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


def _calibrate(model: nn.Module, inputs: torch.Tensor, rate: float) -> list[str]:
    """One forward pass in which every spiking layer first scales the weights before it."""
    recurrent = recurrent_layers(model)
    before: list[nn.Module] = []
    sentences: list[str] = []
    handles = []

    def ran(module: nn.Module, *_: Any) -> None:
        before.append(module)

    def about_to(name: str) -> Callable[..., tuple[torch.Tensor]]:
        def scale(layer: SpikingLayer, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
            factor, reached = _find_scale(layer, given[0], rate)
            if abs(reached - rate) > 0.1 * rate:
                sentences.append(
                    f"initialisation: {name} starts at {reached:.3g} spikes per neuron and step, not {rate:g}"
                )
            for module in before:
                for parameter in module.parameters(recurse=False):
                    parameter.mul_(factor)
            before.clear()
            return (given[0] * factor,)

        return scale

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


def _find_scale(layer: SpikingLayer, current: torch.Tensor, rate: float) -> tuple[float, float]:
    """The factor on ``current`` at which ``layer`` fires at ``rate``, by bisection in its logarithm, and the rate there."""

    def fires(exponent: float) -> float:
        # The inner module, so that the hook that called this is not called again.
        return float(layer.inner(current * 2.0**exponent).mean())

    low, high = -10.0, 10.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if fires(middle) < rate:
            low = middle
        else:
            high = middle
    exponent = min((low, high), key=lambda item: abs(fires(item) - rate))
    return 2.0**exponent, fires(exponent)
