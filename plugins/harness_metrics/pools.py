"""Pooling passes events on: what an average divides by, so that a window of averages is counted as the events it held."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_SUMS = (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)
# Dividing and multiplying again leaves a whole number within two roundings of single precision.
_ROUNDINGS = 4 * 2.0**-24


def divisors(module: nn.Module, given: tuple[int, ...], out: tuple[int, ...]) -> torch.Tensor | None:
    """What the outputs of ``module`` were divided by, broadcast over them; None where they are no count of events at all.

    ``given`` and ``out`` are the shapes of its input and output. A maximum or a sum divides by 1.
    """
    pool: Any = module
    if isinstance(module, _AVERAGES):
        space = _space(module, _AVERAGES)
        if getattr(module, "divisor_override", None):
            return torch.tensor(float(pool.divisor_override))
        settings = [_each(pool.kernel_size, space), _each(pool.stride, space), _each(pool.padding, space)]
        axes = [
            _windows(
                given[-space + axis], out[-space + axis], *(values[axis] for values in settings), pool.count_include_pad
            )
            for axis in range(space)
        ]
        return _product(axes)
    if isinstance(module, _ADAPTIVE):
        space = _space(module, _ADAPTIVE)
        return _product([_adaptive(given[-space + axis], out[-space + axis]) for axis in range(space)])
    if isinstance(module, _SUMS) and pool.norm_type != 1:
        return None
    return torch.ones(())


def events_of(values: torch.Tensor, divided_by: torch.Tensor) -> torch.Tensor:
    """``values`` (..., *space) before they were divided; what rounding left beside a whole number is that number."""
    raised = values * divided_by.to(values)
    whole = raised.round()
    return torch.where((raised - whole).abs() <= _ROUNDINGS * raised.abs(), whole, raised)


def _space(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> int:
    return next(number for number, kind in enumerate(kinds, start=1) if isinstance(module, kind))


def _each(value: Any, space: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (int(value),) * space


def _windows(size: int, count: int, kernel: int, stride: int, padding: int, padded: bool) -> torch.Tensor:
    """Elements that each window along one axis is divided by, as torch counts them."""
    starts = torch.arange(count) * stride - padding
    ends = torch.clamp(starts + kernel, max=size + padding)
    if not padded:
        starts, ends = starts.clamp(min=0), ends.clamp(max=size)
    return (ends - starts).double()


def _adaptive(size: int, count: int) -> torch.Tensor:
    places = torch.arange(count)
    return (-(-(places + 1) * size // count) - places * size // count).double()


def _product(axes: list[torch.Tensor]) -> torch.Tensor:
    found = torch.ones(())
    for axis in axes:
        found = found.unsqueeze(-1) * axis
    return found
