"""Finding, unpacking and downloading ibmGestureTrain and ibmGestureTest."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path

from harness.errors import DataError
from harness.places import cache_folder, reason, sealed

from .archives import md5, unpack
from .download import download
from .layout import FOLDER, SPLITS, listing

# As tonic 1.7 pins the archives, which hold the original's recordings cut by gesture.
OFFICIAL_MD5 = {"train": "3a8f0d4120a166bac7591f77409cb105", "test": "56070e45dadaa85fff82e0fbfbc06de5"}
OFFICIAL_URL = {
    "train": "https://figshare.com/ndownloader/files/38022171",
    "test": "https://figshare.com/ndownloader/files/38020584",
}
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
Report = Callable[[str, int, int], None]


def fetch(root: Path, report: Report) -> None:
    """Make both splits readable: find them, unpack their archives, or download them from where tonic does.

    Raises :class:`DataError` in one line where the data are missing and cannot be brought, or an archive is damaged.
    """
    for split in SPLITS:
        if find(root, split) is None:
            archive = archive_of(root, split)
            if not archive.exists():
                _download(root, split, report)
            _unpack(archive, split, report)
        checksum(root, split, report)
    report("data found", len(SPLITS), len(SPLITS))


def find(root: Path, split: str) -> Path | None:
    """The folder of ``split``, below ``root`` or unpacked to the cache; None where neither holds a recording."""
    candidates = [root / FOLDER / SPLITS[split]]
    if archive_of(root, split).exists():
        candidates.append(_elsewhere(archive_of(root, split), split))
    return next((folder for folder in candidates if folder.is_dir() and listing(folder)[0]), None)


def archive_of(root: Path, split: str) -> Path:
    """Where the archive of ``split`` lies, if there is one."""
    return root / FOLDER / f"{SPLITS[split]}.tar.gz"


def checksum(root: Path, split: str, report: Report = lambda stage, done, total: None) -> str | None:
    """The md5 of the archive that lies beside the data; None where there is none or it cannot be read."""
    try:
        return md5(archive_of(root, split), report)
    except OSError:
        return None


def archive_notes(root: Path, split: str) -> list[str]:
    """What the archive's checksum says, where an archive lies beside the data."""
    found = checksum(root, split)
    if found is None or found == OFFICIAL_MD5[split]:
        return []
    name = archive_of(root, split).name
    return [f"{name} is not the official archive (md5 {found}); accuracies may not be DVS128 Gesture's"]


def _elsewhere(archive: Path, split: str) -> Path:
    """Where an archive in a folder that cannot be written is unpacked to; named by what the archive is."""
    state = archive.stat()
    name = hashlib.sha256(f"{archive.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
    return cache_folder() / "unpacked" / name / SPLITS[split]


def _unpack(archive: Path, split: str, report: Report) -> None:
    """Beside the archive, or in the cache where its folder cannot be written."""
    beside, cached = archive.with_name(SPLITS[split]), _elsewhere(archive, split)
    for place in [cached] if sealed(archive.parent) else [beside, cached]:
        try:
            unpack(archive, place, report)
            return
        except OSError as error:
            if error.filename is not None and Path(error.filename) == archive:
                raise DataError(f"{archive}: cannot be read: {reason(error)}") from None
            if error.errno not in _REFUSED or place == cached:
                advice = "; name a folder with HARNESS_CACHE" if place == cached else ""
                raise DataError(f"{archive}: cannot be unpacked to {place.parent}: {reason(error)}{advice}") from None


def _download(root: Path, split: str, report: Report) -> None:
    archive, url = archive_of(root, split), OFFICIAL_URL[split]
    try:
        if sealed(archive.parent):
            raise PermissionError(f"nobody may write below {root}")
        download(url, archive, OFFICIAL_MD5[split], report)
    except (OSError, ValueError) as error:
        inner = getattr(error, "reason", None)
        cause = " ".join(str(inner if isinstance(inner, OSError) else error).split()) or type(error).__name__
        raise DataError(
            f"DVS128 Gesture {split} data not found: looked for {archive.with_name(SPLITS[split])} and .tar.gz, and it could "
            f"not be downloaded ({cause}); place {archive.name} from {url} there, or name the folder that holds {FOLDER}/ "
            f"with --data DIR, or use the generated twin dvsgesture-synthetic"
        ) from None
