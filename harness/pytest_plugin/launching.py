"""Run planned trials in the harness's own processes, from within a test."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..cli.progress import Lines
from ..errors import ExitCode
from ..plan import Planned
from ..running.options import Options
from ..running.orchestrate import execute
from .asking import Asked

if TYPE_CHECKING:
    from ..running.options import Finished
    from .settings import Settings


class Interrupted(Exception):
    """Ctrl-C ended a run; finished trials are kept."""


class _Told(Lines):
    """Progress goes where a test's output goes; an interruption is told at once."""

    def __init__(self, say_now: Callable[[str], None]) -> None:
        super().__init__()
        self._say_now = say_now

    def interrupted(self, count: int) -> None:
        """Say what a Ctrl-C does."""
        words = "finishing the trials that run; Ctrl-C again to kill them" if count == 1 else "killing what runs"
        self._say_now(f"harness: interrupted: {words}")


def launch(
    asked: Asked,
    trials: Sequence[Planned],
    settings: Settings,
    *,
    force: bool,
    jobs: int | None,
    say_now: Callable[[str], None] = print,
) -> Finished:
    """Run ``trials`` of the plan; raises :class:`HandledError` where none could run and :class:`Interrupted` on Ctrl-C."""
    registry_config: dict[str, Any] = {"block": [], "only": None, "files": list(asked.plugin_files)}
    options = Options(
        device=asked.device,
        threads=asked.threads,
        jobs=jobs,
        force=force,
        data=settings.data,
        results=str(settings.results_folder()),
        timing=False,
        plots=False,
        gate=asked.gate,
    )
    with warnings.catch_warnings(record=True) as caught:
        # Filters such as -W error are meant for the user's code, not for what a run's reports import.
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            finished = execute(
                replace(asked.plan, trials=tuple(trials)), asked.registry, registry_config, options, _Told(say_now)
            )
        except KeyboardInterrupt:
            raise Interrupted("interrupted before a trial had finished") from None
        finally:
            for item in caught:
                print(f"warning: {item.category.__name__}: {' '.join(str(item.message).split())}")
    if finished.exit_code is ExitCode.INTERRUPTED:
        raise Interrupted(f"interrupted; what had finished is kept in {finished.run.path}")
    return finished
