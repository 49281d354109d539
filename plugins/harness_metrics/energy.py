"""Energy by a named table: counted operations times what one of them costs there. Never a measurement."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import nn

from harness import Context, MetricValue, View

from .operations import Operations
from .states import state_bytes
from .sums import ByClass, steps_in
from .tables import MEMORIES

_NANO = 1e-3  # nJ a pJ


class Energy:
    """Sums of operations, and of the bits that they move, over recordings."""

    def __init__(
        self,
        title: str,
        accumulate: float,
        multiply_accumulate: float | None,
        source: str,
        leaves_out: str,
        weight_bits: int | None,
        memory: str,
    ) -> None:
        self.title, self.source, self.leaves_out = title, source, leaves_out
        self.accumulate, self.multiply_accumulate = accumulate, multiply_accumulate
        self.weight_bits, self.memory = weight_bits, memory
        self.name = "energy_" + re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")

    def start(self, model: nn.Module, context: Context) -> None:
        self.operations = Operations(model, context)
        self.recordings = ByClass(len(context.classes))
        self.events = self.multiplied = self.state_bits = 0.0
        self.held: int | None = None

    def batch(self, view: View) -> None:
        self.recordings.add(view)
        for layer in self.operations.of(view).values():
            self.events += float(layer.events.sum())
            self.multiplied += 0.0 if layer.multiplied is None else float(layer.multiplied.sum())
        if self.memory != "none":
            steps = steps_in(view)
            if self.held is None:
                self.held = sum(state_bytes(name, layer) for name, layer in view.layers.items() if layer.spiking)
            # Every state is read and written at every step.
            self.state_bits += 2.0 * 8 * self.held * steps

    def merge(self, other: Energy) -> None:
        self.recordings.merge(other.recordings)
        self.events += other.events
        self.multiplied += other.multiplied
        self.state_bits += other.state_bits

    def result(self) -> Mapping[str, MetricValue]:
        count = sum(self.recordings.counts())
        figures = {self.name: self._computed(count)}
        if self.memory != "none":
            figures[f"{self.name}_memory"] = self._moved(count)
        return figures

    def _computed(self, count: int) -> MetricValue:
        price = self.multiply_accumulate
        each = f"{self.accumulate:g} pJ an accumulate"
        each += f", {price:g} a multiply-accumulate" if price is not None else ""
        reason = "" if count else "no recordings"
        if count and price is None and self.multiplied:
            share = self.multiplied / self.events
            reason = f"{self.title} has no figure for multiply-accumulates, which {share:.1%} of the operations are"
        total = (self.events - self.multiplied) * self.accumulate + self.multiplied * (price or 0.0)
        note = f"a table applied to counted operations, no measurement: {each} ({self.source}); leaves out {self.leaves_out}"
        return self._value(None if reason else total * _NANO / count, f"energy by table, {self.title}", note, reason)

    def _moved(self, count: int) -> MetricValue:
        reason = "" if count else "no recordings"
        if self.weight_bits is None:
            reason = f"the figure of {self.title} holds its own memory"
        picojoule = MEMORIES[self.memory]
        bits = self.events * (self.weight_bits or 0) + self.state_bits
        note = (
            f"{picojoule:g} pJ for 64 bit of a memory of {self.memory} ({self.source}): each operation reads a weight of "
            f"{self.weight_bits} bit, each step reads and writes every state; leaves out caches, activations, addresses"
        )
        value = None if reason else bits / 64 * picojoule * _NANO / count
        return self._value(value, f"memory energy by table, {self.title}, {self.memory}", note, reason)

    def _value(self, value: float | None, title: str, note: str, reason: str) -> MetricValue:
        return MetricValue(
            value=value,
            reason=reason,
            unit="nJ/recording",
            direction="lower",
            kind="seeded",
            title=title,
            role="cost",
            note=note,
        )
