"""SHD recordings from HDF5, one at a time or in bulk."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from harness import Bulk, DataError
from harness.reading import check_regular

from .files import archive_notes, find
from .links import own_dataset

# As in tonic, so that the two readers can be compared field by field.
EVENT = np.dtype([("t", int), ("x", int), ("p", int)])
OFFICIAL_COUNT = {"train": 8156, "test": 2264}
CHANNELS = 700
_SAMPLED = 64
_LONGEST = 60.0  # s; the longest official recording lasts less than 2


class Recordings:
    """One split; satisfies :class:`harness.source.BulkSource`."""

    def __init__(self, path: Path, split: str, notes: list[str]) -> None:
        self.path = path
        self.split = split
        check_regular(path)  # HDF5 would wait for a pipe
        try:
            self._file = h5py.File(path, "r")
            self._times, self._units, labels, speakers = (
                own_dataset(self._file, path, name)
                for name in ("spikes/times", "spikes/units", "labels", "extra/speaker")
            )
            self.labels = np.asarray(labels[()])
            self.groups = [str(speaker) for speaker in speakers[()]]
            self.synthetic = bool(self._file.attrs.get("synthetic", False))
        except OSError as error:
            raise DataError(f"{path}: {_refused(error)}") from None
        except (KeyError, TypeError, AttributeError) as error:
            cause = " ".join(str(error).split())
            raise DataError(f"{path}: not an SHD file, or a truncated one ({cause}); fetch it again") from None
        self._check_kinds()
        counts = {len(self._times), len(self._units), len(self.labels), len(self.groups)}
        if len(counts) != 1:
            raise DataError(f"{path}: times, units, labels and speakers differ in number: {sorted(counts)}")
        self.labels = self.labels.astype(np.int64)
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
        times, units = self._read(start, stop)
        sizes = [len(item) for item in times]
        if sizes != [len(item) for item in units]:
            raise DataError(f"{self.path}: a recording from {start} to {stop - 1} has more times than units, or fewer")
        # float16 seconds overflow when scaled; cast first, then truncate as tonic's structured array does.
        seconds = np.concatenate(times).astype(np.float64)
        # What is no number is no plausible time either.
        if len(seconds) and not seconds.max() <= _LONGEST:
            self._refuse_times(times, start)
        seconds *= 1e6
        return Bulk(
            t=seconds.astype(np.int64),
            x=np.concatenate(units),
            offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        )

    def _read(self, start: int, stop: int) -> tuple[Any, Any]:
        try:
            return self._times[start:stop], self._units[start:stop]
        except OSError as error:
            cause = " ".join(str(error).split())
            raise DataError(f"{self.path}: recordings {start} to {stop - 1} cannot be read ({cause})") from None

    def _check_kinds(self) -> None:
        """Refuse what would be read as something else: times that are no seconds, units that are no channels."""
        kinds = []
        for name, values in (("times", self._times), ("units", self._units)):
            found = h5py.check_vlen_dtype(values.dtype) if isinstance(values, h5py.Dataset) else None
            if found is None or len(values.shape) != 1 or np.dtype(found).kind not in "iuf":
                raise DataError(
                    f"{self.path}: spikes/{name} is no list of arrays of numbers, one a recording, as in SHD"
                )
            kinds.append(np.dtype(found))
        times, units = kinds
        if times.kind != "f" and units.kind == "f":
            raise DataError(
                f"{self.path}: spikes/times holds {times} and spikes/units {units}: they are swapped; times are seconds "
                f"(float), units channels from 0 to {CHANNELS - 1} (integers)"
            )
        if times.kind != "f":
            raise DataError(
                f"{self.path}: spikes/times holds {times}, and SHD's times are seconds (float); ms or µs must be divided first"
            )
        if units.kind == "f":
            raise DataError(
                f"{self.path}: spikes/units holds {units}, and SHD's units are channels (integers); are they swapped with times?"
            )
        if self.labels.ndim != 1 or self.labels.dtype.kind not in "iu":
            raise DataError(
                f"{self.path}: labels are {self.labels.dtype} {self.labels.shape}, not a whole number a recording"
            )

    def _refuse_times(self, times: Any, start: int) -> None:
        """Raise :class:`DataError` for the first of ``times`` that holds what are no seconds of a spoken digit."""
        for index, own in enumerate(times, start):
            wrong = np.asarray(own, dtype=np.float64)
            wrong = wrong[~(np.abs(wrong) <= _LONGEST)]
            if len(wrong):
                raise DataError(
                    f"{self.path}: recording {index} has a spike at {wrong[0]:.6g} s; spoken digits last about 1 s: are times "
                    f"in ms or µs, or swapped with units?"
                )

    @cached_property
    def fingerprint(self) -> str:
        """Over this reader's code, labels, speakers, file size and the events of 64 recordings spread over the file."""
        # Frames are encoded anew where they would be read otherwise.
        state = hashlib.sha256(Path(__file__).read_bytes())
        state.update(f"{len(self)} {self.path.stat().st_size}".encode())
        state.update(self.labels.tobytes() + "\0".join(self.groups).encode())
        for index in np.unique(np.linspace(0, len(self) - 1, _SAMPLED).astype(int)):
            times, units = self._read(int(index), int(index) + 1)
            state.update(np.asarray(times[0]).tobytes() + np.asarray(units[0]).tobytes())
        return state.hexdigest()[:20]

    @property
    def modified(self) -> str:
        """Size and time of change of the file: the fingerprint reads 64 recordings, and an edit may lie between them."""
        state = self.path.stat()
        return f"{state.st_size} {state.st_mtime_ns}"


def _refused(error: OSError) -> str:
    """Why HDF5 did not open a file, and what to do: only what it names as no such file, or a cut one, is fetched again."""
    cause = " ".join(str(error).split())
    if "unable to lock file" in cause:
        if isinstance(error, BlockingIOError):
            return "another process has it open for writing; close it there, or wait until it is done"
        return f"its file system refuses locks ({_system(error)}); set HDF5_USE_FILE_LOCKING=FALSE"
    if "already open for" in cause:
        return "a process has it open for writing, or ended while it did; close it there, or clear its flags with h5clear -s"
    if error.errno is not None:
        return f"cannot be read: {_system(error)}"
    return f"not an SHD file, or a truncated one ({cause}); fetch it again"


def _system(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno is not None else str(error)


def source(root: Path, split: str) -> Recordings:
    """The recordings of ``split``; raises :class:`DataError` for a file that is missing, truncated or foreign."""
    path = find(root, split)
    if path is None:
        raise DataError(f"SHD {split} data not found below {root}")
    return Recordings(path, split, archive_notes(root, split))
