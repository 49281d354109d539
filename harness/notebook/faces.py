"""The commands that show something, as functions: each returns a :class:`Display` of DataFrames and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, nearest
from ..places import cache_named, data_folder, results_folder
from ..registry import Registry
from ..store import LATEST, Store
from . import arguments
from .arguments import Files, Names, guarded, names_of, number, optional, settings_of, some, text, whole
from .display import Display, Table

if TYPE_CHECKING:
    import pandas as pd


@guarded
def figures(
    *runs: str | Path | pd.DataFrame | Sequence[str | Path | pd.DataFrame],
    phase: Names | None = None,
    results: str | Path | None = None,
) -> Display:
    """Every figure and every plot of a run (default: the newest), or of several merged as ``harness report`` merges them.

    A run is an id, the beginning of one, ``latest``, a path, or what :func:`harness.run` or :func:`harness.load` returned.
    ``frame`` holds what ``harness runs NAME --figures --json`` prints, of every phase or of ``phase``; ``frames["trials"]`` a row
    a trial, as :func:`harness.load`. ``data`` is the :class:`harness.comparison.summary.Summary`.

    - ``phase``: before, after or timing, or several (default: all)
    - ``results``: folder of runs
    """
    phases, store = _phases(some(names_of, phase, "phase")), Store(_results(results))
    opened = [store.open(_run_name(run, "run")) for run in _flat(runs)]
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
        notes=summary.caption,
        shown=[
            Table(
                pd.DataFrame(cells, columns=headings),
                below=(*tables.note_lines(summary), *found.problems, *found.notes),
            )
        ],
    )


@guarded
def compare(
    first: str | Path | pd.DataFrame,
    second: str | Path | pd.DataFrame,
    *,
    figures: Names | None = None,
    confidence: float = 0.99,
    results: str | Path | None = None,
) -> Display:
    """``second`` against ``first``, as ``harness compare``: runs, baselines or configurations such as ``latest:lif``.

    ``frame`` has a row a figure and configuration; ``data`` is the :class:`harness.comparison.verdicts.Check`.

    - ``figures``: only these, details too (``--figure``)
    - ``confidence``: one-sided
    - ``results``: folder of runs
    """
    from ..baselines.files import open_side
    from ..gate import Gate
    from ..gate import confidence as checked

    folder = _results(results)
    store = Store(folder)
    wanted = checked(number(confidence, "confidence"), "confidence")
    gate = Gate(confidence=wanted, figures=tuple(some(names_of, figures, "figures")))
    sides = [_run_name(run, name) for run, name in ((first, "first"), (second, "second"))]
    old, new = (open_side(side, store, folder, gate) for side in sides)
    from ..comparison.regression import compare as compared
    from .tables import of_check, verdicts_of

    found = compared(old, new, gate)
    return Display(f"{found.new} against {found.old}", found, of_check(found), shown=[verdicts_of(found)])


@guarded
def inspect(
    dataset: str,
    settings: Mapping[str, Any] | None = None,
    *,
    what_if: Mapping[str, Any] | None = None,
    limit: int | None = None,
    recordings: int | Sequence[int] | None = None,
    classes: Names | None = None,
    split: str = "train",
    percentile: float = 99.0,
    recipe: str = "default",
    data: str | Path | None = None,
    cache: str | Path | None = None,
    plugin_files: Files = (),
) -> Display:
    """What ``dataset`` holds and what its encoding makes of it, as ``harness inspect``.

    ``frame`` has a row a split; further ``frames`` are ``recordings``, ``times``, ``classes`` and, with ``what_if``,
    ``encodings``; ``data`` is the :class:`harness.inspection.findings.Inspection`. ``save`` writes a GIF and a player too
    of what an event camera saw.

    - ``settings``: ``encoding.dt``, ``shd-synthetic.train`` and the like (``-o``), a value each
    - ``what_if``: parameters of the encoding, a list of values each, that are compared
    - ``limit``: recordings a split
    - ``recordings``, ``classes``: which recordings of ``split`` are shown, one or a list (``--recording``, ``--class``)
    - ``percentile``: of the events' times
    - ``recipe``: as in a run, where it says how events are encoded
    - ``data``: folder of datasets; ``cache``: where archives are unpacked to if theirs cannot be written
    - ``plugin_files``: Python files that hold plugins (``-P``)
    """
    registry = _registry(plugin_files)
    given = settings_of(settings, "settings", '{"encoding.dt": 5}')
    compared = settings_of(what_if, "what_if", '{"dt": [5, 20]}', tuples=True)
    compared = {path.removeprefix("encoding."): values for path, values in compared.items()}
    from ..inspection.inspecting import inspect_dataset
    from ..report.animation import write_animations
    from ..report.inspection_plots import inspection_figures
    from .tables import of_inspection, shown_of_inspection

    limit = optional(whole, limit, "limit")
    with cache_named(optional(arguments.path, cache, "cache")):
        found = inspect_dataset(
            registry,
            text(dataset, "dataset", "the name of one dataset"),
            settings=given,
            what_if=compared,
            limit=limit,
            shown=some(arguments.wholes, recordings, "recordings"),
            classes=some(arguments.texts, classes, "classes"),
            split=text(split, "split"),
            percentile=number(percentile, "percentile"),
            recipe=text(recipe, "recipe"),
            data=optional(arguments.path, data, "data"),
        )
    notes, tables = shown_of_inspection(found)
    return Display(
        f"{found.dataset}{' (synthetic)' * found.synthetic}",
        found,
        of_inspection(found),
        lambda: inspection_figures(found),
        notes=notes,
        shown=tables,
        write=lambda folder: write_animations(found, folder),
    )


@guarded
def neurons(
    names: Names | None = None,
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
    channel: int | None = None,
    backend: Names | None = None,
    data: str | Path | None = None,
    plugin_files: Files = (),
) -> Display:
    """What neurons do with one input, step by step, as ``harness neurons``: ``harness.neurons("lif", {"lif.tau_mem": [5, 20]})``.

    ``frame`` has a row a configuration and backend; ``frames["steps"]`` a row a time step of each, with input, states and
    output; ``data`` is the :class:`harness.dynamics.Dynamics`.

    - ``names``: neurons (default: every one that has a definition)
    - ``settings``: ``lif.tau_mem`` and the like (``-o``), a value or a list to sweep; of a dataset ``encoding.dt`` and the like
    - ``input``: random, constant, or a dataset
    - ``rate``, ``train``, ``seed``: of random trains: spikes a step, which of the ten, and what they are drawn from
    - ``steps``: length of random and constant input; ``dt``: of a step, ms
    - ``weight``: factor on the input (default: one at which all fire)
    - ``split``, ``recording``, ``channel``: of a dataset (default channel: the busiest)
    - ``backend``: one or several (default: the definition)
    - ``data``: folder of datasets
    - ``plugin_files``: Python files that hold plugins (``-P``)
    """
    registry = _registry(plugin_files)
    wanted, backends = some(names_of, names, "names"), some(names_of, backend, "backend")
    given = settings_of(settings, "settings")
    kind = text(input, "input", "random, constant or the name of a dataset")
    from ..dynamics import neuron_dynamics, refuse_foreign, stimulus
    from ..report.dynamics_plots import dynamics_figures
    from .tables import of_neurons

    own: dict[str, Any] = {
        "rate": number(rate, "rate"),
        "train": whole(train, "train"),
        "seed": whole(seed, "seed"),
        "steps": whole(steps, "steps"),
        "dt": optional(number, dt, "dt"),
        "split": text(split, "split"),
        "recording": whole(recording, "recording"),
        "channel": optional(whole, channel, "channel"),
        "data": optional(arguments.path, data, "data"),
    }
    declared = signature(neurons).parameters
    refuse_foreign(kind, [name for name, value in own.items() if value != declared[name].default])
    own |= {"dt_ms": own.pop("dt"), "data": data_folder(own["data"]), "weight": optional(number, weight, "weight")}
    received = stimulus(registry, kind, **own, settings=given)
    found = neuron_dynamics(registry, received, wanted, given, backends)
    return Display(
        found.stimulus.title, found, of_neurons(found), lambda: dynamics_figures(found), notes=found.remarks()
    )


@guarded
def surrogates(
    names: Names | None = None,
    *,
    width: float | Sequence[float] | None = None,
    neuron: str | None = None,
    plugin_files: Files = (),
) -> Display:
    """Step, smooth function and derivative of surrogates, as ``harness surrogates``.

    ``frame`` has a row a surrogate and width, with its formulas; ``frames["points"]`` a row a membrane potential of each;
    ``data`` is a list of :class:`harness.derivatives.Surrogate`.

    - ``names``: surrogates (default: every one that the neuron offers)
    - ``width``: one or several (default: the declared one)
    - ``neuron``: whose definition is asked (default: the first that offers surrogates)
    - ``plugin_files``: Python files that hold plugins (``-P``)
    """
    registry = _registry(plugin_files)
    wanted, widths = some(names_of, names, "names"), some(arguments.numbers, width, "width")
    from ..derivatives import surrogates as measure
    from ..report.surrogate_plots import surrogate_figures
    from .tables import of_surrogates

    found = measure(registry, wanted, widths, neuron=optional(text, neuron, "neuron"))
    return Display("surrogates", found, of_surrogates(found), lambda: surrogate_figures(found))


def _flat(runs: Sequence[object]) -> list[object]:
    """``runs``, which may stand in a list; the newest where nothing is said."""
    found = [one for run in runs for one in (run if isinstance(run, (list, tuple)) else [run])]
    if runs and not found:
        raise UsageError("runs: none is named; name one, or leave runs out")
    return found or [LATEST]


def _run_name(run: object, argument: str) -> str:
    if isinstance(run, (str, Path)):
        return str(run)
    attributes = getattr(run, "attrs", None)
    if not isinstance(attributes, dict):
        raise UsageError(f"{argument}: {type(run).__name__} is no run; give its id, its path, or its DataFrame")
    name = attributes.get("run")
    if not isinstance(name, str):
        raise UsageError("a DataFrame that does not say which run it is of; give the run's id or path")
    return name


def _results(given: object) -> Path:
    return results_folder(optional(arguments.path, given, "results"))


def _registry(files: object) -> Registry:
    return Registry.discover(files=arguments.paths(files, "plugin_files"))


def _phases(names: Sequence[str]) -> list[str]:
    from ..components import PHASES

    for name in names:
        if name not in PHASES:
            raise UsageError(f"phase {name!r}{nearest(name, PHASES)}; there are: {', '.join(PHASES)}")
    return list(names)
