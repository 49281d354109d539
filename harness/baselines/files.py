"""Baselines on disk: saving, finding and reading them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import DataError, UsageError, nearest
from ..gate import Gate
from ..reading import read_bytes
from ..records import Status
from ..store import LATEST, Run, Store, write_atomically
from ..text import one_line
from .form import Baseline, BaselineError
from .reduction import of_run, unfinished

_FOLDER = "baselines"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{,99}")


def folder_of(results: Path) -> Path:
    """Where the baselines of a results folder lie."""
    return results / _FOLDER


def save(
    name: str,
    run: Run,
    results: Path,
    *,
    overwrite: bool = False,
    note: Callable[[str], None] = lambda sentence: None,
) -> tuple[Path, Baseline]:
    """Export ``run`` as baseline ``name``; raises :class:`UsageError` for a run that cannot be one.

    Trials that a backend refused are left out, of which ``note`` is told.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"baseline {name!r}: expected letters, digits, dots, dashes and underscores, 100 at most")
    if name == LATEST or name.endswith(".json"):
        raise UsageError(f"baseline {name!r} would be taken for {'the newest run' if name == LATEST else 'a path'}")
    made = _without_refused(of_run(run), note)
    _refuse_unfit(run, made)
    path = folder_of(results) / f"{name}.json"
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; --replace writes over it")
    named = replace(made, name=name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, named.to_text().encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path, named


def _without_refused(made: Baseline, note: Callable[[str], None]) -> Baseline:
    kept = []
    for item in made.configurations:
        trials = tuple(trial for trial in item.trials if trial.status != Status.SKIPPED)
        if len(trials) < len(item.trials):
            reason = next(trial.error for trial in item.trials if trial.status == Status.SKIPPED)
            note(f"{item.label} is left out, as it was of the run: {reason}")
        if trials:
            kept.append(replace(item, trials=trials))
    return replace(made, configurations=tuple(kept))


def _refuse_unfit(run: Run, made: Baseline) -> None:
    if not made.configurations:
        raise UsageError(f"{run.id} holds no trial that ran: nothing to make a baseline of")
    limit = made.experiment.get("limit")
    if limit is not None:
        raise UsageError(f"{run.id} was limited to {limit} recordings a split: it can never become a baseline")
    left = unfinished(run)
    if left:
        raise UsageError(f"{run.id} {left}: run it again")
    lost = [
        f"{item.label} s{trial.seed} {trial.status}"
        for item in made.configurations
        for trial in item.trials
        if trial.status != Status.OK
    ]
    if lost:
        raise UsageError(f"{run.id} has trials that did not finish ({', '.join(lost)}): mend them and run again")
    failed = sorted(
        {
            f"{figure.title}: {text}"
            for item in made.configurations
            for figure in item.figures
            for text in figure.problems.values()
            if text.startswith("failed: ")
        }
    )
    if failed:
        raise UsageError(f"{run.id} has metrics that failed ({'; '.join(failed)}): mend them and run again")


def find_baseline(name: str, results: Path) -> Path:
    """The file of baseline ``name``, or the path that it is; raises :class:`BaselineError`."""
    path = Path(name)
    if path.suffix == ".json" or len(path.parts) > 1:
        if not _is_file(path):
            raise BaselineError(f"{name}: there is no such baseline file")
        return path
    path = folder_of(results) / f"{name}.json"
    if not _is_file(path):
        names = [item.stem for item in list_baselines(results)]
        raise BaselineError(
            f"there is no baseline {name!r} in {folder_of(results)}{nearest(name, names)}; "
            f"{'there are: ' + ', '.join(names) if names else 'harness baseline save NAME makes one'}"
        )
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # too long a name, or a folder that may not be read
        return False


def list_baselines(results: Path) -> list[Path]:
    """The files of every baseline of a results folder, by name."""
    return sorted(folder_of(results).glob("*.json"))


def read_baseline(path: Path) -> Baseline:
    """The baseline at ``path``; raises :class:`BaselineError` where it cannot be read or trusted."""
    try:
        content = read_bytes(path)
    except DataError as error:
        raise BaselineError(str(error)) from None
    return Baseline.from_text(content, one_line(path))


def open_side(name: str, store: Store, results: Path, gate: Gate) -> Baseline:
    """One side of a comparison: a run (an id, its beginning, ``latest``, a path), a baseline, or ``NAME:TEXT``, rows of it whose
    label or digest holds ``TEXT``; raises :class:`UsageError` or :class:`BaselineError`."""
    whole, colon, wanted = name.rpartition(":")
    if not colon or Path(name).exists():
        return _open(name, store, results, gate)
    side = _open(whole, store, results, gate)
    words = set(wanted.split())
    chosen = tuple(item for item in side.configurations if words and words <= set(item.label.split())) or tuple(
        item for item in side.configurations if words and item.row.startswith(wanted)
    )
    if not chosen:
        labels = ", ".join(item.label for item in side.configurations)
        raise UsageError(f"{name}: no configuration is called {wanted!r}; there are: {labels or 'none'}")
    return replace(side, name=f"{side.name}:{wanted}", configurations=chosen)


def _open(name: str, store: Store, results: Path, gate: Gate) -> Baseline:
    if name.endswith(".json") or (name != LATEST and _is_file(folder_of(results) / f"{name}.json")):
        return read_baseline(find_baseline(name, results))
    return of_run(store.open(name), gate)
