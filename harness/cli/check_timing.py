"""``harness check --timing``: this environment's speed against another's, both measured now and in turn."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..baselines.files import find_baseline, read_baseline
from ..baselines.form import Baseline
from ..baselines.reduction import of_run
from ..errors import UsageError
from ..experiment import read_toml
from ..gate import WORKS, Gate
from ..places import cache_folder, data_folder, results_folder
from ..plan import make_plan
from ..store import Store
from .asked import asked
from .concluding import conclude
from .pieces import able, pieces_of

if TYPE_CHECKING:
    from ..comparison.speed import Timed
    from ..execution.duet import Piece, Taken

Report = Callable[..., None]
_RESAMPLES = 10_000


def check_timing(obj: dict[str, Any], what: str | None, given: dict[str, Any]) -> int:
    """Time the work of a baseline, a run or an experiment in both environments; see :mod:`harness.execution.duet`."""
    from ..comparison.ratios import fewest_blocks
    from ..comparison.speed import judge
    from ..comparison.verdicts import Check
    from ..execution.duet import BLOCKS, Side, duel, interpreter
    from ..noise import read_floor, refuse_below
    from .check import gate_of

    for option in ("force", "jobs", "time_limit"):
        if given[option]:
            raise UsageError(f"--{option.replace('_', '-')} is for trials: --timing trains none")
    if given["against"] is None:
        raise UsageError("nothing to time against: give --against PYTHON, such as ../before/.venv/bin/python")
    results = results_folder(given["results"])
    notes: list[str] = []
    pieces, gate_source, from_file, told = _asked(obj, what, given, results, notes.append)
    gate = _with_threshold(gate_of(gate_source, from_file, given), given["threshold"])
    device, threads = told.get("device") or "auto", told.get("threads") or 1
    rounds = BLOCKS if given["rounds"] is None else given["rounds"]
    # Over many lines Holm asks more of each: with too few rounds or resamples none of them could ever be worse.
    lines = len(pieces) * len(WORKS)
    level = (1 - gate.confidence) / lines
    fewest = fewest_blocks(1 - level)
    if rounds < fewest:
        raise UsageError(
            f"--rounds {rounds}: confidence {gate.confidence:g} needs {fewest} at least over {lines} lines"
        )
    resamples = max(_RESAMPLES, math.ceil(10 / level))
    floor = read_floor(results, threads, device, rounds=rounds, note=notes.append)
    for piece in pieces:
        for work in WORKS:
            refuse_below(floor, gate.threshold(work), row=piece.row, work=work)
    old = Side(python=interpreter(given["against"]), plugins=obj["config"], name="old")
    new = Side.here(obj["config"])
    results.mkdir(parents=True, exist_ok=True)
    hellos: list[dict[str, Any]] = []
    devices: set[str] = set()

    with _watched(quiet=given["quiet"] or given["as_json"]) as report:

        def reported(event: str, **content: Any) -> None:
            if event == "launched" and not hellos:
                hellos.extend([content["old"], content["new"]])
            report(event, **content)

        def take(only: Collection[tuple[str, str]] | None) -> list[Timed]:
            taken = duel(
                old,
                new,
                pieces,
                only=only,
                blocks=rounds,
                threads=threads,
                device=device,
                data=data_folder(given["data"]),
                cache=cache_folder(given["cache"]),
                log=results / "timing-check.log",
                report=reported,
                seed=0 if only is None else 1,
            )
            devices.update(item.device for item in taken)
            return [_timed(item, gate, resamples) for item in taken]

        verdicts = judge(take(None), gate, take)
    found = Check(
        old=str(given["against"]),
        new="this environment",
        gate=gate,
        verdicts=verdicts,
        notes=(*_notes(hellos, ", ".join(sorted(devices)), threads, rounds), *notes),
    )
    return conclude(found, given, results / "timing-check")


def _asked(
    obj: dict[str, Any], what: str | None, given: dict[str, Any], results: Path, note: Callable[[str], None]
) -> tuple[list[Piece], Baseline | None, dict[str, Any] | None, dict[str, Any]]:
    """What to time, and where its gate, device and threads stand."""
    from ..execution.duet import Piece

    baseline = None
    if given["baseline"] is not None:
        baseline = read_baseline(find_baseline(given["baseline"], results))
    if what is not None and what.endswith(".toml"):
        from_file = read_toml(Path(what))
        device = from_file.get("device", "auto")
        plan = make_plan(asked(from_file), obj["registry"], device)
        return pieces_of(plan, note), baseline, from_file, {**from_file, "device": able(plan, device)}
    side = of_run(Store(results).open(what)) if what is not None else baseline
    if side is None:
        raise UsageError("nothing to time: give an experiment file, a run, or --baseline NAME")
    pieces = [
        Piece(row=item.row, label=item.label, specification=item.specification, seed=item.trials[0].seed)
        for item in side.configurations
    ]
    return pieces, baseline or side, None, dict(side.experiment)


def _with_threshold(gate: Gate, threshold: float | None) -> Gate:
    for work in WORKS if threshold is not None else ():
        assert threshold is not None
        gate = gate.with_limit(work, "threshold", threshold)
    return gate


def _timed(item: Taken, gate: Gate, resamples: int) -> Timed:
    from ..comparison.speed import Timed

    if item.refused:
        return Timed(row=item.row, label=item.label, work=item.work, refused=item.refused)
    return Timed(
        row=item.row,
        label=item.label,
        work=item.work,
        old=item.old,
        new=item.new,
        evidence=item.evidence(confidence=gate.confidence, resamples=resamples),
    )


def _notes(hellos: Sequence[dict[str, Any]], device: str, threads: int, rounds: int) -> Iterator[str]:
    yield f"times: {rounds} interleaved rounds in fresh pairs of processes, threads: {threads}, {device}"
    if len(hellos) == 2:
        old, new = hellos
        yield f"old: {_says(old)}; new: {_says(new)}"


def _says(hello: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in hello["versions"].items())
    return f"harness {hello['harness']}, core {hello['source'][:8]}, Python {hello['python']}, {versions}"


@contextlib.contextmanager
def _watched(*, quiet: bool) -> Iterator[Report]:
    """Progress on a terminal, a line a launch elsewhere."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet)
    with console.status("starting both sides") if console.is_terminal else contextlib.nullcontext() as status:

        def report(event: str, **content: Any) -> None:
            if event == "launched" and status is None and not quiet:
                click.echo(f"timing: pair {content['launch'] + 1} of processes is up", err=True)
            elif event == "block" and status is not None:
                status.update(f"timing: round {content['done']} of {content['total']}")
            elif event == "progress" and status is not None:
                status.update(f"{content['stage']}: {content['done']} of {content['total']}")

        yield report
