"""Networks of which every figure can be reckoned by hand or by counting."""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


class ByFunction(nn.Module):
    """What a pool computes, by torch's functions alone: no module of it is part of the network."""

    def __init__(self, pool):
        super().__init__()
        self.pool = (pool,)

    def forward(self, x):
        pool = self.pool[0]
        space = int(type(pool).__name__[-2])
        if isinstance(pool, (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)):
            return getattr(F, f"adaptive_avg_pool{space}d")(x, pool.output_size)
        if isinstance(pool, (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)):
            return getattr(F, f"max_pool{space}d")(x, pool.kernel_size, pool.stride)
        settings = (pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode, pool.count_include_pad)
        return getattr(F, f"avg_pool{space}d")(x, *settings)


class Moved(nn.Module):
    """The same elements elsewhere in memory, in another order, or with zeros beside them; (batch, channels, *space)."""

    WAYS = ("clone", "stack", "contiguous", "flip", "roll", "zeros", "pad", "written", "index", "double")

    def __init__(self, way):
        super().__init__()
        self.way = way

    def forward(self, x):
        match self.way:
            case "clone":
                return x.clone()
            case "stack":
                return torch.stack(list(x.unbind(1)), 1)
            case "contiguous":
                return x.movedim(1, -1).contiguous().movedim(-1, 1)
            case "flip":
                return x.flip(-1)
            case "roll":
                return x.roll(1, 1)
            case "zeros":
                return x * torch.tensor([1.0, 0.0]).repeat(x.shape[-1])[: x.shape[-1]]
            case "pad":
                return F.pad(x, (1, 0))
            case "written":
                made = torch.zeros_like(x)
                made[:, :, :1] = x[:, :, :1]
                made[:, :, 1:] += x[:, :, 1:]
                return made
            case "index":
                return x[:, torch.arange(x.shape[1] - 1, -1, -1)]
            case "double":
                return x.double().float()


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
