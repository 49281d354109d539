"""A file's trials against a baseline, configuration by configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..baselines.files import find_baseline, read_baseline
from ..errors import HandledError
from .session import ORDER

if TYPE_CHECKING:
    from ..baselines.form import Baseline
    from ..gate import Gate
    from ..store import Run


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How one configuration stands to the baseline.

    ``mark`` is the first of ``worse``, ``better``, ``inconclusive``, ``not worse`` and ``same`` that a figure has, ``not comparable``
    where nothing compares, or ``absent`` where the baseline has no such configuration. ``lines`` are the check's own, a figure
    each; ``failures`` those for which a test fails. ``holds`` is the number of configurations in the baseline.
    """

    baseline: str
    holds: int
    mark: str
    lines: tuple[str, ...]
    failures: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Compared:
        """What :meth:`to_json` gave."""
        return cls(
            baseline=data["baseline"],
            holds=data["holds"],
            mark=data["mark"],
            lines=tuple(data["lines"]),
            failures=tuple(data["failures"]),
        )


def open_baseline(name: str, results: Path, selected: Iterable[str]) -> Baseline:
    """The baseline of that name or path; raises :class:`HandledError`, also where it has none of the ``selected`` rows."""
    found = read_baseline(find_baseline(name, results))
    if not set(selected) & {item.row for item in found.configurations}:
        labels = ", ".join(item.label for item in found.configurations)
        raise HandledError(f"nothing that was selected is in baseline {found.name}; it holds: {labels}")
    return found


def compare_rows(
    old: Baseline, run: Run, rows: Mapping[str, str], gate: Gate, *, strict: bool, whole: Iterable[str]
) -> dict[str, Compared]:
    """``rows`` (digest to label) of ``run`` against ``old``, as ``harness check`` does.

    ``whole`` are the rows of all items that were selected: where some are checked elsewhere, a chance find is made as unlikely over
    all of them together by Bonferroni's correction. Raises :class:`HandledError` for a baseline and a run that never compare.
    """
    from ..baselines.reduction import of_run
    from ..comparison.regression import check

    known = {item.row: item for item in old.configurations}
    mine = [known[row] for row in rows if row in known]
    parts = max(len(set(whole) & set(known)) / max(len(mine), 1), 1)
    held = replace(gate, confidence=1 - (1 - gate.confidence) / parts)
    verdicts = (
        check(replace(old, configurations=tuple(mine)), of_run(run, gate), held, among=old).verdicts if mine else ()
    )
    found = {}
    for row, label in rows.items():
        own = [verdict for verdict in verdicts if verdict.row == row]
        marks = {str(verdict.mark) for verdict in own}
        mark = next((name for name in ORDER if name in marks), "not comparable") if row in known else "absent"
        # A configuration that the baseline has and that could not be looked at would be a gate that sleeps.
        failing = {"worse", "not comparable"} if strict or mark == "not comparable" else {"worse"}
        lines = [verdict.line() for verdict in own]
        failures = [verdict.line() for verdict in own if verdict.mark in failing]
        if not own:
            reason = "no figure of it is compared" if row in known else f"not in baseline {old.name}, so not compared"
            lines = [f"{label}: configuration: {reason}"]
            failures = lines if "not comparable" in failing else []
        found[row] = Compared(
            baseline=old.name, holds=len(known), mark=mark, lines=tuple(lines), failures=tuple(failures)
        )
    return found
