"""What one trial computes: every choice resolved, in a canonical form that hashes the same everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import recipe as recipes
from .components import Choice, Encoding

KINDS = ("dataset", "network", "neuron", "backend", "recipe")


def canonical(data: Any) -> str:
    """``data`` as JSON with sorted keys and no spaces; refuses NaN."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(data: Any) -> str:
    """Twenty hexadecimal digits that name ``data``."""
    return _digest_of(canonical(data))


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True, kw_only=True)
class Specification:
    """One dataset x encoding x network x neuron x backend x recipe, without the seed."""

    dataset: Choice
    encoding: Encoding
    network: Choice
    neuron: Choice
    backend: Choice
    recipe: Choice
    limit: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The form that records carry."""
        return {
            **{kind: getattr(self, kind).to_json() for kind in KINDS},
            "recipe": recipes.to_json(self.recipe),
            "encoding": self.encoding.to_json(),
            "limit": self.limit,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Specification:
        """The specification that :meth:`to_json` wrote."""
        choices = {kind: Choice.from_json(kind, data[kind]) for kind in KINDS if kind != "recipe"}
        return cls(
            recipe=recipes.from_json(data["recipe"]),
            **choices,
            encoding=Encoding(**data["encoding"]),
            limit=data["limit"],
        )

    @property
    def row(self) -> str:
        """The name under which trials are compared across versions and machines."""
        return digest(self.to_json())

    def with_backend(self, backend: Choice) -> Specification:
        """The same on another backend."""
        return replace(self, backend=backend)


def stated(data: Mapping[str, Any]) -> dict[str, Any]:
    """The form that records carry, with what it leaves out at its default: where configurations differ in it, all say it."""
    return {**data, "recipe": recipes.from_json(data["recipe"]).to_json()}


class RowDigests:
    """Digests of many specifications that share their parts: each part becomes text once."""

    def __init__(self) -> None:
        # The parts are kept too, since an identity is only unique while its object lives.
        self._texts: dict[int, tuple[object, str]] = {}

    def of(self, specification: Specification) -> str:
        """Return :attr:`Specification.row` of ``specification``, to the last digit."""
        texts = {kind: self._text(kind, getattr(specification, kind)) for kind in (*KINDS, "encoding")}
        texts["limit"] = canonical(specification.limit)
        joined = ",".join(f'"{name}":{texts[name]}' for name in sorted(texts))
        return _digest_of(f"{{{joined}}}")

    def _text(self, kind: str, part: Any) -> str:
        known = self._texts.get(id(part))
        if known is None:
            data = recipes.to_json(part) if kind == "recipe" else part.to_json()
            known = self._texts[id(part)] = (part, canonical(data))
        return known[1]


def leaves(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted path, in their order."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            found.update(leaves(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def differing_paths(flat: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the paths in which any two of ``flat`` (see :func:`leaves`) differ; a missing path counts as None.

    Equality is transitive, so that comparing all with the first is enough.
    """
    first = flat[0] if flat else {}
    found: set[str] = set()
    for other in flat[1:]:
        found.update(path for path, value in other.items() if first.get(path) != value)
        found.update(path for path, value in first.items() if path not in other and value is not None)
    return found


def seed_for(seed: int, axis: str, *concerns: Any) -> int:
    """The seed of one axis of a trial (``weights``, ``order``, ``split``, ``network``: what that draws): 63 bits from the trial's seed
    and what the axis concerns.
    """
    text = canonical([seed, axis, list(concerns)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
