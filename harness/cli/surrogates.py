"""``harness surrogates``: the derivatives that stand in for a spike's step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .concluding import check_output, write_plots
from .given import refuse_beside_json, separate, told_by_user

if TYPE_CHECKING:
    from ..derivatives import Surrogate


@click.command()
@click.argument("names", nargs=-1)
@click.option("--width", "widths", metavar="A,B", help="Widths, such as 0.25,0.5 (default: the declared one).")
@click.option("--neuron", metavar="NAME", help="Whose definition to ask (default: the first that offers surrogates).")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("surrogates"), metavar="DIR", help="(./surrogates)."
)
@click.option("--json", "as_json", is_flag=True, help="Print figures, formulas and points as JSON; draw nothing.")
@click.pass_context
def surrogates(
    context: click.Context,
    /,
    names: tuple[str, ...],
    widths: str | None,
    neuron: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Show step, smooth function and derivative of NAMES (default: every surrogate that a neuron offers)."""
    if as_json:
        refuse_beside_json(told_by_user(context))
    chosen = [_width(text) for text in (widths or "").split(",") if text.strip()]
    if not as_json:
        check_output(output)

    from ..derivatives import surrogates as measure

    shown = measure(context.obj["registry"], separate(*names), chosen, neuron=neuron)
    if as_json:
        click.echo(json.dumps([_plain(item) for item in shown], allow_nan=False))
        return
    _table(shown)

    from ..report.surrogate_plots import FIGURES, write_surrogates

    write_plots(output, lambda folder: write_surrogates(shown, folder), FIGURES)


def _width(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--width {text.strip()}: expected a number") from None


def _plain(item: Surrogate) -> dict[str, Any]:
    return {
        **item.figures(),
        "v": item.v.tolist(),
        "spikes": item.spikes.tolist(),
        "smooth": item.smooth.tolist(),
        "derivative": item.derivative.tolist(),
    }


def _table(shown: list[Surrogate]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("surrogate", "width", "peak", "above half of it", "area"):
        table.add_column(heading, justify="left" if heading == "surrogate" else "right")
    for item in shown:
        numbers = (item.width, item.peak, item.half_width, item.area)
        table.add_row(Text(item.name), *("-" if number is None else f"{number:.3g}" for number in numbers))
    Console().print(table)
    reach = shown[0].v[-1] - shown[0].threshold
    click.echo(f"area: within {reach:g} of the threshold; a derivative of a step from 0 to 1 has area 1")
    formulas = {item.name: item.formulas for item in shown if any(item.formulas.values())}
    for name, formula in formulas.items():
        click.echo(f"\n{name}")
        for part, words in formula.items():
            if words:
                click.echo(f"  {part:<12}{words}")
    if formulas:
        click.echo(
            "\nof membrane potential v, threshold th and width w, drawn over v - th; "
            "a neuron's surrogate_scale multiplies the derivative"
        )
