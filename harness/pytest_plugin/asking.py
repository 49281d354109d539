"""From an experiment file to its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..cli.asked import asked
from ..gate import Gate
from ..plan import Plan, make_plan
from ..registry import Registry


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A plan, and how it is to be run."""

    plan: Plan
    registry: Registry
    plugin_files: tuple[str, ...] = ()
    device: str = "auto"
    threads: int = 1
    jobs: int | None = None
    gate: Gate = field(default_factory=Gate)

    @property
    def timed(self) -> bool:
        """Whether a metric of the plan concerns wall-clock time."""
        return any("timing" in getattr(entry.component, "phases", ()) for entry, _ in self.plan.metrics)


def ask(from_file: Mapping[str, Any], plugin_files: Sequence[str], **given: Any) -> Asked:
    """Plan what ``from_file`` (see :func:`harness.experiment.read_toml`) says, with ``given`` over it.

    Raises :class:`harness.errors.HandledError` for anything that cannot be meant.
    """
    registry = Registry.discover(files=[Path(name) for name in plugin_files])
    device = str(from_file.get("device", "auto"))
    return Asked(
        plan=make_plan(asked(from_file, given), registry, device),
        registry=registry,
        plugin_files=tuple(plugin_files),
        device=device,
        threads=from_file.get("threads", 1),
        jobs=from_file.get("jobs"),
        gate=from_file.get("gate", Gate()),
    )
