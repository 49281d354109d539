"""``harness new-plugin``: the distribution of a new plugin, which conforms as written."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from ..components import KINDS
from ..registry import GROUP, Registry
from ..scaffold.distribution import Distribution, check_name, write_distribution


@click.command("new-plugin")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), metavar="DIR", help="The folder to make (default: ./NAME).")
@click.pass_obj
def new_plugin(obj: dict[str, Any], kind: str, name: str, path: Path | None) -> None:
    """Write a distribution with a KIND called NAME (small words joined by hyphens) that passes check-plugin."""
    registry: Registry = obj["registry"]
    plugins = [point.name for point in entry_points(group=GROUP)]
    check_name(name, [*plugins, *(entry.component.name for entry in registry.components())])
    distribution, folder = Distribution(kind, name), path or Path(name)
    for written in write_distribution(distribution, folder):
        click.echo(f"{folder / written}")
    click.echo("next:")
    click.echo(f"  python -m pip install -e {folder}")
    click.echo(f"  harness check-plugin {name}")
    click.echo(f"  harness run --plugins {distribution.tried_with} --epochs 1")
