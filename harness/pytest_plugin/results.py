"""Trials of items, run together: all that are selected of a file, or, beside other workers of xdist, of a configuration."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import HandledError
from ..reading import read_json
from ..specification import digest
from ..store import read_record, write_atomically
from .comparing import Compared, compare_rows, open_baseline
from .launching import Interrupted, launch
from .session import say_now
from .trials import Trial

if TYPE_CHECKING:
    from ..baselines.form import Baseline
    from .collection import TrialItem
    from .settings import Settings


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of an item's trial; ``error`` is a line where it never ran, or where its check could not be made."""

    trial: Trial | None = None
    compared: Compared | None = None
    error: str | None = None


class Results:
    """What became of every item's trial. The first item of a group that asks has the whole group run."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._ended: dict[tuple[Path, str], Ended] = {}

    def of(self, item: TrialItem) -> Ended:
        """What became of the trial of ``item``; raises :class:`pytest.exit.Exception` where Ctrl-C ended the run."""
        if item.identity not in self._ended:
            group = self._group(item)
            with self._alone(group) as kept:
                found = _read(kept, group) if kept is not None and kept.exists() else None
                if found is None:
                    found = self._run_once(group)
                    if kept is not None:
                        write_atomically(kept, json.dumps(_plain(found)).encode())
            self._keep(item.path, found)
        return self._ended[item.identity]

    def _keep(self, path: Path, found: Mapping[str, Ended]) -> None:
        self._ended |= {(path, name): ended for name, ended in found.items()}

    def _run_once(self, group: Sequence[TrialItem]) -> dict[str, Ended]:
        """Run the group; an error inside the harness is raised for the first item, and told by the others."""
        try:
            return self._run(group)
        except Exception as error:
            told = f"the run that it was part of ended: {type(error).__name__}: {error}"
            self._keep(group[0].path, {item.name: Ended(error=told) for item in group})
            raise

    def known(self, item: TrialItem) -> Ended | None:
        """The same, and None where nothing has run yet."""
        return self._ended.get(item.identity)

    def _group(self, item: TrialItem) -> list[TrialItem]:
        """The selected items that run together with ``item``."""
        alike = {
            other.name: other
            for other in [*_selected(item.session), item]
            if other.path == item.path and (self._settings.shared is None or other.row == item.row)
        }
        return list(alike.values())

    @contextmanager
    def _alone(self, group: Sequence[TrialItem]) -> Iterator[Path | None]:
        """Hold the group against other workers; gives the file that they leave their results in."""
        if self._settings.shared is None:
            yield None
            return
        kept = self._settings.shared / f"{digest([str(group[0].path), group[0].row])}.json"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield kept

    def _run(self, group: Sequence[TrialItem]) -> dict[str, Ended]:
        """What became of each, by name."""
        settings = self._settings
        asked = group[0].experiment.asked
        try:
            old = None
            if settings.baseline:
                # Before anything is trained, so that a name that is wrong costs nothing.
                whole = {item.row for item in _selected(group[0].session)}
                old = open_baseline(settings.baseline, settings.results_folder(), whole)
            finished = launch(
                asked,
                [item.planned for item in group],
                settings,
                force=settings.force,
                jobs=asked.jobs if settings.shared is None else 1,
                say_now=lambda text: say_now(self._config, text),
            )
        except HandledError as error:
            return {item.name: Ended(error=str(error)) for item in group}
        except Interrupted as error:
            pytest.exit(f"harness: {error}", returncode=pytest.ExitCode.INTERRUPTED)
        by_trial = {
            (record.row, record.seed): Trial(
                record,
                finished.run.path_of(record),
                finished.frames.get(record.key, ""),
                asked.plugin_files,
            )
            for record in finished.records
        }
        compared, unchecked = self._compared(old, finished, group)
        return {
            item.name: Ended(
                trial=by_trial.get((item.row, item.planned.seed)),
                compared=compared.get(item.row),
                error=unchecked
                if (item.row, item.planned.seed) in by_trial
                else f"{item.planned.label}: it did not run",
            )
            for item in group
        }

    def _compared(
        self, old: Baseline | None, finished: Any, group: Sequence[TrialItem]
    ) -> tuple[Mapping[str, Compared], str | None]:
        """How every row stands to the baseline, and why that could not be told."""
        if old is None:
            return {}, None
        rows = {item.row: item.planned.label.rpartition(" ")[0] for item in group}
        whole = {item.row for item in _selected(group[0].session)}
        gate = group[0].experiment.asked.gate
        try:
            return compare_rows(old, finished.run, rows, gate, strict=self._settings.strict, whole=whole), None
        except HandledError as error:
            return {}, str(error)


def _selected(session: pytest.Session) -> list[TrialItem]:
    """The trials that this session will run, as far as markers say."""
    from .collection import TrialItem

    return [item for item in session.items if isinstance(item, TrialItem) and item.get_closest_marker("skip") is None]


def _plain(found: Mapping[str, Ended]) -> dict[str, Any]:
    return {
        name: {
            "record": str(ended.trial.path) if ended.trial else None,
            "frames": ended.trial.frames if ended.trial else "",
            "plugin_files": list(ended.trial.plugin_files) if ended.trial else [],
            "compared": ended.compared.to_json() if ended.compared else None,
            "error": ended.error,
        }
        for name, ended in found.items()
    }


def _read(path: Path, group: Sequence[TrialItem]) -> dict[str, Ended] | None:
    """What another worker left; None where it does not hold the whole group."""
    data = read_json(path)
    if not {item.name for item in group} <= set(data):
        return None
    found = {}
    for name, told in data.items():
        record = read_record(Path(told["record"])) if told["record"] else None
        found[name] = Ended(
            trial=Trial(record, Path(told["record"]), told["frames"], tuple(told["plugin_files"])) if record else None,
            compared=Compared.from_json(told["compared"]) if told["compared"] else None,
            error=told["error"],
        )
    return found
