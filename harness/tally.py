"""What passes through a layer in one batch, counted once for whoever asks: events by element and by time step.

An element with the whole value c holds \\|c\\| events and is active where c is not 0. A value that is not whole has no number of
events: it counts as one, and as real. Every sum is a whole number and exact, so that no order of adding changes a digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from . import tally_kernels as kernels
from .team import run

Sums = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_F = np.float32
# Fewer elements than this take less than half a millisecond; on a busy machine another thread comes later than that.
_WORTH_A_THREAD = 1 << 20


class Tally:
    """Events of a tensor (B, T, ...), flattened to N elements a step; steps outside ``mask`` (B, T) count nothing.

    ``events``, ``active`` and ``real`` (B, N) are sums over time, ``events_at``, ``active_at`` and ``real_at`` (B, T) sums over
    elements; all are numpy arrays of float64. ``real`` and ``real_at`` are None where every value is whole. Raises ``ValueError``
    for a value that is not finite.

    A tensor is counted as it lies in memory, channels last too: what is small is put in order, and nothing large is copied.
    """

    def __init__(self, values: torch.Tensor, mask: torch.Tensor | None = None) -> None:
        self._tensor: torch.Tensor | None = values.detach()
        self._dimensions = tuple(values.shape)
        self._shape = (*values.shape[:2], math.prod(values.shape[2:]))
        self._order = _order(values)
        self._mask = mask
        self._counts: npt.NDArray[np.uint8] | None = None
        self._kept: Callable[[], torch.Tensor] | None = None

    @classmethod
    def of_counts(cls, counts: npt.NDArray[Any], mask: torch.Tensor | None = None) -> Tally | None:
        """The tally of frames (B, T, ...) as they are stored; None where they are not stored in bytes."""
        if counts.dtype != np.uint8:
            return None
        made = cls(torch.empty(counts.shape, device="meta"), mask)
        made._counts = np.ascontiguousarray(counts).reshape(made._shape)
        return made

    def holding(self, values: torch.Tensor) -> Tally:
        """The same, with the tensor that was made from the counts."""
        self._tensor, self._order = values.detach(), _order(values)
        return self

    def settle(self) -> bool:
        """Count now, and keep a bit or a byte an element in the place of the tensor where those hold every value; False where not.

        Whole values from 0 to 255 in single precision on the CPU can be kept so.
        """
        found = self._in_one_pass()
        if found is None:
            return False
        self._sums, self._kept = found
        self._tensor = None
        return True

    def _quick(self) -> bool:
        """Whether the compiled passes take this tensor."""
        tensor = self._tensor
        return tensor is not None and tensor.device.type == "cpu" and tensor.dtype == torch.float32

    def _in_one_pass(self) -> tuple[dict[str, Sums | None], Callable[[], torch.Tensor]] | None:
        """The sums, and what gives the values again, by a compiled pass; None where they are not whole from 0 to 255."""
        batch, time, size = self._shape
        if not self._quick() or time >= 2**16:
            return None
        x = self._laid(self.values).numpy()
        events, events_at = np.empty((batch, size), dtype=np.uint16), np.zeros((batch, time))
        bits = np.empty((batch, -(-time // kernels.STEPS), size), dtype=np.uint8)
        if self._over_recordings(kernels.ones, x, events, events_at, bits):
            sums: dict[str, Any] = {"events": events, "active": events, "events_at": events_at, "active_at": events_at}
            return {**sums, "real": None, "real_at": None}, lambda: self._in_order(_unpacked(bits, time))
        events, active = (np.empty((batch, size), dtype=_F) for _ in range(2))
        narrow = np.empty(self._shape, dtype=np.uint8)
        events_at, active_at = (np.zeros((batch, time)) for _ in range(2))
        if not self._over_recordings(kernels.wholes, x, events, active, events_at, active_at, narrow):
            return None
        sums = {"events": events, "active": active, "events_at": events_at, "active_at": active_at}
        return {**sums, "real": None, "real_at": None}, lambda: self._in_order(torch.from_numpy(narrow).float())

    def _over_recordings(self, kernel: Callable[..., bool], x: npt.NDArray[Any], *arrays: npt.NDArray[Any]) -> bool:
        """Whether ``kernel`` could count all of ``x``, with as many threads as torch is pinned to."""
        done: list[bool] = []
        _parallel(lambda first, last: done.append(kernel(x, self._steps, first, last, *arrays)), len(x), x.size)
        return all(done)

    @cached_property
    def _steps(self) -> npt.NDArray[np.bool_]:
        if self._mask is None:
            return np.ones(self._shape[:2], dtype=np.bool_)
        return np.ascontiguousarray(self._mask.cpu().numpy())

    def _laid(self, values: torch.Tensor) -> torch.Tensor:
        """The tensor as it lies in memory, (B, T, N) and contiguous."""
        values = values if self._order is None else values.permute(0, 1, *self._order)
        return values.reshape(self._shape).contiguous()

    def _in_order(self, laid: torch.Tensor) -> torch.Tensor:
        """The tensor in its own shape, of one that was laid out so."""
        if self._order is None:
            return laid.reshape(self._dimensions)
        lying = [self._dimensions[dimension] for dimension in self._order]
        back = [2 + self._order.index(dimension) for dimension in range(2, len(self._dimensions))]
        return laid.reshape(*self._shape[:2], *lying).permute(0, 1, *back)

    def _elements_in_order(self, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A table (K, N) of elements as they lie in memory, as they come in the tensor."""
        return _in_order(table, self._dimensions[2:], self._order)

    @property
    def values(self) -> torch.Tensor:
        """The tensor that was counted."""
        if self._tensor is None:
            assert self._kept is not None
            self._tensor = self._kept()
        return self._tensor

    @cached_property
    def _sums(self) -> dict[str, Sums | None]:
        """By name; those by element as they lie in memory."""
        found_at_once = self._in_one_pass()
        if found_at_once is not None:
            return found_at_once[0]
        events, active, broken = self._split()
        found = {"events": events, "active": active, "real": broken if broken.any() else None}
        sums: dict[str, Sums | None] = {}
        for name, part in found.items():
            sums[name] = None if part is None else part.sum(1).cpu().numpy()
            sums[f"{name}_at"] = None if part is None else part.sum(2).cpu().numpy()
        return sums

    def _split(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Events, active and real elements (B, T, N), as they lie in memory, in double precision."""
        values = self._laid(self.values)
        if self._mask is not None:
            values = torch.where(self._mask[:, :, None], values, torch.zeros_like(values))
        if not torch.isfinite(values).all():
            raise ValueError("values that are not finite have no number of events")
        whole, active = values == values.round(), (values != 0).double()
        return torch.where(whole, values.abs().double(), active), active, (~whole).double()

    def _by_element(self, name: str) -> Sums:
        found = self._sums[name]
        assert found is not None
        return _read_only(self._elements_in_order(found).astype(np.float64))

    @cached_property
    def events(self) -> Sums:
        """Events by element."""
        return self._by_element("events")

    @cached_property
    def active(self) -> Sums:
        """At how many steps each element is not 0."""
        return self.events if self._sums["active"] is self._sums["events"] else self._by_element("active")

    @cached_property
    def real(self) -> Sums | None:
        """At how many steps each element is not whole, or None where none ever is."""
        return None if self._sums["real"] is None else self._by_element("real")

    @cached_property
    def _at(self) -> tuple[Sums, Sums, Sums | None]:
        if "_sums" not in self.__dict__:
            found = self._by_step(np.ones(self._shape[2]))
            if found is not None:
                return _read_only(found[0]), _read_only(found[1]), None
        sums = self._sums
        events_at, active_at = sums["events_at"], sums["active_at"]
        assert events_at is not None
        assert active_at is not None
        real_at = sums["real_at"]
        return _read_only(events_at), _read_only(active_at), None if real_at is None else _read_only(real_at)

    @property
    def events_at(self) -> Sums:
        """Events by step."""
        return self._at[0]

    @property
    def active_at(self) -> Sums:
        """How many elements are not 0, by step."""
        return self._at[1]

    @property
    def real_at(self) -> Sums | None:
        """How many elements are not whole, by step, or None where none ever is."""
        return self._at[2]

    def weighted(self, weights: Sums) -> tuple[Sums, Sums, Sums | None]:
        """Events, active and real elements by step (B, T), each element times its weight in ``weights``.

        Weights are whole and >= 0, one an element (N,), or a single one for all. The last is None where every value is whole.
        """
        if len(weights) == 1:
            events_at, active_at, real_at = self._at
            weighted = events_at * weights
            active = weighted if active_at is events_at else active_at * weights
            return weighted, active, None if real_at is None else real_at * weights
        found = self._by_step(weights)
        if found is not None:
            return *found, None
        parts = self._split()
        by = torch.from_numpy(self._weights_as_laid(weights)).to(parts[0].device)
        events, active_ones, real = ((part @ by).cpu().numpy() for part in parts)
        return events, active_ones, real if bool(parts[2].any()) else None

    def _by_step(self, weights: Sums) -> tuple[Sums, Sums] | None:
        """Events and active elements by step, each times its weight, by a compiled pass; None where not all are whole and >= 0."""
        if weights.max(initial=0) >= kernels.EXACT:
            return None
        events_at, active_at = np.zeros(self._shape[:2]), np.zeros(self._shape[:2])
        if self._counts is not None:
            arrays = weights.astype(_F), events_at, active_at
            return (
                (events_at, active_at)
                if self._over_recordings(kernels.weighted_counts, self._counts, *arrays)
                else None
            )
        values = self.values
        if not self._quick():
            return None
        arrays = self._weights_as_laid(weights).astype(_F), events_at, active_at
        laid = self._laid(values).numpy()
        return (events_at, active_at) if self._over_recordings(kernels.weighted, laid, *arrays) else None

    def _weights_as_laid(self, weights: Sums) -> Sums:
        if self._order is None:
            return weights
        own = [dimension - 2 for dimension in self._order]
        return np.ascontiguousarray(weights.reshape(self._dimensions[2:]).transpose(own)).reshape(-1)


def _read_only(sums: Sums) -> Sums:
    """All observers share what is counted: none may write into it."""
    sums.flags.writeable = False
    return sums


class Grouped:
    """Events of one layer by element, added up over batches for each of ``count`` groups of recordings."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._sums: Sums | None = None
        # How many more events than active elements there were, (N,).
        self._beyond: Sums | None = None
        # In which shape elements come, and in which order they lie.
        self._lies: tuple[tuple[int, ...], tuple[int, ...] | None] = (), None

    def add(self, tally: Tally, groups: Ints) -> None:
        """Take in a batch; ``groups`` (B,) tells to which group each recording belongs."""
        part, active = tally._sums["events"], tally._sums["active"]
        assert part is not None
        assert active is not None
        lies = tally._dimensions[2:], tally._order
        if self._sums is None:
            self._sums, self._lies = np.zeros((self._count, part.shape[1])), lies
        elif self._lies != lies:
            own = self._lies[0]
            self._sums, self._beyond, self._lies = self.events, self._in_order(self._beyond), (own, None)
            part, active = (tally._elements_in_order(each) for each in (part, active))
        if part.dtype == np.uint16 and len(groups) and groups.min() >= 0 and groups.max() < self._count:
            together, numbers, sums = np.ascontiguousarray(part), np.ascontiguousarray(groups), self._sums
            _parallel(
                lambda first, last: kernels.grouped(together, numbers, first, last, sums), part.shape[1], part.size
            )
            return
        whose = (np.arange(self._count)[:, None] == groups).astype(np.float64)
        self._sums += whose @ part.astype(np.float64)
        beyond = (part.astype(np.float64) - active).sum(0)
        self._beyond = beyond if self._beyond is None else self._beyond + beyond

    def merge(self, other: Grouped) -> None:
        """Take over what another has added up of the same layer."""
        if other._sums is None:
            return
        if self._sums is None:
            self._sums, self._beyond, self._lies = other._sums.copy(), other._beyond, other._lies
            return
        own = self._lies[0]
        beyond = [part for part in (self._in_order(self._beyond), other._in_order(other._beyond)) if part is not None]
        self._sums, self._lies = self.events + other.events, (own, None)
        self._beyond = sum(beyond[1:], beyond[0]) if beyond else None

    def _in_order(self, part: Sums | None) -> Sums | None:
        return None if part is None else _in_order(part[None], *self._lies)[0]

    @property
    def events(self) -> Sums:
        """Events by group and element, (K, N)."""
        return np.zeros((self._count, 0)) if self._sums is None else _in_order(self._sums, *self._lies)

    @property
    def active(self) -> Sums:
        """At how many steps of all recordings together each element was not 0, (N,)."""
        total: Sums = self.events.sum(0)
        beyond = self._in_order(self._beyond)
        return total if beyond is None else total - beyond


def _parallel(work: Callable[[int, int], object], tasks: int, elements: int) -> None:
    """Do all tasks, with as many threads as torch is pinned to where there is enough to do."""
    run(work, tasks, 1 if elements < _WORTH_A_THREAD else torch.get_num_threads())


def _in_order(table: npt.NDArray[Any], shape: tuple[int, ...], order: tuple[int, ...] | None) -> npt.NDArray[Any]:
    """A table (K, N) of elements that lie in ``order``, dimensions of (B, T, *shape), as they come in ``shape``."""
    if order is None:
        return table
    back = [1 + order.index(dimension) for dimension in range(2, 2 + len(shape))]
    lying = [shape[dimension - 2] for dimension in order]
    return np.ascontiguousarray(table.reshape(-1, *lying).transpose(0, *back)).reshape(len(table), -1)


def _order(values: torch.Tensor) -> tuple[int, ...] | None:
    """Dimensions behind time as they lie in memory, where that is not their order and leaves no gap; else None."""
    if values.device.type == "meta" or values.is_contiguous():
        return None
    strides = values.stride()
    order = tuple(sorted(range(2, values.dim()), key=lambda dimension: -strides[dimension]))
    return order if values.permute(0, 1, *order).is_contiguous() else None


def _unpacked(bits: npt.NDArray[np.uint8], time: int) -> torch.Tensor:
    """Zeros and ones (B, T, N) of eight steps a byte (B, T / 8, N)."""
    batch, groups, size = bits.shape
    places = torch.arange(kernels.STEPS, dtype=torch.uint8)[:, None]
    spread = torch.from_numpy(bits)[:, :, None, :] >> places & 1
    return spread.reshape(batch, groups * kernels.STEPS, size)[:, :time].float()
