"""Random shifts of training frames."""

from __future__ import annotations

import torch


def shifted(inputs: torch.Tensor, cells: int, steps: int, generator: torch.Generator) -> torch.Tensor:
    """``inputs`` (B, T, channels) or (B, T, P, H, W), each sample moved as a whole.

    Up to ``steps`` in time and up to ``cells`` along the channels, or along height and width; drawn evenly from
    ``generator``. What moves out is lost and zeros move in.
    """
    for axis, most in [(1, steps), *((axis, cells) for axis in range(2 if inputs.dim() == 3 else 3, inputs.dim()))]:
        if most:
            offsets = torch.randint(-most, most + 1, (len(inputs),), generator=generator)
            inputs = _shift(inputs, axis, offsets.to(inputs.device))
    return inputs


def _shift(inputs: torch.Tensor, axis: int, offsets: torch.Tensor) -> torch.Tensor:
    size = inputs.shape[axis]
    source = torch.arange(size, device=inputs.device)[None] - offsets[:, None]
    inside = (source >= 0) & (source < size)
    shape = [len(inputs), *(1 for _ in inputs.shape[1:])]
    shape[axis] = size
    index = source.clamp(0, size - 1).reshape(shape).expand_as(inputs)
    return torch.gather(inputs, axis, index) * inside.reshape(shape)
