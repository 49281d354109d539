"""An archive over the network: whole and with the right checksum, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import secrets
import urllib.request
from collections.abc import Callable
from pathlib import Path

_BLOCK = 1 << 20
# Seconds without a byte after which a connection is given up.
_PATIENCE = 60


def download(url: str, target: Path, md5: str, report: Callable[[str, int, int], None]) -> None:
    """Fetch ``url`` to ``target``; ``report`` counts megabytes.

    Raises ``OSError`` where it cannot be reached or written, ``ValueError`` where what came is not what was asked for.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    stage = f"downloading {target.name} (MB)"
    state = hashlib.md5(usedforsecurity=False)
    report(stage, 0, 1)
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "snn-harness"})
        with urllib.request.urlopen(request, timeout=_PATIENCE) as response, temporary.open("wb") as out:
            total, done = int(response.headers.get("Content-Length") or 0), 0
            while block := response.read(_BLOCK):
                out.write(block)
                state.update(block)
                done += len(block)
                report(stage, done // _BLOCK, max(total, done) // _BLOCK)
        if done < total:
            raise ValueError(f"the connection ended after {done} of {total} bytes")
        if state.hexdigest() != md5:
            raise ValueError(f"{url} sent something else: md5 {state.hexdigest()}, not {md5}")
        temporary.replace(target)
    except http.client.HTTPException as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    finally:
        temporary.unlink(missing_ok=True)
