"""What the user asks for: an experiment, from a TOML file, from the command line, or from Python."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import DataError, UsageError, nearest
from .gate import Gate
from .reading import read_text
from .text import one_line

# What was meant as one seed and not as how many, such as a date, would plan for hours.
_MOST_SEEDS = 10_000
_LARGEST = 1 << 20  # bytes of an experiment file
# tomllib takes time by the square of a name's parts. Possessive, and never from within a word: long texts stay linear.
_DEEP_KEY = re.compile(r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What decides the outcome. ``settings`` maps a path such as ``lif.tau_mem`` to its values; several are a sweep.

    ``metrics`` replaces the metrics that are on by default; those named in ``plugins`` join in either case.
    """

    plugins: tuple[str, ...]
    settings: Mapping[str, Sequence[object]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    recipe: str = "default"
    limit: int | None = None
    report_inflation: bool = False
    metrics: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for path, values in self.settings.items():
            named_values(path, values)
        if self.metrics is not None and not self.metrics:
            raise UsageError("metrics: no metric is named")


def named_values(path: str, values: Sequence[object]) -> Sequence[object]:
    """``values`` of ``path``, which are to be some: none at all would silently plan nothing."""
    if not values:
        raise UsageError(f"{path}: no value is named")
    return values


def read_toml(path: Path) -> dict[str, Any]:
    """An experiment file as keyword values of :class:`Experiment` and of the run; raises :class:`UsageError`."""
    try:
        text = read_text(path, _LARGEST)
        if _DEEP_KEY.search(text):
            raise ValueError("a name of more than 32 parts")
        data = tomllib.loads(text)
    except DataError as error:
        raise UsageError(str(error)) from None
    # ValueError is more than TOMLDecodeError: an integer of thousands of digits, a date that does not exist.
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {one_line(error, 200)}") from None
    known = {
        "plugins",
        "metrics",
        "seeds",
        "recipe",
        "epochs",
        "limit",
        "report_inflation",
        "device",
        "threads",
        "jobs",
    }
    known |= {"set", "sweep", "gate"}
    for key in data:
        if key not in known:
            raise UsageError(f"{path}: unknown key {key!r}{nearest(key, known)}")
    gate = Gate.from_data(data.pop("gate", {}), str(path))
    settings: dict[str, list[object]] = {}
    for table in ("set", "sweep"):
        for name, value in _flat(path, table, data.pop(table, {})):
            if name in settings:
                raise UsageError(f"{path}: {name!r} stands in [set] and in [sweep]")
            if table == "sweep" and not (isinstance(value, list) and value):
                raise UsageError(f"{path}: [sweep] {name} must be a list of values")
            settings[name] = list(value) if table == "sweep" else [value]
    wants: dict[str, tuple[type, ...]] = {
        "plugins": (list, str),
        "metrics": (list, str),
        "seeds": (int, list, str),
        "recipe": (str,),
        "epochs": (int,),
        "limit": (int,),
        "report_inflation": (bool,),
        "device": (str,),
        "threads": (int,),
        "jobs": (int,),
    }
    for key, value in data.items():
        if not isinstance(value, wants[key]) or (isinstance(value, bool) and bool not in wants[key]):
            raise UsageError(f"{path}: {key} = {value!r} is not {' or '.join(kind.__name__ for kind in wants[key])}")
    return {**data, "settings": settings, "gate": gate}


def _flat(path: Path, table: str, data: object) -> Iterable[tuple[str, Any]]:
    if not isinstance(data, dict):
        raise UsageError(f"{path}: {table} must be a table")
    for name, value in data.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", item) for inner, item in value.items())
        else:
            yield name, value


def parse_setting(text: str) -> tuple[str, list[str]]:
    """``path=value`` from the command line; commas outside brackets separate the values of a sweep."""
    path, equals, values = text.partition("=")
    if not equals or not path.strip() or not values.strip():
        raise UsageError(f"-o {text!r}: expected path=value, such as lif.tau_mem=5")
    parts, depth, start = [], 0, 0
    for position, character in enumerate(values):
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append(values[start:position])
            start = position + 1
    parts.append(values[start:])
    if depth or not all(part.strip() for part in parts):
        raise UsageError(f"-o {text!r}: {'unbalanced brackets' if depth else 'an empty value'}")
    return path.strip(), [part.strip() for part in parts]


def parse_seeds(given: int | str | Sequence[int]) -> tuple[int, ...]:
    """``5`` means 0 to 4; ``0,3``, ``5..9`` (both ends), both mixed, or a list mean those; ``7..7`` is seed 7 alone."""
    read = _read_seeds(given) if isinstance(given, str) else given
    if isinstance(read, bool) or not isinstance(read, (int, Sequence)):
        raise UsageError(f"seeds: {read!r}: expected how many, or a list of which")
    if isinstance(read, int):
        if read < 1:
            raise UsageError(f"seeds: {read} is not at least 1")
        return tuple(range(_few_enough(read)))
    if not read or any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in read):
        raise UsageError("seeds: expected whole numbers >= 0")
    if len(set(read)) != len(read):
        raise UsageError("seeds: one stands twice")
    return tuple(read)


def write_seeds(seeds: Sequence[int]) -> str:
    """The shortest of what :func:`parse_seeds` reads as ``seeds``."""
    first, count = seeds[0], len(seeds)
    if list(seeds) == list(range(first, first + count)):
        return str(count) if first == 0 else f"{first}..{first + count - 1}"
    return ",".join(map(str, seeds))


def _read_seeds(text: str) -> int | list[int]:
    found: list[int] = []
    try:
        parts = [[int(end) for end in part.split("..")] for part in text.split(",")]
        if len(parts) == 1 and len(parts[0]) == 1:
            return parts[0][0]
        for first, *rest in parts:
            (last,) = rest or (first,)
            if last < first:
                raise ValueError(text)
            found += range(first, first + _few_enough(last - first + 1))
    except ValueError:
        raise UsageError(
            f"seeds: {text!r}: expected how many, or which, such as 0,3,7 or 5..9 (7..7 for one)"
        ) from None
    return found


def _few_enough(count: int) -> int:
    if count > _MOST_SEEDS:
        raise UsageError(f"seeds: {count} of them are more than {_MOST_SEEDS}; name one alone as {count}..{count}")
    return count
