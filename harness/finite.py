"""Detect parameters, buffers and neuron states that are not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from .errors import TrainingError
from .evaluation import run_batches
from .model import SpikingLayer, spiking_layers

if TYPE_CHECKING:
    from .events.frames import Frames

# Recordings on which states are computed; weights that overflow do so on most.
_RECORDINGS = 256


class NotFiniteError(TrainingError):
    """A loss, parameter, state or output that is not finite."""


class FiniteCheck:
    """Check the parameters and buffers of a model, except constants that were not finite at construction.

    A mask of -inf, say, is a constant: a buffer, or a parameter that is not trained.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.constants = {name for name, value, trained in _tensors(model) if not (trained or _is_finite(value))}

    def first(self) -> str | None:
        """Return the name of the first parameter or buffer that is not finite, or None."""
        for name, value, _ in _tensors(self.model):
            if name not in self.constants and not _is_finite(value):
                return name
        return None

    def __call__(self, epoch: int) -> None:
        """Raise ``NotFiniteError`` if a parameter or buffer is not finite after ``epoch``, 0 for before training."""
        name = self.first()
        if name is None:
            return
        if epoch == 0:
            raise NotFiniteError(f"{name} is not finite before training; the network starts with that value")
        raise NotFiniteError(f"{name} is not finite after epoch {epoch}; try a smaller -o recipe.learning_rate")


def check_states(model: nn.Module, frames: Frames, *, batch_size: int, device: str) -> None:
    """Run ``model`` on some recordings of ``frames`` and check what its spiking layers receive, hold and return.

    States are those after the last step, from ``stream``, or those of every step, from ``trace``. A backend that offers
    neither is checked by its inputs and spikes.

    Raises:
        NotFiniteError: names the first spiking layer with an input, state or spike that is not finite.
    """
    count = len(frames)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _RECORDINGS)).astype(np.int64))
    handles = [layer.register_forward_hook(_checking(name)) for name, layer in spiking_layers(model).items()]
    try:
        run_batches(model, frames, chosen, batch_size=batch_size, device=device, see=lambda view: None)
    finally:
        for handle in handles:
            handle.remove()


def _checking(name: str) -> Callable[..., None]:
    def check(layer: SpikingLayer, given: tuple[Any, ...], spikes: torch.Tensor) -> None:
        values = {"input": given[0], **layer.last_states(given[0]), "spikes": spikes}
        for what, value in values.items():
            if not _is_finite(value):
                raise NotFiniteError(
                    f"{what} of {name} is not finite after training; try a smaller -o recipe.learning_rate"
                )

    return check


def _tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor, bool]]:
    for name, parameter in model.named_parameters():
        yield name, parameter, parameter.requires_grad
    for name, buffer in model.named_buffers():
        yield name, buffer, False


def _is_finite(value: torch.Tensor) -> bool:
    return not (value.is_floating_point() or value.is_complex()) or bool(torch.isfinite(value).all())
