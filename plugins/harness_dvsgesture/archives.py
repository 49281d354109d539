"""Archives of recordings: unpacked whole or not at all, and checksummed once."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import re
import secrets
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from harness.errors import DataError
from harness.places import cache_folder, kept_if_used
from harness.reading import open_regular

from .layout import listing, parse

_BLOCK = 1 << 20
# Recordings are packed at a ratio below 10; the official archives hold 1,341 of them, each far below a gigabyte.
_HIGHEST_RATIO = 100
_UNCHECKED = 64 << 20
_MOST_BYTES = 256 << 30
_LARGEST_MEMBER = 2 << 30
_MOST_MEMBERS = 100_000
Report = Callable[[str, int, int], None]


def unpack(archive: Path, target: Path, report: Report) -> None:
    """The recordings in ``archive``, to ``target``, a split's folder; of two processes one unpacks and the other waits.

    Only regular files that are named as recordings leave the archive, under those names and no other path of its choosing.
    Raises :class:`DataError` for an archive that is damaged or holds none, ``OSError`` where ``target`` cannot be written.
    """
    with kept_if_used(target.parent):
        _unpack(archive, target, report)


def _unpack(archive: Path, target: Path, report: Report) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open_regular(archive) as packed:
            if locked(packed, f"waiting for another process that unpacks {archive.name}", report):
                if _holds_recordings(target):
                    return
                for stale in target.parent.glob(f".{target.name}.*.tmp"):  # of a process that was killed
                    shutil.rmtree(stale, ignore_errors=True)
            temporary.mkdir()
            if not _extract(packed, archive, temporary, target.name, report):
                raise DataError(
                    f"{archive}: holds no {target.name}/userNN_LIGHT/LABEL.npy; replace it by the official archive"
                )
            _place(temporary, target)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        cause = " ".join(str(error).split())
        raise DataError(f"{archive}: damaged ({cause}); remove it and fetch it again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(packed: BinaryIO, archive: Path, folder: Path, split: str, report: Report) -> int:
    """Write the recordings of ``split`` below ``folder``; returns how many there are."""
    total, count = max(archive.stat().st_size // _BLOCK, 1), 0
    with gzip.open(packed) as unbounded:
        plain = _Bounded(unbounded, packed, archive)
        with tarfile.open(fileobj=plain, mode="r|") as tar:
            for number, member in enumerate(tar):
                if number == _MOST_MEMBERS or member.size > _LARGEST_MEMBER:
                    raise DataError(
                        f"{archive}: holds more, or larger files, than recordings; replace it by the official archive"
                    )
                parts = PurePosixPath(member.name).parts
                named = parse(*parts[-2:]) if parts[-3:-2] == (split,) else None
                content = tar.extractfile(member) if named is not None and member.isreg() else None
                if named is None or content is None:
                    continue
                place = folder / named.place
                place.parent.mkdir(exist_ok=True)
                with place.open("wb") as out:
                    shutil.copyfileobj(content, out, _BLOCK)
                if place.stat().st_size != member.size:
                    raise EOFError(f"{named.place} ends early")
                count += 1
                report(f"unpacking {archive.name} (MB)", packed.tell() // _BLOCK, total)
        # What follows the last file holds gzip's own checksum.
        while plain.read(_BLOCK):
            pass
    return count


class _Bounded:
    """What gzip unpacks, until it is far more than packed recordings can be."""

    def __init__(self, plain: gzip.GzipFile, packed: BinaryIO, archive: Path) -> None:
        self._plain, self._packed, self._archive = plain, packed, archive
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        content = self._plain.read(size)
        self._given += len(content)
        if self._given > _UNCHECKED + _HIGHEST_RATIO * self._packed.tell() or self._given > _MOST_BYTES:
            raise DataError(
                f"{self._archive}: unpacks to far more than recordings do ({self._given >> 20:,} MB and on); replace it by the "
                "official archive"
            )
        return content


def locked(file: BinaryIO, waiting: str, report: Report) -> bool:
    """Lock an open file until it is closed, waiting for who holds it; False where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report(waiting, 0, 1)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _place(temporary: Path, target: Path) -> None:
    try:
        temporary.rename(target)
    except OSError:
        if not target.is_dir() or not any(target.iterdir()):
            raise
        if not _holds_recordings(target):
            raise DataError(f"{target}: holds no recordings and is not empty; move it away") from None
        # Another process has put it there meanwhile.


def _holds_recordings(folder: Path) -> bool:
    return folder.is_dir() and bool(listing(folder)[0])


def md5(archive: Path, report: Report = lambda stage, done, total: None) -> str:
    """The archive's checksum, computed once and remembered in the cache: reading gigabytes takes seconds."""
    state = archive.stat()
    name = hashlib.sha256(f"{archive.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
    memory = cache_folder() / "checksums" / name
    with contextlib.suppress(OSError, ValueError):
        remembered = memory.read_text(encoding="ascii")
        if re.fullmatch(r"[0-9a-f]{32}", remembered):
            return remembered
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    with open_regular(archive) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            report(f"checking {archive.name} (MB)", done // _BLOCK, max(state.st_size // _BLOCK, 1))
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary = memory.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
        temporary.write_text(digest.hexdigest(), encoding="ascii")
        temporary.replace(memory)
    return digest.hexdigest()
