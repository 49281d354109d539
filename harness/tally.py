"""What passes through a layer in one batch, counted once for whoever asks: events by element and by time step.

An element with the whole value c holds \\|c\\| events and is active where c is not 0. A value that is not whole has no number of
events: it counts as one, and as real. Every sum is a whole number and exact, so that no order of adding changes a digit.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import njit, types

# Whole numbers below this are exact in single precision, and so is every sum that stays below.
_EXACT = 2**24
_F = np.float32
# Sums of whole numbers below 2**24 are the same in any order; without leave to reorder, nothing is vectorised.
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"reassoc"}}


@njit("boolean(float32[:,:,::1], boolean[:,::1], float32[:,::1], float32[:,::1])", **_OPTIONS)
def _ones(x, real_steps, events, events_at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sums of (B, T, N) by element (B, N) and by step (B, T); False where a value is neither 0 nor 1."""
    batch, time, size = x.shape
    zero, one = _F(0.0), _F(1.0)
    for b in range(batch):
        of_element = events[b]
        broken = zero
        for t in range(time):
            if not real_steps[b, t]:
                continue
            row = x[b, t]
            total = zero
            for n in range(size):
                value = row[n]
                broken += zero if value * value == value else one
                of_element[n] += value
                total += value
            events_at[b, t] = total
        if broken > zero:
            return False
    return True


