"""Datasets of an HDF5 file that lie in that very file: links to elsewhere are refused, not followed."""

from __future__ import annotations

from pathlib import Path

import h5py

from harness import DataError

# The official files hold 10,420 recordings; a header may promise any number in a few bytes.
_MOST_RECORDINGS = 1_000_000


def own_dataset(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    """Return a dataset of one axis that ``file`` itself holds.

    Args:
        file: the open file.
        path: its path, for messages.
        name: the dataset's name inside the file, such as ``spikes/times``.

    Raises:
        DataError: a link, external storage or a virtual dataset leads elsewhere, or it is of a size that no recordings have.
        KeyError: there is no such dataset.
    """
    place: h5py.Group = file
    walked = ""
    for part in name.split("/"):
        walked = f"{walked}/{part}".lstrip("/")
        if not isinstance(place, h5py.Group):
            raise KeyError(walked)
        # Raises KeyError itself; looking for the object instead would follow the link.
        link = place.get(part, getlink=True)
        if link is None:
            raise KeyError(walked)
        if not isinstance(link, h5py.HardLink):
            where = f" to {link.filename!r}" if isinstance(link, h5py.ExternalLink) else f" to {link.path!r}"
            raise DataError(f"{path}: {walked} is a link{where}, which is not followed; copy the data into the file")
        place = place[part]
    if not isinstance(place, h5py.Dataset):
        raise KeyError(f"{name} is no dataset")
    if place.is_virtual or place.external:
        kind = "a virtual dataset" if place.is_virtual else "stored in other files"
        raise DataError(f"{path}: {name} is {kind}, which is not followed; copy the data into the file")
    if len(place.shape or ()) != 1 or place.shape[0] > _MOST_RECORDINGS or place.dtype.itemsize > 64:
        raise DataError(
            f"{path}: {name} is {place.dtype} {place.shape}, not a list with an entry per recording; fetch it again"
        )
    return place
