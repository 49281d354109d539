"""Check the types of parsed JSON, part by part; what is wrong is named by its path inside the file."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

Check = Callable[[Any, str], None]
"""Raises ``ValueError`` for a value that is not what it should be; the second argument is the value's path."""


def short(value: object) -> str:
    """Return ``value`` as a person reads it in a message, bounded in length."""
    cut = reprlib.Repr()
    cut.maxstring = cut.maxother = cut.maxlong = 40
    cut.maxdict = cut.maxlist = cut.maxlevel = 2
    return cut.repr(value)


def _expected(what: str, value: object, path: str) -> ValueError:
    return ValueError(f"{path or 'it'}: expected {what}, not {short(value)}")


def text(value: Any, path: str) -> None:
    """Accept a string."""
    if not isinstance(value, str):
        raise _expected("a string", value, path)


def boolean(value: Any, path: str) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise _expected("true or false", value, path)


def integer(value: Any, path: str) -> None:
    """Accept an integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _expected("an integer", value, path)


def size(value: Any, path: str) -> None:
    """Accept an integer from 0."""
    integer(value, path)
    if value < 0:
        raise _expected("an integer >= 0", value, path)


def count(value: Any, path: str) -> None:
    """Accept an integer from 1."""
    integer(value, path)
    if value < 1:
        raise _expected("an integer >= 1", value, path)


def number(value: Any, path: str) -> None:
    """Accept an integer or a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _expected("a number", value, path)


def anything(value: Any, path: str) -> None:
    """Accept every value."""


def instant(value: Any, path: str) -> None:
    """Accept a date and time in ISO format that exists in UTC."""
    text(value, path)
    try:
        datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _expected("a date and time", value, path) from None


def file_name(value: Any, path: str) -> None:
    """Accept the name of a file in the same folder: no path to elsewhere."""
    text(value, path)
    if not value or PurePath(value).name != value or "\0" in value:
        raise _expected("the name of a file", value, path)


def one_of(*names: str) -> Check:
    """Return a check that accepts these strings."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or value not in names:
            raise _expected(f"one of {', '.join(names)}", value, path)

    return check


def optional(inner: Check) -> Check:
    """Return a check that accepts null and what ``inner`` accepts."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            inner(value, path)

    return check


def list_of(inner: Check) -> Check:
    """Return a check that accepts a list whose every item ``inner`` accepts."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise _expected("a list", value, path)
        for place, item in enumerate(value):
            inner(item, f"{path}[{place}]")

    return check


def mapping(inner: Check = anything) -> Check:
    """Return a check that accepts an object whose every value ``inner`` accepts, under any names."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _expected("an object", value, path)
        if inner is not anything:
            for name, item in value.items():
                inner(item, _inside(path, name))

    return check


def fields(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *, closed: bool = False
) -> Check:
    """Return a check of an object's values by name; ``closed`` refuses every other name."""
    allowed: Collection[str] = {*required, *(optional or {})}

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _expected("an object", value, path)
        for name, inner in required.items():
            if name not in value:
                raise ValueError(f"{_inside(path, name)}: missing")
            inner(value[name], _inside(path, name))
        for name, inner in (optional or {}).items():
            if name in value:
                inner(value[name], _inside(path, name))
        if closed and value.keys() - allowed:
            raise ValueError(f"{_inside(path, min(value.keys() - allowed))}: unknown")

    return check


def _inside(path: str, name: str) -> str:
    shown = name if name.isidentifier() and len(name) <= 40 else short(name)
    return f"{path}.{shown}" if path else shown
