"""``harness.run`` and ``harness.load``: an experiment from Python, with a DataFrame in return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli.progress import make_listener
from ..experiment import Experiment, parse_seeds, read_toml
from ..places import results_folder
from ..plan import make_plan
from ..registry import Registry
from ..running.options import Options
from ..running.orchestrate import execute
from ..store import Store

if TYPE_CHECKING:
    import pandas as pd


def run(
    plugins: str | Sequence[str] | Path,
    settings: Mapping[str, Any] | None = None,
    *,
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    recipe: str | None = None,
    limit: int | None = None,
    report_inflation: bool = False,
    plugin_files: Sequence[str | Path] = (),
    quiet: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Run an experiment and return a row a trial.

    ``plugins`` are names (``"shd-synthetic,lif"`` or a list) or the path of an experiment file. ``settings`` maps paths such
    as ``"lif.tau_mem"`` to a value, or to a list of values to sweep. ``options`` are the fields of
    :class:`harness.running.options.Options`. The frame's ``attrs`` name the run (``run``) and its ``exit_code``. Works without
    a ``__main__`` guard: trials are forked from a server of the harness's own, which never imports your script.
    """
    if isinstance(plugins, Path) or (isinstance(plugins, str) and plugins.endswith(".toml")):
        given = read_toml(Path(plugins))
    else:
        given = {"plugins": plugins}
    names = given["plugins"].split(",") if isinstance(given["plugins"], str) else given["plugins"]
    merged = dict(given.get("settings", {}))
    for path, value in (settings or {}).items():
        merged[path] = list(value) if isinstance(value, list) else [value]
    epochs = epochs if epochs is not None else given.get("epochs")
    if epochs is not None:
        merged["recipe.epochs"] = [epochs]
    experiment = Experiment(
        plugins=tuple(str(name).strip() for name in names),
        settings=merged,
        seeds=parse_seeds(seeds if seeds is not None else given.get("seeds", 1)),
        recipe=recipe or given.get("recipe", "default"),
        limit=limit if limit is not None else given.get("limit"),
        report_inflation=report_inflation or given.get("report_inflation", False),
    )
    chosen: dict[str, Any] = {name: given[name] for name in ("device", "threads", "jobs", "gate") if name in given}
    wanted = Options(**{**chosen, **options})
    registry = Registry.discover(files=[Path(name) for name in plugin_files])
    config = {"block": [], "only": None, "files": [str(Path(name).absolute()) for name in plugin_files]}
    plan = make_plan(experiment, registry, wanted.device)
    with make_listener(quiet=quiet) as listener:
        finished = execute(plan, registry, config, wanted, listener)
    from ..report.dataframe import to_dataframe

    frame = to_dataframe(finished.records)
    frame.attrs.update(run=str(finished.run.path), exit_code=int(finished.exit_code))
    return frame


def load(run: str | Path = "latest", *, results: str | Path | None = None) -> pd.DataFrame:
    """The records of a finished run, a row a trial: an id, the beginning of one, ``latest``, or a path."""
    from ..report.dataframe import to_dataframe

    opened = Store(results_folder(results)).open(str(run))
    frame = to_dataframe(opened.records())
    frame.attrs.update(run=str(opened.path))
    return frame
