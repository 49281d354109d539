"""``harness baseline``: export what later runs are checked against, and look at it."""

from __future__ import annotations

import json
from typing import Any

import click

from ..baselines.files import find_baseline, folder_of, list_baselines, read_baseline, save
from ..baselines.form import Baseline, BaselineError
from ..places import results_folder
from ..reading import read_text
from ..store import LATEST, Store
from .concluding import shown_path

_results = click.option("--results", metavar="DIR", help="Folder of runs (default: HARNESS_RESULTS or ./results).")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(short_help="Export runs that later runs are checked against.")
def baseline() -> None:
    """Baselines: exported runs that later runs are checked against."""


@baseline.command("save")
@click.argument("name")
@click.argument("run", default=LATEST)
@_results
@click.option("--replace", is_flag=True, help="Write over a baseline of that name.")
def save_baseline(name: str, run: str, results: str | None, replace: bool) -> None:
    """Export RUN (default: latest) as results/baselines/NAME.json, to review and to commit."""
    folder = results_folder(results)
    path, made = save(name, Store(folder).open(run), folder, overwrite=replace, note=_note)
    trials = sum(len(item.trials) for item in made.configurations)
    click.echo(f"{shown_path(path)}: {_counted(len(made.configurations), trials)} of {made.run}")
    git = made.environment.get("git")
    if git and git.get("dirty"):
        _note("the working folder had changes that no commit holds")


def _note(sentence: str) -> None:
    click.echo(f"note: {sentence}", err=True)


@baseline.command("list")
@_results
@_json
def list_all(results: str | None, as_json: bool) -> None:
    """List baselines."""
    folder = results_folder(results)
    found: list[dict[str, Any]] = []
    for path in list_baselines(folder):
        try:
            found.append(_outline(read_baseline(path), path.stem))
        except BaselineError as error:
            found.append({"name": path.stem, "error": str(error)})
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    if not found:
        click.echo(f"no baselines in {folder_of(folder)}; 'harness baseline save NAME' makes one")
    for item in found:
        if "error" in item:
            click.echo(f"{item['name']}  unusable: {item['error']}")
        else:
            click.echo(f"{item['name']}  {item['created']}  {_counted(item['configurations'], item['trials'])}")


def _outline(made: Baseline, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "created": made.created,
        "run": made.run,
        "harness": made.harness,
        "configurations": len(made.configurations),
        "trials": sum(len(item.trials) for item in made.configurations),
    }


@baseline.command()
@click.argument("name")
@_results
@_json
def show(name: str, results: str | None, as_json: bool) -> None:
    """Show baseline NAME (or the file at that path): its figures, what it ran on, and how it is checked."""
    path = find_baseline(name, results_folder(results))
    made = read_baseline(path)
    if as_json:
        click.echo(read_text(path), nl=False)
        return
    from rich.console import Console

    from ..report.baseline import terminal

    Console().print(terminal(made))


def _counted(configurations: int, trials: int) -> str:
    return f"{configurations} configuration{'s' * (configurations != 1)}, {trials} trial{'s' * (trials != 1)}"
