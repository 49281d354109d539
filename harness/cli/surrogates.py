"""``harness surrogates``: the derivatives that stand in for a spike's step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError


@click.command()
@click.argument("names", nargs=-1)
@click.option("--width", "widths", metavar="A,B", help="Widths, such as 0.25,0.5 (default: the declared one).")
@click.option("--neuron", metavar="NAME", help="Whose definition to ask (default: the first that offers surrogates).")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("surrogates"), metavar="DIR", help="(./surrogates)."
)
@click.pass_obj
def surrogates(
    obj: dict[str, Any], names: tuple[str, ...], widths: str | None, neuron: str | None, output: Path
) -> None:
    """Show step, smooth function and derivative of NAMES (default: every surrogate that a neuron offers)."""
    chosen = [_width(text) for text in (widths or "").split(",") if text.strip()]
    if len(chosen) > 4:
        raise UsageError(f"--width {widths}: at most 4 can be told apart in one figure")

    from ..report.surrogate_plots import write_surrogates
    from ..surrogates import surrogates as measure

    shown = measure(obj["registry"], names, chosen, neuron=neuron)
    _table(shown)
    try:
        written = write_surrogates(shown, output)
    except OSError as error:
        raise UsageError(
            f"{output}: cannot be written: {error.strerror or error}; name a folder with --output"
        ) from None
    click.echo(f"plots: {', '.join(str(item) for item in written if item.suffix == '.png')}")


def _width(text: str) -> float:
    from math import isfinite

    try:
        width = float(text)
    except ValueError:
        width = float("nan")
    if not (isfinite(width) and width > 0):
        raise UsageError(f"--width {text.strip()}: expected a number above 0")
    return width


def _table(shown: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("surrogate", "width", "peak", "above half of it", "area"):
        table.add_column(heading, justify="left" if heading == "surrogate" else "right")
    for item in shown:
        numbers = (item.width, item.peak, item.half_width, item.area)
        table.add_row(Text(item.name), *(f"{number:.3g}" for number in numbers))
    Console().print(table)
    reach = shown[0].v[-1] - shown[0].threshold
    click.echo(f"area: within {reach:g} of the threshold; a derivative of a step from 0 to 1 has area 1")
