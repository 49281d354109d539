"""Run a metric's observer without letting it disturb anything else."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from .components import Choice, Metric, load_reference
from .foreign import describe, foreign_code
from .isolation import Disturbance
from .metric_rows import Row, ValueProblem, result_rows
from .observation import Context, Observer, View

if TYPE_CHECKING:
    from torch import nn

    from .isolation import Guard


class Watched:
    """A metric's observer at work; after its first error it is left alone and its one row holds the error."""

    def __init__(
        self, metric: Metric, choice: Choice, model: nn.Module, context: Context | None, guard: Guard | None = None
    ) -> None:
        if context is None:
            raise ValueError("metrics need a context")
        self.metric = metric
        self.where = {"metric": metric.name, "phase": context.phase, "split": context.split}
        self.error: str | None = None
        self.observer: Observer | None = None
        self._guard = guard
        with self._caught():
            self.observer = load_reference(metric.observer)(**choice.values)
            assert self.observer is not None
            self.observer.start(model, context)

    @contextmanager
    def _caught(self) -> Iterator[None]:
        try:
            with foreign_code(), nullcontext() if self._guard is None else self._guard.apart(self):
                yield
        except (ValueProblem, Disturbance) as error:
            self.error = str(error)
        except Exception as error:  # a stranger's code: its row says what happened, and the log where
            self.error = describe(error)
            print(f"metric {self.metric.name} failed:", *traceback.format_exception(error), flush=True)

    def batch(self, view: View) -> None:
        """Show it one batch."""
        if self.error is None and self.observer is not None:
            with self._caught():
                if "states" in self.metric.needs:
                    _states_are_there(view)
                self.observer.batch(view.private())

    def results(self) -> tuple[list[Row], dict[str, Any]]:
        """Return its values, or its error, as records hold them; and its stored arrays, ``value/array`` to array."""
        if self.error is None and self.observer is not None:
            with self._caught():
                return result_rows(self.where, self.observer.result())
        return [{**self.where, "name": self.metric.name, "error": self.error}], {}


def _states_are_there(view: View) -> None:
    for name, layer in view.layers.items():
        if layer.spiking and layer.states is None:
            raise ValueError(f"the backend of {name} does not record states (it has no trace); try the backend fused")
