"""An archive over the network: whole and with the right checksum, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from harness.places import kept_if_used

from .archives import locked

_BLOCK = 1 << 20
# Seconds without a byte after which a connection is given up.
_PATIENCE = 60


def download(url: str, target: Path, md5: str, report: Callable[[str, int, int], None]) -> None:
    """Fetch ``url`` to ``target``; ``report`` counts megabytes. Of two processes one does and the other waits for it.

    Raises ``OSError`` where it cannot be reached or written, ``ValueError`` where what came is not what was asked for.
    Folders are made once something comes, and stay only if it was that.
    """
    if not target.parent.is_dir():
        with _opened(url) as response:
            response.read(1)
    with kept_if_used(target.parent):
        _download(url, target, md5, report)


def _download(url: str, target: Path, md5: str, report: Callable[[str, int, int], None]) -> None:
    temporary = target.with_name(f".{target.name}.part")
    # Not emptied before it is locked: another process may be writing it.
    with temporary.open("ab") as out:
        locked(out, f"waiting for another process that downloads {target.name}", report)
        if target.exists():
            temporary.unlink(missing_ok=True)
            return
        if not _named(
            temporary, out
        ):  # the process that was waited for has failed and taken the name away, perhaps with the folder
            download(url, target, md5, report)
            return
        out.truncate(0)  # what a process that was killed has left
        try:
            found = _receive(url, out, f"downloading {target.name} (MB)", report)
            if found != md5:
                raise ValueError(f"{url} sent something else: md5 {found}, not {md5}")
            temporary.replace(target)
        except http.client.HTTPException as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        finally:
            temporary.unlink(missing_ok=True)


def _named(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _opened(url: str) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "snn-harness"})
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_PATIENCE)
    return response


def _receive(url: str, out: BinaryIO, stage: str, report: Callable[[str, int, int], None]) -> str:
    """Write what ``url`` sends; returns its md5."""
    state = hashlib.md5(usedforsecurity=False)
    report(stage, 0, 1)
    with _opened(url) as response:
        total, done = int(response.headers.get("Content-Length") or 0), 0
        while block := response.read(_BLOCK):
            out.write(block)
            state.update(block)
            done += len(block)
            report(stage, done // _BLOCK, max(total, done, _BLOCK) // _BLOCK)
    if done < total:
        raise ValueError(f"the connection ended after {done} of {total} bytes")
    out.flush()
    return state.hexdigest()
