"""``harness noise``: how far equal sides lie apart on this machine's clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..experiment import read_toml
from ..places import cache_folder, data_folder, results_folder
from ..plan import Plan, make_plan
from .asked import asked
from .pieces import able, pieces_of

if TYPE_CHECKING:
    from ..execution.duet import Taken
    from ..noise import Floor


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[EXPERIMENT.toml]")
@click.option("--plugins", metavar="A,B,C", help="Components of any kind by name; several of one kind multiply.")
@click.option("-o", "settings", multiple=True, metavar="PATH=VALUE", help="Set a parameter, such as mlp.hidden=[32].")
@click.option("--recipe", metavar="NAME", help="A recipe that components offer, such as tutorial.")
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="Interleaved rounds a comparison (default: 20).")
@click.option(
    "--comparisons", type=click.IntRange(1), default=5, metavar="N", help="Comparisons of equal sides (default: 5)."
)
@click.option(
    "--threshold", type=float, metavar="SHARE", help="Fail where this threshold, such as 0.05, is below the floor."
)
@click.option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto).")
@click.option("--threads", type=int, metavar="N", help="Threads of each side, pinned (default: 1).")
@click.option("--data", metavar="DIR", help="Folder of datasets (default: HARNESS_DATA).")
@click.option("--cache", metavar="DIR", help="Folder of encoded frames (default: HARNESS_CACHE).")
@click.option("--results", metavar="DIR", help="Folder for noise.json (default: HARNESS_RESULTS or ./results).")
@click.option("--quiet", "-q", is_flag=True, help="Print the table alone.")
@click.option("--json", "as_json", is_flag=True, help="Print what noise.json holds.")
@click.pass_obj
def noise(obj: dict[str, Any], /, **given: Any) -> None:
    """Compare this environment with itself, and print which differences in speed are nothing but noise.

    \b
    harness noise experiment.toml
    harness noise --plugins shd-synthetic,lif,alif --threshold 0.05

    'harness check --timing' then refuses thresholds below the floor. Status 4 where --threshold is.
    """
    from ..running.options import Options, check_options
    from .progress import make_listener

    from_file = read_toml(given["file"]) if given["file"] is not None else {}
    threads = given["threads"] if given["threads"] is not None else from_file.get("threads", 1)
    device = given["device"] or from_file.get("device", "auto")
    check_options(Options(device=device, threads=threads))
    threshold = given["threshold"]
    if threshold is not None and not threshold > 0:
        raise UsageError(f"--threshold {threshold:g}: expected a share > 0, such as 0.05")
    plan = make_plan(asked(from_file, given), obj["registry"], device)
    show = not (given["quiet"] or given["as_json"])
    with make_listener(quiet=not show) as listener:
        floor, path = _measure(obj, given, plan, threads, device, listener, show)
    if given["as_json"]:
        click.echo(json.dumps(floor.to_json(), indent=1))
    else:
        _print(floor, path)
    if threshold is not None:
        from ..noise import refuse_below

        refuse_below(floor, threshold)


def _measure(
    obj: dict[str, Any], given: dict[str, Any], plan: Plan, threads: int, device: str, listener: Any, show: bool
) -> tuple[Floor, Path]:
    """Every comparison, and the floors written."""
    from ..execution.duet import BLOCKS, Side, duel, launches_for
    from ..noise import Floor, platform_of, write_floor

    pieces = pieces_of(plan, listener.note)
    folder = results_folder(given["results"])
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "noise.log"
    blocks, count = given["rounds"] or BLOCKS, given["comparisons"]
    if show:
        click.echo(
            f"noise: {len(pieces)} configuration{'s' * (len(pieces) != 1)}, {count} comparison{'s' * (count != 1)} of {blocks} "
            "rounds, this environment on both sides"
        )
    found: list[list[Taken]] = []
    for number in range(count):
        found.append(
            duel(
                Side.here(obj["config"], "first"),
                Side.here(obj["config"], "second"),
                pieces,
                blocks=blocks,
                threads=threads,
                device=able(plan, device),
                data=data_folder(given["data"]),
                cache=cache_folder(given["cache"]),
                log=log,
                report=_reporter(listener, number, count),
                seed=number,
            )
        )
    for taken in found[0]:
        if taken.refused:
            listener.note(taken.refused)
    floor = Floor(
        rows=_floors(found),
        platform=platform_of(threads, found[0][0].device),
        blocks=blocks,
        launches=launches_for(blocks),
        comparisons=count,
    )
    path = write_floor(folder, floor)
    # They are for whoever looks for the cause of a failure.
    for side in ("old", "new"):
        log.with_name(f"{log.stem}-{side}{log.suffix}").unlink(missing_ok=True)
    return floor, path


def _reporter(listener: Any, number: int, count: int) -> Callable[..., None]:
    def report(event: str, **content: Any) -> None:
        if event == "progress":
            listener.progress("data", content["stage"], content["done"], content["total"])
        elif event == "block":
            done, total = number * content["total"] + content["done"], count * content["total"]
            listener.progress("noise", f"comparison {number + 1}/{count}", done, total)

    return report


def _floors(found: Sequence[Sequence[Taken]]) -> tuple[Any, ...]:
    from statistics import median

    from ..noise import RowFloor, floor_of

    rows = []
    for same in zip(*found, strict=True):
        first = same[0]
        if not first.refused:
            rows.append(
                RowFloor(
                    row=first.row,
                    label=first.label,
                    work=first.work,
                    seconds=median([seconds for taken in same for seconds in (taken.old, taken.new)]),
                    floor=floor_of([(taken.log_ratios, taken.launches) for taken in same]),
                )
            )
    return tuple(rows)


def _print(floor: Floor, path: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("configuration", "work"):
        table.add_column(title)
    for title in ("takes (ms)", "floor (%)"):
        table.add_column(title, justify="right")
    for item in floor.rows:
        table.add_row(
            Text(item.label), item.work.replace("_", " "), f"{1000 * item.seconds:.3g}", f"{100 * item.floor:.2g}"
        )
    console = Console()
    console.print(table)
    click.echo(
        f"floor: equal sides lie further apart in 1 of 100 comparisons of {floor.blocks} rounds; highest {100 * floor.highest:.2g} %"
    )
    click.echo(f"written to {path}")
