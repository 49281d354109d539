"""The timing phase of a run: saved weights, one idle process, rounds interleaved over all configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from ..components import Choice, Metric
from ..registry import Registry


def measure_run(registry: Registry, payload: Mapping[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    """Time every configuration in ``payload``: ``{"configurations": [{"row", "label", "key", "record", "frames"}]}``."""
    import torch

    from ..devices import use
    from ..events.prepare import open_split
    from ..records import read
    from ..reload import load_model
    from ..specification import Specification
    from ..timing import Configuration, measure

    torch.set_num_threads(payload["threads"])
    use(payload["device"])
    configurations = []
    for item in payload["configurations"]:
        path = Path(item["record"])
        record = read(path)
        specification = Specification.from_json(record.specification)
        configurations.append(
            Configuration(
                row=item["row"],
                label=item["label"],
                key=item["key"],
                model=load_model(path, registry=registry).to(payload["device"]),
                frames=open_split(Path(item["frames"]), "test"),
                batch_size=specification.recipe["batch_size"],
                classes=tuple(record.data["classes"]),
                dt_ms=specification.encoding.dt,
            )
        )
    metrics = [
        (cast(Metric, registry.find(item["name"]).component), Choice.from_json("metric", item))
        for item in payload["metrics"]
    ]
    return measure(
        configurations,
        metrics,
        device=payload["device"],
        threads=payload["threads"],
        report=lambda done, total: report("progress", stage="timing", done=done, total=total),
    )
