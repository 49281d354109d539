"""Arguments from Python, read: what is of the wrong kind is one line, as a wrong option is on the command line."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from ..errors import UsageError, nearest
from ..experiment import named_values

Names = str | Iterable[str]
Files = str | Path | Iterable[str | Path]
Read = TypeVar("Read")
Taken = ParamSpec("Taken")
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


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


def some(read: Callable[[object, str], list[Read]], given: object, argument: str) -> list[Read]:
    """``given`` as ``read`` reads it, one at least, or none where it is None.

    An empty list is refused: it would stand for everything, as leaving the argument out does.
    """
    found = read(given, argument)
    if given is not None and not found:
        raise UsageError(f"{argument}: none is named; name one, or leave {argument} out")
    return found


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
    found = {text(name, argument, "paths as text"): value for name, value in given.items()}
    for name, value in found.items():
        if isinstance(value, Mapping) and "." not in name:
            _refuse_nested(argument, name, value)
    return {name: named_values(name, _values(value, tuples)) for name, value in found.items()}


def _refuse_nested(argument: str, name: str, value: Mapping[Any, Any]) -> None:
    written = ", ".join(f'"{name}.{inner}": {item!r}' for inner, item in value.items()) or f'"{name}.PARAMETER": VALUE'
    if len(written) > 120 or not written.isprintable():
        written = f'"{name}.PARAMETER": VALUE'
    raise UsageError(f"{argument}: {name} holds a dict; write {{{written}}}")


def _values(value: object, tuples: bool) -> list[object]:
    value = plain(value)
    if isinstance(value, (list, range)) or (tuples and isinstance(value, tuple)):
        return [plain(item) for item in value]
    return [value]


def plain(value: object) -> object:
    """What numpy and pandas hold, as Python has it: arrays and series as lists, their numbers as int and float."""
    convert = getattr(value, "tolist", None)
    return convert() if callable(convert) else value


def guarded(function: Callable[Taken, Read]) -> Callable[Taken, Read]:
    """``function``, where a call that does not fit its arguments is a :class:`UsageError` of one line."""
    declared = signature(function)
    name = function.__name__
    there = [item.name for item in declared.parameters.values() if item.kind not in _VARIADIC]
    open_ended = any(item.kind is Parameter.VAR_KEYWORD for item in declared.parameters.values())

    @wraps(function)
    def called(*given: Taken.args, **named: Taken.kwargs) -> Read:
        if not open_ended:
            known(named, there, name, _instead(declared))
        try:
            declared.bind(*given, **named)
        except TypeError as error:
            raise UsageError(f"harness.{name}: {error}; it has: {', '.join(there)}") from None
        return function(*given, **named)

    return called


def _instead(declared: Signature) -> Mapping[str, str]:
    """What to do where an option of the command has no argument."""
    if declared.return_annotation != "Display":
        return {}
    return {
        "output": "what is returned has save(folder)",
        "no_plots": "figures are drawn when somebody looks",
        "json": "what is returned has frame and frames",
    }


def known(
    given: Iterable[str], there: Iterable[str], function: str, instead: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Raise :class:`UsageError` for a name in ``given`` that is no argument of ``function``; ``instead`` says what to do."""
    listed = sorted(there)
    for name in given:
        if name not in listed:
            hint = f" ({instead[name]})" if name in instead else nearest(name, listed)
            raise UsageError(f"{name}: harness.{function} has no such argument{hint}; it has: {', '.join(listed)}")


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
