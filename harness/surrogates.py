"""The derivatives that stand in for a spike's step, measured by autograd through a neuron's definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from .components import Choice, Neuron, load_reference
from .errors import UsageError, nearest
from .registry import Registered, Registry

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """One surrogate at one width: ``spikes`` and ``derivative`` (points,) at membrane potentials ``v``, threshold in between."""

    name: str
    width: float
    threshold: float
    v: Floats
    spikes: Floats
    derivative: Floats

    @property
    def smooth(self) -> Floats:
        """The function whose derivative is used: its integral from the left edge of ``v``, by the trapezoidal rule."""
        steps = (self.derivative[1:] + self.derivative[:-1]) / 2 * np.diff(self.v)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def peak(self) -> float:
        """The largest derivative."""
        return float(self.derivative.max())

    @property
    def area(self) -> float:
        """The integral over ``v``: how far the smooth function rises."""
        return float(self.smooth[-1])

    @property
    def half_width(self) -> float:
        """How much of ``v`` has a derivative of at least half the peak."""
        return float((self.derivative >= self.peak / 2).mean() * (self.v[-1] - self.v[0]))


def surrogates(
    registry: Registry,
    names: Sequence[str] = (),
    widths: Sequence[float] = (),
    *,
    neuron: str | None = None,
    reach: float = 2.0,
    points: int = 2001,
) -> list[Surrogate]:
    """Each of ``names`` (default: all that ``neuron`` offers) at each of ``widths`` (default: the declared one).

    The definition of ``neuron`` (default: the first that declares choices of ``surrogate``) computes one step from zero
    state without synaptic filter, so that the input is the membrane potential, ``reach`` around the threshold; autograd
    gives the derivative, in float64. Raises :class:`UsageError` for unknown names and widths that are refused.
    """
    entry = _neuron(registry, neuron)
    choices = _choices(entry)
    for name in names:
        if name not in choices:
            raise UsageError(
                f"{entry.component.name} has no surrogate {name!r}{nearest(name, choices)}; it has: {', '.join(choices)}"
            )
    return [
        _measured(entry, name, width, reach, points)
        for name in (dict.fromkeys(names) or choices)
        for width in (dict.fromkeys(widths) or (None,))
    ]


def _choices(entry: Registered) -> tuple[str, ...]:
    component = cast(Neuron, entry.component)
    found = [item.choices for item in component.parameters if item.name == "surrogate"]
    return tuple(str(name) for name in found[0]) if found and component.reference else ()


def _neuron(registry: Registry, name: str | None) -> Registered:
    if name is None:
        offering = [entry for entry in registry.components("neuron") if _choices(entry)]
        if not offering:
            raise UsageError("no neuron that is installed declares surrogates and has a definition")
        return offering[0]
    entry = registry.find(name)
    if not isinstance(entry.component, Neuron):
        raise UsageError(f"--neuron {name}: a {entry.component.kind}, not a neuron")
    if not _choices(entry):
        raise UsageError(f"--neuron {name}: it declares no choice of surrogates, or has no definition")
    return entry


def _measured(entry: Registered, name: str, width: float | None, reach: float, points: int) -> Surrogate:
    component = cast(Neuron, entry.component)
    declared = {item.name: item for item in component.parameters}
    given: dict[str, Any] = {"surrogate": name}
    if width is not None:
        given["surrogate_width"] = width
    if "tau_syn" in declared and declared["tau_syn"].optional:
        given["tau_syn"] = None
    choice: Choice = component.choose(**given)
    threshold = float(choice.values.get("threshold", 1.0))  # type: ignore[arg-type]
    v = torch.linspace(threshold - reach, threshold + reach, points, dtype=torch.float64)
    x = v.reshape(-1, 1, 1).clone().requires_grad_()
    # One step each: every point is a sample of its own.
    spikes = load_reference(component.reference)(choice, (1,), None)(x)
    (slope,) = torch.autograd.grad(spikes.sum(), x)
    return Surrogate(
        name=name,
        width=float(choice.values.get("surrogate_width", float("nan"))),  # type: ignore[arg-type]
        threshold=threshold,
        v=v.numpy(),
        spikes=spikes.detach().reshape(-1).numpy(),
        derivative=slope.reshape(-1).numpy(),
    )
