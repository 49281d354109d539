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
    total = sum(entry.bytes for entry in entries)
    if action == "clear":
        clear(where)
    if as_json:
        listed = [
            {"path": str(entry.path), "dataset": entry.dataset, "bytes": entry.bytes, "created": entry.created}
            for entry in entries
        ]
        click.echo(json.dumps({"folder": str(where), "bytes": total, "cleared": action == "clear", "entries": listed}))
        return
    for entry in entries:
        click.echo(f"{_size(entry.bytes):>10}  {entry.dataset:<20} {entry.created}  {entry.path.name}")
    verb = "freed" if action == "clear" else "in"
    click.echo(
        f"{_size(total):>10}  {verb} {len(entries)} encodings in {where}".replace("in 0 encodings in", "nothing in")
    )


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
