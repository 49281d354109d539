"""Write npz files, and read npz and npy files without trusting them: no pickle, no bombs, memory bounded by the file's size."""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DataError
from .reading import open_regular
from .text import one_line

if TYPE_CHECKING:
    import numpy.typing as npt

_BLOCK = 1 << 20
_MOST_MEMBERS = 100_000


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return ``arrays`` as the bytes of an uncompressed npz file."""
    import numpy as np

    buffer = BytesIO()
    # numpy's stub types the keyword arrays together with its own flag
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def checksum(content: bytes) -> str:
    """Return the SHA-256 of an npz file's bytes, as records hold it."""
    return hashlib.sha256(content).hexdigest()


def verify(path: Path, expected: str | None) -> None:
    """Check the npz at ``path``; raises :class:`DataError` that names it and what is wrong.

    Args:
        path: the file.
        expected: what :func:`checksum` gave when it was written; None for files of earlier versions, of which only the
            structure and the checksums of the members can be checked.
    """
    with _named(path), open_regular(path) as file:
        if expected is not None:
            _verify_checksum(file, expected)
            return
        with zipfile.ZipFile(file) as archive:
            _members(file, archive)
            broken = archive.testzip()
            if broken is not None:
                raise ValueError(f"{broken} is not what was written")


def read_npz(
    path: Path, expected: str | None = None, *, prefix: str = "", names: Collection[str] = ()
) -> dict[str, Any]:
    """Return arrays of the npz at ``path`` by name.

    Args:
        path: the file.
        expected: the checksum of the whole file, if it is known.
        prefix: read the arrays whose names begin so.
        names: read these arrays only; a missing one is an error.

    Raises:
        MissingFileError: the file is missing.
        DataError: the file is damaged; the message names it.
    """
    with _named(path), open_regular(path) as file:
        if expected is not None:
            _verify_checksum(file, expected)
        with zipfile.ZipFile(file) as archive:
            members = _members(file, archive)
            wanted = names or [name for name in members if name.startswith(prefix)]
            missing = [name for name in wanted if name not in members]
            if missing:
                raise ValueError(f"it holds no {missing[0]}")
            found = {}
            for name in wanted:
                with archive.open(members[name]) as member:
                    found[name] = _read_array(member, members[name].file_size)
                    member.read(1)  # the end, where zipfile compares the member's checksum
            return found


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Return the array in the npy file at ``path``; raises :class:`DataError` that names it."""
    with _named(path), open_regular(path) as file:
        return _read_array(file, os.fstat(file.fileno()).st_size)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn whatever damaged archives and headers raise into one line with the file's name."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # struct, tokenize, zipfile and numpy document no complete list
        known = isinstance(error, (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error))
        cause = (
            one_line(error, 200) if known and str(error) else f"{type(error).__name__} {one_line(error, 200)}".strip()
        )
        raise DataError(f"{one_line(path)}: damaged: {cause}") from None


def _verify_checksum(file: BufferedReader, expected: str) -> None:
    if hashlib.file_digest(file, "sha256").hexdigest() != expected:
        raise ValueError("it is not what was written with its record (its checksum differs)")
    file.seek(0)


def _members(file: BufferedReader, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """By array: the members of an npz; refuses compressed ones, which numpy's ``savez`` never writes, and twice the same."""
    infos = archive.infolist()
    stored = all(item.compress_type == zipfile.ZIP_STORED and item.file_size == item.compress_size for item in infos)
    if not stored or sum(item.file_size for item in infos) > os.fstat(file.fileno()).st_size:
        raise ValueError("it holds compressed or overlapping members, which the harness never writes")
    members = {item.filename.removesuffix(".npy"): item for item in infos}
    if len(members) != len(infos) or len(infos) > _MOST_MEMBERS:
        raise ValueError("it holds two arrays of one name, or too many")
    return members


def _read_array(file: Any, size: int) -> npt.NDArray[Any]:
    """Return the array in an npy file of ``size`` bytes; nothing is allocated for a header that promises more."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in headers:
        raise ValueError(f"npy version {version[0]}.{version[1]}")
    shape, _, dtype = headers[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    if any(length < 0 for length in shape) or file.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{size} bytes, which is not what {dtype} {shape} takes")
    file.seek(0)
    array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
