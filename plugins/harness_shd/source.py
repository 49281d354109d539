"""SHD recordings from HDF5, one at a time or in bulk."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from harness import Bulk, DataError

from .files import archive_notes, find

# As in tonic, so that the two readers can be compared field by field.
EVENT = np.dtype([("t", int), ("x", int), ("p", int)])
OFFICIAL_COUNT = {"train": 8156, "test": 2264}
CHANNELS = 700
_SAMPLED = 64


class Recordings:
    """One split; satisfies :class:`harness.source.BulkSource`."""

    def __init__(self, path: Path, split: str, notes: list[str]) -> None:
        self.path = path
        self.split = split
        try:
            self._file = h5py.File(path, "r")
            self._times, self._units = self._file["spikes/times"], self._file["spikes/units"]
            self.labels = np.asarray(self._file["labels"][()]).astype(np.int64)
            self.groups = [str(speaker) for speaker in self._file["extra/speaker"][()]]
        except (OSError, KeyError, TypeError) as error:
            cause = " ".join(str(error).split())
            raise DataError(f"{path}: not an SHD file, or a truncated one ({cause}); fetch it again") from None
        counts = {len(self._times), len(self._units), len(self.labels), len(self.groups)}
        if len(counts) != 1:
            raise DataError(f"{path}: times, units, labels and speakers differ in number: {sorted(counts)}")
        self.synthetic = bool(self._file.attrs.get("synthetic", False))
        self.notes = list(notes)
        if self.synthetic:
            self.notes.append(f"{path.name} holds synthetic recordings")
        elif len(self) != OFFICIAL_COUNT[split]:
            official = OFFICIAL_COUNT[split]
            self.notes.append(f"{path.name} holds {len(self)} recordings; the official file holds {official}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray[Any, Any], int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        bulk = self.bulk(index, index + 1)
        events = np.empty(len(bulk.t), dtype=EVENT)
        events["t"], events["x"], events["p"] = bulk.t, bulk.x, 1
        return events, int(self.labels[index])

    def bulk(self, start: int, stop: int) -> Bulk:
        """Recordings ``start`` to ``stop`` at once."""
        try:
            times, units = self._times[start:stop], self._units[start:stop]
        except OSError as error:
            cause = " ".join(str(error).split())
            raise DataError(f"{self.path}: recordings {start} to {stop - 1} cannot be read ({cause})") from None
        sizes = [len(item) for item in times]
        if sizes != [len(item) for item in units]:
            raise DataError(f"{self.path}: a recording from {start} to {stop - 1} has more times than units, or fewer")
        # float16 seconds overflow when scaled; cast first, then truncate as tonic's structured array does.
        seconds = np.concatenate(times).astype(np.float64)
        seconds *= 1e6
        return Bulk(
            t=seconds.astype(np.int64),
            x=np.concatenate(units),
            offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Over this reader's code, labels, speakers, file size and the events of 64 recordings spread over the file."""
        # Frames are encoded anew where they would be read otherwise.
        state = hashlib.sha256(Path(__file__).read_bytes())
        state.update(f"{len(self)} {self.path.stat().st_size}".encode())
        state.update(self.labels.tobytes() + "\0".join(self.groups).encode())
        for index in np.unique(np.linspace(0, len(self) - 1, _SAMPLED).astype(int)):
            state.update(np.asarray(self._times[index]).tobytes() + np.asarray(self._units[index]).tobytes())
        return state.hexdigest()[:20]

    @property
    def modified(self) -> str:
        """Size and time of change of the file: the fingerprint reads 64 recordings, and an edit may lie between them."""
        state = self.path.stat()
        return f"{state.st_size} {state.st_mtime_ns}"


def source(root: Path, split: str) -> Recordings:
    """The recordings of ``split``; raises :class:`DataError` for a file that is missing, truncated or foreign."""
    path = find(root, split)
    if path is None:
        raise DataError(f"SHD {split} data not found below {root}")
    return Recordings(path, split, archive_notes(root, split))
