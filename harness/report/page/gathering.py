"""What the page shows: the records of one run or of several, merged, with what is beside them on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ...comparison.figures import all_figures
from ...comparison.summary import Cell, Row, Summary, folded, summarise
from ...records import Record, Status, same_data
from ...store import Run, WrongTypeError

_TIMING = "timing."


@dataclass(frozen=True)
class Trial:
    """One record, the run that it is shown of, and what the run calls its configuration."""

    record: Record
    run: Run

    @property
    def path(self) -> Path:
        """Where the record lies."""
        return self.run.path_of(self.record)

    @property
    def log(self) -> Path | None:
        """Where its output lies, or None where there is none: it was reused, or never started."""
        found = sorted(self.run.logs.glob(f"trial-*-{self.record.key}.log")) if self.record.key.isalnum() else []
        return found[-1] if found else None


@dataclass(frozen=True)
class Shown:
    """One run: its folder and what its run.json holds."""

    run: Run
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Material:
    """Everything that the page shows. ``problems`` are sentences of what is damaged or missing, ``notes`` of what was merged."""

    runs: tuple[Shown, ...]
    trials: tuple[Trial, ...]
    summary: Summary
    timings: Mapping[str, Any] | None
    problems: tuple[str, ...]
    unstarted: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def records(self) -> list[Record]:
        """The records of all trials."""
        return [trial.record for trial in self.trials]

    @property
    def failed(self) -> list[Trial]:
        """The trials that did not end well."""
        return [trial for trial in self.trials if trial.record.status is not Status.OK]


def gather(runs: Sequence[Run]) -> Material:
    """Read ``runs``; raises :class:`DataError` for a damaged run.json or timings.json.

    A trial that several runs hold is shown once. A configuration whose seed several runs trained by different code, or elsewhere, or
    that they trained on other data, is a row a run.
    """
    runs = list({run.path.resolve(): run for run in runs}.values())
    shown = tuple(Shown(run, run.summary()) for run in runs)
    problems: list[str] = []
    held: list[Trial] = []
    for item in shown:
        held += _usable(item, problems)
    notes: list[str] = []
    trials, split = _merged(held, notes)
    timings = _timings(runs, split, problems)
    records = [trial.record for trial in trials]
    summary = _said_of_runs(summarise(records, timings), runs, split, timings)
    unstarted = [
        f"{trial.get('label')} ({item.run.id})"
        for item in shown
        for trial in _maps(item.about.get("trials"))
        if trial.get("status") is None
    ]
    return Material(shown, tuple(trials), summary, timings, tuple(problems), tuple(unstarted), tuple(notes))


def _maps(given: object) -> list[Mapping[str, Any]]:
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def _usable(shown: Shown, problems: list[str]) -> list[Trial]:
    """The trials of a run that can be folded, as they were planned; a sentence for every other."""
    run, found = shown.run, []
    planned = {str(trial.get("key")): place for place, trial in enumerate(_maps(shown.about.get("trials")))}
    for record in sorted(run.records(), key=lambda record: planned.get(record.key, len(planned))):
        wrong = _refused(partial(_checked, record)) or _refused(partial(_folded, [record], None))
        if wrong:
            problems.append(f"{run.path_of(record)}: left out, since it is not what a record holds: {wrong}")
        else:
            found.append(Trial(record, run))
    aside = sorted(path.name for path in run.trials.glob("*.damaged"))
    if aside:
        problems.append(f"{run.id}: set aside as damaged, and not shown: {', '.join(aside)}")
    return found


def _refused(fold: Callable[[], object]) -> str:
    """Why ``fold`` cannot be done, or nothing; what lies on disk may hold anything."""
    try:
        fold()
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _checked(record: Record) -> None:
    """Raise ``TypeError`` for a part of a record that is not of its kind."""
    for name in ("specification", "suppliers", "data", "environment", "outcome", "training", "timings", "provenance"):
        if not isinstance(getattr(record, name), dict):
            raise TypeError(f"its {name} is no object")
    for name, kind in (("key", str), ("row", str), ("label", str), ("harness", str), ("started", str), ("seed", int)):
        if not isinstance(getattr(record, name), kind):
            raise TypeError(f"its {name} is no {'number' if kind is int else 'text'}")


def _folded(records: Sequence[Record], timings: Mapping[str, Any] | None) -> None:
    """Do once what the page will do with all of it."""
    summarise(records, timings)
    all_figures(records, timings)
    for timed in (timings or {"rows": {}})["rows"].values():
        for row in timed["metrics"]:
            folded([row])


def _merged(held: Sequence[Trial], notes: list[str]) -> tuple[list[Trial], dict[str, tuple[str, str]]]:
    """Each trial once; and the rows that stand for one run alone, with their own row and the run's id."""
    keys: dict[tuple[str, int], set[str]] = {}
    for trial in held:
        keys.setdefault((trial.record.row, trial.record.seed), set()).add(trial.record.key)
    apart = {row for (row, _), found in keys.items() if len(found) > 1}
    firsts: dict[str, Record] = {}
    for trial in held:
        first = firsts.setdefault(trial.record.row, trial.record)
        # Seeds on other recordings, or on the same ones read otherwise, are no more of one configuration's seeds.
        if not same_data(first.data, trial.record.data):
            apart.add(trial.record.row)
    kept: dict[tuple[str, str], Trial] = {}
    split: dict[str, tuple[str, str]] = {}
    for trial in held:
        record = trial.record
        if record.row in apart:
            name = f"{record.row}/{trial.run.id}"
            split[name] = (record.row, trial.run.id)
            kept[(record.key, trial.run.id)] = replace(trial, record=replace(record, row=name))
            continue
        before = kept.get((record.key, ""))
        if before is None or _rank(record) > _rank(before.record):
            kept[(record.key, "")] = trial
    twice = len(held) - len(kept)
    if twice:
        notes.append(
            f"{twice} trial{'s' * (twice != 1)} that several runs hold {'are' if twice != 1 else 'is'} shown once"
        )
    if apart:
        notes.append(
            "configurations that several runs trained by different code, versions or machines, or on other data, are a "
            "row a run"
        )
    return list(kept.values()), split


