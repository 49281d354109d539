"""A run goes on where what it says cannot be written: a reader that left, or a log on a full disk, costs no trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .options import Listener


class Heard:
    """Hands on what a run says to ``listener`` until the system refuses to write it, and is silent from there."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._silent = False

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._listener, name)

        def say(*arguments: Any) -> None:
            if self._silent:
                return
            try:
                method(*arguments)
            except OSError:
                self._silent = True

        return say
