"""What ``harness inspect`` prints: a column of facts a split, the balance of classes, encodings beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from ..inspection.findings import Inspection
    from ..report.grid import Grid

_CLASSES = 20  # more lines are not read
_NOTE = 1000


def print_inspection(inspection: Inspection) -> None:
    """The whole inspection, on standard output."""
    from rich.console import Console
    from rich.text import Text

    from ..inspection.wording import encoding_words, facts, printable, sensor_words, shared_words

    made = "synthetic, generated recordings; " if inspection.synthetic else ""
    values = ", ".join(f"{name}={value}" for name, value in inspection.parameters.items())
    click.echo(
        f"{inspection.dataset}: {made}{sensor_words(inspection.sensor_size)}" + (f" ({values})" if values else "")
    )
    click.echo(f"encoding: {encoding_words(inspection.encoding, inspection.sensor_size)}")
    for note in inspection.notes:
        click.echo(f"note: {printable(' '.join(note.split()), _NOTE)}")
    if inspection.limit is not None:
        click.echo(f"note: limited to {inspection.limit} recordings a split")
    click.echo()
    console = Console()
    splits = list(inspection.splits)
    table = _table("", *splits)
    for heading, texts in facts(inspection).items():
        table.add_row(Text(heading), *(Text(texts.get(split, "-")) for split in splits))
    console.print(table)
    click.echo("* least / median / most")
    shared = shared_words(inspection)
    if shared:
        click.echo(shared)
    click.echo()
    balance = _balance(inspection)
    if balance is None:
        click.echo("every class is as large as any other")
    else:
        console.print(balance)
        left = len(inspection.classes) - _CLASSES
        if left > 0:
            click.echo(f"... and {left} more class{'es' * (left != 1)}: see balance.png, or --json")
    if inspection.compared:
        click.echo()
        console.print(_comparison(inspection))
    names = (f"{item.recording} ({printable(inspection.classes[item.label])})" for item in inspection.shown)
    click.echo()
    click.echo(f"shown: {inspection.shown[0].split} recordings {', '.join(names)}")


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def _balance(inspection: Inspection) -> Table | None:
    """Recordings of each class, or None where all have as many."""
    import numpy as np
    from rich.text import Text

    from ..inspection.wording import printable

    sizes = [np.bincount(split.labels, minlength=len(inspection.classes)) for split in inspection.splits.values()]
    if all(of_split.min() == of_split.max() for of_split in sizes):
        return None
    table = _table("class", *inspection.splits)
    for name, *counts in zip(inspection.classes[:_CLASSES], *sizes, strict=False):
        table.add_row(Text(printable(name)), *(f"{count:,}" for count in counts))
    return table


def _comparison(inspection: Inspection) -> Grid:
    from rich.text import Text

    from ..inspection.wording import bytes_words, cells_words, percent
    from ..report.grid import Grid, Strip

    def column(heading: str, *cells: str) -> Strip:
        return Strip([heading], [Text(cell) for cell in cells])

    found = inspection.compared
    figures = [
        column("steps", *("own" if item.steps is None else f"{item.steps:,}" for item in found)),
        column("cells", *(cells_words(item.shape, item.steps) for item in found)),
    ]
    # What is the same everywhere is no comparison, and a terminal is narrow.
    if len({item.samples for item in found}) > 1:
        figures.append(column("samples", *(f"{item.samples:,}" for item in found)))
    if any(item.losses.cropped for item in found):
        figures.append(column("cropped", *(percent(item.losses.share(item.losses.cropped)) for item in found)))
    if any(item.losses.incomplete for item in found):
        figures.append(column("incomplete", *(percent(item.losses.share(item.losses.incomplete)) for item in found)))
    figures += [
        column("cells not 0", *(percent(item.density) for item in found)),
        column("of these > 1", *(percent(item.share_several) for item in found)),
        column("mean count", *(f"{item.mean:.2f}" for item in found)),
        column("most", *(f"{item.largest:,}" for item in found)),
        column("memory of one", *(bytes_words(item.bytes_a_sample) for item in found)),
    ]
    return Grid([column("what if (both splits)", *(item.label for item in found))], figures)
