"""``harness trend``: figures over the runs of a history."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..history import FILE, Entry, read
from ..places import results_folder

if TYPE_CHECKING:
    from ..comparison.series import Series

_DATE = re.compile(r"\d{4}-\d\d")


@click.command()
@click.option(
    "--history", type=click.Path(path_type=Path), metavar="FILE", help="The history (default: RESULTS/history.jsonl)."
)
@click.option(
    "--results", type=click.Path(path_type=Path), help="Folder of runs (default: HARNESS_RESULTS or ./results)."
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="This figure alone, such as accuracy or after.train.accuracy (default: those on the test split).",
)
@click.option("--row", "rows", multiple=True, metavar="TEXT", help="Configurations with these words in their label.")
@click.option("--since", metavar="WHEN", help="From this date, commit or run on, such as 2026-01-31.")
@click.option("--plot/--no-plot", default=None, help="Draw plots too (default: yes; with --json no).")
@click.option(
    "--plots", type=click.Path(path_type=Path), metavar="DIR", help="Where plots go (default: RESULTS/trend)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def trend(
    history: Path | None,
    results: Path | None,
    figures: tuple[str, ...],
    rows: tuple[str, ...],
    since: str | None,
    plot: bool | None,
    plots: Path | None,
    as_json: bool,
) -> None:
    """Show every figure of the history over its runs, and hint at where it changed.

    'harness track' adds runs to the history.
    """
    folder = results_folder(results)
    path = history or folder / FILE
    entries = _since(read(path), since, path)

    from ..comparison.series import chosen, series_of

    shown = chosen(series_of(entries), figures, rows)
    if not shown:
        raise UsageError(f"{path}: no configuration asked for has such a figure; 'harness trend' alone shows all")
    if as_json:
        from ..report.trends import long_rows

        click.echo(json.dumps(long_rows(shown), indent=1, allow_nan=False))
    else:
        _show(path, entries, shown)
    if plot if plot is not None else plots is not None or not as_json:
        from ..report.trend_plots import write_plots

        place = plots or folder / "trend"
        try:
            written = write_plots(shown, place)
        except OSError as error:
            raise UsageError(
                f"{place}: cannot be written: {error.strerror or error}; name a folder with --plots"
            ) from None
        click.echo(f"plots: {', '.join(str(item) for item in written if item.suffix == '.png')}", err=as_json)


def _show(path: Path, entries: Sequence[Entry], shown: Sequence[Series]) -> None:
    from rich.console import Console

    from ..report.trends import Trends

    runs = len({entry.run for entry in entries})
    click.echo(f"{path}: {runs} run{'s' * (runs != 1)}, {entries[0].time[:10]} to {entries[-1].time[:10]}")
    Console().print(Trends(shown))


def _since(entries: list[Entry], since: str | None, path: Path) -> list[Entry]:
    if since is None:
        return entries
    if _DATE.match(since):
        try:
            begin = datetime.fromisoformat(since)
        except ValueError:
            raise UsageError(f"--since {since!r}: expected a date such as 2026-01-31, a commit or a run") from None
        begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
        kept = [entry for entry in entries if datetime.fromisoformat(entry.time) >= begin]
        if not kept:
            raise UsageError(f"--since {since}: the last run in {path} started {entries[-1].time[:16]}")
        return kept
    for place, entry in enumerate(entries):
        if since and ((entry.commit or "").startswith(since) or entry.run.startswith(since)):
            return entries[place:]
    raise UsageError(f"--since {since!r}: {path} has no run of that commit or name; a date is written 2026-01-31")
