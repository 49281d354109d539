"""``harness_trial``: one trial, for tests that look at its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..errors import UsageError
from ..experiment import read_toml
from .settings import SETTINGS
from .trials import Trial, TrialFailed


class TrialFactory:
    """Trains and measures single trials; one that was asked for before is given back as it was."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._known: dict[tuple[Any, ...], Trial] = {}

    def __call__(
        self,
        plugins: str | Sequence[str] | Path,
        settings: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        epochs: int | None = None,
        recipe: str | None = None,
        limit: int | None = None,
        device: str | None = None,
        threads: int | None = None,
        plugin_files: Sequence[str | Path] = (),
        force: bool | None = None,
    ) -> Trial:
        """The trial of ``plugins`` (names, or an experiment file) under ``seed``.

        ``settings`` maps paths such as ``"lif.tau_mem"`` to one value each. Raises :class:`TrialFailed`, a line, where the trial did
        not finish and :class:`harness.errors.HandledError` where it cannot be meant, or more than one is.
        """
        __tracebackhide__ = True
        from .asking import ask
        from .launching import Interrupted, launch
        from .session import say_now

        own = self._config.stash[SETTINGS]
        files = (*own.plugin_files, *(str(Path(name).absolute()) for name in plugin_files))
        asked = ask(
            _from_file(plugins, settings or {}, device, threads),
            files,
            seeds=[seed],
            epochs=epochs,
            recipe=recipe,
            limit=limit,
        )
        if len(asked.plan.trials) != 1:
            labels = ", ".join(item.label.rpartition(" ")[0] for item in asked.plan.trials)
            raise UsageError(f"harness_trial trains one trial, and these are {len(asked.plan.trials)}: {labels}")
        (planned,) = asked.plan.trials
        forced = own.force if force is None else force
        metrics = tuple((entry.qualified, repr(choice.to_json())) for entry, choice in asked.plan.metrics)
        known = (planned.row, seed, asked.device, asked.threads, files, metrics, own.results_folder())
        if known in self._known and not force and self._known[known].path.exists():
            return self._known[known]
        try:
            finished = launch(
                asked, [planned], own, force=forced, jobs=1, say_now=lambda text: say_now(self._config, text)
            )
        except Interrupted as error:
            pytest.exit(f"harness: {error}", returncode=pytest.ExitCode.INTERRUPTED)
        (record,) = finished.records
        path = finished.run.path_of(record)
        found = Trial(record, path, finished.frames.get(record.key, ""), files)
        if failure := found.failure():
            log = found.log(5)
            raise TrialFailed(f"{failure}; see {finished.run.logs}" + (f"\n{log}" if log else ""))
        self._known[known] = found
        return found


def _from_file(
    plugins: str | Sequence[str] | Path, settings: Mapping[str, Any], device: str | None, threads: int | None
) -> dict[str, Any]:
    """The experiment file, or one made of names, with ``settings``, ``device`` and ``threads`` over it."""
    if isinstance(plugins, Path) or (isinstance(plugins, str) and plugins.endswith(".toml")):
        found = read_toml(Path(plugins))
    else:
        found = {"plugins": plugins if isinstance(plugins, str) else list(plugins)}
    found["settings"] = {**found.get("settings", {}), **{path: [value] for path, value in settings.items()}}
    return found | {name: value for name, value in (("device", device), ("threads", threads)) if value is not None}
