"""Where things lie: data, the frame cache, results."""

from __future__ import annotations

import os
from pathlib import Path


def _cache_home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "snn-harness"


def _place(given: str | Path | None, variable: str, fallback: Path) -> Path:
    named = given or os.environ.get(variable)
    return Path(named).expanduser().absolute() if named else fallback


def data_folder(given: str | Path | None = None) -> Path:
    """The folder that holds datasets: ``given``, else ``HARNESS_DATA``, else one below the user's cache."""
    return _place(given, "HARNESS_DATA", _cache_home() / "data")


def cache_folder(given: str | Path | None = None) -> Path:
    """The folder that holds encoded frames: ``given``, else ``HARNESS_CACHE``, else one below the user's cache."""
    return _place(given, "HARNESS_CACHE", _cache_home())


def results_folder(given: str | Path | None = None) -> Path:
    """The folder that holds runs: ``given``, else ``HARNESS_RESULTS``, else ``results`` here."""
    return _place(given, "HARNESS_RESULTS", Path("results").absolute())
