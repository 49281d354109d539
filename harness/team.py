"""Run a kernel's tasks on as many threads as torch is pinned to."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

Work = Callable[[int, int], object]

_Region = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@cache
def _team() -> Any:
    """OpenMP's entry to a parallel region in the library that torch itself runs on, or None where it has none of that name.

    torch's own threads go on spinning for a while after each of its regions; other threads would share cores with them, which
    costs about half of what a second thread gains.
    """
    try:
        entry = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
    entry.argtypes = (_Region, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    entry.restype = None
    return entry


def run(work: Work, tasks: int, threads: int) -> None:
    """Call ``work(first, last)`` for parts that cover range(tasks), at most ``threads`` at once; the first error is raised here."""
    parts = max(1, min(threads, tasks))
    if parts == 1:
        work(0, tasks)
        return
    edges = [tasks * part // parts for part in range(parts + 1)]
    left = list(itertools.pairwise(edges))
    errors: list[BaseException] = []

    def some(_: object = None) -> None:
        # However many threads come, every part is done: a region may get fewer than it asked for.
        while left:
            try:
                first, last = left.pop()
            except IndexError:
                return
            try:
                work(first, last)
            except BaseException as error:  # an error must not leave through foreign frames
                errors.append(error)

    team = _team()
    if team is not None:
        team(_Region(some), None, parts, 0)
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(lambda _: some(), range(parts)))
    if errors:
        raise errors[0]
