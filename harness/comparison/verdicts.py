"""What a comparison says of one figure of one configuration, and all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import ExitCode
from ..gate import Gate
from .evidence import Evidence, holm

IDENTICAL = "identical"


class Mark(StrEnum):
    """How the new side stands to the old one."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    NOT_WORSE = "not worse"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One figure of one configuration, old against new.

    ``old`` and ``new`` are means over the common seeds, or medians of times; if fewer than five seeds are common and no noise is
    stated, means over all seeds of each side. ``change`` is new minus old, in the scale of ``margin``: absolute, or a share of the
    old value where ``relative``. ``detectable`` is the smallest loss that this comparison finds in 80 of 100 cases, in the same
    scale. ``reason`` is a sentence where there is one to say. A verdict without a ``figure`` speaks of the whole configuration.
    """

    row: str
    label: str
    mark: Mark
    figure: str = ""
    title: str = ""
    unit: str = ""
    direction: str = "none"
    kind: str = ""
    old: float | None = None
    new: float | None = None
    change: float | None = None
    margin: float | None = None
    relative: bool = False
    detectable: float | None = None
    basis: str = ""
    reason: str = ""

    def line(self) -> str:
        """The verdict as a line of text."""
        words = [f"{self.label}: {self.title or 'configuration'}: {self.mark}"]
        if self.old is not None and self.new is not None:
            words.append(f"{_number(self.old, self.unit)} -> {_number(self.new, self.unit)}{_unit(self.unit)}")
        if self.change is not None and self.margin is not None and self.mark is not Mark.SAME:
            scale = amount(self.change, self.relative, self.unit, signed=True)
            words.append(f"{scale}, margin {amount(self.margin, self.relative, self.unit)}")
        if self.basis and self.mark is not Mark.NOT_COMPARABLE:
            words.append(self.basis)
        if self.reason:
            words.append(self.reason)
        return "; ".join(words)


def amount(value: float, relative: bool, unit: str, *, signed: bool = False) -> str:
    """A change, margin or detectable loss: percentage points of a fraction, or per cent of the old value."""
    sign = "+" if signed else ""
    if relative:
        return f"{100 * value:{sign}.3g} %"
    if unit == "fraction":
        return f"{100 * value:{sign}.3g} pp"
    return f"{value:{sign}.3g} {unit}".strip()


def _number(value: float, unit: str) -> str:
    if unit == "fraction":
        return f"{100 * value:.4g}"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _unit(unit: str) -> str:
    return f" {'%' if unit == 'fraction' else unit}" if unit else ""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A verdict to be: the evidence waits for all the others, since every one more makes a chance find likelier.

    ``advice`` becomes the reason if the verdict is inconclusive.
    """

    verdict: Verdict
    evidence: Evidence
    margin: float
    higher: bool = True
    advice: str = ""


def decide(pending: Sequence[Pending], confidence: float) -> list[Verdict]:
    """A verdict for each: worse or better where Holm's adjusted p allows it and the effect passes its margin; same where both sides are
    identical, not worse where a loss of the margin is excluded; else inconclusive."""
    level = 1 - confidence
    worse = holm([item.evidence.p_worse for item in pending])
    better = holm([item.evidence.p_better for item in pending])
    verdicts = []
    for item, p_worse, p_better in zip(pending, worse, better, strict=True):
        evidence = item.evidence
        if evidence.identical:
            mark = Mark.SAME
        elif p_worse <= level and -evidence.effect > item.margin:
            mark = Mark.WORSE
        elif p_better <= level and evidence.effect > item.margin:
            mark = Mark.BETTER
        elif evidence.low > -item.margin:
            mark = Mark.NOT_WORSE
        else:
            mark = Mark.INCONCLUSIVE
        verdicts.append(_told(item, mark, level / len(pending)))
    return verdicts


def _told(item: Pending, mark: Mark, level: float) -> Verdict:
    evidence = item.evidence
    return replace(
        item.verdict,
        mark=mark,
        change=evidence.effect if item.higher else -evidence.effect,
        margin=item.margin,
        detectable=None if evidence.identical else evidence.detectable(item.margin, level),
        basis=IDENTICAL if evidence.identical else evidence.basis,
        reason=item.advice if mark is Mark.INCONCLUSIVE and item.advice else item.verdict.reason,
    )


@dataclass(frozen=True, kw_only=True)
class Check:
    """Every verdict of a comparison; ``old`` and ``new`` name its sides, ``notes`` are sentences on all of it."""

    old: str
    new: str
    gate: Gate
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()

    def having(self, mark: Mark) -> list[Verdict]:
        """The verdicts of this mark."""
        return [verdict for verdict in self.verdicts if verdict.mark is mark]

    @property
    def comparable(self) -> bool:
        """Whether anything could be compared."""
        return any(verdict.mark is not Mark.NOT_COMPARABLE for verdict in self.verdicts)

    def exit_code(self, *, strict: bool = False, fail_inconclusive: bool = False) -> ExitCode:
        """1 where something became worse, 6 where nothing (``strict``: not all) could be compared, else 0."""
        if self.having(Mark.WORSE):
            return ExitCode.REGRESSION
        if not self.comparable or (strict and self.having(Mark.NOT_COMPARABLE)):
            return ExitCode.NOT_COMPARABLE
        if fail_inconclusive and self.having(Mark.INCONCLUSIVE):
            return ExitCode.REGRESSION
        return ExitCode.OK
