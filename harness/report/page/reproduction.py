"""The command that asks for a run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ...experiment import write_seeds
from ...records import Record

_OPTIONS = {
    "--device": "device",
    "--threads": "threads",
    "--data": "data",
    "--time-limit": "time_limit",
    "--prepare-limit": "prepare_limit",
    "--timing-limit": "timing_limit",
    "--memory-limit": "memory_limit_mb",
}


def command(about: Mapping[str, Any], records: Sequence[Record]) -> str:
    """The shell command of the run whose run.json holds ``about``; what that leaves out is taken from its ``records``."""
    asked, options, loading = (_mapping(about.get(name)) for name in ("experiment", "options", "loading"))
    words = ["harness", "run", *_loading(loading, records)]
    words += ["--plugins", ",".join(map(str, asked.get("plugins") or ()))]
    if asked.get("metrics"):
        words += ["--metrics", ",".join(map(str, asked["metrics"]))]
    for path, values in _mapping(asked.get("settings")).items():
        words += ["-o", f"{path}={','.join(map(_written, values))}"]
    words += _seeds(asked.get("seeds"))
    if asked.get("recipe") not in (None, "default"):
        words += ["--recipe", str(asked["recipe"])]
    if asked.get("limit") is not None:
        words += ["--limit", str(asked["limit"])]
    if asked.get("report_inflation"):
        words.append("--report-inflation")
    for option, name in _OPTIONS.items():
        value = options.get(name, _common(records, name))
        if value is not None:
            words += [option, _written(value)]
    if options.get("timing") is False:
        words.append("--no-timing")
    only = loading.get("only")
    before = f"HARNESS_PLUGINS={shlex.quote(','.join(map(str, only)))} " if isinstance(only, list) else ""
    return before + " ".join(map(shlex.quote, words))


def _mapping(given: object) -> Mapping[str, Any]:
    return given if isinstance(given, dict) else {}


def _loading(loading: Mapping[str, Any], records: Sequence[Record]) -> list[str]:
    """``-p`` and ``-P``; single files that supplied components are known from the records too."""
    words = [word for name in loading.get("block") or () for word in ("-p", f"no:{name}")]
    files = loading.get("files")
    if files is None:
        files = dict.fromkeys(
            str(supplier["distribution"])
            for record in records
            for supplier in _suppliers(record)
            if not supplier.get("version") and str(supplier.get("distribution", "")).endswith(".py")
        )
    return words + [word for name in files for word in ("-P", str(name))]


def _suppliers(record: Record) -> list[Mapping[str, Any]]:
    held = [item for item in record.suppliers.values() if isinstance(item, dict)]
    held += [item for item in _mapping(record.suppliers.get("metrics")).values() if isinstance(item, dict)]
    return [item for item in held if "distribution" in item]


def _written(value: object) -> str:
    """A value as ``-o`` takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_written, value))}]"
    return str(value)


def _seeds(given: object) -> list[str]:
    seeds = [seed for seed in given if isinstance(seed, int)] if isinstance(given, list) else []
    return ["--seeds", write_seeds(seeds)] if seeds else []


def _common(records: Sequence[Record], name: str) -> str | int | None:
    """What all records say of ``name``, or None where they differ or say nothing."""
    values = [record.environment.get(name) for record in records]
    first = values[0] if values else None
    return first if isinstance(first, (str, int)) and all(value == first for value in values) else None
