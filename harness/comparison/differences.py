"""In what two specifications or platforms differ, as words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

_NAMED = 4  # differences in a sentence, at most


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """In what two mappings differ, as words: ``encoding.dt 10.0 -> 20.0``."""
    found = [f"{path} {before!r} -> {after!r}" for path, before, after in differing(old, new)]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return (", ".join(found[:_NAMED]) + more).replace("'", "") or "nothing"


def differing(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """``(path, old, new)`` of every value that differs; what has another name is one difference."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        # What has another name has other parameters too: the name says enough.
        if "name" in old and old["name"] != new.get("name"):
            yield path.rstrip("."), old["name"], new.get("name")
            return
        for key in dict.fromkeys([*old, *new]):
            short = path if key == "parameters" else f"{path}{key}."
            yield from differing(old.get(key), new.get(key), short)
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        if any(a != b for a, b in zip_longest(old, new)):
            yield path.rstrip("."), list(old), list(new)
    elif old != new:
        yield path.rstrip("."), old, new
