"""The readout as it grows: what is predicted after every time step, by how much, and when output spikes come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from numba import njit

from .sums import labels_of

if TYPE_CHECKING:
    from harness import View

Ints = npt.NDArray[np.int32]
# Margins, in output spikes, whose first step is noted.
MARGINS = 16


# Every output is looked at in every step: passing silent ones over costs more in branches that are guessed wrong.
@njit(
    "void(float32[:,:,::1], int64[::1], int32[:,::1], int32[:,::1], int32[::1], int32[::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
)
def _grow(outputs, lengths, predictions, at_margin, first, settled):  # type: ignore[no-untyped-def]  # pragma: no cover
    batch, time, classes = outputs.shape
    zero, nothing = np.float32(0), np.float32(-np.inf)
    counts = np.empty(classes, np.float32)
    for b in range(batch):
        counts[:] = zero
        first[b] = -1
        settled[b] = 0
        level = leader = 0
        for t in range(min(time, lengths[b])):
            row = outputs[b, t]
            if first[b] < 0:
                for c in range(classes):
                    if row[c] > zero:
                        first[b] = t
            for c in range(classes):
                counts[c] += row[c]
            before = leader
            leader = 0
            most = second = nothing
            for c in range(classes):
                value = counts[c]
                second = max(second, min(value, most))
                if value > most:
                    most, leader = value, c
            if leader != before and t > 0:
                settled[b] = t
            while level < at_margin.shape[1] and most - second >= level + 1:
                at_margin[b, level] = t
                level += 1
            predictions[b, t] = leader
        for t in range(min(time, lengths[b]), time):
            predictions[b, t] = leader
        while level < at_margin.shape[1]:
            at_margin[b, level] = -1
            level += 1


@dataclass(frozen=True)
class Readout:
    """A batch of B samples over T steps, on the CPU.

    ``predictions`` (B, T): the class with the most output spikes so far, the first on a tie; ``at_margin`` (B, 16): the first
    step after which the leader is 1, 2, ... spikes ahead, -1 for never; ``first`` (B,): the first step with an output spike, -1
    for never; ``settled`` (B,): the first step from which on the prediction stays; ``lengths`` (B,) real steps; ``labels`` (B,).
    """

    predictions: Ints
    at_margin: Ints
    first: Ints
    settled: Ints
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


def readout_of(view: View) -> Readout:
    """The growing readout of ``view``, computed once for all metrics. Raises ``ValueError`` for outputs that are not finite."""
    return view.once("harness_metrics.readout", lambda: _read(view))


def _read(view: View) -> Readout:
    if not torch.isfinite(view.counts).all():
        raise ValueError("output spikes are not finite")
    outputs = view.outputs.detach().float().cpu().contiguous().numpy()
    batch, time, _ = outputs.shape
    lengths = np.full(batch, time) if view.mask is None else view.mask.sum(1).cpu().numpy()
    predictions = np.empty((batch, time), np.int32)
    at_margin = np.empty((batch, MARGINS), np.int32)
    first, settled = np.empty(batch, np.int32), np.empty(batch, np.int32)
    _grow(outputs, lengths, predictions, at_margin, first, settled)
    return Readout(predictions, at_margin, first, settled, lengths, labels_of(view))
