"""Benchmark spiking neural networks: the face for plugin authors and notebooks.

Names are resolved on first use, so that importing ``harness`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FACE = {
    "Backend": "components",
    "Bulk": "source",
    "Choice": "components",
    "Component": "components",
    "Context": "observation",
    "Curve": "observation",
    "DataError": "errors",
    "Dataset": "components",
    "Display": "notebook.display",
    "Encoding": "components",
    "Histogram": "observation",
    "LayerView": "observation",
    "Metric": "components",
    "MetricValue": "observation",
    "Network": "components",
    "Neuron": "components",
    "Parameter": "parameters",
    "Record": "records",
    "Registry": "registry",
    "Training": "observation",
    "UsageError": "errors",
    "View": "observation",
    "compare": "notebook.faces",
    "figures": "notebook.faces",
    "hookimpl": "hookspecs",
    "inspect": "notebook.faces",
    "load": "notebook.running",
    "load_model": "reload",
    "neurons": "notebook.faces",
    "run": "notebook.running",
    "surrogates": "notebook.faces",
}

__all__ = sorted(_FACE)


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_FACE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FACE])
