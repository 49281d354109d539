"""How far equal sides lie apart on this machine's clock: kept beside the runs by ``harness noise``, held against thresholds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .environment import describe, harness_version
from .errors import DataError, UsageError
from .reading import MissingFileError, read_json
from .schema import count, fields, instant, integer, list_of, mapping, number, text
from .store import write_atomically
from .text import one_line

FILE = "noise.json"
SCHEMA = 1
# One-sided, as a check's own confidence: of 100 comparisons of equal sides, one passes the floor.
QUANTILE = 0.99
# A machine's load, kernel and neighbours change; a month is a guess on the safe side of none at all.
OLDEST = timedelta(days=30)
_RESAMPLES = 10_000
_LARGEST = 1e6  # of a floor, as a share
_FLOOR = fields(
    {
        "schema": integer,
        "when": instant,
        "platform": mapping(),
        "blocks": count,
        "launches": count,
        "comparisons": count,
        "rows": list_of(fields({"row": text, "label": text, "work": text, "seconds": number, "floor": number})),
    }
)


@dataclass(frozen=True, kw_only=True)
class RowFloor:
    """One work of one configuration: ``floor`` as a share (0.04: 4 %), ``seconds`` of one repetition."""

    row: str
    label: str
    work: str
    seconds: float
    floor: float


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What ``harness noise`` found; ``platform`` is where, ``blocks`` and ``launches`` are those of each comparison."""

    rows: tuple[RowFloor, ...]
    platform: Mapping[str, Any]
    blocks: int
    launches: int
    comparisons: int
    when: str = ""

    @property
    def highest(self) -> float:
        """The floor of the noisiest row."""
        return self.of(None, None)

    def of(self, row: str | None, work: str | None) -> float:
        """The highest floor of ``row`` and ``work`` (None: any); of the work, or of all, where nothing like it was measured."""
        like = [item for item in self.rows if work in (None, item.work)]
        exact = [item for item in like if row in (None, item.row)]
        return max(item.floor for item in exact or like or self.rows)

    def to_json(self) -> dict[str, Any]:
        """What noise.json holds."""
        return {
            "schema": SCHEMA,
            "when": self.when or datetime.now(UTC).isoformat(timespec="seconds"),
            "harness": harness_version(),
            "platform": dict(self.platform),
            "blocks": self.blocks,
            "launches": self.launches,
            "comparisons": self.comparisons,
            "quantile": QUANTILE,
            "floor": self.highest,
            "rows": [asdict(item) for item in self.rows],
        }


def platform_of(threads: int, device: str) -> dict[str, Any]:
    """What a floor holds for: processor, machine, usable processors, threads and device."""
    here = describe()
    return {"cpu": here["cpu"], "machine": here["machine"], "cpus": here["cpus"], "threads": threads, "device": device}


def floor_of(comparisons: Sequence[tuple[Sequence[float], Sequence[int]]], *, seed: int = 0) -> float:
    """The floor, as a share, from ``comparisons`` of equal sides: log-ratios and launches, one a block each.

    It is the 99 % quantile of the size of the median log-ratio over comparisons put together anew from the launches of all, with
    replacement, each of as many launches as a comparison had; and at least the largest that was really seen.
    """
    import numpy as np

    pools = [
        np.array([value for value, own in zip(ratios, launches, strict=True) if own == launch])
        for ratios, launches in comparisons
        for launch in dict.fromkeys(launches)
    ]
    count = max(len(set(launches)) for _, launches in comparisons)
    random = np.random.default_rng(seed)
    medians = np.empty(_RESAMPLES)
    for index in range(_RESAMPLES):
        # Launches whole: blocks of one pair of processes are alike.
        medians[index] = np.median(
            np.concatenate([pools[number] for number in random.integers(len(pools), size=count)])
        )
    seen = max(abs(float(np.median(np.asarray(ratios)))) for ratios, _ in comparisons)
    return math.expm1(max(float(np.quantile(np.abs(medians), QUANTILE)), seen))


def write_floor(folder: Path, floor: Floor) -> Path:
    """Write ``floor`` as noise.json below ``folder``; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    write_atomically(path, (json.dumps(floor.to_json(), indent=1, allow_nan=False) + "\n").encode())
    return path


def read_floor(
    folder: Path,
    threads: int,
    device: str,
    *,
    rounds: int | None = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Floor | None:
    """The floor in ``folder`` if it holds here, for these threads, this device (``auto``: any) and so many ``rounds``; else None.

    ``note`` is told why a floor is left aside. Raises :class:`DataError` for a damaged file.
    """
    path = folder / FILE
    try:
        data = read_json(path)
    except MissingFileError:
        note(f"the noise of this machine is not known: {path} is missing; 'harness noise' measures it")
        return None
    except DataError as error:
        raise DataError(f"{error}; 'harness noise' measures it anew") from None
    try:
        integer(data.get("schema"), "schema")
        if data["schema"] != SCHEMA:
            note(f"{path} was written by another harness (schema {data['schema']}); 'harness noise' measures it anew")
            return None
        _FLOOR(data, "")
        rows = tuple(RowFloor(**{name: item[name] for name in RowFloor.__dataclass_fields__}) for item in data["rows"])
        floor = Floor(
            rows=rows, **{name: data[name] for name in ("platform", "blocks", "launches", "comparisons", "when")}
        )
        age = datetime.now(UTC) - datetime.fromisoformat(floor.when).astimezone(UTC)
        if not rows or not all(0 <= item.floor <= _LARGEST for item in rows):
            raise ValueError("no floors")
    except ValueError as error:
        raise DataError(f"{path}: damaged: {one_line(error)}; 'harness noise' measures it anew") from None
    here = platform_of(threads, device)
    if device == "auto":
        del here["device"]
    differing = [name for name, value in here.items() if floor.platform.get(name) != value]
    if differing:
        told = ", ".join(f"{name} {floor.platform.get(name)} instead of {here[name]}" for name in differing)
        note(f"{path} does not hold here: it was measured with {told}; 'harness noise' measures it anew")
        return None
    if rounds is not None and rounds < floor.blocks:
        note(
            f"{path} speaks of {floor.blocks} rounds, more than {rounds}; 'harness noise --rounds {rounds}' measures it anew"
        )
        return None
    if age > OLDEST:
        note(f"{path} is {age.days} days old and was left aside; 'harness noise' measures it anew")
        return None
    return floor


def refuse_below(floor: Floor | None, threshold: float, *, row: str | None = None, work: str | None = None) -> None:
    """Raise :class:`UsageError` for a ``threshold`` (a share) below the floor of ``row`` and ``work``, where one is known."""
    lowest = 0.0 if floor is None else floor.of(row, work)
    if threshold < lowest:
        raise UsageError(
            f"threshold {100 * threshold:.3g} % lies below this machine's noise floor {100 * lowest:.2g} %; raise it, use "
            "more rounds, or quieten the machine and run 'harness noise' again"
        )
