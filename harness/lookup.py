"""A component by name where its kind is known: what is suggested instead is of that kind too."""

from __future__ import annotations

from .components import Component
from .errors import UsageError, nearest
from .registry import Registered, Registry


def find_kind(registry: Registry, name: str, kind: type[Component], also: tuple[str, ...] = ()) -> Registered:
    """The component of ``kind`` called ``name``, or ``entrypoint:name`` where two plugins offer it.

    Raises :class:`UsageError` for any other name and lists those that there are, ``also`` among them.
    """
    plugin, _, bare = name.rpartition(":")
    of_kind = registry.components(kind.kind)
    found = [item for item in of_kind if item.component.name == bare and plugin in ("", item.supplier.plugin)]
    if len(found) == 1:
        return found[0]
    if found:
        return registry.find(name)  # which says how to tell them apart
    others = [item for item in registry.components() if item.component.name == bare]
    known = list(dict.fromkeys([*also, *(item.component.name for item in of_kind)]))
    there_are = f"there are: {', '.join(known) or 'none'}"
    if others and plugin in ("", *(item.supplier.plugin for item in others)):
        raise UsageError(f"{name} is a {others[0].component.kind}, not a {kind.kind}; {there_are}")
    failed = "".join(f"; {cause}" for cause in registry.failures.values())
    raise UsageError(f"no {kind.kind} is named {name!r}{nearest(bare, known)}; {there_are}{failed}")
