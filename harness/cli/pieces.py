"""What of a plan is timed: the first seed of every configuration that can run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..components import Backend
from ..errors import UsageError
from ..plan import Plan

if TYPE_CHECKING:
    from ..execution.duet import Piece


def pieces_of(plan: Plan, note: Callable[[str], None]) -> list[Piece]:
    """One a configuration; ``note`` is told what was left out and why. Raises :class:`UsageError` where nothing is left."""
    from ..execution.duet import Piece

    pieces: dict[str, Piece] = {}
    for trial in plan.trials:
        row, label = trial.row, trial.label.rpartition(" ")[0]
        if trial.skip:
            note(f"{label} was left out: {trial.skip}")
        elif row not in pieces:
            pieces[row] = Piece(row=row, label=label, specification=trial.specification.to_json(), seed=trial.seed)
    if not pieces:
        raise UsageError("nothing to time: every configuration was left out")
    return list(pieces.values())


def able(plan: Plan, device: str) -> str:
    """``auto`` without a GPU where a backend of the plan cannot use one, as in a run."""
    backends = [entry.component for entry in plan.components.values() if isinstance(entry.component, Backend)]
    return "cpu" if device == "auto" and any("cuda" not in item.devices for item in backends) else device
