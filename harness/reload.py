"""A trained network back from its record, in one line: ``harness.load_model("results/latest/trials/KEY.1.json")``."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from .errors import DataError
from .model import build
from .records import Record
from .registry import Registry
from .specification import Specification

if TYPE_CHECKING:
    from collections.abc import Sequence

_PREFIX = "weights/"


def weights_hash(state: Mapping[str, torch.Tensor]) -> str:
    """Twenty hexadecimal digits over names, types, shapes and bytes, whatever the order of ``state``."""
    total = hashlib.sha256()
    for name in sorted(state):
        array = np.ascontiguousarray(state[name].detach().cpu().numpy())
        total.update(f"{name} {array.dtype.str} {array.shape}\0".encode() + array.tobytes())
    return total.hexdigest()[:20]


def load_state(path: Path, record: Record) -> dict[str, torch.Tensor]:
    """The trained weights beside the record at ``path``; raises :class:`DataError` where they are missing or damaged."""
    if record.arrays is None:
        raise DataError(f"{path}: holds no weights: the trial ended as {record.status}")
    beside = path.with_name(record.arrays)
    try:
        # An open file, since numpy leaves its own open when the content is foreign.
        with beside.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            names = [name for name in stored.files if name.startswith(_PREFIX)]
            state = {name.removeprefix(_PREFIX): torch.from_numpy(stored[name]) for name in names}
    except FileNotFoundError:
        raise DataError(f"{beside}: missing; the record beside it needs it") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{beside}: damaged: {' '.join(str(error).split())}") from None
    if weights_hash(state) != record.outcome.get("weights"):
        raise DataError(f"{beside}: damaged: its weights are not those that the record was written for")
    return state


def load_model(record: str | Path, *, registry: Registry | None = None, files: Sequence[str | Path] = ()) -> nn.Module:
    """The trained network of the record at this path, in evaluation mode, (batch, time, ...) to (batch, time, classes).

    ``files`` are single-file plugins that it needs. Raises :class:`DataError` for a missing or damaged record or weights.
    """
    path = Path(record)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    found = Record.from_text(text, str(path))
    state = load_state(path, found)
    plugins = registry or Registry.discover(files=[Path(file) for file in files])
    specification = Specification.from_json(found.specification)
    model = build(plugins, specification, tuple(found.data["shape"]), len(found.data["classes"]))
    model.load_state_dict(state, strict=True)
    return model.eval()
