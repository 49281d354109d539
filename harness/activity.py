"""Which layers of a network are silent or saturated, seen in passing during an evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .model import SpikingLayer, spiking_layers

# A layer of which this share of neurons never spikes, or spikes at every step, is worth a warning.
_SILENT, _SATURATED = 0.9, 0.5


class Activity:
    """The least and most spikes of every neuron in any step of any sample that passed."""

    def __init__(self) -> None:
        self._most: dict[str, torch.Tensor] = {}
        self._least: dict[str, torch.Tensor] = {}

    def add(self, name: str, spikes: torch.Tensor) -> None:
        """Take in one batch (B, T, ...) of the layer ``name``."""
        if not spikes.shape[0] * spikes.shape[1]:
            return
        most, least = spikes.amax((0, 1)), spikes.amin((0, 1))
        self._most[name] = torch.maximum(self._most.get(name, most), most)
        self._least[name] = torch.minimum(self._least.get(name, least), least)

    def warnings(self, split: str) -> list[str]:
        """A sentence for each layer that is mostly silent or mostly saturated on the recordings of ``split``."""
        sentences = []
        for name, most in self._most.items():
            silent = float((most <= 0).float().mean())
            saturated = float((self._least[name] > 0).float().mean())
            if silent >= _SILENT:
                sentences.append(f"{name} is silent: {silent:.0%} of its neurons never spike on the {split} recordings")
            if saturated >= _SATURATED:
                sentences.append(f"{name} is saturated: {saturated:.0%} of its neurons spike at every step")
        return sentences


@contextmanager
def activity_seen(model: nn.Module) -> Iterator[Activity]:
    """Watch every spiking layer of ``model`` until the block ends."""
    seen = Activity()

    def watch(name: str) -> Any:
        def see(layer: SpikingLayer, given: Any, out: torch.Tensor) -> None:
            seen.add(name, out.detach())

        return see

    handles = [layer.register_forward_hook(watch(name)) for name, layer in spiking_layers(model).items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
