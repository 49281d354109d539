"""How many elements the windows of average pools hold, and averages as the events that they were made of."""

from __future__ import annotations

from typing import Any

import torch


def window_sizes(
    given: tuple[int, ...],
    out: tuple[int, ...],
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> torch.Tensor:
    """What each output of an average pool is divided by, (*out) as torch counts it, float64.

    Args:
        given: sizes of the input along the axes that are pooled.
        out: sizes of the output along them.
        kernel: sizes of a window; one number stands for all axes, here and below.
        stride: steps between windows; those of ``kernel`` where it is empty.
        padding: padded elements at both ends.
        count_include_pad: whether padded elements count.
        divisor_override: the divisor of all windows, where one is given.
    """
    if divisor_override:
        return torch.full(out, float(divisor_override), dtype=torch.float64)
    sizes, pads = _each(kernel, len(out)), _each(padding, len(out))
    steps = _each(stride, len(out)) if stride not in ((), [], None) else sizes
    axes = []
    for size, count, width, step, pad in zip(given, out, sizes, steps, pads, strict=True):
        starts = torch.arange(count) * step - pad
        ends = torch.clamp(starts + width, max=size + pad)
        if not count_include_pad:
            starts, ends = starts.clamp(min=0), ends.clamp(max=size)
        axes.append((ends - starts).double())
    return _product(axes)


def adaptive_sizes(given: tuple[int, ...], out: tuple[int, ...]) -> torch.Tensor:
    """What each output of an adaptive average pool is divided by, (*out), float64; ``given`` and ``out`` are sizes along its axes."""
    axes = []
    for size, count in zip(given, out, strict=True):
        places = torch.arange(count)
        axes.append((-(-(places + 1) * size // count) - places * size // count).double())
    return _product(axes)


def events_of(values: torch.Tensor, divided_by: torch.Tensor, whole: bool) -> torch.Tensor:
    """``values`` before they were divided; what rounding left beside a whole number is that number.

    ``whole``: the network's structure says that all of them are whole; otherwise a value that is clearly not whole stays as it is.
    """
    raised = values * divided_by.to(values)
    nearest = raised.round()
    if whole:
        return nearest
    # Dividing and multiplying again leaves a whole number within two roundings.
    return torch.where((raised - nearest).abs() <= 2 * torch.finfo(values.dtype).eps * raised.abs(), nearest, raised)


def _each(value: Any, space: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, (tuple, list)) else (int(value),)
    return values * space if len(values) == 1 else values


def _product(axes: list[torch.Tensor]) -> torch.Tensor:
    found = torch.ones((), dtype=torch.float64)
    for axis in axes:
        found = found.unsqueeze(-1) * axis
    return found
