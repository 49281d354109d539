"""How much state neurons hold, as their definition says, whatever the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from harness.model import SpikingLayer

if TYPE_CHECKING:
    from harness import LayerView


def state_bytes(name: str, layer: LayerView) -> int:
    """Bytes of state of one recording in the spiking layer ``name``: what it hands from one time step to the next.

    Raises ``ValueError`` where neither the neuron's definition nor the backend says what that is.
    """
    spiking = cast(SpikingLayer, layer.module)
    module = spiking.inner if spiking.definition is None else spiking.definition()
    if not hasattr(module, "stream"):
        raise ValueError(f"nothing says what state the neurons of {name} hold: their definition offers no stream")
    with torch.inference_mode():
        _, state = module.stream(torch.zeros(1, 1, *layer.output_shape[2:]))
    return sum(int(value[0].numel()) * value.element_size() for value in state.values())
