"""What one trial computes: every choice resolved, in a canonical form that hashes the same everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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
    return hashlib.sha256(canonical(data).encode()).hexdigest()[:20]


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


def seed_for(seed: int, axis: str, *concerns: Any) -> int:
    """The seed of one axis of a trial (``weights``, ``order``, ``split``, ``network``: what that draws): 63 bits from the trial's seed
    and what the axis concerns.
    """
    text = canonical([seed, axis, list(concerns)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
