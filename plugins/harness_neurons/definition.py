"""The layer of the backend ``definition``: the one that the neuron's own reference makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness import Choice

if TYPE_CHECKING:
    from torch import nn


def layer(
    neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None = None, *, reference: Callable[..., nn.Module]
) -> nn.Module:
    """Make the layer of ``neuron`` by its ``reference``.

    Args:
        neuron: the neuron and its values.
        shape: that of one time step of one recording.
        recurrent: a module from (batch, *shape) to the same, called with the spikes of the last step, or None.
        reference: the function behind the reference that the neuron declares.

    Returns:
        A module from (batch, time, *shape) to the same.
    """
    return reference(neuron, shape, recurrent)
