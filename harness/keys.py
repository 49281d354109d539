"""Content keys: what a finished trial is found by, and the hashes of source code that enter them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .components import Component
from .errors import PluginError
from .specification import Specification, digest

# The core's own modules that decide what a trial computes; a change in any other leaves finished trials valid.
_DECIDING = (
    "augmentation.py",
    "evaluation.py",
    "feeding.py",
    "initialisation.py",
    "model.py",
    "precision.py",
    "seen.py",
    "specification.py",
    "tally.py",
    "tally_kernels.py",
    "training.py",
    "trial.py",
    "events",
)


def hash_files(root: Path, files: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits over the names and the bytes of ``files``."""
    state = hashlib.sha256()
    for path in sorted(files):
        state.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:16]


def core_source() -> str:
    """The hash of the core's modules that decide outcomes."""
    root = Path(__file__).parent
    files: list[Path] = []
    for name in _DECIDING:
        path = root / name
        files += path.rglob("*.py") if path.is_dir() else [path]
    return hash_files(root, files)


def source_of(component: Component) -> str:
    """The hash of the code that ``component`` refers to: every module of its import packages, or its one file.

    Nothing is imported. Raises :class:`PluginError` for a reference to a package that does not exist.
    """
    tops = sorted({reference.split(":")[0].split(".")[0] for reference in component.references().values()})
    hashes = []
    for top in tops:
        spec = find_spec(top)
        if spec is None or spec.origin is None:
            raise PluginError(f"{component.kind} {component.name}: there is no module {top!r} behind its reference")
        origin = Path(spec.origin)
        package = spec.submodule_search_locations is not None
        hashes.append(hash_files(origin.parent, origin.parent.rglob("*.py") if package else [origin]))
    return "-".join(hashes)


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
    fingerprint: str,
    device: str,
    threads: int,
    versions: Mapping[str, str],
    sources: Mapping[str, str],
    report_inflation: bool,
) -> str:
    """The name of all that decides a trial's outcome. Metrics are no part of it: they are taken from saved weights."""
    content: dict[str, Any] = {
        "specification": specification.to_json(),
        "seed": seed,
        "fingerprint": fingerprint,
        "device": device,
        "threads": threads,
        "versions": dict(versions),
        "sources": dict(sources),
        "report_inflation": report_inflation,
    }
    return digest(content)
