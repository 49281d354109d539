"""A run against a baseline, figure by figure: the kind of a figure picks how it is compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from ..baselines.form import Baseline, BaselineError, Configuration, Figure, Trial, correct_bits, recordings_of
from ..gate import Gate
from ..records import Status, same_data
from .differences import differences, differing
from .evidence import MEASURED_FROM, equal, seeds_text
from .limits import refuse_idle_limits, refuse_unknown_figures
from .verdicts import IDENTICAL, Check, Mark, Pending, Verdict, decide

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_EXACT_WITHIN = "exact figures compare within one platform alone"


def check(old: Baseline, new: Baseline, gate: Gate, *, among: Baseline | None = None) -> Check:
    """Every configuration of ``old`` against the one of ``new`` with the same specification.

    ``among`` is the whole baseline where ``old`` is a part of it: ``gate`` may speak of any figure there. Raises
    :class:`BaselineError` for a limited run and :class:`UsageError` for a figure or a limit of ``gate`` that speaks of none.
    """
    _refuse_limited(new)
    configurations = [*(among or old).configurations, *new.configurations]
    refuse_unknown_figures(gate, configurations)
    refuse_idle_limits(gate, configurations)
    by_row = {item.row: item for item in new.configurations}
    pairs = [(item, by_row.get(item.row)) for item in old.configurations]
    known = {item.row for item in old.configurations}
    extra = [item for item in new.configurations if item.row not in known]
    verdicts = _Comparison(gate).verdicts(pairs, new.configurations)
    notes = [f"not in {old.name}, so not compared: {_labels(extra)}"] if extra else []
    return Check(
        old=old.name, new=new.name, gate=gate, verdicts=tuple(verdicts), notes=(*notes, *_code_notes(old, new))
    )


def compare(old: Baseline, new: Baseline, gate: Gate) -> Check:
    """Any two sides: configurations with the same specification, or, where none is and each side has one, those two.

    Raises :class:`BaselineError` where nothing can be paired.
    """
    refuse_unknown_figures(gate, [*old.configurations, *new.configurations])
    limits = [side.experiment.get("limit") for side in (old, new)]
    if limits[0] != limits[1]:
        told = " and ".join(f"{side.name} to {_limit(limit)}" for side, limit in zip((old, new), limits, strict=True))
        raise BaselineError(f"these were limited differently, {told}: they do not compare")
    by_row = {item.row: item for item in new.configurations}
    pairs = [(item, by_row[item.row]) for item in old.configurations if item.row in by_row]
    notes = [f"both were limited to {limits[0]} recordings a split"] if limits[0] is not None else []
    if not pairs and len(old.configurations) == len(new.configurations) == 1:
        pairs = [(old.configurations[0], new.configurations[0])]
        notes.append(f"these differ in {differences(pairs[0][0].specification, pairs[0][1].specification)}")
    if not pairs:
        raise BaselineError(
            f"no configuration is on both sides: {_labels(old.configurations)}; and {_labels(new.configurations)}; "
            f"name one of each, such as {old.name}:lif"
        )
    one_sided = [
        f"only in {side.name}: {_labels(left)}"
        for side in (old, new)
        if (left := [item for item in side.configurations if not any(item in pair for pair in pairs)])
    ]
    verdicts = _Comparison(gate, like_for_like=False).verdicts(pairs, new.configurations)
    return Check(
        old=old.name,
        new=new.name,
        gate=gate,
        verdicts=tuple(verdicts),
        notes=(*notes, *one_sided, *_pair_notes(pairs), *_code_notes(old, new)),
    )


def _limit(limit: object) -> str:
    return "no limit" if limit is None else f"{limit} recordings a split"


def _pair_notes(pairs: Iterable[tuple[Configuration, Configuration]]) -> Iterator[str]:
    """What a comparison that asks for nothing alike leaves out or lets pass."""
    for old, new in pairs:
        apart = _done(old) ^ _done(new)
        if apart and _done(old) & _done(new):
            yield f"{old.label}: seed {_listed(apart)} finished on one side alone, so not compared"
        if old.row == new.row and not same_data(old.data, new.data):
            yield f"{old.label}: other data: the recordings of the two sides are not the same"


def _refuse_limited(new: Baseline) -> None:
    limit = new.experiment.get("limit")
    if limit is not None:
        raise BaselineError(f"{new.name} was limited to {limit} recordings a split: it compares with no baseline")


def _code_notes(old: Baseline, new: Baseline) -> Iterator[str]:
    """What supplies differ in version, which is why one looks."""
    versions: dict[str, tuple[str, str]] = {}
    by_row = {item.row: item for item in new.configurations}
    for item in old.configurations:
        other = by_row.get(item.row)
        if other is None:
            continue
        for kind, supplier in item.suppliers.items():
            theirs = other.suppliers.get(kind, {})
            name = supplier.get("distribution") or "snn-harness"
            if supplier.get("version") != theirs.get("version"):
                versions[name] = (str(supplier.get("version")), str(theirs.get("version")))
        frames = [side.data.get("frames") for side in (item, other)]
        if all(frames) and frames[0] != frames[1] and same_data(item.data, other.data):
            yield f"{item.label}: the same recordings became other frames: the encoder, or the dataset's reader, changed"
    if versions:
        yield "other versions: " + ", ".join(f"{name} {a} -> {b}" for name, (a, b) in versions.items())


class _Comparison:
    """Compares pairs of configurations under one gate."""

    def __init__(self, gate: Gate, *, like_for_like: bool = True) -> None:
        self.gate = gate
        self.like_for_like = like_for_like

    def verdicts(
        self, pairs: Sequence[tuple[Configuration, Configuration | None]], others: Sequence[Configuration]
    ) -> list[Verdict]:
        """In order of the pairs; evidence is judged together, so that all of it is one family of tests."""
        found: list[Verdict | Pending] = []
        for old, new in pairs:
            found += [_unpaired(old, others)] if new is None else self._pair(old, new)
        judged = iter(decide([item for item in found if isinstance(item, Pending)], self.gate.confidence))
        return [next(judged) if isinstance(item, Pending) else item for item in found]

    def _pair(self, old: Configuration, new: Configuration) -> Iterator[Verdict | Pending]:
        for seed, status, message in _lost(old, new):
            yield _whole(old, Mark.WORSE, f"seed {seed} ended as {status}: {message or 'no message'}")
        if not same_data(old.data, new.data) and self.like_for_like:
            yield _whole(old, Mark.NOT_COMPARABLE, "other data: the recordings are not those of the baseline")
            return
        if old.test and new.test and old.test != new.test and self.like_for_like:
            yield _whole(old, Mark.NOT_COMPARABLE, "other data: what is tested on is not what the baseline was")
            return
        seeds = sorted(_done(old) & _done(new))
        if not seeds:
            if _done(new):
                reason = f"no seed in common: {_listed(_done(old))} against {_listed(_done(new))}"
                yield _whole(old, Mark.NOT_COMPARABLE, reason)
            elif not _lost(old, new):
                told = sorted({f"{trial.status}: {trial.error or 'no message'}" for trial in new.trials})
                yield _whole(old, Mark.NOT_COMPARABLE, f"no trial of it finished ({'; '.join(told) or 'none was run'})")
            return
        missing = _done(old) - _done(new) - {seed for seed, _, _ in _lost(old, new)}
        if missing and self.like_for_like:
            yield _whole(
                old,
                Mark.NOT_COMPARABLE,
                f"seed {_listed(missing)} of the baseline was not run: the others are compared",
            )
        theirs = {figure.name: figure for figure in new.figures}
        wanted = [figure for figure in old.figures if self._wanted(figure)]
        for figure in wanted:
            yield self._figure(old, new, figure, _counterpart(figure, theirs), seeds)
        unknown = [name for name in self.gate.figures if name in theirs and name not in {f.name for f in old.figures}]
        for name in unknown:
            yield replace(_blank(old, theirs[name]), reason=f"the old side has no {name}: save it anew with this gate")
        if not wanted and not unknown:
            yield _whole(old, Mark.NOT_COMPARABLE, "the old side holds no figure of it that is checked")

    def _wanted(self, figure: Figure) -> bool:
        if self.gate.figures:
            return figure.name in self.gate.figures
        return figure.direction != "none" or figure.kind == "exact" or bool(figure.problems)

    def _figure(
        self, old: Configuration, new: Configuration, figure: Figure, other: Figure | None, seeds: Sequence[int]
    ) -> Verdict | Pending:
        base = _blank(old, figure)
        if other is None:
            # A metric that fails for every seed has no figures: its failures stand under its own name.
            other = next((item for item in new.figures if item.metric == figure.metric and _failures(item)), None)
        if other is None:
            return replace(
                base,
                reason=f"the new side has no {figure.name}: metric {figure.metric} was left out, or gives it no longer",
            )
        failed = _failures(other)
        if failed and not _failures(figure):
            return replace(base, mark=Mark.WORSE, reason=f"metric {figure.metric} {'; '.join(failed)}")
        if other.name != figure.name:
            return replace(base, reason=f"metric {figure.metric} {'; '.join(failed)} on both sides")
        moved = [
            f"{part} {getattr(figure, part) or 'none'} -> {getattr(other, part) or 'none'}"
            for part in ("metric", "unit", "kind", "direction")
            if getattr(figure, part) != getattr(other, part)
        ]
        if moved:
            return replace(base, reason=f"{figure.name} is no longer the same figure: {', '.join(moved)}")
        without = [seed for seed in seeds if str(seed) not in figure.values or str(seed) not in other.values]
        if without:
            told = [
                side.problems[str(seed)] for side in (figure, other) for seed in without if str(seed) in side.problems
            ]
            return replace(
                base, reason=f"no value for seed {_listed(without)}: {'; '.join(dict.fromkeys(told)) or 'none'}"
            )
        first = [float(figure.values[str(seed)]) for seed in seeds]
        second = [float(other.values[str(seed)]) for seed in seeds]
        base = replace(base, old=fmean(first), new=fmean(second))
        if figure.kind == "exact":
            return self._exact(base, figure, first, second, old, new)
        if figure.direction == "none":
            return _undirected(base, first, second)
        return self._seeded(base, first, second, old, new, seeds)

    def _exact(
        self,
        base: Verdict,
        figure: Figure,
        first: Sequence[float],
        second: Sequence[float],
        old: Configuration,
        new: Configuration,
    ) -> Verdict:
        if old.platform != new.platform:
            return replace(base, reason=f"{_EXACT_WITHIN}: {differences(old.platform, new.platform)}")
        tolerance = self.gate.tolerance(figure.name, figure.tolerance)
        sign = {"higher": 1, "lower": -1}.get(figure.direction, 0)
        gaps = [b - a for a, b in zip(first, second, strict=True)]
        # One seed's gain makes up for no other's loss.
        losing = [gap for gap in gaps if sign * gap < -tolerance]
        worst = max(losing or gaps, key=abs)
        told = replace(base, change=worst, margin=tolerance, basis=f"exact, {seeds_text(len(first))}")
        if abs(worst) <= tolerance:
            return replace(told, mark=Mark.SAME, basis=IDENTICAL if worst == 0 else told.basis)
        if figure.direction == "none":
            return replace(told, mark=Mark.WORSE, reason="it changed, and neither direction is better")
        return replace(told, mark=Mark.WORSE if losing else Mark.BETTER)

    def _seeded(
        self,
        base: Verdict,
        first: Sequence[float],
        second: Sequence[float],
        old: Configuration,
        new: Configuration,
        seeds: Sequence[int],
    ) -> Pending:
        margin = self.gate.margin(base.figure, base.unit)
        higher = base.direction == "higher"
        relative = base.unit != "fraction"
        base = replace(base, relative=relative)
        stated = self.gate.seed_noise(base.figure)
        bits = _bits(old, new, base.figure, seeds)
        identical = list(first) == list(second) if bits is None else bool((bits[0] == bits[1]).all())
        if identical:
            over = seeds_text(len(seeds))
            return Pending(verdict=base, evidence=equal(over), margin=margin, higher=higher)
        if len(seeds) < MEASURED_FROM and stated is None:
            return self._few(base, old, new, margin=margin, higher=higher)
        noise = stated or 0.0
        if noise:
            # A baseline of five seeds knows their noise better than any assumption, also where one of them is run again.
            noise = max(noise, *(_spread(side, base.figure, relative) for side in (old, new)))
        from . import paired

        if bits is not None:
            evidence = paired.from_recordings(
                *bits, confidence=self.gate.confidence, seed_noise=noise, recordings=recordings_of(old)
            )
        else:
            evidence = paired.from_values(
                first,
                second,
                higher_is_better=higher,
                relative=relative,
                confidence=self.gate.confidence,
                seed_noise=noise,
            )
        return Pending(verdict=base, evidence=evidence, margin=margin, higher=higher)

    def _few(self, base: Verdict, old: Configuration, new: Configuration, *, margin: float, higher: bool) -> Pending:
        """Judge sides with fewer than five seeds in common by all seeds of each, so that what either side measured counts."""
        from . import few

        values = [_values(side, base.figure) for side in (old, new)]
        seeds = [sorted(own) for own in values]
        reckoned = self.gate.reckoned_noise(base.unit)
        before, after = (_right(side, base.figure, own) for side, own in zip((old, new), seeds, strict=True))
        if before is not None and after is not None and _paired_samples(old, new):
            evidence = few.from_recordings(
                before,
                after,
                confidence=self.gate.confidence,
                reckoned_noise=reckoned,
                recordings=recordings_of(old),
            )
        else:
            evidence = few.from_values(
                list(values[0].values()),
                list(values[1].values()),
                higher_is_better=higher,
                relative=base.relative,
                confidence=self.gate.confidence,
                reckoned_noise=reckoned,
            )
        counts = [len(own) for own in values]
        advice = "" if few.measures_noise(*counts) else _advice(base.figure, counts[0], counts[1])
        means = [fmean(own.values()) for own in values]
        return Pending(
            verdict=replace(base, old=means[0], new=means[1]),
            evidence=evidence,
            margin=margin,
            higher=higher,
            advice=advice,
        )


def _advice(figure: str, old: int, new: int) -> str:
    return (
        f"{seeds_text(new)} against {old} cannot tell a loss from chance, since nothing measures how much seeds differ: save the "
        f"baseline with five seeds (--seeds 5), or state their standard deviation as seed_noise in [gate.{figure}]"
    )


def _values(side: Configuration, name: str) -> dict[int, float]:
    """Return the values of a figure by seed, those of finished trials."""
    done = _done(side)
    return {
        int(seed): float(value)
        for figure in side.figures
        if figure.name == name
        for seed, value in figure.values.items()
        if int(seed) in done
    }


def _counterpart(figure: Figure, theirs: Mapping[str, Figure]) -> Figure | None:
    """Return the other side's value of the same metric, which may be qualified by it, or else of the same name."""
    bare = figure.name.removeprefix(f"{figure.metric}.")
    found = [theirs[name] for name in (figure.name, bare, f"{figure.metric}.{bare}") if name in theirs]
    return next((item for item in found if item.metric == figure.metric), theirs.get(figure.name))


