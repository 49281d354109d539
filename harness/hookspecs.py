"""What the harness asks of plugins."""

from __future__ import annotations

from collections.abc import Callable

import pluggy

from .components import Neuron

PROJECT = "harness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_neurons(register: Callable[[Neuron], None]) -> None:
    """Hand over neurons: call ``register(Neuron(...))`` once for each."""
