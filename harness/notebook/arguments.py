"""Arguments from Python, read: what is of the wrong kind is one line, as a wrong option is on the command line."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UsageError, nearest
from ..experiment import named_values

Names = str | Iterable[str]
Files = str | Path | Iterable[str | Path]
Read = TypeVar("Read")


def names_of(given: object, argument: str) -> list[str]:
    """``"a,b"``, ``["a", "b"]`` or None, as a list."""
    if isinstance(given, str):
        given = given.split(",")
    found = [text(item, argument, "a name or a list of names") for item in _items(given)]
    return [name.strip() for name in found if name.strip()]


def texts(given: object, argument: str) -> list[str]:
    """One text or several, as a list; commas are part of them."""
    return [text(item, argument, "a name or a list of names") for item in _items(given)]


def text(given: object, argument: str, expected: str = "a name") -> str:
    """``given``, which is to be a text."""
    if not isinstance(given, str):
        raise _wrong(argument, given, expected)
    return given


def whole(given: object, argument: str, expected: str = "a whole number") -> int:
    """``given`` as an int; numpy's integers are whole numbers, True is none."""
    try:
        if isinstance(given, bool):
            raise TypeError
        return operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        raise _wrong(argument, given, expected) from None


def wholes(given: object, argument: str) -> list[int]:
    """One whole number or several, as a list."""
    return [whole(item, argument, "a whole number or a list of them") for item in _items(given)]


def number(given: object, argument: str, expected: str = "a number") -> float:
    """``given`` as a float; numpy's numbers are numbers, True is none."""
    if isinstance(given, bool) or not isinstance(given, Real):
        raise _wrong(argument, given, expected)
    try:
        return float(given)
    except OverflowError:
        raise _wrong(argument, given, expected) from None


def numbers(given: object, argument: str) -> list[float]:
    """One number or several, as a list."""
    return [number(item, argument, "a number or a list of them") for item in _items(given)]


def flag(given: object, argument: str) -> bool:
    """``given``, which is to be True or False."""
    if not isinstance(given, bool):
        raise _wrong(argument, given, "True or False")
    return given


def path(given: object, argument: str) -> Path:
    """A path as text or as :class:`Path`."""
    if not isinstance(given, (str, Path)):
        raise _wrong(argument, given, "a path")
    return Path(given)


def paths(given: object, argument: str) -> list[Path]:
    """One path or several, as a list."""
    return [path(item, argument) for item in _items(given)]


def optional(read: Callable[[object, str], Read], given: object, argument: str) -> Read | None:
    """``given`` as ``read`` reads it, or None."""
    return None if given is None else read(given, argument)


def settings_of(
    given: object, argument: str, example: str = '{"lif.tau_mem": [5, 20]}', *, tuples: bool = False
) -> dict[str, Any]:
    """Each path with a list of its values, as a sweep has them: a list, a range and an array are several values.

    With ``tuples`` a tuple is too, which may otherwise be the one value of a parameter that takes a list.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _wrong(argument, given, f"a dict, such as {example}")
    return {
        text(name, argument, "paths as text"): named_values(name, _values(value, tuples))
        for name, value in given.items()
    }


def _values(value: object, tuples: bool) -> list[object]:
    value = plain(value)
    if isinstance(value, (list, range)) or (tuples and isinstance(value, tuple)):
        return [plain(item) for item in value]
    return [value]


def plain(value: object) -> object:
    """What numpy and pandas hold, as Python has it: arrays and series as lists, their numbers as int and float."""
    convert = getattr(value, "tolist", None)
    return convert() if callable(convert) else value


def known(given: Iterable[str], there: Iterable[str], function: str) -> None:
    """Raise :class:`UsageError` for a name in ``given`` that is no argument of ``function``."""
    listed = sorted(there)
    for name in given:
        if name not in listed:
            raise UsageError(
                f"{name}: harness.{function} has no such argument{nearest(name, listed)}; it has: {', '.join(listed)}"
            )


def _items(given: object) -> list[object]:
    given = plain(given)
    if given is None:
        return []
    if isinstance(given, (str, Path, Mapping)) or not isinstance(given, Iterable):
        return [given]
    return list(given)


def _wrong(argument: str, given: object, expected: str) -> UsageError:
    shown = repr(given)
    shown = shown if len(shown) <= 60 and shown.isprintable() else f"{type(given).__name__} given, which"
    return UsageError(f"{argument}: {shown} is not {expected}")