def _spread(side: Configuration, name: str, relative: bool) -> float:
    """The standard deviation of a figure over all seeds of one side, a share of its mean where ``relative``; 0 where unknown."""
    values = [float(value) for figure in side.figures if figure.name == name for value in figure.values.values()]
    if len(values) < 2:
        return 0.0
    scale = abs(fmean(values)) if relative else 1.0
    return stdev(values) / scale if scale else 0.0


def _bits(
    old: Configuration, new: Configuration, name: str, seeds: Sequence[int]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    """Return which samples each side got right, (seeds, samples); None if the figure is not made of them or they do not pair."""
    before, after = _right(old, name, seeds), _right(new, name, seeds)
    return None if before is None or after is None or not _paired_samples(old, new) else (before, after)


def _right(side: Configuration, name: str, seeds: Sequence[int]) -> npt.NDArray[np.bool_] | None:
    """Return which samples one side got right; None if that is not what the figure is made of."""
    bits = correct_bits(side, seeds) if name == "accuracy" else None
    values = _values(side, name)
    if bits is None or any(abs(own.mean() - values[seed]) > 1e-9 for own, seed in zip(bits, seeds, strict=True)):
        return None
    recordings = recordings_of(side)
    return bits if (bits.shape[1] if recordings is None else len(set(recordings.tolist()))) >= 2 else None


def _paired_samples(old: Configuration, new: Configuration) -> bool:
    return bool(old.test == new.test)


def _undirected(base: Verdict, first: Sequence[float], second: Sequence[float]) -> Verdict:
    if list(first) == list(second):
        return replace(base, mark=Mark.SAME, basis=IDENTICAL)
    return replace(base, mark=Mark.INCONCLUSIVE, reason="it changed, and neither direction is better")


def _blank(old: Configuration, figure: Figure) -> Verdict:
    return Verdict(
        row=old.row,
        label=old.label,
        mark=Mark.NOT_COMPARABLE,
        figure=figure.name,
        title=figure.title,
        unit=figure.unit,
        direction=figure.direction,
        kind=figure.kind,
    )


def _failures(figure: Figure) -> list[str]:
    return sorted({text for text in figure.problems.values() if text.startswith("failed: ")})


def _whole(old: Configuration, mark: Mark, reason: str) -> Verdict:
    return Verdict(row=old.row, label=old.label, mark=mark, reason=reason)


def _unpaired(old: Configuration, others: Sequence[Configuration]) -> Verdict:
    if not others:
        return _whole(old, Mark.NOT_COMPARABLE, "the new side holds no configuration")
    closest = min(others, key=lambda item: len(list(differing(old.specification, item.specification))))
    told = differences(old.specification, closest.specification)
    return _whole(old, Mark.NOT_COMPARABLE, f"not on the new side; {closest.label} there differs in {told}")


def _done(side: Configuration) -> set[int]:
    return {trial.seed for trial in side.trials if trial.status == Status.OK}


def _lost(old: Configuration, new: Configuration) -> list[tuple[int, str, str]]:
    """Seeds that finished on the old side and failed on the new one; one that was interrupted or skipped says nothing."""
    failed: dict[int, Trial] = {
        trial.seed: trial for trial in new.trials if trial.status in (Status.FAILED, Status.TIMEOUT, Status.OOM)
    }
    return [(seed, failed[seed].status, failed[seed].error) for seed in sorted(_done(old) & set(failed))]


def _labels(configurations: Iterable[Configuration]) -> str:
    return ", ".join(item.label for item in configurations) or "none"


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))
