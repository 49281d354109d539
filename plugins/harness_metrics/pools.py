"""Pooling passes events on: what an average divides by, so that a window of averages is counted as the events it held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .synapses import NotUnderstood

if TYPE_CHECKING:
    from harness import LayerView
    from harness.observation import Kept

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


@dataclass
class _Pool:
    """A pool in one batch: what its outputs were divided by since they were events, all pools before it included."""

    name: str
    layer: LayerView
    divided_by: torch.Tensor
    reads_input: bool
    averages: bool
    exact: bool


class Pooled:
    """The pools of one batch, and which layers were given what they put out."""

    def __init__(self) -> None:
        self._pools: list[_Pool] = []
        self._guessed: list[str] = []

    def add(self, name: str, layer: LayerView) -> None:
        """Take in a pool; raises :class:`NotUnderstood` for averages of averages that cannot be undone."""
        found = divisors(layer.module, layer.input_shape, layer.output_shape)
        if found is None:
            return
        reads_input, before = layer.reads_input, self._feeding(layer)
        if before is not None:
            reads_input = before.reads_input
            if bool((before.divided_by != before.divided_by.flatten()[0]).any()):
                raise NotUnderstood(f"{before.name} averages over windows of unequal size and feeds the pool {name}")
            found = found * before.divided_by.flatten()[0]
        averages = bool((found != 1).any())
        exact = not averages and (before is None or before.exact) and not isinstance(layer.module, _SUMS)
        self._pools.append(_Pool(name, layer, found, reads_input, averages, exact))

    def _feeding(self, layer: LayerView) -> _Pool | None:
        return next((pool for pool in self._pools if layer.fed_by(pool.layer)), None)

    def events(self, layer: LayerView) -> tuple[torch.Tensor | Kept | None, bool]:
        """What ``layer`` was given, in events, if that is another number; and whether the network was given it."""
        pool = self._feeding(layer)
        if pool is None:
            return None, layer.reads_input
        if pool.exact:
            return layer.received, pool.reads_input
        return self._raised(layer, pool), pool.reads_input

    def copied_events(self, name: str, layer: LayerView) -> torch.Tensor | None:
        """The real values that the layer ``name`` was given, in events, if they are a copy of averages; else None."""
        for pool in self._pools:
            if pool.averages and layer.fed_by(pool.layer, by_value=True):
                return self._raised(layer, pool)
        self._guessed.append(name)
        return None

    def _raised(self, layer: LayerView, pool: _Pool) -> torch.Tensor:
        return events_of(layer.input.reshape(pool.layer.output_shape), pool.divided_by).reshape(layer.input_shape)

    def refuse_guesses(self, layers: Sequence[LayerView]) -> None:
        """Raise :class:`NotUnderstood` where real values were counted that may be averages which something changed on the way.

        ``layers`` are those that take events: weights, neurons, pools.
        """
        loose = [pool for pool in self._pools if pool.averages]
        if not (self._guessed and loose):
            return
        for pool in loose:
            if not any(layer.fed_by(pool.layer, by_value=True) for layer in layers if layer is not pool.layer):
                raise NotUnderstood(
                    f"weight layer {self._guessed[0]} is given real values, and what the average pool {pool.name} puts out is "
                    f"changed before it reaches a layer: which of them are events cannot be told"
                )
