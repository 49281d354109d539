"""What a run's own file says of what was asked for and how each trial ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..environment import harness_version
from ..plan import Plan
from .jobs import Entry
from .options import Options

_OPTIONS = ("device", "threads", "jobs", "timing", "data", "time_limit", "memory_limit_mb")
# What only some runs are given stays out of the others' files.
_RARE_OPTIONS = ("prepare_limit", "timing_limit")


def told(plan: Plan, options: Options, loading: Mapping[str, Any], entries: Sequence[Entry]) -> dict[str, Any]:
    """The parts of run.json that need no clock: schema, experiment, options, which plugins were loaded, gate and trials."""
    asked = plan.experiment
    return {
        "schema": 1,
        "harness": harness_version(),
        "experiment": {
            "plugins": list(asked.plugins),
            "settings": {name: list(values) for name, values in asked.settings.items()},
            "seeds": list(asked.seeds),
            "recipe": asked.recipe,
            "limit": asked.limit,
            "report_inflation": asked.report_inflation,
            **({} if asked.metrics is None else {"metrics": list(asked.metrics)}),
        },
        "gate": options.gate.to_json(),
        "options": {
            **{name: getattr(options, name) for name in _OPTIONS},
            **{name: value for name in _RARE_OPTIONS if (value := getattr(options, name)) is not None},
        },
        "loading": dict(loading),
        "trials": [
            {
                "label": entry.planned.label,
                "key": entry.job.key if entry.job else None,
                "status": str(entry.record.status) if entry.record else None,
                "cached": bool(entry.record and entry.record.cached),
            }
            for entry in entries
        ],
    }
