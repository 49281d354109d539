"""When a difference is a difference: rules for spikes and gradients that float rounding may move.

A spike may differ from the double-precision definition only where the definition's potential is so close to a threshold that
the rounding of that float type can carry it across: within :data:`ROUNDINGS` roundings a step, of the largest magnitude that
the neuron has seen. From a neuron's first such difference on, its history is another and nothing more is compared; where
layers feed back, the same holds for the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

# Float operations of one step that round, with room for a backend that orders them otherwise.
ROUNDINGS = 16
RELATIVE = {torch.float32: 1e-5, torch.float64: 1e-9}
# A gradient may also be as far off as the definition itself is in that float type when its input's last bits differ, times this.
OWN_ERROR = 4.0
# Below this numbers lose digits, or are 0 where a processor flushes them.
_TINY = {torch.float32: 1e-36, torch.float64: 1e-300}

Margins = dict[str, torch.Tensor]


def reach(scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """How far rounding can have carried a potential: (batch, time, *shape) like ``scale``."""
    steps = torch.arange(1, scale.shape[1] + 1, dtype=scale.dtype)
    steps = steps.reshape(1, -1, *[1] * (scale.dim() - 2))
    return ROUNDINGS * steps * torch.finfo(dtype).eps * scale


def spikes_differ(
    spikes: torch.Tensor, expected: torch.Tensor, margins: Margins | None, *, feedback: bool
) -> str | None:
    """What is wrong with ``spikes`` (batch, time, *shape) beside the double-precision ``expected``, or None."""
    if spikes.shape != expected.shape:
        return f"spikes have shape {tuple(spikes.shape)}, not {tuple(expected.shape)}"
    differs = spikes.double() != expected
    if not differs.any():
        return None
    if margins is None:
        return f"{int(differs.sum())} of {differs.numel()} spikes differ"
    batch, time = differs.shape[:2]
    flat = differs.reshape(batch, time, -1)
    earlier = flat.any(2, keepdim=True).expand_as(flat) if feedback else flat
    before = torch.cumsum(earlier.int(), 1) - earlier.int()
    first = flat & (before == 0)
    allowed = (margins["spikes"] <= reach(margins["scale"], spikes.dtype)).reshape(batch, time, -1)
    wrong = first & ~allowed
    if not wrong.any():
        return None
    place = wrong.nonzero()[0].tolist()
    at = tuple(place)
    flat_spikes, flat_expected = spikes.reshape(batch, time, -1), expected.reshape(batch, time, -1)
    distance = float(margins["spikes"].reshape(batch, time, -1)[at])
    return (
        f"{int(wrong.sum())} spikes differ beyond rounding, first at recording {place[0]}, step {place[1]}, neuron {place[2]}: "
        f"{float(flat_spikes[at]):g}, not {float(flat_expected[at]):g}, {distance:.3g} from the threshold"
    )


def decided_by_rounding(margins: Margins, dtype: torch.dtype) -> bool:
    """Whether any step lies so close to a jump of a spike count or derivative that gradients cannot be compared."""
    close = reach(margins["scale"], dtype)
    return bool(((margins["spikes"] <= close) | (margins["slopes"] <= close)).any())


def values_differ(
    value: torch.Tensor,
    expected: torch.Tensor,
    dtype: torch.dtype,
    own: Callable[[], Iterable[torch.Tensor]] = tuple,
) -> str | None:
    """How far ``value`` is from the double-precision ``expected``, if too far.

    Allowed: :data:`RELATIVE` of the largest element; where sums cancel, :data:`OWN_ERROR` times the largest error of ``own()``,
    what the definition gives in the same float type for inputs that differ in their last bits.
    """
    if value.shape != expected.shape:
        return f"shape {tuple(value.shape)}, not {tuple(expected.shape)}"
    if not value.numel():
        return None
    expected = expected.detach()
    error = float((value.detach().double() - expected).abs().max())
    largest = float(expected.abs().max())
    allowed = RELATIVE[dtype] * largest + _TINY[dtype]
    if error > allowed:
        errors = [float((other.detach().double() - expected).abs().max()) for other in own()]
        allowed = max([allowed, *(OWN_ERROR * other for other in errors)])
    if error <= allowed:
        return None
    return f"off by {error:.3g} where the largest is {largest:.3g} and {allowed:.2g} allowed"
