"""``harness check``: a run against a baseline, or this code's speed against another environment's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..baselines.files import find_baseline, read_baseline
from ..baselines.form import Baseline, BaselineError
from ..baselines.reduction import experiment_of, of_run, unfinished
from ..errors import ExitCode, UsageError
from ..experiment import read_toml
from ..gate import Gate, confidence
from ..places import results_folder
from ..store import Run, Store
from .asked import asked
from .concluding import conclude


@click.command(short_help="Check a run against a baseline, or speed against another environment.")
@click.argument("what", required=False, metavar="[RUN|EXPERIMENT.toml]")
@click.option("--baseline", metavar="NAME|PATH", help="What to check against.")
@click.option("--strict", is_flag=True, help="Exit status 6 where anything at all cannot be compared.")
@click.option("--fail-inconclusive", is_flag=True, help="Exit status 1 where a loss can be neither shown nor excluded.")
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="FIGURE=VALUE",
    help="The loss that is let pass, such as accuracy=0.02 or synops=0.1, over the baseline's own.",
)
@click.option(
    "--confidence", "wanted", type=float, metavar="C", help="One-sided, over all lines (default: the gate's, or 0.99)."
)
@click.option("--timing", is_flag=True, help="Check speed instead: against --against, in interleaved fresh processes.")
@click.option("--against", metavar="PYTHON", help="With --timing: the interpreter of the environment to compare with.")
@click.option("--threshold", type=float, metavar="SHARE", help="With --timing: the slowdown let pass (default: 0.05).")
@click.option("--rounds", type=int, metavar="N", help="With --timing: interleaved rounds (default: 20).")
@click.option("--markdown", type=click.Path(path_type=Path), help="Where the table goes as Markdown.")
@click.option("--junit", type=click.Path(path_type=Path), help="Where the verdicts go as JUnit XML.")
@click.option("--data", metavar="DIR", help="Folder of datasets (default: HARNESS_DATA).")
@click.option("--cache", metavar="DIR", help="Folder of encoded frames (default: HARNESS_CACHE).")
@click.option("--results", metavar="DIR", help="Folder of runs (default: HARNESS_RESULTS or ./results).")
@click.option("--jobs", type=int, metavar="N", help="Trials at a time, where an experiment is run.")
@click.option("--time-limit", type=float, metavar="S", help="Kill a trial after S seconds: it then counts as worse.")
@click.option("--force", is_flag=True, help="Run trials again that are finished already.")
@click.option("--quiet", "-q", is_flag=True, help="Print the table alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def check(obj: dict[str, Any], /, what: str | None, **given: Any) -> int:
    """Check RUN, or the run of EXPERIMENT.toml, or of the baseline's own experiment, against a baseline.

    \b
    harness check --baseline main                     # run the baseline's experiment and check it
    harness check latest --baseline main              # check a run that is finished
    harness check --timing --against ../before/.venv/bin/python --baseline main

    Exit status: 0 nothing became worse, 1 something did, 6 nothing could be compared.
    """
    if given["timing"]:
        from .check_timing import check_timing

        return check_timing(obj, what, given)
    for option in ("against", "threshold", "rounds"):
        if given[option] is not None:
            raise UsageError(f"--{option} is for speed: give --timing too")
    if given["baseline"] is None:
        raise UsageError(
            "nothing to check against: give --baseline NAME, such as one that 'harness baseline list' lists"
        )
    if what == "":
        raise UsageError("the run to check is an empty word: name one, such as latest, or leave it out")
    from ..comparison.limits import refuse_idle_limits

    results = results_folder(given["results"])
    old = read_baseline(find_baseline(given["baseline"], results))
    from_file = read_toml(Path(what)) if what is not None and what.endswith(".toml") else None
    gate = gate_of(old, from_file, given)
    # A margin of the command line that means nothing must not cost a run first.
    refuse_idle_limits(replace(gate, limits=margins_of(given)), old.configurations)
    if what is not None and from_file is None:
        for option in ("force", "jobs", "time_limit"):
            if given[option]:
                raise UsageError(f"--{option.replace('_', '-')} is for trials, and {what} is a run that has ended")
        run = Store(results).open(what)
        left = unfinished(run)
        if left:
            raise BaselineError(f"{run.id} {left}: it is not whole, so it is not checked")
    else:
        run, code = _run(obj, old, from_file, given)
        if code is ExitCode.INTERRUPTED:
            click.echo(f"error: interrupted: {run.id} is not whole, so it is not checked", err=True)
            return code
    from ..comparison.regression import check as compared

    found = compared(old, of_run(run, gate), gate)
    return conclude(found, given, run.path / "check")


def gate_of(old: Baseline | None, from_file: dict[str, Any] | None, given: dict[str, Any]) -> Gate:
    """The gate of the experiment file, else of the baseline, with the command line's words over it."""
    gate: Gate = from_file["gate"] if from_file is not None else old.gate if old is not None else Gate()
    for figure, limits in margins_of(given).items():
        gate = gate.with_limit(figure, "margin", limits["margin"])
    if given["wanted"] is not None:
        gate = replace(gate, confidence=confidence(given["wanted"], "--confidence"))
    return gate


def margins_of(given: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The margins of the command line, as limits of a gate; raises :class:`UsageError`."""
    limits: dict[str, dict[str, float]] = {}
    for text in given["margins"]:
        figure, _, value = text.partition("=")
        try:
            limits[figure.strip()] = {"margin": float(value)}
        except ValueError:
            raise UsageError(f"--margin {text!r}: expected FIGURE=VALUE, such as accuracy=0.02") from None
    return limits


def _run(
    obj: dict[str, Any], old: Baseline, from_file: dict[str, Any] | None, given: dict[str, Any]
) -> tuple[Run, ExitCode]:
    """Run the experiment of the file or of the baseline, without its timing phase: times compare with no stored number."""
    from ..plan import make_plan
    from ..running.options import Options
    from ..running.orchestrate import execute
    from .progress import make_listener
    from .run import print_plan

    told = old.experiment
    experiment = asked(from_file) if from_file is not None else experiment_of(old)
    if experiment.limit is not None:
        raise BaselineError(
            f"a run limited to {experiment.limit} recordings a split compares with no baseline: leave limit out"
        )
    source = from_file if from_file is not None else told
    device = source.get("device") or told.get("device") or "auto"
    plan = make_plan(experiment, obj["registry"], device)
    quiet = given["quiet"] or given["as_json"]
    if not quiet:
        print_plan(plan)
    options = Options(
        device=device,
        threads=source.get("threads") or told.get("threads") or 1,
        jobs=given["jobs"] if given["jobs"] is not None else source.get("jobs"),
        force=given["force"],
        data=given["data"],
        cache=given["cache"],
        results=given["results"],
        time_limit=given["time_limit"],
        timing=False,
        plots=False,
        gate=from_file["gate"] if from_file is not None else old.gate,
    )
    with make_listener(quiet=quiet) as listener:
        finished = execute(plan, obj["registry"], obj["config"], options, listener)
    return finished.run, finished.exit_code
