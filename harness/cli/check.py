"""``harness check``: a run against a baseline, or this code's speed against another environment's."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..baselines.files import find_baseline, read_baseline
from ..baselines.form import Baseline, BaselineError
from ..baselines.reduction import experiment_of, of_run, unfinished
from ..errors import ExitCode, UsageError, nearest
from ..experiment import read_toml
from ..gate import Gate, confidence
from ..places import results_folder
from ..store import Run, Store
from .asked import asked

if TYPE_CHECKING:
    from ..baselines.form import Configuration
    from ..comparison.verdicts import Check

NOTHING: dict[str, Any] = {
    "plugins": None,
    "settings": (),
    "epochs": None,
    "seeds": None,
    "recipe": None,
    "limit": None,
    "report_inflation": False,
}


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
    results = results_folder(given["results"])
    old = read_baseline(find_baseline(given["baseline"], results))
    from_file = read_toml(Path(what)) if what is not None and what.endswith(".toml") else None
    gate = gate_of(old, from_file, given)
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

    new = of_run(run, gate)
    _refuse_idle_limits(gate, [*old.configurations, *new.configurations])
    found = compared(old, new, gate)
    return conclude(found, given, run.path / "check")


def gate_of(old: Baseline | None, from_file: dict[str, Any] | None, given: dict[str, Any]) -> Gate:
    """The gate of the experiment file, else of the baseline, with the command line's words over it."""
    gate: Gate = from_file["gate"] if from_file is not None else old.gate if old is not None else Gate()
    for text in given["margins"]:
        figure, _, value = text.partition("=")
        try:
            gate = gate.with_limit(figure.strip(), "margin", float(value))
        except ValueError:
            raise UsageError(f"--margin {text!r}: expected FIGURE=VALUE, such as accuracy=0.02") from None
    if given["wanted"] is not None:
        gate = Gate(confidence=confidence(given["wanted"], "--confidence"), figures=gate.figures, limits=gate.limits)
    return gate


def _refuse_idle_limits(gate: Gate, configurations: Iterable[Configuration]) -> None:
    """Raise :class:`UsageError` for a margin or tolerance that no figure is held to: a typing error would go unseen."""
    kinds: dict[str, set[str]] = {}
    for figure in (figure for item in configurations for figure in item.figures):
        kinds.setdefault(figure.name, set()).add(figure.kind)
    for name, limits in gate.limits.items():
        for limit, kind in (("margin", "seeded"), ("seed_noise", "seeded"), ("tolerance", "exact")):
            if limit not in limits:
                continue
            if name not in kinds:
                raise UsageError(
                    f"there is a {limit} for {name!r}, which no figure checked is called{nearest(name, kinds)}"
                )
            if kind not in kinds[name]:
                other = "tolerance" if kind == "seeded" else "margin"
                raise UsageError(
                    f"there is a {limit} for {name!r}, which is {min(kinds[name])}: its limit is [gate.{name}] {other}"
                )


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
    experiment = asked(from_file, NOTHING) if from_file is not None else experiment_of(old)
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


def conclude(found: Check, given: dict[str, Any], beside: Path) -> int:
    """Show ``found``, write it as Markdown and JUnit XML, and return the exit status."""
    from ..report.checks import markdown, terminal
    from ..report.junit import junit
    from ..store import write_atomically

    code = found.exit_code(strict=given["strict"], fail_inconclusive=given["fail_inconclusive"])
    written = [
        (given["markdown"] or beside.with_suffix(".md"), markdown(found, code=code).encode()),
        (
            given["junit"] or beside.with_suffix(".xml"),
            junit(found, strict=given["strict"], fail_inconclusive=given["fail_inconclusive"]),
        ),
    ]
    for path, content in written:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not path.is_file():
                path.write_bytes(content)  # a pipe or a device is written to, not replaced
            else:
                write_atomically(path.resolve(), content)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    with _readers_may_leave():
        if given["as_json"]:
            import json

            shown = {"exit_code": int(code), **as_json(found)}
            click.echo(json.dumps(shown, indent=1))
            return int(code)
        from rich.console import Console

        Console().print(terminal(found, code=code))
        if not given["quiet"]:
            click.echo(f"written: {', '.join(str(shown_path(path)) for path, _ in written)}")
    return int(code)


@contextlib.contextmanager
def _readers_may_leave() -> Iterator[None]:
    """Go on where the reader of a pipe such as ``| head`` is gone: that says nothing of the check, and must not be its status."""
    try:
        yield
    except (BrokenPipeError, SystemExit):  # rich makes an exit of it
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_json(found: Check) -> dict[str, Any]:
    """A check as plain JSON values."""
    return {
        "old": found.old,
        "new": found.new,
        "gate": found.gate.to_json(),
        "notes": list(found.notes),
        "verdicts": [vars(verdict) for verdict in found.verdicts],
    }


def shown_path(path: Path) -> Path:
    """``path`` as seen from here, where it lies below."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path
