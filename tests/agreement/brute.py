"""A counter that visits every event, and every non-zero weight that it meets, one at a time; it shares nothing with the metric."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import nn

Place = tuple[int, ...]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WEIGHTS = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED)
AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
SUMS = (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)
MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
POOLS = (*AVERAGES, *SUMS, *MAXIMA, *ADAPTIVE)


def count(model: nn.Sequential, steps: torch.Tensor) -> dict[str, tuple[int, int]]:
    """Operations of (steps, ...) through layers that keep nothing from step to step, by the name of the weight layer.

    The first of two numbers takes an element with the count c as \\|c\\| events, the second as one.
    """
    found = {name: (0, 0) for name, layer in model.named_children() if isinstance(layer, WEIGHTS)}
    for step in steps:
        # What is computed, and what of it is events: an average is computed, the events of its window go on.
        values = events = step
        for name, layer in model.named_children():
            made = layer(values[None])[0]
            if isinstance(layer, WEIGHTS):
                operations, active = count_layer(layer, events, tuple(made.shape))
                found[name] = (found[name][0] + operations, found[name][1] + active)
                events = made
            elif isinstance(layer, POOLS) or hasattr(layer, "pool"):
                events = pooled(getattr(layer, "pool", (layer,))[0], events, tuple(made.shape))
            else:
                events = layer(events[None])[0]
            values = made
    return found


def count_layer(layer: nn.Module, events: torch.Tensor, made: Place) -> tuple[int, int]:
    """Operations of one sample of whole numbers, and those of its non-zero elements."""
    operations = active = 0
    for place in product(*map(range, events.shape)):
        number = events[place].item()
        assert number == int(number), f"{number} is no number of events"
        for event in range(abs(int(number))):
            for _ in synapses(layer, place, tuple(events.shape), made):
                operations += 1
                active += event == 0
    return operations, active


def synapses(layer: nn.Module, place: Place, given: Place, made: Place) -> Iterator[tuple[Place, float]]:
    """Every non-zero weight that an event at ``place`` of a sample shaped ``given`` meets, and the output that it leads to."""
    for leads_to, weight in _connections(layer, place, given, made):
        if weight:
            yield leads_to, weight


def _connections(layer: Any, place: Place, given: Place, made: Place) -> Iterator[tuple[Place, float]]:
    weight, transposed = layer.weight.tolist(), isinstance(layer, TRANSPOSED)
    if isinstance(layer, nn.Linear):
        for output in range(layer.out_features):
            yield (*place[:-1], output), weight[output][place[-1]]
        return
    channel, at = place[0], place[1:]
    group, inside = divmod(channel, given[0] // layer.groups)
    for number in range(made[0] // layer.groups):
        output = group * (made[0] // layer.groups) + number
        for entry in product(*map(range, layer.kernel_size)):
            found: Any = weight[channel][number] if transposed else weight[output][inside]
            for index in entry:
                found = found[index]
            for to in product(*map(range, made[1:])):
                reached = _leads(layer, at, to, entry) if transposed else at == _reads(layer, to, entry, given[1:])
                if reached:
                    yield (output, *to), found


def _leads(layer: Any, at: Place, to: Place, entry: Place) -> bool:
    """Whether a transposed convolution brings the element ``at`` to the output ``to`` over this entry of its kernel."""
    axes = zip(at, to, entry, layer.stride, layer.padding, layer.dilation, strict=True)
    return all(x * stride - padding + k * dilation == y for x, y, k, stride, padding, dilation in axes)


def _reads(layer: Any, to: Place, entry: Place, sizes: Place) -> Place | None:
    """The element that the output ``to`` reads over this entry of the kernel, or None where that is a padded zero."""
    found = []
    for axis, size in enumerate(sizes):
        reach = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
        before = {"same": reach // 2, "valid": 0}[layer.padding] if layer.padding in ("same", "valid") else None
        before = layer.padding[axis] if before is None else before
        x = to[axis] * layer.stride[axis] - before + entry[axis] * layer.dilation[axis]
        if not 0 <= x < size:
            if layer.padding_mode == "zeros":
                return None
            x = {
                "circular": x % size,
                "replicate": min(max(x, 0), size - 1),
                "reflect": -x if x < 0 else 2 * (size - 1) - x,
            }[layer.padding_mode]
        found.append(x)
    return tuple(found)


def pooled(pool: nn.Module, events: torch.Tensor, made: Place) -> torch.Tensor:
    """The events that a pool passes on: all of a window, or the most of a window where it takes the maximum."""
    passed = torch.zeros(made)
    for place in product(*map(range, made)):
        window = [events[(place[0], *inside)].item() for inside in _window(pool, place[1:], events.shape[1:], made[1:])]
        passed[place] = max(window) if isinstance(pool, MAXIMA) else sum(window)
    return passed


def _window(pool: Any, to: Place, sizes: Place, made: Place) -> Iterator[Place]:
    ranges = []
    for axis, size in enumerate(sizes):
        if isinstance(pool, ADAPTIVE):
            # From the start of the output's share of the axis to its end, both rounded outwards.
            begin, end = to[axis] * size // made[axis], -(-(to[axis] + 1) * size // made[axis])
        else:
            kernel, stride = _of(pool.kernel_size, axis), _of(pool.stride or pool.kernel_size, axis)
            begin = to[axis] * stride - _of(getattr(pool, "padding", 0), axis)
            end = begin + kernel
        ranges.append(range(max(begin, 0), min(end, size)))
    yield from product(*ranges)


def _of(setting: Any, axis: int) -> int:
    return setting[axis] if isinstance(setting, (tuple, list)) else int(setting)
