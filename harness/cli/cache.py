"""``harness cache``: how much room encoded frames take, and giving it back."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..places import cache_folder


@click.command()
@click.argument("action", type=click.Choice(["show", "clear"]), default="show")
@click.option("--cache", "folder", type=click.Path(path_type=Path), help="The cache (default: HARNESS_CACHE).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cache(action: str, folder: Path | None, as_json: bool) -> None:
    """Show the sizes of encoded frames, or clear them; they are rebuilt when they are needed."""
    from ..events.prepare import cache_entries, clear

    where = cache_folder(folder)
    entries = cache_entries(where)
    # Read before clearing: afterwards there is nothing to ask.
    listed = [(entry.path, entry.dataset, entry.bytes, entry.created) for entry in entries]
    total = sum(size for _, _, size, _ in listed)
    if action == "clear":
        clear(where)
    if as_json:
        shown = [
            dict(zip(("path", "dataset", "bytes", "created"), (str(path), *rest), strict=True))
            for path, *rest in listed
        ]
        content = {"folder": str(where), "bytes": total, "cleared": action == "clear", "entries": shown}
        click.echo(json.dumps(content))
        return
    for path, dataset, size, created in listed:
        click.echo(f"{_size(size):>10}  {dataset:<20} {created}  {path.name}")
    verb = "freed from" if action == "clear" else "in"
    click.echo(f"{_size(total):>10}  {verb} {len(listed)} encoding{'s' * (len(listed) != 1)} in {where}")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
