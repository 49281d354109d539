"""``harness runs``: what lies under results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..components import PHASES
from ..errors import DataError, UsageError
from ..places import results_folder
from ..run_state import shown
from ..store import Run, Store


@click.command()
@click.argument("name", required=False)
@click.option(
    "--results", type=click.Path(path_type=Path), help="Folder of runs (default: HARNESS_RESULTS or ./results)."
)
@click.option("--figures", is_flag=True, help="Show every figure of run NAME, a column a configuration.")
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice(PHASES),
    help="With --figures: those of this phase (default: after and timing; with --json all).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def runs(name: str | None, results: Path | None, figures: bool, phases: tuple[str, ...], as_json: bool) -> None:
    """List runs, oldest first, or show the table of run NAME (an id, its beginning, or 'latest')."""
    if figures and name is None:
        raise UsageError("--figures shows one run: name it, such as 'harness runs latest --figures'")
    if phases and not figures:
        raise UsageError("--phase chooses among figures: give --figures too")
    store = Store(results_folder(results))
    if name is not None and figures:
        _show_figures(store.open(name), phases, as_json)
        return
    if name is not None:
        _show(store.open(name), as_json)
        return
    found = store.runs()
    if as_json:
        click.echo(json.dumps([_outline(run) for run in found], indent=1))
        return
    if not found:
        click.echo(f"no runs in {store.folder}; 'harness run' makes one")
        return
    for run in found:
        outline = _outline(run)
        counts = ", ".join(f"{count} {status}" for status, count in outline["trials"].items())
        click.echo(f"{run.id}  {outline['state']}  {outline.get('error') or counts}")


def _outline(run: Run) -> dict[str, Any]:
    try:
        summary = run.summary()
    except DataError as error:
        return {"id": run.id, "state": "damaged", "trials": {}, "error": str(error)}
    counts: dict[str, int] = {}
    for trial in summary.get("trials", []):
        status = "cached" if trial.get("cached") else trial.get("status") or "not run"
        counts[status] = counts.get(status, 0) + 1
    return {"id": run.id, "state": shown(summary), "started": summary.get("started"), "trials": counts}


def _show(run: Run, as_json: bool) -> None:
    records = run.records()
    if as_json:
        click.echo(json.dumps([record.to_json() for record in records], indent=1))
        return
    if not records:
        click.echo(f"{run.id} holds no records")
        return
    from rich.console import Console

    from ..comparison.summary import summarise
    from ..report.tables import terminal

    Console().print(terminal(summarise(records, run.timings())))


def _show_figures(run: Run, phases: tuple[str, ...], as_json: bool) -> None:
    records = run.records()
    if not records and not as_json:
        click.echo(f"{run.id} holds no records")
        return
    from rich.console import Console

    from ..comparison.figures import all_figures
    from ..comparison.summary import summarise
    from ..report.figures import long_rows, terminal

    timings = run.timings()
    summary = summarise(records, timings)
    if as_json:
        click.echo(json.dumps(long_rows(summary, all_figures(records, timings, phases or None)), indent=1))
        return
    Console().print(terminal(summary, all_figures(records, timings, phases or ("after", "timing"))))
