"""What tonic's files of DVS128 Gesture are called: ``DVSGesture/ibmGestureTrain/user01_fluorescent/0.npy``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import DataError

FOLDER = "DVSGesture"
SPLITS = {"train": "ibmGestureTrain", "test": "ibmGestureTest"}
# Generated recordings in this layout say what they are in a file of this name.
SYNTHETIC = "SYNTHETIC"
_SESSION = re.compile(r"user(\d{1,4})_([^/\0]{1,100})\Z")
_LABEL = re.compile(r"(\d{1,3})\.npy\Z")


@dataclass(frozen=True)
class Named:
    """One recording's file below its split, and what its name says."""

    place: PurePosixPath
    subject: str
    label: int


def parse(session: str, file: str) -> Named | None:
    """``user01_fluorescent`` and ``0.npy`` to subject ``user01`` and label 0; None where these are no such names."""
    folder, name = _SESSION.match(session), _LABEL.match(file)
    if folder is None or name is None:
        return None
    return Named(PurePosixPath(session, file), f"user{int(folder[1]):02d}", int(name[1]))


def listing(folder: Path) -> tuple[list[Named], list[str]]:
    """Recordings below a split's folder by path, the same order on every file system, and other ``.npy`` files there.

    Raises :class:`DataError` for a folder that cannot be read.
    """
    found: list[Named] = []
    others: list[str] = []
    try:
        for session in folder.iterdir():
            names = (
                [session.name]
                if not session.is_dir()
                else [f"{session.name}/{file.name}" for file in session.iterdir()]
            )
            for name in (name for name in names if name.endswith(".npy")):
                parts = PurePosixPath(name).parts
                named = parse(*parts) if len(parts) == 2 else None
                if named is None:
                    others.append(name)
                else:
                    found.append(named)
    except OSError as error:
        raise DataError(f"{error.filename or folder}: cannot be read: {error.strerror or error}") from None
    return sorted(found, key=lambda item: (item.place.parent, item.label, item.place)), sorted(others)
