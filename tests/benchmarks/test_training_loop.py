"""Training through the harness against a bare loop over the same tensors: at most 1.03x is wanted."""

from __future__ import annotations

import numpy as np
import torch
from samples import frames, specification
from torch import nn

from harness import Registry
from harness.initialisation import initialise
from harness.model import build
from harness.specification import seed_for
from harness.training import fit

REGISTRY = Registry.discover()


def test_training_beyond_a_bare_loop(duel, benchmark):
    count, epochs = (512, 1) if benchmark.enabled else (32, 1)
    given = frames(count, steps=70)
    spec = specification(
        "lif", {"hidden": (64, 64)}, epochs=epochs, batch_size=128, schedule="constant", temperature=1.0
    )
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, given, np.arange(count), 0)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, labels = torch.from_numpy(given.frames.astype(np.float32)), torch.from_numpy(given.labels)

    def bare():
        model.load_state_dict(start)
        model.train()
        optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.005)
        order = torch.Generator().manual_seed(seed_for(0, "order"))
        shuffled = torch.randperm(count, generator=order)
        for begin in range(0, count, 128):
            part = shuffled[begin : begin + 128]
            optimiser.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(inputs[part]).sum(1), labels[part])
            loss.backward()
            optimiser.step()
        return {name: value.clone() for name, value in model.state_dict().items()}

    def harness():
        model.load_state_dict(start)
        fit(model, given, np.arange(count), np.arange(0), spec.recipe, seed=0)
        return {name: value.clone() for name, value in model.state_dict().items()}

    first, second = bare(), harness()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    duel(
        {"bare loop": bare, "harness": harness},
        rounds=15,
        what=f"one epoch, {count} recordings, batch 128, lif on sinabs",
    )
