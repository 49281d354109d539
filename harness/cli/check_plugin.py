"""``harness check-plugin``: hold components to the conformance kit."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from ..errors import ExitCode, UsageError
from ..registry import Registered, Registry

if TYPE_CHECKING:
    from ..testing import Outcome

_DESCRIPTOR = "test_the_descriptor_is_sound"


@click.command("check-plugin")
@click.argument("names", nargs=-1, required=True)
@click.option("--examples", type=click.IntRange(1), help="Random configurations a check (default: the suite's own).")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of datasets, instead of HARNESS_DATA.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def check_plugin(
    obj: dict[str, Any], names: tuple[str, ...], examples: int | None, data: Path | None, as_json: bool
) -> int:
    """Check components by NAME against what their kind must hold to; exit status 3 where one fails."""
    registry: Registry = obj["registry"]
    entries = [registry.find(name) for name in names]
    failed, told = 0, []
    with _no_traces(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a checked component warns of is not a finding
        for name, entry in zip(names, entries, strict=True):
            outcomes = list(_watched(_outcomes(registry, name, entry, examples, data), name, quiet=as_json))
            problem = _nothing_checked(outcomes)
            failed += problem is not None or any(outcome.status == "failed" for outcome in outcomes)
            told.append({"name": name, "kind": entry.component.kind, "problem": problem, "checks": outcomes})
            if not as_json:
                _table(name, entry, outcomes, problem)
    if as_json:
        click.echo(json.dumps(told, indent=1, default=vars))
    else:
        click.echo(f"{len(names) - failed} of {len(names)} components conform")
    return ExitCode.FAILED if failed else ExitCode.OK


@contextmanager
def _no_traces() -> Iterator[None]:
    """Give hypothesis a temporary folder for what it keeps, instead of ``.hypothesis`` in the user's."""
    try:
        from hypothesis.configuration import set_hypothesis_home_dir
    except ModuleNotFoundError:
        raise UsageError("check-plugin needs hypothesis; pip install 'snn-harness[testing]'") from None
    with TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


def _outcomes(
    registry: Registry, name: str, entry: Registered, examples: int | None, data: Path | None
) -> Iterator[Outcome]:
    from ..testing import SUITES, run

    suite = SUITES[entry.component.kind]()
    suite.name, suite.registry, suite.data = name, registry, data
    if examples is not None:
        suite.examples = examples
    yield from run(suite)


def _watched(outcomes: Iterator[Outcome], name: str, *, quiet: bool) -> Iterator[Outcome]:
    """The same, with the number of checks done on the terminal meanwhile."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet)
    with console.status(f"checking {name}") as status:
        for number, outcome in enumerate(outcomes, 1):
            status.update(f"checking {name}: {number} checks done")
            yield outcome


def _nothing_checked(outcomes: list[Outcome]) -> str | None:
    """Why a component that fails no check has not passed either: all but its descriptor was skipped."""
    checked = [outcome for outcome in outcomes if outcome.check != _DESCRIPTOR]
    if any(outcome.status != "skipped" for outcome in checked):
        return None
    return f"nothing was checked: {checked[0].detail}"


def _table(name: str, entry: Registered, outcomes: list[Outcome], problem: str | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("result", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column(f"{entry.component.kind} {name}")
    colours = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
    for outcome in outcomes:
        # Text, not markup: what a stranger's code raised may hold brackets.
        title = Text(outcome.title)
        if outcome.detail:
            title.append(f"\n  {outcome.detail}", style="dim" if outcome.status == "skipped" else "")
        table.add_row(Text(outcome.status, style=colours[outcome.status]), f"{outcome.seconds:.1f}", title)
    console = Console()
    console.print(table)
    if problem is not None:
        console.print(Text(f"{name}: {problem}", style="bold red"))
    console.print()
