"""Sane values of COLUMNS and LINES: a table that finds no room would print nothing at all."""

from __future__ import annotations

from collections.abc import MutableMapping

_LIMITS = {"COLUMNS": (20, 10_000), "LINES": (2, 10_000)}


def drop_unusable_sizes(environment: MutableMapping[str, str]) -> None:
    """Remove COLUMNS and LINES from ``environment`` if they are no whole number a terminal can have.

    Without them the terminal's own size counts, and 80 columns of 25 lines if there is none.
    """
    for name, (least, most) in _LIMITS.items():
        text = environment.get(name)
        if text is None:
            continue
        # Rich reads what isdigit() accepts, a superscript too, and then fails to convert it.
        usable = text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most
        if not usable:
            del environment[name]
