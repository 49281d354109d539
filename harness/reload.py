"""A trained network back from its record, in one line: ``harness.load_model("results/latest/trials/KEY.1.json")``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from .errors import DataError
from .foreign import foreign_code
from .model import build
from .npz import read_npz
from .reading import MissingFileError
from .records import Record, read
from .registry import Registry
from .specification import Specification
from .text import one_line

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
        stored = read_npz(beside, record.arrays_checksum, prefix=_PREFIX)
        state = {name.removeprefix(_PREFIX): torch.from_numpy(value) for name, value in stored.items()}
    except MissingFileError:
        raise DataError(f"{one_line(beside)}: missing; the record beside it needs it") from None
    except TypeError as error:  # a type of numpy that torch does not have
        raise DataError(f"{one_line(beside)}: damaged: {one_line(error, 200)}") from None
    if weights_hash(state) != record.outcome.get("weights"):
        raise DataError(f"{beside}: damaged: its weights are not those that the record was written for")
    return state


def load_model(record: str | Path, *, registry: Registry | None = None, files: Sequence[str | Path] = ()) -> nn.Module:
    """The trained network of the record at this path, in evaluation mode, (batch, time, ...) to (batch, time, classes).

    ``files`` are single-file plugins that it needs. Raises :class:`DataError` for a missing or damaged record or weights.
    """
    path = Path(record)
    found = read(path)
    state = load_state(path, found)
    plugins = registry or Registry.discover(files=[Path(file) for file in files])
    try:
        specification = Specification.from_json(found.specification)
        shape, classes = tuple(found.data["shape"]), len(found.data["classes"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{one_line(path)}: damaged: no network can be built from it: {one_line(error, 200)}") from None
    with foreign_code():
        model = build(plugins, specification, shape, classes)
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise DataError(f"{one_line(path)}: its weights do not fit its network: {one_line(error, 200)}") from None
    return model.eval()
