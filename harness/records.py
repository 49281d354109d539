"""The record that one trial leaves behind: its schema, and reading it back without trusting it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from .errors import DataError
from .metric_rows import sound_rows
from .reading import parse_object, read_bytes
from .schemas import RECORD
from .text import clean_json, one_line

SCHEMA = 1
LARGEST = 256 << 20
"""Bytes of the largest record; one metric value alone may hold a million numbers, a line each."""
# The last line of a record's text but one, which holds the checksum of all before it.
_CHECKSUM = b',\n "checksum": "'
_END = b'"\n}\n'
# What is left out of a record's text if it has none, so that earlier records keep their form.
_LATER = ("arrays_checksum",)


class OtherSchemaError(DataError):
    """A record that another version of the harness wrote: nothing is wrong with it, and it cannot be read here."""


def same_data(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether two records, or configurations of baselines, speak of the same recordings with the same meaning.

    Args:
        first, second: their ``data``. ``fingerprint`` must be equal, which knows nothing of groups, labels as used, names of
            fields and the sensor; so must ``identity``, if neither was written before there was any.
    """
    names = ["fingerprint", *(["identity"] if first.get("identity") and second.get("identity") else [])]
    return all(first.get(name) == second.get(name) for name in names)


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
    - ``error``: ``{"type", "message", "traceback"}``; ``log``, relative to the run, where code raised
    - ``arrays``: name of the npz beside it: ``weights/<name>``, ``test/predictions``, ``test/labels``, ``test/recordings``, and
      what metrics store, ``metrics/<phase>/<split>/<figure>/<array>``
    - ``arrays_checksum``: SHA-256 of that npz; None in records of earlier versions
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

    def __post_init__(self) -> None:
        # Warnings, messages and names may be a stranger's; from here on they can be stored and shown.
        for item in fields(self):
            object.__setattr__(self, item.name, clean_json(getattr(self, item.name)))

    arrays_checksum: str | None = None

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

    @property
    def message_and_log(self) -> str:
        """The same, and the log that says more, relative to the run's folder."""
        log = (self.error or {}).get("log")
        return f"{self.message}; see {log}" if log else self.message

    def figures(self) -> list[Mapping[str, Any]]:
        """Every row of its metrics, and their errors."""
        return [*self.outcome.get("metrics", ()), *self.noisy]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in plain.items() if value is not None or name not in _LATER}

    def to_text(self) -> str:
        """Return JSON text, a key per line; the last one is the SHA-256 of all text before it. Refuses NaN."""
        head = json.dumps(self.to_json(), indent=1, allow_nan=False).removesuffix("\n}")
        return f"{head}{_CHECKSUM.decode()}{hashlib.sha256(head.encode()).hexdigest()}{_END.decode()}"

    @classmethod
    def from_text(cls, text: str | bytes, where: str) -> Record:
        """Return the record in ``text``, checked: its checksum, if it has one, and the type of every part that is used.

        Raises:
            OtherSchemaError: it has another schema than this harness writes.
            DataError: it is damaged or something else; the message names ``where`` and what is wrong.
        """
        content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        try:
            data = parse_object(content, where)
        except DataError as error:
            raise DataError(f"{where}: not a record: {str(error).removeprefix(f'{where}: ')}") from None
        number = data.get("schema")
        if isinstance(number, bool) or not isinstance(number, int):
            raise DataError(f"{where}: not a record: it has no schema number")
        if number != SCHEMA:
            raise OtherSchemaError(f"{where}: schema {number}; this harness reads schema {SCHEMA}")
        if data.pop("checksum", None) is not None and not _is_as_written(content):
            raise DataError(f"{where}: damaged: its checksum differs")
        required = {"key", "row", "label", "seed", "attempt", "status", "specification", "started", "harness"}
        unknown = data.keys() - {item.name for item in fields(cls)}
        if required - data.keys() or unknown:
            wrong = ", ".join(sorted(required - data.keys()) or [one_line(name, 40) for name in sorted(unknown)])
            raise DataError(f"{where}: not a record: {'without' if required - data.keys() else 'unknown'} {wrong}")
        # A value that cannot be used costs its own row, not the trial.
        outcome = data.get("outcome")
        for part, name in ((data, "noisy"), (outcome, "metrics")):
            if isinstance(part, dict) and isinstance(part.get(name), list):
                part[name] = sound_rows(part[name])
        try:
            RECORD(data, "")
            data["status"] = Status(data["status"])
        except ValueError as error:
            raise DataError(f"{where}: not a record: {one_line(error)}") from None
        for name in ("warnings", "noisy"):
            data[name] = tuple(data.get(name, ()))
        return cls(**data)


def read(path: Path) -> Record:
    """Return the record at ``path``.

    Raises:
        MissingFileError: nothing is there.
        RefusedFileError: the system does not let it be read.
        OtherSchemaError: it is of another version of the harness.
        DataError: it is damaged or something else; the message names it.
    """
    return Record.from_text(read_bytes(path, LARGEST), one_line(path))


def _is_as_written(content: bytes) -> bool:
    head = content[: -len(_CHECKSUM) - 64 - len(_END)]
    return content == head + _CHECKSUM + hashlib.sha256(head).hexdigest().encode() + _END
