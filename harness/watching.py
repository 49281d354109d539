"""Run a metric's observer without letting it disturb anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .components import Choice, Metric, load_reference
from .observation import Context, Observer, View
from .schemas import metric_row

if TYPE_CHECKING:
    from torch import nn


class Watched:
    """A metric's observer at work; after its first error it is left alone and its one row holds the error."""

    def __init__(self, metric: Metric, choice: Choice, model: nn.Module, context: Context | None) -> None:
        if context is None:
            raise ValueError("metrics need a context")
        self.metric = metric
        self.where = {"metric": metric.name, "phase": context.phase, "split": context.split}
        self.error: str | None = None
        self.observer: Observer | None = None
        with self._caught():
            self.observer = load_reference(metric.observer)(**choice.values)
            assert self.observer is not None
            self.observer.start(model, context)

    @contextmanager
    def _caught(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a stranger's code: its row says what happened
            self.error = f"{type(error).__name__}: {error}"

    def batch(self, view: View) -> None:
        """Show it one batch."""
        if self.error is None and self.observer is not None:
            with self._caught():
                if "states" in self.metric.needs:
                    _states_are_there(view)
                self.observer.batch(view)

    def rows(self) -> list[dict[str, Any]]:
        """Its figures, or its error, as records hold them."""
        return self.told()[0]

    def told(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Its figures, or its error, as records hold them; and its stored arrays, ``figure/array`` to array."""
        values: Mapping[str, Any] = {}
        stored: dict[str, Any] = {}
        if self.error is None and self.observer is not None:
            with self._caught():
                found = self.observer.result()
                values = {name: value.to_json() for name, value in found.items()}
                for name, value in values.items():
                    # What no reader would take costs the metric its row here, and not the trial its record later.
                    metric_row({**self.where, "name": name, **value}, f"figure {name}")
                stored = {
                    f"{name}/{key}": array for name, value in found.items() for key, array in value.stored.items()
                }
        if self.error is not None:
            return [{**self.where, "name": self.metric.name, "error": self.error}], {}
        return [{**self.where, "name": name, **value} for name, value in values.items()], stored


def _states_are_there(view: View) -> None:
    for name, layer in view.layers.items():
        if layer.spiking and layer.states is None:
            raise ValueError(f"the backend of {name} does not record states (it has no trace); try the backend fused")
