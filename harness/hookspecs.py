"""What the harness asks of plugins: one function a hook, its docstring the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from .components import Backend, Dataset, Metric, Network, Neuron

if TYPE_CHECKING:
    import click

    from .records import Record

PROJECT = "harness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_datasets(register: Callable[[Dataset], None]) -> None:
    """Hand over datasets: call ``register(Dataset(...))`` once for each."""


@hookspec
def register_neurons(register: Callable[[Neuron], None]) -> None:
    """Hand over neurons: call ``register(Neuron(...))`` once for each."""


@hookspec
def register_backends(register: Callable[[Backend], None]) -> None:
    """Hand over backends: call ``register(Backend(...))`` once for each."""


@hookspec
def register_networks(register: Callable[[Network], None]) -> None:
    """Hand over networks: call ``register(Network(...))`` once for each."""


@hookspec
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Hand over metrics: call ``register(Metric(...))`` once for each."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add click commands or groups to ``cli``, the group behind ``harness``; import heavy things inside them."""


@hookspec(firstresult=True)
def make_executor(name: str, options: Mapping[str, str]) -> Any:
    """Return the executor called ``name`` (see :class:`harness.execution.Executor`), or None for a name not yours."""


@hookspec
def trial_started(trial: Mapping[str, Any]) -> None:
    """A trial has started; ``trial`` holds its key, label, specification and seed. Called in the parent process."""


@hookspec
def epoch_finished(trial: Mapping[str, Any], epoch: int, scores: Mapping[str, float]) -> None:
    """A trial has finished an epoch (from 1); ``scores`` holds losses and accuracies. Called in the parent process.

    Under ``recipe.refit`` the epochs of the second training are counted on and have no scores on validation.
    """


@hookspec
def trial_finished(record: Record) -> None:
    """A trial has ended, whatever its status, and its record is on disk. Called in the parent process."""


@hookspec
def run_finished(run: Mapping[str, Any]) -> None:
    """The last trial of a run has ended; ``run`` is what run.json holds. Called in the parent process."""
