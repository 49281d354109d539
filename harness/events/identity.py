"""Identity of recordings: everything about a split that decides frames, labels, groups, or what they mean."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..specification import digest
from ..text import one_line
from .reading import Ints, checked_groups, checked_labels

if TYPE_CHECKING:
    from ..source import Bulk

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


def identify(source: Any, split: str, classes: int, report: Callable[[str, int, int], None]) -> SplitIdentity:
    """Read what makes ``source`` the split that it is.

    Every recording is read where the source names no fingerprint of its own; else the first and the last.

    Raises:
        DataError: labels or groups are not what they must be.
    """
    own = getattr(source, "fingerprint", None)
    given = getattr(source, "labels", None)
    read = _Recordings(source, split)
    if own:
        labels = checked_labels(source, classes, split)
        for index in dict.fromkeys(
            np.linspace(0, len(labels) - 1, _SAMPLED).astype(int).tolist() if len(labels) else ()
        ):
            read.add(index, bulk=hasattr(source, "bulk"))
        fingerprint, names = str(own), sorted({name for fields in read.kinds for name in _field_names(fields)})
    else:
        for index in range(len(source)):
            read.add(index)
            report("fingerprinting", index + 1, len(source))
        labels = checked_labels(source, classes, split, read.labels if given is None else None)
        parts = [[_whole_number(label), content] for label, content in zip(read.labels, read.contents, strict=True)]
        # Which bytes are x and which are y is decided by the order of the fields.
        fingerprint, names = digest(parts), [name for fields in read.kinds for name in _field_names(fields)]
    groups = checked_groups(source, split)
    meaning = digest([fingerprint, names, labels.tolist(), None if groups is None else groups.tolist()])
    return SplitIdentity(
        fingerprint=fingerprint,
        labels=labels,
        groups=groups,
        meaning=meaning,
        layout=digest([read.kinds, read.which, read.contents if own else None]),
        modified=one_line(getattr(source, "modified", "") or ""),
        warnings=tuple(read.disagreements(labels)),
    )


class _Recordings:
    """Recordings that were read, as hashes: ``kinds`` are the descriptions of fields that occur, ``which`` each one's."""

    def __init__(self, source: Any, split: str) -> None:
        self.source, self.split = source, split
        self.indices: list[int] = []
        self.labels: list[Any] = []
        self.contents: list[str] = []
        self.kinds: list[list[str]] = []
        self.which: list[int] = []

    def add(self, index: int, *, bulk: bool = False) -> None:
        """Read one recording, by the bulk reader under ``bulk``."""
        if bulk:
            found: Bulk = self.source.bulk(index, index + 1)
            arrays = [(name, getattr(found, name)) for name in ("t", "x", "y", "p")]
            kind = [f"{name} {np.asarray(values).dtype.str}" for name, values in arrays if values is not None]
            content = hashlib.sha256(
                b"\0".join(np.ascontiguousarray(values).tobytes() for _, values in arrays if values is not None)
            ).hexdigest()[:20]
        else:
            events, label = self.source[index]
            kind = _fields_of(events)
            content = digest([np.ascontiguousarray(events).tobytes().hex()])
            self.labels.append(label)
            self.indices.append(index)
        if kind not in self.kinds:
            self.kinds.append(kind)
        self.which.append(self.kinds.index(kind))
        self.contents.append(content)

    def disagreements(self, labels: Ints) -> list[str]:
        """Return a sentence if recordings come with other labels than those of ``labels``, which are used."""
        wrong = [
            (index, label)
            for index, label in zip(self.indices, self.labels, strict=True)
            if _whole_number(label) != int(labels[index])
        ]
        if not wrong:
            return []
        index, label = wrong[0]
        return [
            f"{self.split}: {len(wrong)} of {len(self.indices)} recordings that were read come with another label than the "
            f"source's `labels` say, such as recording {index} with {one_line(label, 40)} for {labels[index]}; "
            "`labels` are used, and every accuracy is measured against them"
        ]


def _fields_of(events: Any) -> list[str]:
    """Return name, type, byte order and place of every field, in their order."""
    dtype = getattr(events, "dtype", None)
    if dtype is None:
        return [f"not an array: {type(events).__name__}"]
    if not dtype.names:
        return [f" {dtype.str} {list(np.shape(events)[1:])}"]
    return [f"{name} {dtype.fields[name][0].str} {dtype.fields[name][1]}" for name in dtype.names]


def _field_names(fields: Sequence[str]) -> list[str]:
    return [field.split(" ")[0] for field in fields]


def _whole_number(label: Any) -> int | str:
    """Return a label as the number it is, or what it is instead, in a form that is equal at every reading."""
    try:
        return int(label)
    except (TypeError, ValueError, OverflowError):
        return f"{type(label).__name__}: {label}" if isinstance(label, str) else type(label).__name__
