"""From planned trials to jobs: content keys, suppliers, and what can be reused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import keys
from ..code_files import CodeHashes
from ..components import Backend
from ..plan import Plan, Planned
from ..records import Record
from ..registry import Registered
from ..specification import digest
from ..store import Run
from ..trial import TrialJob

# Of a prepared dataset's summary: what lies where on this machine, how it came to be, and what the key says already.
_NOT_RECORDED = ("path", "seconds", "built", "content")


@dataclass
class Entry:
    """A planned trial on its way to a record; ``phase`` is what it was last heard to do."""

    planned: Planned
    job: TrialJob | None = None
    record: Record | None = None
    path: Path | None = None
    reusable: tuple[Path, Record] | None = None
    phase: str = ""

    @cached_property
    def data_key(self) -> str:
        """Names the dataset, encoding and limit that it needs prepared."""
        specification = self.planned.specification
        return digest([specification.dataset.to_json(), specification.encoding.to_json(), specification.limit])

    def public(self) -> dict[str, Any]:
        """What notification hooks are told."""
        return {
            "key": self.job.key if self.job else None,
            "label": self.planned.label,
            "seed": self.planned.seed,
            "specification": self.planned.specification.to_json(),
        }

    def payload(self) -> dict[str, Any]:
        """The job as JSON; a finished record that lacks metrics is measured instead of trained again."""
        assert self.job is not None
        payload = {name: getattr(self.job, name) for name in TrialJob.__dataclass_fields__}
        if self.reusable:
            payload["weights"] = str(self.reusable[0])
        return payload

    def fully_measured(self) -> bool:
        """Whether the reusable record holds every metric that is asked for, taken by the same code."""
        if self.reusable is None or self.job is None:
            return False
        held = self.reusable[1].suppliers.get("metrics", {})
        return all(
            name in held and all(held[name].get(part) == wanted[part] for part in ("source", "parameters"))
            for name, wanted in self.job.suppliers["metrics"].items()
        )

    def reused(self) -> tuple[Path, Record]:
        """The reusable record and where it lies, under this plan's label and with the metrics that are asked for alone.

        It may hold others, of other code; and what it was called tells its like apart in the plan that it was made for.
        """
        assert self.reusable is not None
        assert self.job is not None
        path, record = self.reusable
        wanted = self.job.suppliers["metrics"]
        rows = [row for row in record.outcome.get("metrics", ()) if row["metric"] in wanted]
        return path, replace(
            record,
            label=self.job.label,
            outcome={**record.outcome, "metrics": rows},
            noisy=tuple(row for row in record.noisy if row["metric"] in wanted),
            suppliers={**record.suppliers, "metrics": wanted},
        )


def metric_payload(plan: Plan) -> list[dict[str, Any]]:
    """The plan's metrics as jobs name them."""
    return [{"name": entry.qualified, "parameters": choice.to_json()["parameters"]} for entry, choice in plan.metrics]


def make_jobs(
    entries: Sequence[Entry],
    plan: Plan,
    prepared: Mapping[str, Mapping[str, Any]],
    *,
    environment: Mapping[str, Any],
    device: str,
    threads: int,
    run: Run,
    data_folder: Path,
) -> None:
    """Give every entry its job."""
    hashes = CodeHashes()
    sources = {name: hashes.of(entry.component) for name, entry in plan.components.items()}
    core = keys.core_source()
    metrics = {
        choice.name: _supply(entry, sources["metric " + choice.name], parameters=choice.to_json()["parameters"])
        for entry, choice in plan.metrics
    }
    payload = metric_payload(plan)
    # Asking what is installed reads files, so that it is done once per backend and not once per trial.
    versions = {
        name: keys.versions_of(entry.component.libraries)
        for name, entry in plan.components.items()
        if isinstance(entry.component, Backend)
    }
    for entry in entries:
        specification = entry.planned.specification
        used: dict[str, Registered] = {
            kind: plan.components[f"{kind} {getattr(specification, kind).name}"]
            for kind in ("dataset", "network", "neuron", "backend")
        }
        by_kind = {kind: sources[f"{kind} {item.component.name}"] for kind, item in used.items()}
        data = prepared.get(entry.data_key, {})
        key = keys.trial_key(
            specification,
            entry.planned.seed,
            data=str(data.get("content", "")),
            device=device,
            threads=threads,
            versions=versions[f"backend {used['backend'].component.name}"],
            sources={"harness": core, **by_kind},
            report_inflation=plan.experiment.report_inflation,
        )
        entry.job = TrialJob(
            specification=specification.to_json(),
            seed=entry.planned.seed,
            key=key,
            row=entry.planned.row,
            label=entry.planned.label,
            device=device,
            threads=threads,
            frames=str(data.get("path", "")),
            data={name: value for name, value in data.items() if name not in _NOT_RECORDED},
            suppliers={
                **{kind: _supply(item, by_kind[kind]) for kind, item in used.items()},
                "metrics": metrics,
                "harness": core,
            },
            environment=environment,
            metrics=payload,
            run=str(run.path),
            events=str(data_folder),
            report_inflation=plan.experiment.report_inflation,
        )


def _supply(entry: Registered, source: str, **more: Any) -> dict[str, Any]:
    return {"name": entry.component.name, **entry.supplier.to_json(), "source": source, **more}
