"""The derivatives that stand in for a spike's step, measured by autograd through a neuron's definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from .components import Choice, Neuron, load_reference
from .errors import UsageError, nearest
from .registry import Registered, Registry

Floats = npt.NDArray[np.float64]
MOST = 4  # widths of one surrogate; more lines cannot be told apart


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """One surrogate at one width: ``spikes`` and ``derivative`` (points,) at membrane potentials ``v``, threshold in between.

    ``formulas`` is what the definition says of it: ``derivative`` and ``smooth`` of v, th and w, and their ``source``.
    """

    name: str
    width: float | None
    threshold: float
    v: Floats
    spikes: Floats
    derivative: Floats
    formulas: Mapping[str, str] = field(default_factory=dict)

    def figures(self) -> dict[str, float | str | None]:
        """Name, width (None where the neuron declares none), peak, width at half of it, area, and the formulas (empty where unsaid)."""
        words = {name: self.formulas.get(name, "") for name in ("derivative", "smooth", "source")}
        return {
            "surrogate": self.name,
            "width": self.width,
            "peak": self.peak,
            "half_width": self.half_width,
            "area": self.area,
            "derivative_formula": words["derivative"],
            "smooth_formula": words["smooth"],
            "source": words["source"],
        }

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
    for width in widths:
        if not (isfinite(width) and width > 0):
            raise UsageError(f"width {width:g}: expected a number above 0")
    if len(set(widths)) > MOST:
        raise UsageError(f"{len(set(widths))} widths: {MOST} can be told apart in one figure")
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
        raise UsageError(f"{name} is a {entry.component.kind}, not a neuron")
    if not _choices(entry):
        raise UsageError(f"{name} declares no choice of surrogates, or has no definition")
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
    layer = load_reference(component.reference)(choice, (1,), None)
    spikes = layer(x)
    used = choice.values.get("surrogate_width")
    (slope,) = torch.autograd.grad(spikes.sum(), x)
    return Surrogate(
        name=name,
        width=float(used) if isinstance(used, (int, float)) else None,
        threshold=threshold,
        v=v.numpy(),
        spikes=spikes.detach().reshape(-1).numpy(),
        derivative=slope.reshape(-1).numpy(),
        formulas=layer.formulas() if hasattr(layer, "formulas") else {},
    )
