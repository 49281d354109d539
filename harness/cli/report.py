"""``harness report``: one page that holds a whole run, or several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode, UsageError
from ..places import results_folder
from ..store import LATEST, Run, Store
from .concluding import shown_path, write_file

if TYPE_CHECKING:
    from ..report.page.gathering import Material

FORMATS = ("html", "md", "csv", "tex")


@click.command(short_help="Write one self-contained page of a run, or of several.")
@click.argument("names", nargs=-1, metavar="[RUN]...")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    help="Where to (default: report.html in the run's folder, of several runs ./report.html); - is standard output.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="html: the page (default, unless FILE ends in another); md, csv, tex: the comparison table alone.",
)
@click.option("--results", metavar="DIR", help="Folder of runs (default: HARNESS_RESULTS or ./results).")
def report(names: tuple[str, ...], output: str | None, kind: str | None, results: str | None) -> int:
    """Write one self-contained HTML page of RUN (an id, its beginning, a path; default: latest), or of several runs merged.

    \b
    harness report                         # the newest run
    harness report 20260102 latest         # two runs on one page
    harness report --format tex -o -       # its table for a paper
    """
    store = Store(results_folder(results))
    runs = list({run.path.resolve(): run for run in map(store.open, names or (LATEST,))}.values())
    kind = kind or _kind_of(output)
    path = _place(runs, output, kind)

    from ..report.page.gathering import gather

    material = gather(runs)
    for problem in material.problems:
        click.echo(f"warning: {problem}", err=True)
    for note in material.notes:
        click.echo(f"note: {note}", err=True)
    if not material.trials:
        click.echo(f"error: {', '.join(run.id for run in runs)}: no trial left a record: nothing to report", err=True)
        return ExitCode.NOTHING_RAN
    text = _text(material, kind, Path.cwd() if path is None else path.parent)
    if path is None:
        click.echo(text, nl=False)
    else:
        write_file(path, text.encode(), option="--output")
        click.echo(str(shown_path(path)))
    return ExitCode.OK


def _kind_of(output: str | None) -> str:
    """The format that a file's name asks for; raises :class:`UsageError` for one that there is not."""
    suffix = Path(output or "").suffix.removeprefix(".").lower()
    suffix = {"htm": "html"}.get(suffix, suffix)
    if suffix and suffix not in FORMATS:
        raise UsageError(
            f"{output}: a report cannot be written as .{suffix}; expected .{', .'.join(FORMATS)}, or --format to name one"
        )
    return suffix or "html"


def _place(runs: list[Run], output: str | None, kind: str) -> Path | None:
    """Where the report goes; None is standard output."""
    if output == "-":
        return None
    if output is not None:
        return Path(output)
    return (runs[0].path if len(runs) == 1 else Path()) / f"report.{kind}"


def _text(material: Material, kind: str, place: Path) -> str:
    from ..report import tables
    from ..report.page.document import page

    if kind == "html":
        return page(material, place)
    writers = {"md": tables.markdown, "csv": tables.csv_text, "tex": tables.latex}
    return writers[kind](material.summary)
