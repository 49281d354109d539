"""Finding, unpacking and downloading shd_train.h5 and shd_test.h5."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import lzma
import secrets
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.errors import DataError
from harness.places import cache_folder, kept_if_used, reason, sealed
from harness.reading import RefusedFileError, open_regular
from harness.text import one_line

SPLITS = ("train", "test")
FOLDER = "SHD"
# The official files unpack to less than half a gigabyte, at a ratio below 10.
_MOST_BYTES = 8 << 30
_HIGHEST_RATIO = 100
_MOST_BYTES_UNCHECKED = 16 << 20
_STALE = 86_400  # seconds after which no download still goes on
# As tonic 1.7 pins the official archives.
OFFICIAL_MD5 = {"train": "f3252aeb598ac776c1b526422d90eecb", "test": "1503a5064faa34311c398fb0a1ed0a6f"}
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def fetch(root: Path, report: Callable[[str, int, int], None]) -> None:
    """Make both files readable: find them, unpack their archives, or download through tonic.

    Raises :class:`DataError` in one line where the data are missing and cannot be brought, or an archive is damaged.
    """
    for number, split in enumerate(SPLITS):
        if find(root, split) is None:
            archive = root / FOLDER / f"shd_{split}.h5.zip"
            if archive.exists():
                report(f"unpacking {archive.name}", number, len(SPLITS))
                _unpack(archive, split)
            else:
                report(f"downloading {archive.name}", number, len(SPLITS))
                _download(root, split)
    report("data found", len(SPLITS), len(SPLITS))


def find(root: Path, split: str) -> Path | None:
    """The HDF5 file of ``split``, below ``root`` or unpacked to the cache; None where there is none."""
    placed = root / FOLDER / f"shd_{split}.h5"
    if placed.exists():
        return placed
    archive = root / FOLDER / f"shd_{split}.h5.zip"
    if archive.exists():
        unpacked = _elsewhere(archive, split)
        if unpacked.exists():
            return unpacked
    return None


def archive_notes(root: Path, split: str) -> list[str]:
    """What the archive's checksum says, where an archive lies beside the data."""
    archive = root / FOLDER / f"shd_{split}.h5.zip"
    if not archive.exists():
        return []
    try:
        with open_regular(archive) as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
    except (RefusedFileError, OSError) as error:
        return [f"{archive.name} cannot be read ({one_line(error)}), so its checksum is not known"]
    if found == OFFICIAL_MD5[split]:
        return []
    return [f"{archive.name} is not the official archive (md5 {found}); accuracies are not SHD's"]


def _elsewhere(archive: Path, split: str) -> Path:
    """Where an archive in a folder that cannot be written is unpacked to; named by what the archive is."""
    state = archive.stat()
    name = hashlib.sha256(f"{archive.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
    return cache_folder() / "unpacked" / name / f"shd_{split}.h5"


def _unpack(archive: Path, split: str) -> None:
    """Beside the archive, or in the cache where its folder cannot be written."""
    beside, cached = archive.with_name(f"shd_{split}.h5"), _elsewhere(archive, split)
    for target in [cached] if sealed(archive.parent) else [beside, cached]:
        try:
            with kept_if_used(target.parent):
                _unpack_to(archive, target)
            return
        except OSError as error:
            if error.filename is not None and Path(error.filename) == archive:
                raise DataError(f"{archive}: cannot be read: {reason(error)}") from None
            if error.errno not in _REFUSED or target == cached:
                advice = "; name a folder with HARNESS_CACHE" if target == cached else ""
                raise DataError(f"{archive}: cannot be unpacked to {target.parent}: {reason(error)}{advice}") from None


def _unpack_to(archive: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open_regular(archive) as file, zipfile.ZipFile(file) as zipped:
            inside = [item for item in zipped.namelist() if Path(item).name == target.name]
            if not inside:
                raise DataError(f"{archive}: holds no {target.name}; replace it by the official archive")
            _refuse_unfit(archive, zipped.getinfo(inside[0]))
            with zipped.open(inside[0]) as packed, temporary.open("wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
        temporary.replace(target)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        raise DataError(f"{archive}: damaged ({error}); remove it and fetch it again") from None
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed by a method that Python lacks
        raise DataError(f"{archive}: cannot be unpacked ({error}); unpack it by hand") from None
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_unfit(archive: Path, member: zipfile.ZipInfo) -> None:
    """Refuse what unpacks to far more than the official file, and what is no regular file."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if member.is_dir() or kind not in (0, stat.S_IFREG):
        raise DataError(
            f"{archive}: {member.filename!r} is a link or a folder, not a file; replace it by the official archive"
        )
    if (
        member.file_size > max(_MOST_BYTES_UNCHECKED, _HIGHEST_RATIO * member.compress_size)
        or member.file_size > _MOST_BYTES
    ):
        raise DataError(
            f"{archive}: {member.filename!r} would unpack to {member.file_size:,} bytes, far more than the official file; "
            "replace it by the official archive"
        )


def _download(root: Path, split: str) -> None:
    folder = root / FOLDER
    try:
        if sealed(folder):
            raise PermissionError(f"nobody may write below {root}")
        from tonic.datasets import SHD

        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        for stale in there.glob(".shd-*"):  # of a process that was killed
            if time.time() - stale.stat().st_mtime > _STALE:
                shutil.rmtree(stale, ignore_errors=True)
        # Beside its place and not in it: of a download that fails, or of a mistyped folder, nothing stays.
        with TemporaryDirectory(prefix=".shd-", dir=there) as temporary:
            # tonic prints a progress bar to standard error and its own messages to standard output.
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                SHD(save_to=temporary, train=split == "train")
            folder.mkdir(parents=True, exist_ok=True)
            for name in (f"shd_{split}.h5.zip", f"shd_{split}.h5"):
                (Path(temporary) / FOLDER / name).replace(folder / name)
    except Exception as error:  # urllib, ssl, checksum and file errors alike end in the same advice
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"SHD {split} data not found: looked for {root / FOLDER / f'shd_{split}.h5'} and .h5.zip, and it could not be "
            f"downloaded ({cause}); place the archive there, or name the folder that holds {FOLDER}/ with --data DIR, or "
            f"use the generated twin shd-synthetic"
        ) from None
