"""Records as a data frame, a row a trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..records import Record

if TYPE_CHECKING:
    import pandas as pd

_PARTS = ("dataset", "network", "neuron", "backend")


def to_dataframe(records: Sequence[Record]) -> pd.DataFrame:
    """One row a trial: what it was, how it ended, every parameter, and every figure.

    Columns of parameters are ``lif.tau_mem``-like, ``recipe.epochs``, ``encoding.dt``; those of figures ``test.accuracy``,
    ``train.accuracy``, and ``before.test.synops`` for an untrained network. If two metrics return one name, the second
    one's column is ``test.METRIC.NAME``. ``attrs["units"]`` maps figures to units.
    """
    import pandas as pd

    units: dict[str, str] = {}
    metrics: dict[str, str] = {}
    rows = [_row(record, units, metrics) for record in records]
    frame = pd.DataFrame(rows)
    frame.attrs["units"] = units
    return frame


def _figures(record: Record, units: dict[str, str], metrics: dict[str, str]) -> dict[str, Any]:
    """Return the values of a trial by column; ``metrics`` holds whose values a column holds."""
    found: dict[str, Any] = {}
    # An error takes no column from a value.
    for metric in sorted(record.figures(), key=lambda item: "error" in item):
        prefix = "" if metric["phase"] == "after" else f"{metric['phase']}."
        name = f"{prefix}{metric['split']}.{metric['name']}"
        if name in found or metrics.setdefault(name, metric["metric"]) != metric["metric"]:
            name = f"{prefix}{metric['split']}.{metric['metric']}.{metric['name']}"
        found[name] = metric.get("value")
        if "unit" in metric:
            units.setdefault(name, metric["unit"])
    return found


def _row(record: Record, units: dict[str, str], metrics: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "label": record.label,
        "seed": record.seed,
        "status": str(record.status),
        "cached": record.cached,
        "synthetic": record.synthetic,
        "limit": record.specification.get("limit"),
        **{part: record.specification[part]["name"] for part in _PARTS},
    }
    for part in (*_PARTS, "recipe"):
        chosen = record.specification[part]
        row |= {f"{chosen['name']}.{name}": value for name, value in chosen["parameters"].items()}
    row |= {f"encoding.{name}": value for name, value in record.specification["encoding"].items()}
    row |= _figures(record, units, metrics)
    row |= {
        "selected_epoch": record.outcome.get("selected_epoch"),
        "seconds": sum(record.timings.values()),
        "error": record.message or None,
        "row": record.row,
        "key": record.key,
    }
    return row
