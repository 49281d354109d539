"""Make text from plugins, files and exceptions safe to store, to print and to encode."""

from __future__ import annotations

import unicodedata

LIMIT = 2_000
_TAB_AND_NEWLINE = "\t\n"
# Directional formatting: it can make a terminal or a page show other words than the record holds.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


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
    kept = "".join(_visible(character) for character in whole[:limit])
    return kept if len(whole) <= limit else f"{kept}… ({len(whole) - limit} more characters)"


def one_line(text: object, limit: int = LIMIT) -> str:
    """Return :func:`clean` text on one line: every run of white space is one space."""
    return " ".join(clean(text, limit).split())


def _text_of(text: object) -> str:
    if text is None:
        return ""
    try:
        # A subclass may override anything; only the characters themselves are taken.
        return "".join(map(chr, map(ord, text))) if isinstance(text, str) else str.__str__(str(text))
    except BaseException as error:  # a foreign __str__ may raise anything
        if isinstance(error, MemoryError):
            raise
        return f"<{type(text).__name__} without readable text>"


def _visible(character: str) -> str:
    if character in _TAB_AND_NEWLINE:
        return character
    # Cc: controls; Cs: surrogates. U+2028 and U+2029 break lines where a line is expected.
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI:
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return character
