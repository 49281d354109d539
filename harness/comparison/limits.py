"""What a gate says of figures that are not there, or not of that kind: a typing error that would otherwise go unseen."""

from __future__ import annotations

from collections.abc import Iterable

from ..baselines.form import Configuration
from ..errors import UsageError, nearest
from ..gate import Gate

_KINDS = (("margin", "seeded"), ("seed_noise", "seeded"), ("tolerance", "exact"))


def refuse_unknown_figures(gate: Gate, configurations: Iterable[Configuration]) -> None:
    """Raise :class:`UsageError` for a figure to be checked that no side has."""
    known = {figure.name for item in configurations for figure in item.figures}
    for name in gate.figures:
        if known and name not in known:
            raise UsageError(
                f"neither side has a figure {name!r}{nearest(name, known)}; there are: {', '.join(sorted(known))}"
            )


def refuse_idle_limits(gate: Gate, configurations: Iterable[Configuration]) -> None:
    """Raise :class:`UsageError` for a margin, noise or tolerance that no figure is held to."""
    kinds: dict[str, set[str]] = {}
    for figure in (figure for item in configurations for figure in item.figures):
        kinds.setdefault(figure.name, set()).add(figure.kind)
    for name, limits in gate.limits.items():
        for limit, kind in _KINDS:
            if limit not in limits:
                continue
            if name not in kinds:
                raise UsageError(
                    f"there is a {limit} for {name!r}, which no figure checked is called{nearest(name, kinds)}"
                )
            if kind not in kinds[name]:
                other = "tolerance" if kind == "seeded" else "margin"
                raise UsageError(
                    f"there is a {limit} for {name!r}, which is {min(kinds[name])}: its limit is [gate.{name}] {other}"
                )
