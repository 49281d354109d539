"""Content keys: what a finished trial is found by, and the hashes of source code that enter them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .specification import Specification, digest

# The core's own modules that decide what a trial computes; a change in any other leaves finished trials valid. A test
# walks the imports of trial.py and fails for a module that stands neither here nor among those argued to decide nothing.
_DECIDING = (
    "activity.py",
    "augmentation.py",
    "components.py",
    "descriptor_types.py",
    "devices.py",
    "evaluation.py",
    "events",
    "feeding.py",
    "finite.py",
    "initialisation.py",
    "isolation.py",
    "model.py",
    "observation.py",
    "parameters.py",
    "precision.py",
    "probe.py",
    "recipe.py",
    "reload.py",
    "seen.py",
    "source.py",
    "specification.py",
    "state.py",
    "tally.py",
    "tally_kernels.py",
    "team.py",
    "training.py",
    "trial.py",
    "watching.py",
)


def hash_files(root: Path, files: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits over the names and the bytes of ``files``."""
    state = hashlib.sha256()
    for path in sorted(files):
        state.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:16]


def deciding_files(root: Path = Path(__file__).parent) -> list[Path]:
    """Return the files of the core, which lies at ``root``, that decide what a trial computes."""
    files: list[Path] = []
    for name in _DECIDING:
        path = root / name
        files += path.rglob("*.py") if path.is_dir() else [path]
    return files


def core_source(root: Path = Path(__file__).parent) -> str:
    """Return the hash of the core's modules that decide outcomes; ``root`` is the folder of the package."""
    return hash_files(root, deciding_files(root))


def versions_of(libraries: Iterable[str]) -> dict[str, str]:
    """Installed versions by distribution; ``"none"`` for one that is not installed."""
    found = {}
    for name in sorted({"torch", "numpy", *libraries}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def trial_key(
    specification: Specification,
    seed: int,
    *,
    data: str,
    device: str,
    threads: int,
    versions: Mapping[str, str],
    sources: Mapping[str, str],
    report_inflation: bool,
) -> str:
    """Return the name of all that decides a trial's outcome. Metrics are no part of it: they use saved weights.

    Args:
        data: the name of what the trial trains and tests on, ``content`` of a prepared dataset's summary.
        sources: hashes of code, of the core as ``harness`` and of the component of each kind.
    """
    content: dict[str, Any] = {
        "specification": specification.to_json(),
        "seed": seed,
        "data": data,
        "device": device,
        "threads": threads,
        "versions": dict(versions),
        "sources": dict(sources),
        "report_inflation": report_inflation,
    }
    return digest(content)
