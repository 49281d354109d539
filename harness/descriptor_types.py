"""Types of descriptor fields: what is plainly meant is converted, anything else is named in one line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, cast, get_args, get_origin, get_type_hints

from .text import short_repr


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the annotations of a dataclass without its class variables."""
    found = get_type_hints(kind)
    return {name: hint for name, hint in found.items() if get_origin(hint) is not ClassVar and hint is not ClassVar}


def normalise(descriptor: Any) -> None:
    """Convert the fields of a frozen dataclass to their declared types where only one thing can be meant.

    One text in the place of several becomes a tuple of one, a list or set a tuple or a frozenset, a number a float, and
    None an empty text where the default is one.
    """
    for name, hint in _hints(cast(Any, type(descriptor))).items():
        given = getattr(descriptor, name)
        converted = _converted(hint, given, getattr(type(descriptor), name, None))
        if converted is not given:
            object.__setattr__(descriptor, name, converted)


def _converted(hint: Any, given: Any, default: Any) -> Any:
    kind = get_origin(hint) or hint
    if kind in (tuple, frozenset):
        return _several(kind, hint, given)
    if hint is str and given is None and default == "":
        return ""
    if hint is float and isinstance(given, Real) and not isinstance(given, bool):
        return float(given)
    return given


def _several(kind: type, hint: Any, given: Any) -> Any:
    of = get_args(hint)[0]
    if isinstance(given, of) and (kind is frozenset or get_args(hint)[-1] is Ellipsis):
        return kind((given,))
    # Anything else may be endless, or have no order.
    if isinstance(given, Mapping) or not isinstance(given, (list, tuple, set, frozenset, type({}.keys()))):
        return given
    try:
        items: Iterable[Any] = sorted(given) if isinstance(given, (set, frozenset)) and kind is tuple else given
        return kind(int(item) if of is int and isinstance(item, Integral) else item for item in items)
    except TypeError:  # not hashable, or not to be sorted
        return given


def wrong_types(descriptor: Any) -> list[str]:
    """Return a line for every field of a normalised descriptor that has another type than it declares."""
    found = []
    for name, hint in _hints(cast(Any, type(descriptor))).items():
        expected = _expected(hint, getattr(descriptor, name))
        if expected:
            found.append(f"{name} is {_shown(getattr(descriptor, name))}; it is {expected}")
    return found


def _expected(hint: Any, given: Any) -> str:
    """Return what ``given`` should be, or an empty string where it is that, or where anything is allowed."""
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind is Literal:
        return "" if isinstance(given, str) and given in inner else f"one of {', '.join(map(str, inner))}"
    if kind is tuple and inner[-1] is not Ellipsis:
        fits = isinstance(given, tuple) and len(given) == len(inner)
        fits = fits and not any(_expected(of, item) for of, item in zip(inner, given, strict=True))
        return "" if fits else f"{len(inner)} {_PLURALS.get(inner[0], 'values')}"
    if kind in (tuple, frozenset):
        fits = isinstance(given, kind) and not any(_expected(inner[0], item) for item in given)
        return "" if fits else f"a list of {_PLURALS.get(inner[0], f'harness.{inner[0].__name__}')}"
    if kind is Mapping:
        return _expected_mapping(inner[1], given)
    if kind is str and callable(given):
        return f"text: a reference such as {_reference(given)!r}"
    if kind in _PLAIN:
        words, fits_plain = _PLAIN[kind]
        return "" if fits_plain(given) else words
    if hint == float | None:
        return "" if given is None or _PLAIN[float][1](given) else "a finite number or None"
    if isinstance(kind, type) and kind.__module__.startswith("harness"):
        return "" if isinstance(given, kind) else f"a harness.{kind.__name__}"
    return ""


def _expected_mapping(of: Any, given: Any) -> str:
    named = isinstance(given, Mapping) and all(isinstance(key, str) for key in given)
    if named and not any(_expected(of, item) for item in given.values()):
        return ""
    inner = get_origin(of) or of
    words = "mappings" if inner is Mapping else "values" if inner is Any else f"harness.{inner.__name__}"
    return f"a mapping from names to {words}"


def _finite(given: Any) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given)


_PLURALS = {str: "texts", int: "whole numbers"}
_PLAIN: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("text", lambda given: isinstance(given, str)),
    bool: ("True or False", lambda given: isinstance(given, bool)),
    int: ("a whole number", lambda given: isinstance(given, int) and not isinstance(given, bool)),
    float: ("a finite number", _finite),
}


def _reference(given: Any) -> str:
    module, name = getattr(given, "__module__", None), getattr(given, "__qualname__", None)
    named = isinstance(module, str) and isinstance(name, str) and name.isidentifier()
    return f"{module}:{name}" if named else "package.module:attribute"


def _shown(given: Any) -> str:
    text = short_repr(given) or "an object"
    return (
        text
        if given is None or isinstance(given, (str, int, float, Iterable))
        else f"{text} of type {type(given).__name__}"
    )