def _rank(record: Record) -> tuple[bool, bool]:
    return record.status is Status.OK, not record.cached


def _timings(
    runs: Sequence[Run], split: Mapping[str, tuple[str, str]], problems: list[str]
) -> Mapping[str, Any] | None:
    """What the timing phases measured, by row, and whose ``phase`` it was; of a row that several runs timed, the last."""
    rows: dict[str, Any] = {}
    phases: list[Mapping[str, Any]] = []
    for run in runs:
        try:
            timings = run.timings()
        except WrongTypeError as error:
            place = f"{run.path / 'timings.json'}: "
            problems.append(f"{place}left out: {str(error).removeprefix(place)}")
            continue
        if timings is None:
            continue
        wrong = _refused(partial(_folded, [], timings))
        if wrong:
            problems.append(f"{run.path / 'timings.json'}: left out: {wrong}")
            continue
        phases.append(timings)
        names = {row: name for name, (row, holder) in split.items() if holder == run.id}
        rows |= {names.get(row, row): {**timed, "phase": run.id} for row, timed in timings["rows"].items()}
    return {**phases[-1], "rows": rows} if phases else None


def _said_of_runs(
    summary: Summary, runs: Sequence[Run], split: Mapping[str, tuple[str, str]], timings: Mapping[str, Any] | None
) -> Summary:
    """``summary`` with what merging adds: the run in a row's name, and that times of several phases compare with none."""
    rows: Sequence[Row] = summary.rows
    if split:
        rows = [
            replace(row, names={**row.names, "run": split[row.row][1]} if row.row in split else row.names)
            for row in rows
        ]
    caption = list(summary.caption)
    several = {row.dataset for row in rows if len(phases_of(rows_of(rows, row.dataset), timings)) > 1}
    if timings and len({timed["phase"] for timed in timings["rows"].values()}) > 1:
        caption[-1] = (
            "times: of several timing phases, each interleaved within its run alone: across runs they compare nothing"
        )
        rows = [replace(row, cells=_without_best_times(row)) if row.dataset in several else row for row in rows]
    if len(runs) > 1:
        caption.append(f"{len(runs)} runs merged: {', '.join(run.id for run in runs)}")
    columns = summary.name_columns + (("run",) if split else ())
    return replace(summary, rows=tuple(rows), name_columns=columns, caption=tuple(caption))


def rows_of(rows: Iterable[Row], dataset: str) -> list[Row]:
    """Those of one dataset."""
    return [row for row in rows if row.dataset == dataset]


def phases_of(rows: Iterable[Row], timings: Mapping[str, Any] | None) -> set[str]:
    """The runs whose timing phases measured ``rows``."""
    timed = (timings or {}).get("rows", {})
    return {timed[row.row]["phase"] for row in rows if row.row in timed}


def _without_best_times(row: Row) -> dict[str, Cell]:
    return {key: replace(cell, best=cell.best and not key.startswith(_TIMING)) for key, cell in row.cells.items()}


def statuses(trials: Iterable[Trial]) -> Counter[str]:
    """How many trials ended how."""
    return Counter(str(trial.record.status) for trial in trials)
