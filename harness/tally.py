"""What passes through a layer in one batch, counted once for whoever asks: events by element and by time step.

An element with the whole value c holds \\|c\\| events and is active where c is not 0. A value that is not whole has no number of
events: it counts as one, and as real. Every sum is a whole number and exact, so that no order of adding changes a digit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit

# Whole numbers below this are exact in single precision, and so is every sum that stays below.
_EXACT = 2.0**24
_F = np.float32


# Sums of whole numbers below 2**24 are the same in any order; without leave to reorder, nothing is vectorised.
@njit(
    "float32(float32[:,:,::1], boolean[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    fastmath={"reassoc"},
)
def _count(x, real_steps, events, active, events_at, active_at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sums of (B, T, N) by element (B, N) and by step (B, T); returns how many values are not whole."""
    batch, time, size = x.shape
    zero, one, exact = _F(0.0), _F(1.0), _F(16777216.0)
    broken = zero
    for b in range(batch):
        of_element, of_active = events[b], active[b]
        for t in range(time):
            if not real_steps[b, t]:
                continue
            row = x[b, t]
            total, present, parts = zero, zero, zero
            for n in range(size):
                value = abs(row[n])
                below = min(value, exact)
                parts += zero if _F(np.int32(below)) == below else one
                there = one if value > zero else zero
                of_element[n] += value
                of_active[n] += there
                total += value
                present += there
            events_at[b, t] = total
            active_at[b, t] = present
            broken += parts
    return broken


class Tally:
    """Events of a tensor (B, T, ...), flattened to N elements a step; steps outside ``mask`` (B, T) count nothing.

    ``events``, ``active`` and ``real`` (B, N) are sums over time, ``events_at``, ``active_at`` and ``real_at`` (B, T) sums over
    elements; all are float64 on the CPU. ``real`` and ``real_at`` are None where every value is whole. Raises ``ValueError``
    for a value that is not finite.
    """

    def __init__(self, values: torch.Tensor, mask: torch.Tensor | None = None) -> None:
        self._values = values.detach().flatten(2) if values.dim() > 2 else values.detach().unsqueeze(2)
        self._mask = mask
        self.real: torch.Tensor | None = None
        self.real_at: torch.Tensor | None = None
        if not self._counted_in_one_pass():
            self._count_in_double_precision()

    def _counted_in_one_pass(self) -> bool:
        """Whether the compiled pass could count: whole values on the CPU whose sums single precision holds."""
        values = self._values
        if values.device.type != "cpu" or values.dtype != torch.float32:
            return False
        batch, time, size = values.shape
        steps = np.ones((batch, time), dtype=np.bool_) if self._mask is None else self._mask.numpy()
        sums: list[Any] = [np.zeros(shape, dtype=_F) for shape in [(batch, size)] * 2 + [(batch, time)] * 2]
        broken = _count(values.contiguous().numpy(), np.ascontiguousarray(steps), *sums)
        # Not a number fails the comparison as well as too large a sum does.
        if broken or not all(part.max(initial=0) < _EXACT for part in (sums[0], sums[2])):
            return False
        self.events, self.active, self.events_at, self.active_at = (torch.from_numpy(part).double() for part in sums)
        return True

    def _count_in_double_precision(self) -> None:
        values = self._hidden(self._values)
        if not torch.isfinite(values).all():
            raise ValueError("values that are not finite have no number of events")
        whole, active = values == values.round(), (values != 0).double()
        events = torch.where(whole, values.abs().double(), active)
        self.events, self.events_at = events.sum(1).cpu(), events.sum(2).cpu()
        self.active, self.active_at = active.sum(1).cpu(), active.sum(2).cpu()
        if not whole.all():
            broken = (~whole).double()
            self.real, self.real_at = broken.sum(1).cpu(), broken.sum(2).cpu()

    def _hidden(self, values: torch.Tensor) -> torch.Tensor:
        return values if self._mask is None else torch.where(self._mask[:, :, None], values, torch.zeros_like(values))

    def weighted(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Events, active and real elements by step (B, T), each element times its whole weight >= 0 in ``weights`` (N,).

        The last is None where every value is whole.
        """
        weights = weights.flatten().double().cpu()
        least, most = (float(weights.min()), float(weights.max())) if len(weights) else (0.0, 0.0)
        if least == most:
            real = None if self.real_at is None else self.real_at * most
            return self.events_at * most, self.active_at * most, real
        if self.real_at is not None:
            values = self._hidden(self._values)
            whole, active = values == values.round(), (values != 0).double()
            events = torch.where(whole, values.abs().double(), active)
            return (
                self._products(events, weights, most, double=True),
                self._products(active, weights, most, double=True),
                self._products((~whole).double(), weights, most, double=True),
            )
        double = float(self.events_at.max()) * most >= _EXACT if self.events_at.numel() else False
        events_at = self._products(self._values.abs(), weights, most, double=double)
        if torch.equal(self.events_at, self.active_at):  # nothing above one: an event is an active element
            return events_at, events_at, None
        return events_at, self._products((self._values != 0).float(), weights, most, double=double), None

    def _products(self, values: torch.Tensor, weights: torch.Tensor, most: float, *, double: bool) -> torch.Tensor:
        kind = torch.float64 if double else torch.float32
        batch, time, size = values.shape
        found = values.reshape(batch * time, size).to(kind) @ weights.to(values.device, kind)
        found = found.reshape(batch, time).double()
        if self._mask is not None:
            found = torch.where(self._mask, found, torch.zeros_like(found))
        return found.cpu()
