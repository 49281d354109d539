"""The record that one trial leaves behind: its schema, and reading it back without trusting it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from .errors import DataError

SCHEMA = 1


def same_data(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether two records, or configurations of baselines, speak of the same recordings with the same meaning.

    Args:
        first, second: their ``data``. ``identity`` decides; where one was written before there was any, ``fingerprint``,
            which knows nothing of groups, labels as used, names of fields and the sensor.
    """
    name = "identity" if first.get("identity") and second.get("identity") else "fingerprint"
    return bool(first.get(name) == second.get(name))


class Status(StrEnum):
    """How a trial ended."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    OOM = "oom"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One trial. ``outcome`` is what the same trial gives again to the last bit; the rest is what happened around it.

    - ``specification``: ``Specification.to_json()``; ``row`` its digest; ``key`` the content key; ``label`` its short name
    - ``suppliers``: ``{"neuron": {"name", "plugin", "distribution", "version", "source"}, ...}``, one a kind, and metrics
    - ``data``: fingerprint, identity (fingerprint, groups, labels, fields and sensor; see :func:`same_data`), frames (their
      hash), synthetic, recordings and samples a split, groups, dropped events, notes, warnings
    - ``outcome``: weights (hash), predictions (hash), selected_epoch, epochs_trained, split, curves ``{name: [a value an
      epoch]}``, metrics: a list of ``{"metric", "name", "phase", "split", **MetricValue}`` or, for a metric that raised,
      ``{"metric", "name", "phase", "split", "error"}``
    - ``noisy``: such rows of kind noisy, which the same trial does not give again; ``training``: what was measured while it
      trained
    - ``arrays``: name of the npz beside it: ``weights/<name>``, ``test/predictions``, ``test/labels``, ``test/recordings``, and
      what metrics store, ``metrics/<phase>/<split>/<figure>/<array>``
    - ``timings``: seconds by phase; ``environment``; ``warnings``: sentences; ``provenance``: ``{}`` or where it was reused from
    """

    key: str
    row: str
    label: str
    seed: int
    attempt: int
    status: Status
    specification: Mapping[str, Any]
    started: str
    harness: str
    error: Mapping[str, Any] | None = None
    suppliers: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    outcome: Mapping[str, Any] = field(default_factory=dict)
    noisy: tuple[Mapping[str, Any], ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    arrays: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def synthetic(self) -> bool:
        """Whether its data were generated."""
        return bool(self.data.get("synthetic"))

    @property
    def cached(self) -> bool:
        """Whether it was reused from an earlier run."""
        return bool(self.provenance.get("cached_from"))

    @property
    def not_started(self) -> bool:
        """Whether an interruption came before the trial began, so that nothing of it failed."""
        return self.status is Status.INTERRUPTED and not sum(self.timings.values())

    @property
    def ending(self) -> str:
        """How the trial ended, in a word or two: its status, or ``not started``."""
        return "not started" if self.not_started else str(self.status)

    @property
    def message(self) -> str:
        """The first line of what went wrong, or nothing."""
        lines = str((self.error or {}).get("message") or "").splitlines()
        return lines[0] if lines else ""

    def figures(self) -> list[Mapping[str, Any]]:
        """Every row of its metrics, and their errors."""
        return [*self.outcome.get("metrics", ()), *self.noisy]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def to_text(self) -> str:
        """JSON text, a key a line; refuses NaN."""
        return json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_text(cls, text: str, where: str) -> Record:
        """The record in ``text``; raises :class:`DataError` that names ``where`` and what is wrong."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise DataError(f"{where}: not a record: {error}") from None
        if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
            raise DataError(f"{where}: not a record: it has no schema number")
        if data["schema"] != SCHEMA:
            raise DataError(f"{where}: schema {data['schema']}; this harness reads schema {SCHEMA}")
        known = {item.name for item in fields(cls)}
        missing = {"key", "row", "label", "seed", "attempt", "status", "specification", "started", "harness"} - set(
            data
        )
        if missing or set(data) - known:
            wrong = ", ".join(sorted(missing or set(data) - known))
            raise DataError(f"{where}: not a record: {'without' if missing else 'unknown'} {wrong}")
        try:
            data["status"] = Status(data["status"])
        except ValueError:
            raise DataError(f"{where}: not a record: status {data['status']!r}") from None
        for name in ("warnings", "noisy"):
            data[name] = tuple(data.get(name, ()))
        return cls(**data)
