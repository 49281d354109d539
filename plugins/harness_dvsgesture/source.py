"""DVS128 Gesture's recordings as tonic's files hold them, one at a time or in bulk."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import Bulk, DataError
from harness.reading import open_regular

from . import CLASSES
from .files import archive_notes, find
from .layout import FOLDER, SPLITS, SYNTHETIC, listing
from .reading import read

# tonic's own fields, so that the two readers can be compared.
EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("p", np.bool_), ("t", np.int64)])
OFFICIAL_COUNT = {"train": 1077, "test": 264}
_WHOLE = 1 << 16
_SAMPLED, _PIECE = 8, 1 << 12


class Recordings:
    """One split; satisfies :class:`harness.source.BulkSource`.

    tonic's own reader finds files in whatever order the file system has them; here they stand by subject and lighting,
    then label. ``groups`` are subjects: one subject's recordings under several lightings are of one group.
    """

    def __init__(self, folder: Path, split: str, notes: list[str], *, synthetic: bool = False) -> None:
        self.folder, self.split, self.synthetic = folder, split, synthetic
        self._named, others = listing(folder)
        for named in self._named:
            if named.label >= len(CLASSES):
                raise DataError(f"{folder / named.place}: label {named.label}; files are named 0.npy to 10.npy")
        self.labels = np.array([named.label for named in self._named], dtype=np.int64)
        self.groups = [named.subject for named in self._named]
        self.notes = list(notes)
        if others:
            self.notes.append(
                f"{folder.name}: {len(others)} files are not named userNN_LIGHT/LABEL.npy and were left out, such as {others[0]}"
            )
        if synthetic:
            self.notes.append(f"{folder.name} holds synthetic recordings")
        elif len(self) != OFFICIAL_COUNT[split]:
            what = "is partial: it" if len(self) < OFFICIAL_COUNT[split] else "is another cut: it"
            self.notes.append(
                f"{folder.name} {what} holds {len(self)} recordings; the official archive holds {OFFICIAL_COUNT[split]}"
            )

    def __len__(self) -> int:
        return len(self._named)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        recording = self.bulk(index, index + 1)
        events = np.empty(len(recording.t), dtype=EVENT)
        for name in ("x", "y", "p", "t"):
            events[name] = getattr(recording, name)
        return events, int(self.labels[index])

    def bulk(self, start: int, stop: int) -> Bulk:
        """Recordings ``start`` to ``stop`` at once."""
        return read([self.path(index) for index in range(start, stop)])

    def path(self, index: int) -> Path:
        """The file of a recording."""
        return self.folder / self._named[index].place

    @cached_property
    def fingerprint(self) -> str:
        """Over this reader's code, and every file's name, size and 32 KiB of bytes, spread from first to last; small files whole."""
        state = hashlib.sha256()
        # Frames are encoded anew where they would be read otherwise.
        for name in ("layout.py", "reading.py", "source.py"):
            state.update(Path(__file__).with_name(name).read_bytes())
        for index, named in enumerate(self._named):
            try:
                with open_regular(self.path(index)) as file:
                    size = file.seek(0, 2)
                    state.update(f"{named.place}\0{size}\0".encode())
                    pieces = [(0, size)] if size <= _WHOLE else _spread(size)
                    for begin, length in pieces:
                        file.seek(begin)
                        state.update(file.read(length))
            except OSError as error:
                raise DataError(f"{self.path(index)}: cannot be read: {error.strerror or error}") from None
        return state.hexdigest()[:20]

    @property
    def modified(self) -> str:
        """Hash of every file's size and time of change: the fingerprint reads parts of large files, and an edit may lie between."""
        states = [self.path(index).stat() for index in range(len(self))]
        return hashlib.sha256(
            "\n".join(f"{state.st_size} {state.st_mtime_ns}" for state in states).encode()
        ).hexdigest()[:20]


def _spread(size: int) -> list[tuple[int, int]]:
    return [(int(begin), _PIECE) for begin in np.linspace(0, size - _PIECE, _SAMPLED)]


def source(root: Path, split: str) -> Recordings:
    """The recordings of ``split``; raises :class:`DataError` for data that are missing or foreign."""
    folder = find(root, split)
    if folder is None:
        raise DataError(f"DVS128 Gesture {split} data not found: {root / FOLDER / SPLITS[split]} holds no recordings")
    synthetic = (root / FOLDER / SYNTHETIC).exists()
    return Recordings(folder, split, [] if synthetic else archive_notes(root, split), synthetic=synthetic)
