"""The tutorial's SHD job on its own path, written anew: tonic transforms, a disk cache, loaders, and sinabs loops.

It keeps the tutorial's structure and costs and leaves out its faults that change no cost: every network has its own optimiser.
Run as ``python tutorial.py DATA CACHE EPOCHS BATCH``.
"""

from __future__ import annotations

import sys
import warnings

import sinabs
import sinabs.activation as activation
import sinabs.layers as layers
import tonic
import torch
from test_frames import tutorial_transform
from torch import nn
from torch.utils.data import DataLoader


def loaders(data, cache, batch):
    """Cached training and test loaders, two workers, last batch dropped."""
    found = []
    for split, train in (("train", True), ("test", False)):
        dataset = tonic.datasets.SHD(data, train=train, transform=tutorial_transform())
        cached = tonic.DiskCachedDataset(dataset, cache_path=f"{cache}/{split}")
        found.append(DataLoader(cached, batch_size=batch, num_workers=2, drop_last=True))
    return found


def network(make, batch):
    """140-64-64-20 with the time axis folded into the batch."""
    parts = [layers.FlattenTime()]
    for inputs, outputs in ((140, 64), (64, 64), (64, 20)):
        parts += [nn.Linear(inputs, outputs, bias=False), make()]
    return nn.Sequential(*parts, layers.UnflattenTime(batch_size=batch))


def networks(batch):
    """iaf, lif and alif with the tutorial's settings; alif exists unfolded only."""
    surrogate = activation.SingleExponential(grad_width=0.5, grad_scale=1.0)
    yield (
        "iaf",
        network(
            lambda: layers.IAFSqueeze(
                batch_size=batch,
                min_v_mem=0.0,
                tau_syn=1.0,
                spike_fn=activation.SingleSpike,
                surrogate_grad_fn=surrogate,
            ),
            batch,
        ),
    )
    yield "lif", network(lambda: layers.LIFSqueeze(batch_size=batch, min_v_mem=0.0, tau_syn=1.0, tau_mem=2.0), batch)
    parts = []
    for inputs, outputs in ((140, 64), (64, 64), (64, 20)):
        spiking = layers.ALIF(min_v_mem=0.0, tau_syn=1.0, tau_mem=2.0, tau_adapt=1.0)
        parts += [nn.Linear(inputs, outputs, bias=False), spiking]
    yield "alif", nn.Sequential(*parts)


def statistics(model, inputs):
    """SynOps and firing rate of one batch, as the tutorial takes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the analyser is deprecated
        analyser = sinabs.synopcounter.SNNAnalyzer(model)
        model(inputs)
        return analyser.get_model_statistics()


def train(model, loader, epochs):
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for inputs, labels in loader:
            sinabs.reset_states(model)
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs).sum(1), labels)
            loss.backward()
            optimiser.step()


def accuracy(model, loader):
    right = total = 0
    with torch.no_grad():
        for inputs, labels in loader:
            sinabs.reset_states(model)
            right += int((model(inputs).sum(1).argmax(1) == labels).sum())
            total += len(labels)
    return right / max(total, 1)


def main(data, cache, epochs, batch):
    train_loader, test_loader = loaders(data, cache, batch)
    inputs, _ = next(iter(train_loader))
    for name, model in networks(batch):
        statistics(model, inputs)
        train(model, train_loader, epochs)
        scores = accuracy(model, train_loader), accuracy(model, test_loader)
        sinabs.reset_states(model)
        statistics(model, inputs)
        print(name, *scores)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
