"""Generated recordings in SHD's HDF5 layout, marked synthetic."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from harness.errors import DataError

from .formants import Recordings

_KEYS = [f"{language}-{digit}" for language in ("rise", "fall") for digit in range(10)]


def write_shd(folder: Path, *, train: int, test: int, seed: int, noise: float) -> list[Path]:
    """Write ``folder``/SHD/shd_{train,test}.h5 and return their paths; refuses to replace a file that is there."""
    paths = [folder / "SHD" / f"shd_{split}.h5" for split in ("train", "test")]
    for path in paths:
        if path.exists():
            raise DataError(f"{path}: exists; choose another folder or remove it")
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for path, split, count in zip(paths, ("train", "test"), (train, test), strict=True):
        _write(path, Recordings(split, count, seed, noise))
    return paths


def _write(path: Path, recordings: Recordings) -> None:
    temporary = path.with_suffix(".tmp")
    with h5py.File(temporary, "w") as file:
        file.attrs["synthetic"] = True
        times = file.create_dataset("spikes/times", (len(recordings),), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (len(recordings),), h5py.vlen_dtype(np.uint16))
        for index in range(len(recordings)):
            events, _ = recordings[index]
            times[index] = (events["t"] / 1e6).astype(np.float16)
            units[index] = events["x"].astype(np.uint16)
        file["labels"] = np.array(recordings.labels, dtype=np.uint16)
        file["extra/speaker"] = np.array([int(speaker) for speaker in recordings.groups], dtype=np.uint16)
        file["extra/keys"] = np.array(_KEYS, dtype="S")
    temporary.replace(path)
