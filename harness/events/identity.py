"""Identity of recordings: everything about a split that decides frames, labels, groups, or what they mean."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..specification import digest
from .reading import Ints

if TYPE_CHECKING:
    from .validation import CheckedSource

_SAMPLED = 2  # recordings read of a split whose source names its own fingerprint: the first and the last


@dataclass(frozen=True)
class SplitIdentity:
    """One split as its source gives it.

    Attributes:
        fingerprint: the source's own, or a hash over every event and label.
        labels: (recordings,) the labels that are used.
        groups: (recordings,) the groups that are used, or None.
        meaning: hash that is equal on every machine for the same recordings: names of fields, labels, groups.
        layout: hash of what reading depends on here: types and order of fields, and the events of some recordings.
        modified: what the source says of when its files were written, empty where it says nothing.
        warnings: sentences on what a reader of the numbers must know.
    """

    fingerprint: str
    labels: Ints
    groups: npt.NDArray[np.str_] | None
    meaning: str
    layout: str
    modified: str = ""
    warnings: tuple[str, ...] = ()


def identify(source: CheckedSource, report: Callable[[str, int, int], None]) -> SplitIdentity:
    """Read what makes ``source`` the split that it is.

    Every recording is read where the source names no fingerprint of its own; else the first and the last.

    Raises:
        DataError: labels or groups are not what they must be.
    """
    own = source.fingerprint
    read = _Recordings(source)
    if own:
        labels = source.labels
        for index in dict.fromkeys(
            np.linspace(0, len(labels) - 1, _SAMPLED).astype(int).tolist() if len(labels) else ()
        ):
            read.add(index, bulk=source.has_bulk)
        fingerprint, names = str(own), sorted({name for fields in read.kinds for name in _field_names(fields)})
    else:
        for index in range(len(source)):
            read.add(index)
            report("fingerprinting", index + 1, len(source))
        labels = source.labels
        parts = [[label, content] for label, content in zip(read.labels, read.contents, strict=True)]
        # Which bytes are x and which are y is decided by the order of the fields.
        fingerprint, names = digest(parts), [name for fields in read.kinds for name in _field_names(fields)]
    groups = source.groups
    meaning = digest([fingerprint, names, labels.tolist(), None if groups is None else groups.tolist()])
    return SplitIdentity(
        fingerprint=fingerprint,
        labels=labels,
        groups=groups,
        meaning=meaning,
        layout=digest([read.kinds, read.which, read.contents if own else None]),
        modified=source.modified,
        warnings=tuple(read.disagreements(labels)),
    )


class _Recordings:
    """Recordings that were read, as hashes: ``kinds`` are the descriptions of fields that occur, ``which`` each one's."""

    def __init__(self, source: CheckedSource) -> None:
        self.source, self.split = source, source.split
        self.indices: list[int] = []
        self.labels: list[int] = []
        self.contents: list[str] = []
        self.kinds: list[list[str]] = []
        self.which: list[int] = []

    def add(self, index: int, *, bulk: bool = False) -> None:
        """Read one recording, its events by the bulk reader under ``bulk``."""
        events, label = self.source[index]
        self.labels.append(label)
        self.indices.append(index)
        if bulk:
            found = self.source.bulk(index, index + 1)
            arrays = [(name, getattr(found, name)) for name in ("t", "x", "y", "p")]
            kind = [f"{name} {np.asarray(values).dtype.str}" for name, values in arrays if values is not None]
            content = hashlib.sha256(
                b"\0".join(np.ascontiguousarray(values).tobytes() for _, values in arrays if values is not None)
            ).hexdigest()[:20]
        else:
            kind = _fields_of(events)
            content = digest([np.ascontiguousarray(events).tobytes().hex()])
        if kind not in self.kinds:
            self.kinds.append(kind)
        self.which.append(self.kinds.index(kind))
        self.contents.append(content)

    def disagreements(self, labels: Ints) -> list[str]:
        """Return a sentence if recordings come with other labels than those of ``labels``, which are used."""
        wrong = [
            (index, label)
            for index, label in zip(self.indices, self.labels, strict=True)
            if label != int(labels[index])
        ]
        if not wrong:
            return []
        index, label = wrong[0]
        return [
            f"{self.split}: {len(wrong)} of {len(self.indices)} recordings that were read come with another label than the "
            f"source's `labels` say, such as recording {index} with {label} for {labels[index]}; "
            "`labels` are used, and every accuracy is measured against them"
        ]


def _fields_of(events: npt.NDArray[np.void]) -> list[str]:
    """Return name, type, byte order and place of every field, in their order."""
    fields: Mapping[str, Any] = events.dtype.fields or {}
    return [f"{name} {fields[name][0].str} {fields[name][1]}" for name in events.dtype.names or ()]


def _field_names(fields: Sequence[str]) -> list[str]:
    return [field.split(" ")[0] for field in fields]
