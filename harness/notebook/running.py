"""``harness.run`` and ``harness.load``: an experiment from Python, with a DataFrame in return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..cli.progress import make_listener
from ..errors import ExitCode, UsageError
from ..experiment import Experiment, parse_seeds, read_toml
from ..gate import Gate
from ..places import results_folder
from ..plan import make_plan
from ..registry import Registry
from ..running.options import Options
from ..running.orchestrate import execute
from ..store import Run, Store
from . import arguments
from .arguments import Files, Names, flag, guarded, number, optional, settings_of, text, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ..running.options import Listener


def _folder(given: object, argument: str) -> str:
    return str(arguments.path(given, argument))


_OPTIONS: Mapping[str, Callable[[object, str], object]] = {
    **dict.fromkeys(("device", "executor"), text),
    **dict.fromkeys(("threads", "jobs"), whole),
    **dict.fromkeys(("time_limit", "prepare_limit", "timing_limit", "memory_limit_mb"), number),
    **dict.fromkeys(("force", "timing", "plots"), flag),
    **dict.fromkeys(("data", "cache", "results"), _folder),
}
_OPTIONAL = ("jobs", "data", "cache", "results", "time_limit", "prepare_limit", "timing_limit", "memory_limit_mb")


def _metrics(given: Names | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(arguments.names_of(given, "metrics"))


@guarded
def run(
    plugins: Names | Path,
    settings: Mapping[str, Any] | None = None,
    *,
    seeds: int | str | Sequence[int] | None = None,
    epochs: int | None = None,
    recipe: str | None = None,
    limit: int | None = None,
    report_inflation: bool = False,
    metrics: Names | None = None,
    plugin_files: Files = (),
    quiet: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Run an experiment and return a row a trial.

    ``plugins`` are names (``"shd-synthetic,lif"`` or a list) or the path of an experiment file. ``settings`` maps paths such
    as ``"lif.tau_mem"`` to a value, or to a list of values to sweep. ``seeds`` is how many, or which. ``metrics`` are the
    only ones to measure by, instead of all that are on by default. ``options`` are
    ``device``, ``threads``, ``jobs``, ``force``, ``data``, ``cache``, ``results``, ``time_limit`` (s, of a trial),
    ``prepare_limit`` and ``timing_limit`` (s, of those phases), ``memory_limit_mb``, ``executor``, ``timing``, ``plots`` and
    ``gate`` (a :class:`harness.gate.Gate`). The frame's ``attrs`` name the run
    (``run``) and its ``exit_code``.

    Works without a ``__main__`` guard: trials are forked from a server of the harness's own, which never imports your script.
    Ctrl-C lets the trials that run finish, a second one kills them; then ``KeyboardInterrupt`` says where their records lie.
    """
    given = _experiment_file(plugins)
    experiment = Experiment(
        plugins=tuple(_component_names(given["plugins"])),
        settings=_merged(
            given.get("settings", {}), settings, _or(optional(whole, epochs, "epochs"), given.get("epochs"))
        ),
        seeds=parse_seeds(_seeds(seeds) if seeds is not None else given.get("seeds", 1)),
        recipe=_or(optional(text, recipe, "recipe"), given.get("recipe", "default")),
        limit=_or(optional(whole, limit, "limit"), given.get("limit")),
        report_inflation=flag(report_inflation, "report_inflation") or given.get("report_inflation", False),
        metrics=_metrics(metrics if metrics is not None else given.get("metrics")),
    )
    wanted = _options({name: given[name] for name in ("device", "threads", "jobs", "gate") if name in given}, options)
    files = arguments.paths(plugin_files, "plugin_files")
    registry = Registry.discover(files=files)
    config = {"block": [], "only": None, "files": [str(name.absolute()) for name in files]}
    plan = make_plan(experiment, registry, wanted.device)
    with make_listener(quiet=flag(quiet, "quiet")) as listener:
        placed = _Placed(listener)
        try:
            finished = execute(plan, registry, config, wanted, cast("Listener", placed))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_interrupted(placed.folder)) from None
    if finished.exit_code is ExitCode.INTERRUPTED:
        # Or the loop around it would go on, with a frame that lacks what it was to hold.
        raise KeyboardInterrupt(_interrupted(finished.run.path))
    from ..report.dataframe import to_dataframe

    frame = to_dataframe(finished.records)
    frame.attrs.update(run=str(finished.run.path), exit_code=int(finished.exit_code))
    return frame


class _Placed:
    """Hands everything on to ``listener``, and remembers where the run lies."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.folder: Path | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def trials(self, total: int, cached: int, jobs: int, device: str, folder: Path) -> None:
        self.folder = folder
        self._listener.trials(total, cached, jobs, device, folder)


def _interrupted(folder: Path | None) -> str:
    if folder is None or not any(Run(folder).trials.glob("*.json")):
        return "harness.run was interrupted before a trial had ended"
    return f"harness.run was interrupted; what had finished is stored: harness.load({str(folder)!r})"


def _experiment_file(plugins: object) -> dict[str, Any]:
    """What the experiment file holds that is meant, or the names alone."""
    if not (isinstance(plugins, Path) or (isinstance(plugins, str) and plugins.endswith(".toml"))):
        return {"plugins": plugins}
    return {"plugins": [], **read_toml(Path(plugins))}


def _component_names(given: object) -> list[str]:
    found = arguments.names_of(given, "plugins")
    if not found:
        raise UsageError('plugins: nothing to run: name components, such as "shd-synthetic,lif"')
    return found


def _merged(from_file: Mapping[str, Any], settings: object, epochs: int | None) -> dict[str, Any]:
    return {
        **from_file,
        **settings_of(settings, "settings"),
        **({} if epochs is None else {"recipe.epochs": [epochs]}),
    }


def _seeds(given: object) -> int | str | list[int]:
    if isinstance(given, str):
        return given
    given = arguments.plain(given)
    found = arguments.wholes(given, "seeds")
    return found if isinstance(given, Iterable) else found[0]


def _options(from_file: Mapping[str, Any], given: Mapping[str, Any]) -> Options:
    own = [name for name in signature(run).parameters if name != "options"]
    arguments.known(given, [*own, *_OPTIONS, "gate"], "run")
    read: dict[str, Any] = dict(from_file)
    for name, value in given.items():
        if name == "gate":
            if not isinstance(value, Gate):
                raise UsageError(f"gate: {type(value).__name__} is not a harness.gate.Gate")
            read[name] = value
        else:
            read[name] = None if value is None and name in _OPTIONAL else _OPTIONS[name](value, name)
    return Options(**read)


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


@guarded
def load(run: str | Path = "latest", *, results: str | Path | None = None) -> pd.DataFrame:
    """The records of a finished run, a row a trial: an id, the beginning of one, ``latest``, or a path."""
    from ..report.dataframe import to_dataframe

    opened = Store(results_folder(optional(arguments.path, results, "results"))).open(str(arguments.path(run, "run")))
    frame = to_dataframe(opened.records())
    frame.attrs.update(run=str(opened.path))
    return frame
