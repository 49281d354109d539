"""Compiled passes between counts and their packed form (see :mod:`harness.events.packed`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it comes with numba, without types
from numba import njit, types
from numba.extending import intrinsic

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
_ONE = np.uint64(1)
_COUNTS = (types.uint8, types.uint16, types.uint32)
_WORD = types.Array(types.uint64, 1, "C", readonly=True)  # mapped from disk
_BYTE = types.Array(types.uint8, 1, "C", readonly=True)


@intrinsic
def _lowest_bit(context, word):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The place of the lowest bit that is set; ``word`` must not be 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@njit(
    [types.int64(types.Array(kind, 1, "C", readonly=True), types.uint8[::1]) for kind in _COUNTS],
    **_OPTIONS,
)
def pack(counts, room):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the packed form of one sample's counts into ``room``, which must suffice; how many bytes it takes."""
    size = len(counts)
    words = (size + 63) // 64
    room[:8].view(np.uint64)[0] = words
    mask = room[8 : 8 + 8 * words].view(np.uint64)
    at = 8 + 8 * words
    for word in range(words):
        bits = np.uint64(0)
        for bit in range(min(64, size - 64 * word)):
            count = np.uint32(counts[64 * word + bit])
            if count:
                bits |= _ONE << np.uint64(bit)
                if count < np.uint32(255):
                    room[at] = count
                    at += 1
                else:
                    room[at] = 255
                    for byte in range(4):
                        room[at + 1 + byte] = (count >> np.uint32(8 * byte)) & np.uint32(255)
                    at += 5
        mask[word] = bits
    while at % 8:
        room[at] = 0
        at += 1
    return at


@njit(
    [types.int64(_WORD, _BYTE, types.int64[::1], types.int64[::1], kind[:, ::1]) for kind in (*_COUNTS, types.float32)],
    **_OPTIONS,
)
def unpack(words, stored, starts, samples, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Counts of ``samples`` into the rows of ``out``; the first row that is no packed sample, or -1.

    ``words`` and ``stored`` are one memory, by eight bytes and by one. Whatever they hold, nothing outside them is read.
    """
    for row in range(len(samples)):
        begin, end = starts[samples[row]], starts[samples[row] + 1]
        if end - begin < 8:
            return row
        length = words[begin // 8]
        if length > np.uint64((end - begin) // 8 - 1):
            return row
        counts = out[row]
        counts[:] = 0
        size = np.uint64(len(counts))
        first = np.uint64(begin // 8 + 1)
        at, stop = np.uint64(begin) + np.uint64(8) * (length + _ONE), np.uint64(end)
        for word in range(length):
            bits = words[first + word]
            while bits:
                place = word * np.uint64(64) + _lowest_bit(bits)  # type: ignore[call-arg]  # numba gives the context
                bits &= bits - _ONE
                if at >= stop or place >= size:
                    return row
                count = np.uint32(stored[at])
                at += _ONE
                if count == np.uint32(255):
                    if at + np.uint64(4) > stop:
                        return row
                    count = np.uint32(0)
                    for byte in range(np.uint64(4)):
                        count |= np.uint32(stored[at + byte]) << np.uint32(np.uint64(8) * byte)
                    at += np.uint64(4)
                counts[place] = count
    return -1
