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
    ``train.accuracy``, and ``before.test.synops`` for an untrained network. ``attrs["units"]`` maps figures to units.
    """
    import pandas as pd

    units: dict[str, str] = {}
    rows = [_row(record, units) for record in records]
    frame = pd.DataFrame(rows)
    frame.attrs["units"] = units
    return frame


def _row(record: Record, units: dict[str, str]) -> dict[str, Any]:
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
    for metric in record.figures():
        prefix = "" if metric["phase"] == "after" else f"{metric['phase']}."
        name = f"{prefix}{metric['split']}.{metric['name']}"
        row[name] = metric.get("value")
        if "unit" in metric:
            units[name] = metric["unit"]
    row |= {
        "selected_epoch": record.outcome.get("selected_epoch"),
        "seconds": sum(record.timings.values()),
        "error": (record.error or {}).get("message"),
        "row": record.row,
        "key": record.key,
    }
    return row
