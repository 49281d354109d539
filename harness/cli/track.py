"""``harness track``: a run's figures into the history."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import ExitCode
from ..history import FILE, append, entries_of
from ..places import results_folder
from ..store import LATEST, Store


@click.command()
@click.argument("name", default=LATEST, metavar="[RUN]")
@click.option(
    "--history", type=click.Path(path_type=Path), metavar="FILE", help="The history (default: RESULTS/history.jsonl)."
)
@click.option(
    "--results", type=click.Path(path_type=Path), help="Folder of runs (default: HARNESS_RESULTS or ./results)."
)
@click.option("--note", default="", metavar="TEXT", help="A word on the run, kept in its lines.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def track(name: str, history: Path | None, results: Path | None, note: str, as_json: bool) -> int:
    """Append the figures of RUN (an id, its beginning, a path; default: latest) to the history, a line a configuration.

    Tracking a run twice adds nothing. 'harness trend' shows the history.
    """
    store = Store(results_folder(results))
    run = store.open(name)
    path = history or store.folder / FILE
    entries, left_out = entries_of(run, note)
    done = append(path, entries)
    if as_json:
        content = {
            "history": str(path),
            "run": run.id,
            "added": [entry.label for entry in done.added],
            "known": [entry.label for entry in done.known],
            "left_out": left_out,
            "mended": done.mended or None,
        }
        click.echo(json.dumps(content, indent=1))
    else:
        for sentence in [done.mended, *left_out] if done.mended else left_out:
            click.echo(f"warning: {sentence}", err=True)
        if done.known:
            click.echo(f"{path}: it holds {run.id} already: {', '.join(entry.label for entry in done.known)}")
        if done.added:
            count = len(done.added)
            click.echo(
                f"{path}: {count} line{'s' * (count != 1)} added of {run.id}: {', '.join(entry.label for entry in done.added)}"
            )
        if not entries:
            click.echo(f"{path}: nothing added: {run.id} has no finished trial")
    return ExitCode.OK if entries else ExitCode.NOTHING_RAN
