"""JSON lines from children to the run, each written in one piece."""

from __future__ import annotations

import json
import os
import select
from typing import Any

# POSIX promises that a write of at most PIPE_BUF bytes to a pipe is never mixed with another's.
LONGEST = getattr(select, "PIPE_BUF", 512)


class Sender:
    """Writes messages about tasks to a pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __call__(self, task: str | None, event: str, **content: Any) -> None:
        """Send one message; texts are cut until it fits. A run that is gone is no error here."""
        message = {"task": task, "event": event, **content}
        line = _encode(message)
        for limit in (1000, 200, 40):
            if len(line) <= LONGEST:
                break
            line = _encode(_shortened(message, limit))
        if len(line) > LONGEST:
            line = _encode({"task": task, "event": event})
        try:
            os.write(self.descriptor, line)
        except BrokenPipeError:
            return


def _encode(message: dict[str, Any]) -> bytes:
    return (json.dumps(message) + "\n").encode()


def _shortened(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return value[:limit] + "…"
    if isinstance(value, dict):
        return {key: _shortened(item, limit) for key, item in value.items()}
    return value
