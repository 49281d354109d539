"""HTML and SVG elements. Whatever is not an element already is text, and is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias, Union

Child: TypeAlias = Union["Markup", str, int, float, Iterable["Child"], None]
Value: TypeAlias = str | int | float | bool | None

_VOID = frozenset({"br", "hr", "input", "link", "meta"})
_EMPTY = frozenset({"path", "rect", "use"})  # of SVG, closed where they open
_REPLACEMENT = 0xFFFD
# What HTML forbids, what a file cannot hold, and what turns the direction of the text around it.
_SHOWN = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), _REPLACEMENT),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFFFE, 0xFFFF), _REPLACEMENT),
    **dict.fromkeys(range(0xD800, 0xE000), _REPLACEMENT),
}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    """``text`` as HTML that shows it as it is; control characters become visible."""
    if isinstance(text, Markup):
        return text
    plain = str(text)
    if not (plain.isascii() and plain.isprintable()):
        plain = plain.translate(_SHOWN)
    return Markup(html.escape(plain))


def join(children: Child) -> Markup:
    """``children`` one after the other, elements as they are and all else escaped."""
    if children is None:
        return Markup()
    if isinstance(children, (str, int, float)):
        return escaped(children)
    return Markup("".join(map(join, children)))


def tag(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """The element ``name``. ``class_`` is class, ``data_row`` data-row; None and False leave an attribute out, True names it alone.

    Names of elements and attributes are never taken from data.
    """
    words = [name]
    for attribute, value in attributes.items():
        if value is None or value is False:
            continue
        named = attribute.rstrip("_").replace("_", "-")
        words.append(named if value is True else f'{named}="{escaped(value)}"')
    opened = " ".join(words)
    if name in _VOID:
        return Markup(f"<{opened}>")
    return Markup(f"<{opened}/>" if name in _EMPTY else f"<{opened}>{join(children)}</{name}>")