@njit(
    "boolean(float32[:,:,::1], boolean[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1])",
    **_OPTIONS,
)
def _wholes(x, real_steps, events, active, events_at, active_at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The same of values of any size; False where one is not whole or a sum too large for single precision."""
    batch, time, size = x.shape
    zero, one, exact = _F(0.0), _F(1.0), _F(16777216.0)
    for b in range(batch):
        of_element, of_active = events[b], active[b]
        broken = zero
        for t in range(time):
            if not real_steps[b, t]:
                continue
            row = x[b, t]
            total, present = zero, zero
            for n in range(size):
                value = abs(row[n])
                below = min(value, exact)
                broken += zero if _F(np.int32(below)) == below else one
                there = one if value > zero else zero
                of_element[n] += value
                of_active[n] += there
                total += value
                present += there
            events_at[b, t] = total
            active_at[b, t] = present
            # Not a number fails the comparison too.
            if not total < exact:
                return False
        for n in range(size):
            broken += zero if of_element[n] < exact else one
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
    elements; all are float64 on the CPU. ``real`` and ``real_at`` are None where every value is whole. ``counts`` are the same
    values as unsigned integers, where they are at hand, which count faster. Raises ``ValueError`` for a value that is not finite.
    """

    def __init__(
        self, values: torch.Tensor, mask: torch.Tensor | None = None, counts: npt.NDArray[Any] | None = None
    ) -> None:
        self._values = values.detach().flatten(2) if values.dim() > 2 else values.detach().unsqueeze(2)
        self._mask = mask
        self._counts = counts
        batch, time, _ = self._values.shape
        self._steps = np.ones((batch, time), dtype=np.bool_)
        if mask is not None:
            self._steps = np.ascontiguousarray(mask.cpu().numpy())

    @cached_property
    def _sums(self) -> dict[str, torch.Tensor | None]:
        """By name; in one compiled pass where the values are whole, on the CPU, and their sums not too large."""
        values, (batch, time, size) = self._values, self._values.shape
        if values.device.type == "cpu" and values.dtype == torch.float32 and max(time, size) < _EXACT:
            x = values.contiguous().numpy()
            sums: list[Any] = [np.zeros(shape, dtype=_F) for shape in [(batch, size)] * 2 + [(batch, time)] * 2]
            if _ones(x, self._steps, sums[0], sums[2]):
                found = self._named(*sums)
                return found | {"active": found["events"], "active_at": found["events_at"]}
            for part in sums:
                part[:] = 0
            if _wholes(x, self._steps, *sums):
                return self._named(*sums)
        return self._in_double_precision()

    @staticmethod
    def _named(*sums: Any) -> dict[str, torch.Tensor | None]:
        found: dict[str, torch.Tensor | None] = {"real": None, "real_at": None}
        return found | dict(
            zip(("events", "active", "events_at", "active_at"), map(torch.from_numpy, sums), strict=True)
        )

    def _in_double_precision(self) -> dict[str, torch.Tensor | None]:
        events, active, broken = self._split()
        found = {"events": events, "active": active, "real": broken if broken.any() else None}
        by_element = {name: None if part is None else part.sum(1).cpu() for name, part in found.items()}
        return by_element | {f"{name}_at": None if part is None else part.sum(2).cpu() for name, part in found.items()}

    def _split(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Events, active and real elements (B, T, N) in double precision."""
        values = self._values
        if self._mask is not None:
            values = torch.where(self._mask[:, :, None], values, torch.zeros_like(values))
        if not torch.isfinite(values).all():
            raise ValueError("values that are not finite have no number of events")
        whole, active = values == values.round(), (values != 0).double()
        return torch.where(whole, values.abs().double(), active), active, (~whole).double()

    def _sum(self, name: str) -> torch.Tensor:
        found = self._sums[name]
        assert found is not None
        return found.double()

    @cached_property
    def events(self) -> torch.Tensor:
        """Events by element."""
        return self._sum("events")

    @cached_property
    def active(self) -> torch.Tensor:
        """At how many steps each element is not 0."""
        return self._sum("active")

    @cached_property
    def real(self) -> torch.Tensor | None:
        """At how many steps each element is not whole, or None where none ever is."""
        return self._sums["real"]

    @cached_property
    def _at(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        counts = self._counts
        if counts is not None and counts.dtype == np.uint8 and 255 * self._values.shape[2] < _EXACT:
            sums = [np.zeros(self._steps.shape, dtype=_F) for _ in range(2)]
            _counts(np.ascontiguousarray(counts).reshape(self._values.shape), self._steps, *sums)
            events_at, active_at = (torch.from_numpy(part).double() for part in sums)
            return events_at, active_at, None
        events_at = self._sum("events_at")
        same = self._sums["active_at"] is self._sums["events_at"]
        return events_at, events_at if same else self._sum("active_at"), self._sums["real_at"]

    @property
    def events_at(self) -> torch.Tensor:
        """Events by step."""
        return self._at[0]

    @property
    def active_at(self) -> torch.Tensor:
        """How many elements are not 0, by step."""
        return self._at[1]

    @property
    def real_at(self) -> torch.Tensor | None:
        """How many elements are not whole, by step, or None where none ever is."""
        return self._at[2]

    def weighted(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Events, active and real elements by step (B, T), each element times its weight in ``weights``.

        Weights are whole and >= 0, one an element (N,), or a single one for all. The last is None where every value is whole.
        """
        weights = weights.flatten()
        if len(weights) == 1:
            events_at, active_at, real_at = self._at
            times = float(weights)
            weighted = events_at * times
            return (
                weighted,
                weighted if active_at is events_at else active_at * times,
                None if real_at is None else real_at * times,
            )
        if self.real_at is not None:
            events, active, real = (self._products(part, weights) for part in self._split())
            return events, active, real
        weights = weights.double()
        double = self.events_at.numel() > 0 and float(self.events_at.max()) * float(weights.max()) >= _EXACT
        kind = torch.float64 if double else torch.float32
        events_at = self._products(self._values.abs().to(kind), weights)
        if torch.equal(self.events_at, self.active_at):  # nothing above one: an event is an active element
            return events_at, events_at, None
        return events_at, self._products((self._values != 0).to(kind), weights), None

    def _products(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Sums over elements times weights, in the type of ``values``, which must hold them exactly."""
        batch, time, size = values.shape
        found = values.reshape(batch * time, size) @ weights.to(values.device, values.dtype)
        found = found.reshape(batch, time).double()
        if self._mask is not None:
            found = torch.where(self._mask, found, torch.zeros_like(found))
        return found.cpu()
