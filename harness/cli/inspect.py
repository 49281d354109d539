"""``harness inspect``: what a dataset holds, and what an encoding makes of it, before anything is trained."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..experiment import parse_setting
from ..places import cache_named
from .concluding import check_output, write_plots
from .inspected import print_inspection

if TYPE_CHECKING:
    from ..inspection.findings import Inspection


@click.command()
@click.argument("name", metavar="DATASET")
@click.option(
    "-o", "settings", multiple=True, metavar="PATH=VALUE", help="As in a run: of the dataset, or encoding.dt=5."
)
@click.option("--recipe", default="default", metavar="NAME", help="As in a run, where it says how events are encoded.")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Instead of HARNESS_DATA.")
@click.option("--cache", type=click.Path(path_type=Path), metavar="DIR", help="Instead of HARNESS_CACHE.")
@click.option("--limit", type=int, metavar="N", help="N recordings a split, the same ones as in a run.")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Show the first recording of this class.")
@click.option("--recording", "shown", multiple=True, type=int, metavar="N", help="Show this recording.")
@click.option("--split", default="train", metavar="NAME", help="Whose recordings are shown: train (default) or test.")
@click.option("--percentile", type=float, default=99.0, metavar="P", help="Of the events' times (99).")
@click.option(
    "--what-if",
    "what_if",
    multiple=True,
    metavar="A=B,C",
    help="Compare encodings, such as dt=5,10,20; several multiply.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="For figures (./inspect-DATASET).")
@click.option("--no-plots", is_flag=True, help="Draw nothing.")
@click.option("--no-animation", is_flag=True, help="Make no GIF and no player of what an event camera saw.")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON; draw nothing.")
@click.pass_obj
def inspect(obj: dict[str, Any], /, name: str, as_json: bool, output: Path | None, **given: Any) -> None:
    """Show what DATASET holds and what its encoding makes of it.

    \b
    harness inspect shd-synthetic
    harness inspect shd --data DIR --what-if dt=5,10,20
    harness inspect dvsgesture-synthetic --limit 50 --class arm-roll --class air-drums
    """
    if output is not None and (as_json or given["no_plots"]):
        raise UsageError(f"--output: {'--json' if as_json else '--no-plots'} draws nothing; leave one of them out")
    settings = dict(parse_setting(text) for text in given["settings"])
    what_if = _what_if(given["what_if"])
    folder = output or Path(f"inspect-{obj['registry'].find(name).component.name}")
    if not (as_json or given["no_plots"]):
        check_output(folder)

    from ..inspection.inspecting import inspect_dataset

    with cache_named(given["cache"]), _progress() as progress:
        inspection = inspect_dataset(
            obj["registry"],
            name,
            settings=settings,
            what_if=what_if,
            progress=progress,
            **{word: given[word] for word in ("recipe", "data", "limit", "shown", "classes", "split", "percentile")},
        )
    if as_json:
        from ..inspection.plain import to_json

        click.echo(json.dumps(to_json(inspection), allow_nan=False))
        return
    print_inspection(inspection)
    if not given["no_plots"]:
        _draw(inspection, folder, animated=not given["no_animation"])


def _what_if(texts: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        try:
            path, values = parse_setting(text)
        except UsageError:
            raise UsageError(f"--what-if {text!r}: expected parameter=values, such as dt=5,10,20") from None
        parameter = path.removeprefix("encoding.")
        if parameter in found:
            raise UsageError(f"--what-if {parameter} is given twice; name all of its values in one")
        found[parameter] = values
    return found


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task, shown = bars.add_task("opening the data", total=None), ""

        def report(stage: str, done: int, total: int) -> None:
            nonlocal shown
            if stage != shown:
                bars.reset(task, description=stage, total=total)
                shown = stage
            bars.update(task, completed=done, total=total)

        yield report


def _draw(inspection: Inspection, output: Path, *, animated: bool) -> None:
    from ..report.animation import FILES, write_animations
    from ..report.inspection_plots import FIGURES, write_inspection

    owned = [*FILES, *(f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png"))]

    def draw(folder: Path) -> list[Path]:
        with _whole(folder, owned) as place:
            made = list(write_inspection(inspection, place))
            if animated:
                made += write_animations(inspection, place)
        return [folder / item.relative_to(place) for item in made]

    with _drawing():
        write_plots(output, draw)


@contextlib.contextmanager
def _drawing() -> Iterator[None]:
    """Say on standard error, where that is a terminal, what is waited for."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status("drawing"):
        yield


@contextlib.contextmanager
def _whole(folder: Path, owned: Sequence[str]) -> Iterator[Path]:
    """A place to draw in; what lies there goes to ``folder`` once all is drawn, so that an interruption leaves no half.

    Files named in ``owned`` that were not drawn now are of another inspection, and are removed.
    """
    from tempfile import TemporaryDirectory

    drawn: set[str] = set()
    with TemporaryDirectory(prefix=".drawing-", dir=folder) as place:
        yield Path(place)
        for item in sorted(Path(place).iterdir()):
            item.replace(folder / item.name)
            drawn.add(item.name)
        for stale in (folder / name for name in owned if name not in drawn):
            if stale.is_file():
                stale.unlink()
