"""``harness compare``: any two runs, baselines or configurations, by the statistics of a check."""

from __future__ import annotations

import json

import click

from ..baselines.files import open_side
from ..errors import ExitCode
from ..gate import Gate, confidence
from ..places import results_folder
from ..store import Store
from .concluding import plain


@click.command(short_help="Compare any two runs, baselines or configurations.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--figure", "figures", multiple=True, metavar="NAME", help="Only this figure, details too; may be repeated."
)
@click.option("--confidence", "wanted", type=float, default=0.99, metavar="C", help="One-sided (default: 0.99).")
@click.option("--results", metavar="DIR", help="Folder of runs (default: HARNESS_RESULTS or ./results).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def compare(
    first: str, second: str, figures: tuple[str, ...], wanted: float, results: str | None, as_json: bool
) -> int:
    """Compare B with A: runs, baselines, or configurations of them.

    \b
    harness compare 20260102 latest              # what both hold, pair by pair
    harness compare latest:lif latest:alif       # one configuration against another
    harness compare main latest                  # baseline main against the newest run
    """
    folder = results_folder(results)
    store = Store(folder)
    gate = Gate(confidence=confidence(wanted, "--confidence"), figures=figures)
    old, new = (open_side(name, store, folder, gate) for name in (first, second))
    from ..comparison.regression import compare as compared

    found = compared(old, new, gate)
    code = ExitCode.OK if found.comparable else ExitCode.NOT_COMPARABLE
    if as_json:
        click.echo(json.dumps(plain(found), indent=1))
        return code
    from rich.console import Console

    from ..report.checks import terminal

    Console().print(terminal(found, code=None))
    return code
