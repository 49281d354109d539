"""The convolutional network, (batch, time, channels, height, width) to (batch, time, classes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from harness.errors import UsageError

_POOLS: dict[str, Callable[[int], nn.Module]] = {
    # Dividing by 1 leaves the sum of a window, exact for counts.
    "sum": lambda size: nn.AvgPool2d(size, divisor_override=1),
    "average": nn.AvgPool2d,
    "max": nn.MaxPool2d,
}


class TimeDropout(nn.Module):
    """In training, silences units of (batch, time, *shape): each recording loses its own, for its whole length.

    A mask drawn anew at every step would be noise that neurons average out over time; one that stays is what takes a
    unit out of the network (Lee, Sarwar, Panda, Srinivasan, Roy 2020, doi:10.3389/fnins.2020.00119). What is left
    is divided by the share that stays.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def extra_repr(self) -> str:
        return f"share={self.share:g}"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.share == 0:
            return x
        return x * nn.functional.dropout(torch.ones_like(x[:, :1]), self.share)


class TimeBatchNorm(nn.BatchNorm2d):
    """Batch normalisation a channel over recordings, steps and places together, (batch * time, channels, height, width)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.numel() == x.shape[1]:  # one value has no variance
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class Conv(nn.Sequential):
    """Layers in turn: what works in time is given (batch, time, ...), the rest (batch * time, ...)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lead = x.shape[:2]
        x = x.flatten(0, 1)
        for name, layer in self.named_children():
            if name.startswith("spikes"):
                x = _channels_last(layer(x.unflatten(0, lead)).flatten(0, 1))
            elif isinstance(layer, TimeDropout):
                x = layer(x.unflatten(0, lead)).flatten(0, 1)
            else:
                x = layer(x)
        return x.flatten(1).unflatten(0, lead)


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    """The same maps, (batch * time, channels, height, width), each place's channels side by side where that is faster.

    On processors convolutions and pools take half to two thirds of the time so. Strides are the same whatever the backend
    handed over, also of sides of length 1, so that the same convolutions are computed.
    """
    if x.dim() != 4 or x.device.type != "cpu":
        return x
    samples, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(-1).view(samples, height, width, channels).permute(0, 3, 1, 2)


def build(
    input_shape: tuple[int, ...],
    classes: int,
    spiking_layer: Callable[..., nn.Module],
    channels: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    pool: str,
    pool_size: tuple[int, ...],
    dense: tuple[int, ...],
    dropout: float,
    batch_norm: bool,
    bias: bool,
) -> Conv:
    """Convolutions to ``channels``, each spiking and pooled, then ``dense`` layers and one of ``classes`` outputs.

    ``kernel``, ``stride``, ``padding`` and ``pool_size`` hold a value a convolution; the last one goes on for the rest, and what is
    beyond the last convolution is not used. Where no dense layer comes before it, the last layer is a convolution over all that
    is left of the map.

    Raises :class:`UsageError` for inputs without height and width, and where a map is too small for what comes next.
    """
    if len(input_shape) != 3:
        raise UsageError(
            f"conv takes frames of (channels, height, width), not of {tuple(input_shape)}: take the network mlp, "
            f"or a dataset of images"
        )
    count = len(channels)
    settings = {"kernel": kernel, "stride": stride, "padding": padding, "pool_size": pool_size}
    each = {name: _for_each(name, values, count) for name, values in settings.items()}
    layers: dict[str, nn.Module] = {}
    before, *at = input_shape
    chain = _Chain(at)
    for index, after in enumerate(channels):
        number, k, s, p = index + 1, each["kernel"][index], each["stride"][index], each["padding"][index]
        at = chain.window(f"conv{number}", k, s, p)
        layers[f"conv{number}"] = nn.Conv2d(before, after, k, s, p, bias=bias and not batch_norm)
        if batch_norm:
            layers[f"norm{number}"] = TimeBatchNorm(after)
        layers[f"spikes{number}"] = spiking_layer((after, *at))
        size = each["pool_size"][index]
        if pool != "none" and size > 1:
            at = chain.window(f"pool{number}", size, size, 0)
            layers[f"pool{number}"] = _POOLS[pool](size)
        if dropout:
            layers[f"dropout{number}"] = TimeDropout(dropout)
        before = after
    number = count + 1
    if dense:
        layers["flatten"] = nn.Flatten()
        before *= at[0] * at[1]
        for after in (*dense, classes):
            layers[f"dense{number}"] = nn.Linear(before, after, bias=bias)
            layers[f"spikes{number}"] = spiking_layer((after,))
            if dropout and number <= count + len(dense):
                layers[f"dropout{number}"] = TimeDropout(dropout)
            before, number = after, number + 1
    else:
        layers[f"conv{number}"] = nn.Conv2d(before, classes, (at[0], at[1]), bias=bias)
        layers[f"spikes{number}"] = spiking_layer((classes, 1, 1))
    made = Conv()
    for name, layer in layers.items():
        made.add_module(name, layer)
    # The input is left as it is given, so that it is known for the input: its convolution goes by the weights.
    return made.to(memory_format=torch.channels_last)


def _for_each(name: str, values: tuple[int, ...], count: int) -> tuple[int, ...]:
    """``values`` made as many as there are convolutions."""
    if not values:
        raise UsageError(f"conv.{name} is empty: it needs a value for every convolution, or one for all")
    return (*values, *values[-1:] * count)[:count]


class _Chain:
    """Height and width after every layer so far."""

    def __init__(self, at: Any) -> None:
        self._at: list[int] = list(at)
        self._told = [f"{self._at[0]}x{self._at[1]}"]

    def window(self, name: str, kernel: int, stride: int, padding: int) -> list[int]:
        """The size after windows of ``kernel`` moved over the map; raises :class:`UsageError` where none fits."""
        if min(self._at) + 2 * padding < kernel:
            raise UsageError(
                f"conv: {' -> '.join(self._told)} is too small for {name} with windows of {kernel}x{kernel}: take fewer "
                f"channels, a smaller kernel, stride or pool_size, more padding, or a finer encoding"
            )
        self._at = [(size + 2 * padding - kernel) // stride + 1 for size in self._at]
        self._told.append(f"{name} {self._at[0]}x{self._at[1]}")
        return self._at
