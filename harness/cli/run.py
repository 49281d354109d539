"""``harness run``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..experiment import read_toml
from ..gate import Gate
from ..plan import Plan, make_plan
from .asked import asked
from .concluding import say_no_more, shown_path
from .planning import planning


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[EXPERIMENT.toml]")
@click.option("--plugins", metavar="A,B,C", help="Components of any kind by name; several of one kind multiply.")
@click.option("--metrics", metavar="A,B,C", help="Measure by these alone, not by all metrics that are on by default.")
@click.option(
    "-o", "settings", multiple=True, metavar="PATH=VALUE", help="Set a parameter, such as lif.tau_mem=5; commas sweep."
)
@click.option("--seeds", metavar="N", help="Seeds 0 to N-1, or which: 0,3,7 or 5..9, and 7..7 for one (default: 1).")
@click.option("--epochs", type=int, help="Short for -o recipe.epochs=N.")
@click.option("--recipe", metavar="NAME", help="A recipe that components offer, such as tutorial.")
@click.option("--limit", type=int, metavar="N", help="N recordings a split; marks every number.")
@click.option(
    "--report-inflation", is_flag=True, help="Also score every epoch on test, and report what choosing there would add."
)
@click.option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto).")
@click.option("--threads", type=int, metavar="N", help="Threads a trial, pinned and recorded (default: 1).")
@click.option("--jobs", type=int, metavar="N", help="Trials at a time (default: as many as fit the processors).")
@click.option("--time-limit", type=float, metavar="S", help="Kill a trial after S seconds (not preparation or timing).")
@click.option("--prepare-limit", type=float, metavar="S", help="Give up preparing a dataset after S seconds.")
@click.option("--timing-limit", type=float, metavar="S", help="Give up the timing phase after S seconds.")
@click.option(
    "--memory-limit", type=float, metavar="MB", help="Kill a trial that holds more than MB, with all that it started."
)
@click.option("--executor", default="local", metavar="NAME", help="Where trials run (default: local).")
@click.option("--force", is_flag=True, help="Run trials again that are finished already.")
@click.option("--no-timing", is_flag=True, help="Leave the timing phase out.")
@click.option("--no-plots", is_flag=True, help="Draw no plots and write no page.")
@click.option("--data", metavar="DIR", help="Folder of datasets (default: HARNESS_DATA).")
@click.option("--cache", metavar="DIR", help="Folder of encoded frames (default: HARNESS_CACHE).")
@click.option("--results", metavar="DIR", help="Folder of runs (default: HARNESS_RESULTS or ./results).")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--quiet", "-q", is_flag=True, help="Print the table alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON instead of a table.")
@click.pass_obj
def run(obj: dict[str, Any], /, **given: Any) -> int:
    """Train and evaluate every combination asked for; print a comparison table and write records and plots.

    \b
    harness run --plugins shd-synthetic,iaf,lif,alif
    harness run --plugins shd,lif --data DIR --seeds 5
    harness run --plugins shd-synthetic,lif -o lif.tau_mem=2,5,10
    harness run experiment.toml
    """
    from_file = read_toml(given["file"]) if given["file"] is not None else {}
    experiment = asked(from_file, given)
    device = given["device"] or from_file.get("device", "auto")
    show = not (given["quiet"] or given["as_json"])
    with planning(quiet=not show) as progress:
        plan = make_plan(experiment, obj["registry"], device, progress)
    if show or given["dry_run"]:
        print_plan(plan)
    if given["dry_run"]:
        return 0

    from ..running.options import Options
    from ..running.orchestrate import execute
    from .progress import make_listener

    options = Options(
        device=device,
        threads=given["threads"] or from_file.get("threads", 1),
        jobs=given["jobs"] if given["jobs"] is not None else from_file.get("jobs"),
        force=given["force"],
        data=given["data"],
        cache=given["cache"],
        results=given["results"],
        time_limit=given["time_limit"],
        prepare_limit=given["prepare_limit"],
        timing_limit=given["timing_limit"],
        memory_limit_mb=given["memory_limit"],
        executor=given["executor"],
        timing=not given["no_timing"],
        plots=not given["no_plots"],
        gate=from_file.get("gate", Gate()),
    )
    with make_listener(quiet=not show) as listener:
        finished = execute(plan, obj["registry"], obj["config"], options, listener)
    try:
        _show(finished, given["as_json"])
    except OSError as error:
        say_no_more()
        raise UsageError(
            f"standard output: cannot be written: {error.strerror or error}; all is in {finished.run.path}"
        ) from None
    return int(finished.exit_code)


def print_plan(plan: Plan) -> None:
    """Say what will run, and who supplies it."""
    rows = len({trial.row for trial in plan.trials})
    seeds = len(plan.experiment.seeds)
    count = len(plan.trials)
    click.echo(
        f"plan: {count} trial{'s' * (count != 1)} ({rows} configuration{'s' * (rows != 1)} x {seeds} seed{'s' * (seeds != 1)})"
    )
    for name, entry in plan.components.items():
        kind, _, component = name.partition(" ")
        if kind != "metric":
            click.echo(f"  {kind:<8} {component:<16} {entry.supplier.distribution} {entry.supplier.version}")
    click.echo(f"  metrics  {', '.join(choice.name for _, choice in plan.metrics)}")
    recipe = plan.trials[0].specification.recipe
    precision = "" if recipe["precision"] == "float32" else f", precision {recipe['precision']}"
    click.echo(
        f"  recipe   {recipe['optimiser']}, learning rate {recipe['learning_rate']:g}, batch {recipe['batch_size']}, "
        f"{recipe['epochs']} epochs, init {recipe['init']}{precision}"
    )
    if plan.experiment.limit is not None:
        click.echo(f"  limit    {plan.experiment.limit} recordings a split: not comparable with full runs")
    skips: dict[str, str | None] = {}
    for trial in plan.trials:
        skips.setdefault(trial.label.rpartition(" ")[0], trial.skip)
    shown = list(skips)
    for label in shown[:20]:
        click.echo(f"  - {label}" + (f"  (skipped: {skips[label]})" if skips[label] else ""))
    if len(shown) > 20:
        click.echo(f"  ... and {len(shown) - 20} more configurations")


def _show(finished: Any, as_json: bool) -> None:
    if as_json:
        import json

        content = {
            "run": str(finished.run.path),
            "exit_code": int(finished.exit_code),
            "records": [record.to_json() for record in finished.records],
            "timings": finished.timings,
        }
        click.echo(json.dumps(content, indent=1))
        return
    from rich.console import Console

    from ..report.tables import terminal

    Console().print(terminal(finished.summary))
    where = shown_path(finished.run.path)
    drawn = "report.html, plots, " if (finished.run.path / "report.html").exists() else ""
    click.echo(f"{where}: {drawn}records, logs, table and figures as .md and .csv")
