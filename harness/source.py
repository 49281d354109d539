"""What a dataset's source offers: the contract between dataset plugins and the preparation of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Bulk:
    """The events of several recordings, end to end: recording k holds ``[offsets[k], offsets[k + 1])``.

    ``t`` is microseconds from the recording's time 0, int64 (other integers, whole floats and ``timedelta64`` are converted);
    ``x``, and ``y``, ``p`` if the sensor has them, are integers from 0.
    """

    t: npt.NDArray[np.int64]
    x: npt.NDArray[np.integer[Any]]
    offsets: npt.NDArray[np.int64]
    y: npt.NDArray[np.integer[Any]] | None = None
    p: npt.NDArray[np.integer[Any]] | None = None


class Source(Protocol):
    """A sequence of ``(events, label)``: a structured array with fields t (whole µs, or ``timedelta64``), x, and y, p if the
    sensor has them, in order of time; and the index of a class. What is read is checked (:mod:`harness.events.validation`).

    Optional attributes: ``labels`` (all labels at once), ``groups`` (speaker or subject of each recording),
    ``fingerprint`` (a string that changes when the events do and is equal on every machine), ``modified`` (a string that
    changes when files are written again, such as sizes and times of change: frames are then encoded anew here, and trials
    run again only if the frames differ), ``notes`` (sentences for the record, such as an unofficial checksum),
    ``bulk(start, stop) -> Bulk`` (a faster reader of the same events).
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], int]: ...


class BulkSource(Source, Protocol):
    """A source with every optional attribute."""

    labels: Sequence[int]
    groups: Sequence[Any]
    fingerprint: str
    notes: Sequence[str]

    def bulk(self, start: int, stop: int) -> Bulk: ...
