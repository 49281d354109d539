"""Frames, specifications and networks that tests build on."""

from __future__ import annotations

import numpy as np

from harness import Registry, recipe
from harness.events.frames import Frames
from harness.specification import Specification


def frames(count=60, steps=20, channels=140, classes=20, seed=0, groups=True, lengths=None):
    """Counts in which the class decides which channels are busy."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    rates = np.full((count, channels), 0.1)
    for index, label in enumerate(labels):
        rates[index, label * channels // classes : (label + 1) * channels // classes] = 1.5
    counts = random.poisson(rates[:, None], (count, steps, channels)).astype(np.uint8)
    named = np.array([f"speaker{index // 4 % 5}" for index in range(count)]) if groups else None
    kept = None if lengths is None else np.asarray(lengths)
    if kept is not None:
        counts[np.arange(steps)[None, :] >= kept[:, None]] = 0
    return Frames(counts, labels.astype(np.int64), np.arange(count), named, kept)


def specification(neuron="lif", network=None, backend=None, neuron_values=None, **training):
    """A specification on shd-synthetic with the given values, small by default."""
    registry = Registry.discover()
    dataset = registry.find("shd-synthetic").component
    values = {"epochs": 3, "batch_size": 16, **training}
    return Specification(
        dataset=dataset.choose(),
        encoding=dataset.encodings["default"],
        network=registry.find("mlp").component.choose(**(network or {"hidden": (16,)})),
        neuron=registry.find(neuron).component.choose(**(neuron_values or {})),
        backend=registry.find("sinabs").component.choose(**(backend or {})),
        recipe=recipe.choose(**values),
    )
