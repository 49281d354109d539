"""Make text from plugins, files and exceptions safe to store, to print and to encode."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

LIMIT = 2_000
# What a record, a manifest or a message may hold in one string: a log's end fits, megabytes do not.
LONGEST = 20_000
_COUNT = 64  # what clean() adds to a text that it cuts, at most
_SHORT = 60  # characters of a value, or of its type, inside a message
# Controls but tab and newline (C0, DEL, C1), line and paragraph separators, directional formatting that makes a terminal or
# a page show other words than a record holds, and halves of surrogate pairs, which no encoding takes.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def clean(text: object, limit: int = LIMIT) -> str:
    """Return ``text`` as a string that every encoding, terminal and JSON file can hold.

    Control characters (C0 but tab and newline, DEL, C1), bidirectional formatting and halves of surrogate pairs become
    visible escapes such as ``\\x1b``. Any object is accepted: one whose ``__str__`` raises or returns no string is
    named by its type.

    Args:
        text: a string, or any object whose text is wanted; None becomes the empty string.
        limit: the number of characters that are kept; what follows becomes ``… (N more characters)``.

    Returns:
        A plain ``str`` (never a subclass), at most a little longer than ``limit``.
    """
    whole = _text_of(text)
    # The bound comes first, so that megabytes cost nothing.
    kept = _UNSAFE.sub(_visible, whole[:limit])
    left = max(len(whole), len(kept)) - limit
    return kept if left <= 0 else f"{kept[:limit]}… ({left} more characters)"


def one_line(text: object, limit: int = LIMIT) -> str:
    """Return :func:`clean` text on one line: every run of white space is one space."""
    return " ".join(clean(text, limit).split())


def kind_of(value: object) -> str:
    """Return what a message calls a value of a wrong type: ``None``, ``a list``, ``an ndarray`` or ``the class Network``."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return one_line(f"the class {value.__name__}", _SHORT)
    name = type(value).__name__
    return one_line(f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}", _SHORT)


def short_repr(value: object) -> str:
    """Return the beginning of a value's ``repr`` on one line; the empty string if that raises."""
    try:
        return one_line(repr(value), _SHORT)
    except BaseException as error:  # a foreign __repr__ may raise anything
        if isinstance(error, MemoryError):
            raise
        return ""


def clean_json(value: Any) -> Any:
    """Return JSON data with every string in it, keys too, :func:`clean` and at most ``LONGEST`` characters long.

    Dictionaries, lists and tuples are copied; numbers, None, enumerations and any other object stay as they are.
    """
    if isinstance(value, str):
        # Most strings are safe already, and a record holds thousands.
        if type(value) is str and len(value) <= LONGEST + _COUNT and not _UNSAFE.search(value):
            return value
        return value if isinstance(value, Enum) else clean(value, LONGEST)
    if isinstance(value, dict):
        return {clean_json(key): clean_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    if isinstance(value, tuple):
        return tuple(clean_json(item) for item in value)
    return value


def csv_cell(value: object) -> object:
    """Return ``value`` for a cell of a CSV file: text that a spreadsheet would run as a formula is preceded by an apostrophe."""
    if isinstance(value, str) and len(value) > 1 and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _text_of(text: object) -> str:
    if text is None:
        return ""
    try:
        # A subclass may override anything; only the characters themselves are taken.
        return str.__str__(text if isinstance(text, str) else str(text))
    except BaseException as error:  # a foreign __str__ may raise anything
        if isinstance(error, MemoryError):
            raise
        return f"<{type(text).__name__} without readable text>"


def _visible(unsafe: re.Match[str]) -> str:
    code = ord(unsafe[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
