"""The derivatives that stand in for a spike's step, measured by autograd through a neuron's definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from .components import Choice, Neuron, load_reference
from .errors import UsageError, nearest
from .foreign import plugin_code
from .lookup import find_kind
from .registry import Registered, Registry

Floats = npt.NDArray[np.float64]
MOST = 4  # widths of one surrogate; more lines cannot be told apart
NARROWEST, WIDEST = 1e-9, 1e9  # beyond, float64 no longer tells potentials apart
_REACH = 4.0  # widths on each side of the threshold
_POINTS = 401  # to begin with
_FINE = 0.01  # of the peak is how far the derivative goes between two points, at most
_MANY = 20_000  # points, which only a derivative that jumps all over needs
_ROUNDS = 60  # of halving, by which a jump is as narrow as float64 allows


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """One surrogate at one width: ``spikes`` and ``derivative`` (points,) at membrane potentials ``v``, threshold in between.

    Points lie closer where the derivative changes. ``below`` is its integral up to the first of them, 0 where that has no end.
    ``formulas`` is what the definition says of it: ``derivative`` and ``smooth`` of v, th and w, and their ``source``.
    """

    name: str
    width: float | None
    threshold: float
    v: Floats
    spikes: Floats
    derivative: Floats
    below: float = 0.0
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
        """The function whose derivative is used: its integral from minus infinity, by the trapezoidal rule."""
        return self.below + _integral(self.v, self.derivative)

    @property
    def peak(self) -> float:
        """The largest derivative."""
        return float(self.derivative.max())

    @property
    def area(self) -> float:
        """The integral over ``v``: how far the smooth function rises."""
        return float(_integral(self.v, self.derivative)[-1])

    @property
    def half_width(self) -> float:
        """How much of ``v`` has a derivative of at least half the peak."""
        ends = np.sort([self.derivative[1:], self.derivative[:-1]], axis=0) - self.peak / 2
        rise = ends[1] - ends[0]
        share = np.where(rise > 0, ends[1] / np.where(rise > 0, rise, 1), ends[1] >= 0)
        return float((np.diff(self.v) * share.clip(0, 1)).sum())


def _integral(v: Floats, derivative: Floats) -> Floats:
    steps = (derivative[1:] + derivative[:-1]) / 2 * np.diff(v)
    return np.concatenate([[0.0], np.cumsum(steps)])


def surrogates(
    registry: Registry,
    names: Sequence[str] = (),
    widths: Sequence[float] = (),
    *,
    neuron: str | None = None,
    reach: float | None = None,
) -> list[Surrogate]:
    """Each of ``names`` (default: all that ``neuron`` offers) at each of ``widths`` (default: the declared one).

    The definition of ``neuron`` (default: the first that declares choices of ``surrogate``) computes one step from zero
    state without synaptic filter, so that the input is the membrane potential, ``reach`` around the threshold (default: four
    times the largest width); autograd gives the derivative, in float64. Raises :class:`UsageError` for unknown names and widths
    that are refused.
    """
    for width in widths:
        if not NARROWEST <= width <= WIDEST:
            raise UsageError(f"width {width:g}: expected a number from {NARROWEST:g} to {WIDEST:g}")
    if len(set(widths)) > MOST:
        raise UsageError(f"{len(set(widths))} widths: {MOST} can be told apart in one figure")
    entry = _neuron(registry, neuron)
    choices = _choices(entry)
    for name in names:
        if name not in choices:
            raise UsageError(
                f"{entry.component.name} has no surrogate {name!r}{nearest(name, choices)}; it has: {', '.join(choices)}"
            )
    chosen = [
        _choice(entry, name, width)
        for name in (dict.fromkeys(names) or choices)
        for width in (list[float | None](dict.fromkeys(widths)) or [None])
    ]
    largest = max((known for choice in chosen if (known := _width(choice)) is not None), default=0.5)
    with plugin_code(f"the definition of {entry.component.name} failed"):
        return [_measured(entry, choice, _REACH * largest if reach is None else reach) for choice in chosen]


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
    entry = find_kind(registry, name, Neuron)
    if not _choices(entry):
        raise UsageError(f"{name} declares no choice of surrogates, or has no definition")
    return entry


def _choice(entry: Registered, name: str, width: float | None) -> Choice:
    component = cast(Neuron, entry.component)
    declared = {item.name: item for item in component.parameters}
    given: dict[str, Any] = {"surrogate": name}
    if width is not None:
        given["surrogate_width"] = width
    if "tau_syn" in declared and declared["tau_syn"].optional:
        given["tau_syn"] = None
    return component.choose(**given)


def _width(choice: Choice) -> float | None:
    width = choice.values.get("surrogate_width")
    return float(width) if isinstance(width, (int, float)) else None


def _measured(entry: Registered, choice: Choice, reach: float) -> Surrogate:
    component = cast(Neuron, entry.component)
    threshold = float(choice.values.get("threshold", 1.0))  # type: ignore[arg-type]
    layer = load_reference(component.reference)(choice, (1,), None)

    def at(v: Floats) -> tuple[Floats, Floats]:
        x = torch.from_numpy(v).reshape(-1, 1, 1).clone().requires_grad_()
        # One step each: every point is a sample of its own.
        spikes = layer(x)
        (slope,) = torch.autograd.grad(spikes.sum(), x)
        return spikes.detach().reshape(-1).numpy(), slope.reshape(-1).numpy()

    v = _potentials(threshold, reach, lambda points: at(points)[1])
    spikes, derivative = at(v)
    # Ever longer steps, to where nothing is left of a derivative that has an end.
    far = v[0] - reach * np.expm1(np.linspace(40, 0, 8001))
    tail = at(far)[1]
    ends = abs(tail[0]) * (v[0] - far[0]) < 1e-6
    return Surrogate(
        name=str(choice["surrogate"]),
        width=_width(choice),
        threshold=threshold,
        v=v,
        spikes=spikes,
        derivative=derivative,
        below=float(_integral(far, tail)[-1]) if ends else 0.0,
        formulas=layer.formulas() if hasattr(layer, "formulas") else {},
    )


def _potentials(threshold: float, reach: float, derivative: Callable[[Floats], Floats]) -> Floats:
    """Potentials ``reach`` around ``threshold``, close to it and wherever the derivative changes halved until it does so by little."""
    close = reach * np.geomspace(NARROWEST / 100, 1, 200)
    around = [-close, np.zeros(1), close, np.linspace(-reach, reach, _POINTS)]
    v = np.unique(threshold + np.concatenate(around))
    found = derivative(v)
    for _ in range(_ROUNDS):
        wide = np.abs(np.diff(found)) > _FINE * np.abs(found).max()
        middle = (v[:-1][wide] + v[1:][wide]) / 2
        middle = middle[(middle > v[:-1][wide]) & (middle < v[1:][wide])]
        if not len(middle) or len(v) > _MANY:
            break
        order = np.argsort(np.concatenate([v, middle]), kind="stable")
        v, found = (
            np.concatenate([v, middle])[order],
            np.concatenate([found, derivative(middle)])[order],
        )
    return v
