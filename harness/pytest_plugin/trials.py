"""A trial that ended, as tests see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, nearest
from ..records import Record, Status

if TYPE_CHECKING:
    from torch import nn


class TrialFailed(AssertionError):
    """A trial that did not finish; the message says how it ended."""


@dataclass(frozen=True)
class Trial:
    """One trial: its ``record``, the ``path`` of that record, and ``frames``, the folder of the frames it ran on."""

    record: Record
    path: Path
    frames: str = ""
    plugin_files: Sequence[str] = field(default=())

    @cached_property
    def figures(self) -> Mapping[str, float | None]:
        """Every figure by name: ``test.accuracy``, ``train.loss``, and ``before.test.accuracy`` of the untrained network.

        None where there is no value. Where two metrics offer one name the second is called ``test.METRIC.NAME``.
        """
        return {name: row.get("value") for name, row in self._rows.items()}

    @cached_property
    def _rows(self) -> Mapping[str, Mapping[str, Any]]:
        rows: dict[str, Mapping[str, Any]] = {}
        # An error takes no name from a value.
        for row in sorted(self.record.figures(), key=lambda item: "error" in item):
            phase = "" if row["phase"] == "after" else f"{row['phase']}."
            name = f"{phase}{row['split']}.{row['name']}"
            if name in rows:
                name = f"{phase}{row['split']}.{row['metric']}.{row['name']}"
            rows[name] = row
        return rows

    def __getitem__(self, name: str) -> float:
        """The value of a figure.

        Raises :class:`UsageError` for an unknown name and where there is no value, :class:`TrialFailed` where the trial did not finish.
        """
        if failure := self.failure():
            raise TrialFailed(failure)
        if name not in self._rows:
            raise UsageError(f"{self.record.label} has no figure {name!r}{nearest(name, self._rows)}")
        row = self._rows[name]
        if row.get("value") is None:
            reason = row.get("error") or row.get("reason") or "none was given"
            raise UsageError(f"{self.record.label}: {name} has no value: {reason}")
        return float(row["value"])

    def model(self) -> nn.Module:
        """The trained network, in evaluation mode."""
        from ..reload import load_model

        return load_model(self.path, files=self.plugin_files)

    def failure(self) -> str | None:
        """Why there is nothing to measure, as a line; None for a trial that finished."""
        if self.record.status is Status.OK:
            return None
        return f"{self.record.label}: {self.record.status}: {self.record.message_and_log or 'no message'}"

    def log(self, lines: int = 30) -> str:
        """The end of what the trial's process printed."""
        told = str((self.record.error or {}).get("traceback") or "")
        if not told:
            for path in sorted((self.path.parent.parent / "logs").glob(f"*{self.record.key}.log")):
                told = path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(told.strip().splitlines()[-lines:])
