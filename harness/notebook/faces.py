"""The commands that show something, as functions: each returns a :class:`Display` of DataFrames and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, nearest
from ..places import data_folder, results_folder
from ..registry import Registry
from ..store import LATEST, Store
from .display import Display

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str]
Files = Sequence[str | Path]


def figures(*runs: str | Path | pd.DataFrame, phase: Names = (), results: str | Path | None = None) -> Display:
    """Every figure and every plot of a run (default: the newest), or of several merged as ``harness report`` merges them.

    A run is an id, the beginning of one, ``latest``, a path, or what :func:`harness.run` or :func:`harness.load` returned.
    ``frame`` holds what ``harness runs NAME --figures --json`` prints, of every phase or of ``phase``; ``frames["trials"]`` a row
    a trial, as :func:`harness.load`. ``data`` is the :class:`harness.comparison.summary.Summary`.
    """
    store = Store(results_folder(results))
    opened = [store.open(_run_name(run)) for run in runs or (LATEST,)]
    phases = _phases(_names(phase))
    import pandas as pd

    from ..comparison.figures import all_figures
    from ..report import tables
    from ..report.dataframe import to_dataframe
    from ..report.figures import COLUMNS, long_rows
    from ..report.page.gathering import gather
    from ..report.plots import run_figures

    found = gather(opened)
    records, timings, summary = found.records, found.timings, found.summary
    long = long_rows(summary, all_figures(records, timings, phases or None))
    headings, cells = tables.texts(summary)
    return Display(
        ", ".join(dict.fromkeys(run.id for run in opened)),
        summary,
        {"figures": pd.DataFrame(long, columns=list(COLUMNS)), "trials": to_dataframe(records)},
        lambda: run_figures(records, summary, timings),
        notes=[*summary.caption, *summary.footnotes, *found.problems],
        shown=pd.DataFrame(cells, columns=headings),
    )


def compare(
    first: str | Path,
    second: str | Path,
    *,
    figures: Names = (),
    confidence: float = 0.99,
    results: str | Path | None = None,
) -> Display:
    """``second`` against ``first``, as ``harness compare``: runs, baselines or configurations such as ``latest:lif``.

    ``frame`` has a row a figure and configuration; ``data`` is the :class:`harness.comparison.verdicts.Check`.
    """
    from ..baselines.files import open_side
    from ..gate import Gate
    from ..gate import confidence as checked

    folder = results_folder(results)
    store = Store(folder)
    gate = Gate(confidence=checked(confidence, "confidence"), figures=tuple(_names(figures)))
    old, new = (open_side(str(name), store, folder, gate) for name in (first, second))
    from ..comparison.regression import compare as compared
    from .tables import of_check

    found = compared(old, new, gate)
    return Display(f"{found.new} against {found.old}", found, of_check(found), notes=found.notes)


def inspect(
    dataset: str,
    settings: Mapping[str, Any] | None = None,
    *,
    what_if: Mapping[str, Any] | None = None,
    limit: int | None = None,
    recordings: Sequence[int] = (),
    classes: Names = (),
    split: str = "train",
    percentile: float = 99.0,
    recipe: str = "default",
    data: str | Path | None = None,
    plugin_files: Files = (),
) -> Display:
    """What ``dataset`` holds and what its encoding makes of it, as ``harness inspect``.

    ``settings`` maps ``encoding.dt`` and the like to a value, ``what_if`` a parameter of the encoding to a list of them.
    ``frame`` has a row a split; further ``frames`` are ``recordings``, ``times`` and ``encodings``; ``data`` is the
    :class:`harness.inspection.findings.Inspection`.
    """
    registry = _registry(plugin_files)
    from ..inspection.inspecting import inspect_dataset
    from ..report.inspection_plots import inspection_figures
    from .tables import facts_of, of_inspection

    found = inspect_dataset(
        registry,
        dataset,
        settings=_lists(settings),
        what_if=_lists(what_if),
        limit=limit,
        shown=recordings,
        classes=_names(classes),
        split=split,
        percentile=percentile,
        recipe=recipe,
        data=None if data is None else Path(data),
    )
    limited = [f"limited to {limit} recordings a split"] if limit is not None else []
    return Display(
        f"{found.dataset}{' (synthetic)' * found.synthetic}",
        found,
        of_inspection(found),
        lambda: inspection_figures(found),
        notes=[*found.notes, *limited, "* least / median / most"],
        shown=facts_of(found),
    )


def neurons(
    names: Names = (),
    settings: Mapping[str, Any] | None = None,
    *,
    input: str = "random",
    rate: float = 0.1,
    train: int = 3,
    seed: int = 30,
    steps: int = 200,
    weight: float | None = None,
    dt: float | None = None,
    split: str = "test",
    recording: int = 0,
    channel: int = 0,
    backend: Names = (),
    data: str | Path | None = None,
    plugin_files: Files = (),
) -> Display:
    """What neurons do with one input, step by step, as ``harness neurons``: ``harness.neurons("lif", {"lif.tau_mem": [5, 20]})``.

    ``frame`` has a row a configuration and backend; ``frames["steps"]`` a row a time step of each, with input, states and
    output; ``data`` is the :class:`harness.dynamics.Dynamics`.
    """
    registry = _registry(plugin_files)
    from ..dynamics import neuron_dynamics, stimulus
    from ..report.dynamics_plots import dynamics_figures
    from .tables import of_neurons

    received = stimulus(
        registry,
        input,
        rate=rate,
        train=train,
        seed=seed,
        steps=steps,
        weight=weight,
        dt_ms=dt,
        data=data_folder(data),
        split=split,
        recording=recording,
        channel=channel,
    )
    found = neuron_dynamics(registry, received, _names(names), _lists(settings), _names(backend))
    return Display(received.title, found, of_neurons(found), lambda: dynamics_figures(found), notes=found.remarks())


def surrogates(
    names: Names = (), *, width: float | Sequence[float] = (), neuron: str | None = None, plugin_files: Files = ()
) -> Display:
    """Step, smooth function and derivative of surrogates, as ``harness surrogates``.

    ``frame`` has a row a surrogate and width, with its formulas; ``frames["points"]`` a row a membrane potential of each;
    ``data`` is a list of :class:`harness.derivatives.Surrogate`.
    """
    registry = _registry(plugin_files)
    from ..derivatives import surrogates as measure
    from ..report.surrogate_plots import surrogate_figures
    from .tables import of_surrogates

    widths = (width,) if isinstance(width, (int, float)) else tuple(width)
    found = measure(registry, _names(names), widths, neuron=neuron)
    return Display("surrogates", found, of_surrogates(found), lambda: surrogate_figures(found))


def _run_name(run: str | Path | pd.DataFrame) -> str:
    if isinstance(run, (str, Path)):
        return str(run)
    name = run.attrs.get("run")
    if not isinstance(name, str):
        raise UsageError("a DataFrame that does not say which run it is of; give the run's id or path")
    return name


def _registry(files: Files) -> Registry:
    return Registry.discover(files=[Path(name) for name in files])


def _names(given: Names) -> list[str]:
    """``"a,b"`` or a list, as a list."""
    names = given.split(",") if isinstance(given, str) else given
    return [name.strip() for name in names if name.strip()]


def _lists(settings: Mapping[str, Any] | None) -> dict[str, list[Any]]:
    """Every value as a list of values, as a sweep has them."""
    return {path: list(value) if isinstance(value, list) else [value] for path, value in (settings or {}).items()}


def _phases(names: Sequence[str]) -> list[str]:
    from ..components import PHASES

    for name in names:
        if name not in PHASES:
            raise UsageError(f"phase {name!r}{nearest(name, PHASES)}; there are: {', '.join(PHASES)}")
    return list(names)
