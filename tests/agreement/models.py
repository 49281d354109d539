"""Networks of which every figure can be reckoned by hand or by counting."""

from __future__ import annotations

import torch
from torch import nn

from harness.model import SpikingLayer


class Neurons(nn.Module):
    """Whole spikes between two bounds, from the input of their own step alone.

    The offset keeps averages, which are rounded, away from the thresholds.
    """

    def __init__(self, least, most):
        super().__init__()
        self.least, self.most = least, most

    def forward(self, x):
        return torch.floor(x + 0.4142).clamp(self.least, self.most)


class Timed(nn.Module):
    """(batch, time, ...) through layers that take no time axis: flattened into the batch, or a step at a time."""

    def __init__(self, net, stepwise=False):
        super().__init__()
        self.net, self.stepwise = net, stepwise

    def forward(self, x):
        if self.stepwise:
            return torch.stack([self.net(x[:, step]).flatten(1) for step in range(x.shape[1])], 1)
        return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2]).flatten(2)


class Affine(nn.Module):
    """Counts times a factor plus an offset: the input of a real-valued or a signed network."""

    def __init__(self, factor=1.0, offset=0.0):
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x):
        return x * self.factor + self.offset


def passing():
    """A spiking layer that passes its input on as its spikes."""
    return SpikingLayer(nn.Identity(), None)


def filled(layer, value=1.0):
    """``layer`` with all weights of one value."""
    nn.init.constant_(layer.weight, value)
    return layer


def random_weights(layer, random):
    """``layer`` with no weight of zero and none of one, and a bias that is no synapse."""
    layer.weight.data = 0.1 + 0.3 * torch.rand(layer.weight.shape, generator=random)
    if layer.bias is not None:
        layer.bias.data.fill_(0.1)
    return layer


def whole_weights(layer, random):
    """Small whole weights, a good part of them zero, so that sums are exact in any order; and a bias that is no synapse."""
    layer.weight.data = torch.randint(-2, 3, layer.weight.shape, generator=random).float()
    layer.weight.data *= torch.rand(layer.weight.shape, generator=random) < 0.7
    if layer.bias is not None:
        layer.bias.data.fill_(1.0)
    return layer
