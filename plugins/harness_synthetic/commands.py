"""``harness data synthesize shd DIR``: the generated twin in SHD's own HDF5 layout."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def data() -> None:
    """Work with datasets."""


@data.command()
@click.argument("layout", type=click.Choice(["shd"]))
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--train", default=400, show_default=True, type=click.IntRange(20), help="Training recordings; SHD has 8156."
)
@click.option("--test", default=200, show_default=True, type=click.IntRange(20), help="Test recordings; SHD has 2264.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="What everything is drawn from.")
@click.option("--noise", default=0.25, show_default=True, type=click.FloatRange(0, 0.9), help="Share of stray events.")
def synthesize(layout: str, folder: Path, train: int, test: int, seed: int, noise: float) -> None:
    """Write generated recordings to DIR in a dataset's own layout, for 'harness run --plugins shd --data DIR'."""
    from .files import write_shd

    for path in write_shd(folder, train=train, test=test, seed=seed, noise=noise):
        click.echo(f"{path}: synthetic")


def add(cli: click.Group) -> None:
    """Add ``data`` to ``cli``, or ``synthesize`` to the group of that name that another plugin has added."""
    existing = cli.commands.get("data")
    if isinstance(existing, click.Group):
        existing.add_command(synthesize)
    else:
        cli.add_command(click.Group(name="data", help=data.help, commands=dict(data.commands)))
