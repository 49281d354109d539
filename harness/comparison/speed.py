"""From times that were taken in turn to verdicts: what looks slower is measured again before it counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from ..gate import Gate
from .evidence import Evidence
from .verdicts import Mark, Pending, Verdict, amount, decide

Key = tuple[str, str]  # row, work


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One work of one configuration: median seconds on both sides, and the evidence, or why there is none."""

    row: str
    label: str
    work: str
    old: float = 0.0
    new: float = 0.0
    evidence: Evidence | None = None
    refused: str = ""


def judge(
    timed: Sequence[Timed], gate: Gate, again: Callable[[Collection[Key]], Sequence[Timed]] | None
) -> tuple[Verdict, ...]:
    """A verdict for each of ``timed``; ``again`` measures anew what looks worse, which stays so only where both agree.

    Without ``again`` nothing is confirmed, and what looks worse is reported as that.
    """
    first = _verdicts(timed, gate)
    suspects = [(verdict.row, verdict.figure) for verdict in first if verdict.mark is Mark.WORSE]
    if not suspects or again is None:
        return tuple(first)
    second = {(verdict.row, verdict.figure): verdict for verdict in _verdicts(again(suspects), gate)}
    return tuple(
        _confirmed(verdict, second.get((verdict.row, verdict.figure))) if verdict.mark is Mark.WORSE else verdict
        for verdict in first
    )


def _verdicts(timed: Sequence[Timed], gate: Gate) -> list[Verdict]:
    pending = [
        Pending(verdict=_open(item), evidence=item.evidence, margin=gate.threshold(item.work), higher=False)
        for item in timed
        if item.evidence is not None
    ]
    judged = iter(decide(pending, gate.confidence))
    return [
        next(judged) if item.evidence is not None else replace(_open(item), old=None, new=None, reason=item.refused)
        for item in timed
    ]


def _open(item: Timed) -> Verdict:
    return Verdict(
        row=item.row,
        label=item.label,
        mark=Mark.NOT_COMPARABLE,
        figure=item.work,
        title=item.work.replace("_", " "),
        unit="ms",
        direction="lower",
        kind="noisy",
        old=1000 * item.old,
        new=1000 * item.new,
        relative=True,
    )


def _confirmed(first: Verdict, second: Verdict | None) -> Verdict:
    if second is None or second.change is None:
        told = "nothing" if second is None else second.reason
        return replace(first, mark=Mark.INCONCLUSIVE, reason=f"a rerun could not confirm it: {told}")
    found = amount(second.change, True, "", signed=True)
    if second.mark is Mark.WORSE:
        return replace(first, reason=f"a rerun confirms it: {found}")
    return replace(first, mark=Mark.INCONCLUSIVE, reason=f"a rerun does not confirm it: {found}, {second.mark}")
