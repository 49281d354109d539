"""What records, run.json and timings.json hold: the types of every part that other modules read."""

from __future__ import annotations

from typing import Any

from .schema import (
    anything,
    boolean,
    count,
    fields,
    file_name,
    instant,
    integer,
    list_of,
    mapping,
    number,
    one_of,
    optional,
    size,
    text,
)

_PLACE = {"metric": text, "name": text, "phase": text, "split": text}
_VALUE = fields(
    {
        **_PLACE,
        "value": optional(number),
        "unit": text,
        "title": text,
        "direction": one_of("higher", "lower", "none"),
        "kind": one_of("exact", "seeded", "noisy"),
    },
    {
        "role": one_of("quality", "cost", "detail"),
        "tolerance": number,
        "reason": text,
        "note": text,
        "arrays": mapping(),
        "curves": mapping(),
        "histograms": mapping(),
    },
)
_FAILED = fields({**_PLACE, "error": text})


def metric_row(value: Any, path: str) -> None:
    """Accept the row of one metric: a value and what it is, or the error in its place."""
    (_FAILED if isinstance(value, dict) and "error" in value else _VALUE)(value, path)


_STATUS = one_of("ok", "failed", "timeout", "oom", "interrupted", "skipped")
_CHOICE = fields({"name": text, "parameters": mapping()})
_RECIPE = fields(
    {
        "name": text,
        "parameters": fields({"epochs": size, "learning_rate": number, "batch_size": count, "init": text}),
    }
)
_SPECIFICATION = fields(
    {
        "dataset": _CHOICE,
        "network": _CHOICE,
        "neuron": _CHOICE,
        "backend": _CHOICE,
        "recipe": _RECIPE,
        "encoding": mapping(),
        "limit": optional(size),
    }
)


def _suppliers(value: Any, path: str) -> None:
    mapping()(value, path)
    for kind, supplier in value.items():
        if kind == "metrics":
            mapping(mapping())(supplier, f"{path}.metrics")
        elif kind != "harness":  # a hash of the core's source
            mapping()(supplier, f"{path}.{kind}")


_ENVIRONMENT = fields({}, {"packages": mapping(), "git": optional(mapping()), "device": optional(text)})

RECORD = fields(
    {
        "key": file_name,
        "row": text,
        "label": text,
        "seed": integer,
        "attempt": count,
        "status": _STATUS,
        "specification": _SPECIFICATION,
        "started": instant,
        "harness": text,
    },
    {
        "error": optional(fields({}, dict.fromkeys(("type", "message", "traceback", "log"), optional(text)))),
        "suppliers": _suppliers,
        "data": fields(
            {},
            {
                "synthetic": boolean,
                "classes": list_of(anything),
                "shape": list_of(size),
                "splits": mapping(mapping()),
                "identity": optional(text),
                "warnings": list_of(text),
            },
        ),
        "environment": _ENVIRONMENT,
        "outcome": fields(
            {},
            {
                "weights": text,
                "predictions": text,
                "metrics": list_of(metric_row),
                "curves": mapping(),
            },
        ),
        "noisy": list_of(metric_row),
        "training": mapping(),
        "timings": mapping(number),
        "warnings": list_of(text),
        "arrays": optional(file_name),
        "arrays_checksum": optional(text),
        "provenance": fields({}, {"cached_from": optional(text)}),
    },
)
"""The values of a record by name, whatever names it has beside."""

RUN = fields(
    {},
    {
        "id": text,
        "state": text,
        "started": text,
        "seconds": number,
        "harness": text,
        "experiment": fields(
            {},
            {
                "plugins": list_of(text),
                "settings": mapping(list_of(anything)),
                "seeds": list_of(integer),
                "recipe": text,
                "limit": optional(size),
                "report_inflation": boolean,
                "metrics": optional(list_of(text)),
            },
        ),
        "gate": mapping(),
        "options": mapping(),
        "loading": fields({}, {"block": list_of(text), "only": optional(list_of(text)), "files": list_of(text)}),
        "trials": list_of(
            fields({"label": text}, {"key": optional(text), "status": optional(_STATUS), "cached": boolean})
        ),
        "environment": _ENVIRONMENT,
        "error": optional(text),
        "process": fields({"pid": count, "host": text}),
    },
)
"""What run.json holds; earlier versions wrote fewer parts."""

TIMINGS = fields(
    {
        "rounds": count,
        "threads": count,
        "rows": mapping(fields({"metrics": list_of(metric_row)}, {"key": text, "label": text})),
    },
    {"device": text},
)
"""What timings.json holds."""
