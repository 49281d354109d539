"""Which layers of a network are silent or saturated, seen in passing during an evaluation."""

from __future__ import annotations

import numpy as np

from .observation import View
from .tally import Grouped

# A layer of which this share of neurons never spikes, or spikes at every step, is worth a warning.
_SILENT, _SATURATED = 0.9, 0.5


class Activity:
    """At how many of the real steps that passed every neuron of every spiking layer spiked."""

    def __init__(self) -> None:
        self._spikes: dict[str, Grouped] = {}
        self._steps = 0

    def forget(self) -> None:
        """Drop what was taken in, before a pass is repeated."""
        self._spikes, self._steps = {}, 0

    def batch(self, view: View) -> None:
        """Take in one batch, layers included."""
        batch, time = view.outputs.shape[:2]
        self._steps += batch * time if view.mask is None else int(view.mask.sum())
        for name, layer in view.layers.items():
            if layer.spiking:
                together = np.zeros(batch, dtype=np.int64)
                self._spikes.setdefault(name, Grouped(1)).add(view.tally(layer.sent), together)

    def warnings(self, split: str) -> list[str]:
        """A sentence for each layer that is mostly silent or mostly saturated on the recordings of ``split``."""
        sentences = []
        for name, spikes in self._spikes.items():
            active = spikes.active
            silent = float((active == 0).mean())
            saturated = float((active == self._steps).mean())
            if self._steps and silent >= _SILENT:
                sentences.append(f"{name} is silent: {silent:.0%} of its neurons never spike on the {split} recordings")
            if self._steps and saturated >= _SATURATED:
                sentences.append(f"{name} is saturated: {saturated:.0%} of its neurons spike at every step")
        return sentences
