"""What passes through a layer in one batch, counted once for whoever asks: events by element and by time step.

An element with the whole value c holds \\|c\\| events and is active where c is not 0. A value that is not whole has no number of
events: it counts as one, and as real. Every sum is a whole number and exact, so that no order of adding changes a digit.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import njit, types

# Whole numbers below this are exact in single precision, and so is every sum that stays below.
_EXACT = 2**24
_F = np.float32
Sums = npt.NDArray[np.float64]
# Sums of whole numbers below 2**24 are the same in any order; without leave to reorder, nothing is vectorised.
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"reassoc"}}


@njit(
    "boolean(float32[:,:,::1], boolean[:,::1], float32[:,::1], float32[:,::1], uint8[:,:,::1])",
    **_OPTIONS,
)
def _ones(x, real_steps, events, events_at, narrow):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sums of (B, T, N) by element (B, N) and by step (B, T), and the values in a byte each.

    False where a value is neither 0 nor 1.
    """
    batch, time, size = x.shape
    zero, one = _F(0.0), _F(1.0)
    for b in range(batch):
        of_element = events[b]
        broken = zero
        for t in range(time):
            row, of_row = x[b, t], narrow[b, t]
            total = zero
            counts = one if real_steps[b, t] else zero
            for n in range(size):
                value = row[n]
                broken += zero if value * value == value else one
                of_row[n] = np.uint8(np.int32(value))
                of_element[n] += value * counts
                total += value
            events_at[b, t] = total * counts
        if broken > zero:
            return False
    return True


@njit(
    "boolean(float32[:,:,::1], boolean[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], uint8[:,:,::1])",
    **_OPTIONS,
)
def _wholes(x, real_steps, events, active, events_at, active_at, narrow):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The same of whole values from 0 to 255; False where there are others."""
    batch, time, size = x.shape
    zero, one, most = _F(0.0), _F(1.0), _F(255.0)
    for b in range(batch):
        of_element, of_active = events[b], active[b]
        broken = zero
        for t in range(time):
            row, of_row = x[b, t], narrow[b, t]
            total, present = zero, zero
            counts = one if real_steps[b, t] else zero
            for n in range(size):
                value = row[n]
                whole = np.int32(min(max(value, zero), most))
                broken += zero if _F(whole) == value else one
                of_row[n] = np.uint8(whole)
                there = one if value > zero else zero
                of_element[n] += value * counts
                of_active[n] += there * counts
                total += value
                present += there
            events_at[b, t] = total * counts
            active_at[b, t] = present * counts
        if broken > zero:
            return False
    return True


@njit(
    types.void(
        types.Array(types.uint8, 3, "C", readonly=True),  # frames are mapped from disk
        types.boolean[:, ::1],
        types.float32[:, ::1],
        types.float32[:, ::1],
    ),
    **_OPTIONS,
)
def _counts(counts, real_steps, events_at, active_at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sums of unsigned counts (B, T, N) by step (B, T)."""
    batch, time, size = counts.shape
    zero, one = _F(0.0), _F(1.0)
    for b in range(batch):
        for t in range(time):
            if real_steps[b, t]:
                row = counts[b, t]
                # Single precision: numba makes every sum of integers one of 64 bit, four a vector.
                total, present = zero, zero
                for n in range(size):
                    value = _F(row[n])
                    total += value
                    present += min(value, one)
                events_at[b, t] = total
                active_at[b, t] = present


