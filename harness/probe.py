"""Run a newly built network once, and reject one that cannot be trained, evaluated or labelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from .errors import PluginError
from .evaluation import batch_of
from .model import SpikingLayer, spiking_layers
from .text import kind_of

if TYPE_CHECKING:
    from .events.frames import Frames
    from .specification import Specification

# Base classes of neurons in libraries, with the package that they come from.
_NEURONS = {
    ("norse", "SNN"),
    ("norse", "SNNCell"),
    ("norse", "SNNRecurrent"),
    ("norse", "SNNRecurrentCell"),
    ("sinabs", "StatefulLayer"),
    ("snntorch", "SpikingNeuron"),
    ("spikingjelly", "MemoryModule"),
}
# Two, so that a network that mixes up recordings and time steps has another shape.
_RECORDINGS = 2


def probe(
    model: nn.Module, specification: Specification, frames: Frames, *, classes: int, device: str, trained: bool
) -> list[str]:
    """Run ``model``, which nobody uses afterwards, on two recordings and check what it returns.

    Args:
        model: the network on its backend, as built; its weights need not be initialised.
        specification: what the trial computes; messages name its components.
        frames: the frames of the training split.
        classes: the number of outputs that the network must have.
        device: where it runs.
        trained: whether weights will be trained, which needs a gradient.

    Returns:
        Sentences on spiking layers that never run and on neurons of known libraries outside of spiking layers.

    Raises:
        PluginError: if a spiking layer is given another shape than it was made for, if the output is no tensor of floats
            (batch, time, classes) on the input's device, if the output depends on no spiking layer, or if no gradient
            reaches a weight that is to be trained.
    """
    name = f"network {specification.network.name}"
    layers = spiking_layers(model)
    _check_recurrent(name, model, layers)
    model.to(device).eval()
    inputs, _, _ = batch_of(frames, np.arange(min(_RECORDINGS, len(frames))), device)
    ran: dict[str, Any] = {}
    handles = [layer.register_forward_pre_hook(_shape_check(name, path)) for path, layer in layers.items()]
    handles += [layer.register_forward_hook(_recording(ran, path)) for path, layer in layers.items()]
    try:
        # A gradient of the input makes every output's history known. The product may be written into, the input may not.
        with torch.enable_grad(), torch.random.fork_rng(devices=_cuda(device), device_type="cuda"):
            outputs = model(inputs.requires_grad_() * 1.0)
    finally:
        for handle in handles:
            handle.remove()
    _check_output(name, outputs, (*inputs.shape[:2], classes), inputs.device)
    _check_spikes(name, specification, outputs, ran)
    has_weights = any(parameter.requires_grad for parameter in model.parameters())
    if trained and has_weights and not outputs.requires_grad:
        raise PluginError(f"{name}: its output has no gradient, so nothing can be trained; evaluate it with --epochs 0")
    idle = [path for path in layers if path not in ran]
    own = _own_neurons(model, layers)
    what = f"{specification.neuron.name} on {specification.backend.name}"
    return [
        *([f"{name}: spiking layers that never run: {', '.join(idle)}"] if idle else []),
        *([f"{name} has neurons of its own besides {what}: {', '.join(own)}"] if own else []),
    ]


def _own_neurons(model: nn.Module, layers: dict[str, SpikingLayer]) -> list[str]:
    """Return ``path (class)`` of every neuron of a known library that no spiking layer holds."""
    held = {id(module) for layer in layers.values() for module in layer.modules()}
    return [
        f"{path} ({type(module).__name__})"
        for path, module in model.named_modules()
        if id(module) not in held
        and any((base.__module__.split(".")[0], base.__name__) in _NEURONS for base in type(module).__mro__)
    ]


def _cuda(device: str) -> list[torch.device]:
    return [torch.device(device)] if device.startswith("cuda") else []


def _check_recurrent(name: str, model: nn.Module, layers: dict[str, SpikingLayer]) -> None:
    owned = {id(module) for module in model.modules()}
    for path, layer in layers.items():
        if layer.recurrent is not None and id(layer.recurrent) not in owned:
            raise PluginError(
                f"{name}: the recurrent weights of {path} are no submodule of the network: set an attribute"
            )


def _shape_check(name: str, path: str) -> Callable[..., None]:
    def check(layer: SpikingLayer, given: tuple[Any, ...]) -> None:
        x = given[0] if given else None
        if not isinstance(x, torch.Tensor):
            raise PluginError(f"{name}: {path} expects a tensor, got {kind_of(x)}")
        if layer.shape is not None and (x.dim() < 2 or tuple(x.shape[2:]) != layer.shape):
            raise PluginError(
                f"{name}: {path} was made for (batch, time{''.join(f', {size}' for size in layer.shape)}), "
                f"got a tensor of shape {tuple(x.shape)}"
            )

    return check


def _recording(ran: dict[str, Any], path: str) -> Callable[..., None]:
    def record(layer: SpikingLayer, given: Any, spikes: Any) -> None:
        ran[path] = getattr(spikes, "grad_fn", None)

    return record


def _check_output(name: str, outputs: object, expected: tuple[int, ...], device: torch.device) -> None:
    wanted = f"(batch, time, classes) = {expected}"
    if not isinstance(outputs, torch.Tensor):
        raise PluginError(f"{name}: expected a tensor {wanted} as output, got {kind_of(outputs)}")
    if tuple(outputs.shape) != expected:
        raise PluginError(f"{name}: expected an output of shape {wanted}, got {tuple(outputs.shape)}")
    if not outputs.is_floating_point():
        raise PluginError(f"{name}: expected an output of a float type, got {outputs.dtype}")
    if outputs.device != device:
        raise PluginError(f"{name}: expected an output on {device}, got one on {outputs.device}")


def _check_spikes(name: str, specification: Specification, outputs: torch.Tensor, ran: dict[str, Any]) -> None:
    """Raise ``PluginError`` if ``outputs`` depends on no spiking layer of ``ran``, path to autograd node."""
    what = f"{specification.neuron.name} on {specification.backend.name}"
    if not ran:
        raise PluginError(
            f"{name} runs no spiking layer, so that its results would say nothing about {what}: call the layers that "
            f"spiking_layer makes, or measure a network without them by harness.testing.measure"
        )
    # Without a gradient the history is unknown.
    if outputs.grad_fn is not None and not _reaches(outputs.grad_fn, list(ran.values())):
        raise PluginError(
            f"{name}: its output does not depend on the spiking layers that it runs, so that its results would say "
            f"nothing about {what}"
        )


def _reaches(start: Any, nodes: list[Any]) -> bool:
    """Return True if autograd's graph leads from ``start`` back to one of ``nodes``, or if one of them is unknown."""
    if any(node is None for node in nodes):
        return True
    seen, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        if node in nodes:
            return True
        following = {after for after, _ in node.next_functions if after is not None} - seen
        seen |= following
        waiting += following
    return False