class Tally:
    """Events of a tensor (B, T, ...), flattened to N elements a step; steps outside ``mask`` (B, T) count nothing.

    ``events``, ``active`` and ``real`` (B, N) are sums over time, ``events_at``, ``active_at`` and ``real_at`` (B, T) sums over
    elements; all are numpy arrays of float64. ``real`` and ``real_at`` are None where every value is whole. Raises ``ValueError``
    for a value that is not finite.
    """

    def __init__(self, values: torch.Tensor, mask: torch.Tensor | None = None) -> None:
        self._tensor: torch.Tensor | None = values.detach()
        self._shape = (*values.shape[:2], math.prod(values.shape[2:]))
        self._mask = mask
        self._narrow: torch.Tensor | None = None

    @classmethod
    def of_counts(cls, counts: npt.NDArray[Any], mask: torch.Tensor | None = None) -> Tally | None:
        """The tally of frames (B, T, ...) as they are stored, by step counted now; None where they are not stored in bytes."""
        if counts.dtype != np.uint8 or 255 * math.prod(counts.shape[2:]) >= _EXACT:
            return None
        made = cls(torch.empty(counts.shape, device="meta"), mask)
        sums = [np.zeros(counts.shape[:2], dtype=_F) for _ in range(2)]
        _counts(np.ascontiguousarray(counts).reshape(made._shape), made._steps, *sums)
        made._at = sums[0].astype(np.float64), sums[1].astype(np.float64), None
        return made

    def holding(self, values: torch.Tensor) -> Tally:
        """The same, with the tensor that was made from the counts."""
        self._tensor = values.detach()
        return self

    def settle(self) -> bool:
        """Count now, and keep a byte an element in the place of the tensor where that holds every value; False where not.

        Whole values from 0 to 255 in single precision on the CPU can be kept so.
        """
        found = self._in_one_pass()
        if found is None:
            return False
        self._sums, self._narrow = found
        self._tensor = None
        return True

    def _in_one_pass(self) -> tuple[dict[str, Sums | None], torch.Tensor] | None:
        """The sums and a byte an element by a compiled pass; None where that does not hold every value."""
        tensor = self.values
        if tensor.device.type != "cpu" or tensor.dtype != torch.float32 or 255 * max(self._shape[1:]) >= _EXACT:
            return None
        x = tensor.reshape(self._shape).contiguous().numpy()
        narrow = np.empty(self._shape, dtype=np.uint8)
        events, events_at = np.zeros((self._shape[0], self._shape[2]), dtype=_F), np.zeros(self._shape[:2], dtype=_F)
        sums = [events, events, events_at, events_at]
        if not _ones(x, self._steps, events, events_at, narrow):
            sums = [np.zeros_like(part) for part in sums]
            arguments = (x, self._steps, *sums, narrow)
            if not _wholes(*arguments):
                return None
        names = ("events", "active", "events_at", "active_at")
        named: dict[str, Sums | None] = dict(zip(names, sums, strict=True))
        return {**named, "real": None, "real_at": None}, torch.from_numpy(narrow).reshape(tensor.shape)

    @cached_property
    def _steps(self) -> npt.NDArray[np.bool_]:
        if self._mask is None:
            return np.ones(self._shape[:2], dtype=np.bool_)
        return np.ascontiguousarray(self._mask.cpu().numpy())

    @property
    def values(self) -> torch.Tensor:
        """The tensor that was counted."""
        if self._tensor is None:
            assert self._narrow is not None
            self._tensor = self._narrow.float()
        return self._tensor

    @cached_property
    def _sums(self) -> dict[str, Sums | None]:
        """By name."""
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
        """Events, active and real elements (B, T, N) in double precision."""
        values = self.values.reshape(self._shape)
        if self._mask is not None:
            values = torch.where(self._mask[:, :, None], values, torch.zeros_like(values))
        if not torch.isfinite(values).all():
            raise ValueError("values that are not finite have no number of events")
        whole, active = values == values.round(), (values != 0).double()
        return torch.where(whole, values.abs().double(), active), active, (~whole).double()

    def _sum(self, name: str) -> Sums:
        found = self._sums[name]
        assert found is not None
        return found.astype(np.float64)

    @cached_property
    def events(self) -> Sums:
        """Events by element."""
        return self._sum("events")

    @cached_property
    def active(self) -> Sums:
        """At how many steps each element is not 0."""
        return self.events if self._sums["active"] is self._sums["events"] else self._sum("active")

    @property
    def real(self) -> Sums | None:
        """At how many steps each element is not whole, or None where none ever is."""
        return self._sums["real"]

    @cached_property
    def _at(self) -> tuple[Sums, Sums, Sums | None]:
        events_at = self._sum("events_at")
        same = self._sums["active_at"] is self._sums["events_at"]
        return events_at, events_at if same else self._sum("active_at"), self._sums["real_at"]

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
        events_at, active_at, real_at = self._at
        if len(weights) == 1:
            weighted = events_at * weights
            active = weighted if active_at is events_at else active_at * weights
            return weighted, active, None if real_at is None else real_at * weights
        if real_at is not None:
            events, active_ones, real = (self._products(part, weights) for part in self._split())
            return events, active_ones, real
        exact = events_at.max(initial=0) * weights.max(initial=0) < _EXACT
        kind = torch.float32 if exact else torch.float64
        values = self.values.reshape(self._shape)
        weighted = self._products((values if self._narrow is not None else values.abs()).to(kind), weights)
        if np.array_equal(events_at, active_at):  # nothing above one: an event is an active element
            return weighted, weighted, None
        return weighted, self._products((values != 0).to(kind), weights), None

    def _products(self, values: torch.Tensor, weights: Sums) -> Sums:
        """Sums over elements times weights, in the type of ``values``, which must hold them exactly."""
        batch, time, size = values.shape
        by = torch.from_numpy(weights).to(values.device, values.dtype)
        found: Sums = (values.reshape(batch * time, size) @ by).reshape(batch, time).double().cpu().numpy()
        return np.where(self._steps, found, 0.0)
