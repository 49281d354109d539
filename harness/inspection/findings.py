"""What an inspection found: plain arrays and numbers, for tables, figures and JSON alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..components import Encoding
    from ..source import Bulk

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TimeHistogram:
    """Events by time from the recording's time 0: bin k of ``counts`` (bins,) holds k·``bin_us`` <= t < (k + 1)·``bin_us``.

    ``percentile_ms`` is the end of the bin in which ``percentile`` per cent of all events are reached, so exact to
    ``bin_us``; ``t_max_ms`` is the time of the last event, exact. Both are None where there are no events.
    """

    counts: Ints
    bin_us: int
    percentile: float
    percentile_ms: float | None
    t_max_ms: float | None


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Events that the encoding leaves out, by reason, and of how many; ``incomplete_slices`` are recordings that lost an end."""

    events: int
    cropped: int
    incomplete: int
    incomplete_slices: int

    @property
    def kept(self) -> int:
        """Events that are in frames."""
        return self.events - self.cropped - self.incomplete

    def share(self, count: int) -> float:
        """``count`` of all events, 0 to 1."""
        return count / self.events if self.events else 0.0


@dataclass(frozen=True, kw_only=True)
class FrameCounts:
    """What lies in frames: ``cells`` in all (padding left out), ``occupied`` those that are not 0, ``several`` those above 1.

    ``events`` is the sum of all counts, ``largest`` the greatest; ``bytes`` is what the frames take as one dense array.
    """

    samples: int = 0
    cells: int = 0
    occupied: int = 0
    several: int = 0
    events: int = 0
    largest: int = 0
    bytes: int = 0

    @property
    def density(self) -> float:
        """Share of cells that are not 0."""
        return self.occupied / self.cells if self.cells else 0.0

    @property
    def mean(self) -> float:
        """Mean count in the cells that are not 0."""
        return self.events / self.occupied if self.occupied else 0.0

    @property
    def share_several(self) -> float:
        """Share of the cells that are not 0 with more than one event."""
        return self.several / self.occupied if self.occupied else 0.0

    @property
    def bytes_a_sample(self) -> float:
        """What one sample takes as a dense array."""
        return self.bytes / self.samples if self.samples else 0.0


@dataclass(frozen=True, kw_only=True)
class SplitFindings:
    """One split. Arrays are (recordings,): ``recordings`` are their numbers, ``durations_ms`` reach up to and with the last event.

    ``total`` recordings lie in the split, of which ``len(labels)`` were looked at; ``counts`` are of their events. ``groups``
    (recordings,) are speakers or subjects, None where the dataset names none. ``samples`` is how many the encoding makes,
    ``frames`` what lies in them.
    """

    split: str
    total: int
    recordings: Ints
    labels: Ints
    counts: Ints
    durations_ms: Floats
    groups: npt.NDArray[np.str_] | None
    times: TimeHistogram
    losses: Losses
    samples: int
    frames: FrameCounts = FrameCounts()


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A recording chosen to be drawn: its events (one recording in the ``Bulk``) and its ``frames`` (samples, steps, *shape)."""

    split: str
    recording: int
    label: int
    group: str | None
    events: Bulk
    frames: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What another encoding makes of the same recordings, both splits together.

    ``label`` says what differs from the encoding inspected, such as ``dt=5 ms``; the first compared is that one itself.
    ``shape`` is that of a step; ``steps`` is None where recordings keep their own length. ``density`` is the share of cells
    that are not 0, ``mean`` and ``largest`` the counts in those, ``share_several`` the share of those with more than one event.
    ``bytes_a_sample`` is what dense frames take. ``frames`` are those of the first recording shown.
    """

    label: str
    encoding: Encoding
    shape: tuple[int, ...]
    steps: int | None
    samples: int
    losses: Losses
    density: float
    share_several: float
    mean: float
    largest: int
    bytes_a_sample: float
    frames: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Everything that ``harness inspect`` shows of ``dataset``.

    ``sensor_size`` is (width, height, polarities); ``parameters`` are the dataset's own values; ``limit`` says how many
    recordings a split were asked for. ``compared`` is empty unless encodings were to be compared.
    """

    dataset: str
    synthetic: bool
    parameters: Mapping[str, object]
    sensor_size: tuple[int, int, int]
    classes: tuple[str, ...]
    encoding: Encoding
    limit: int | None
    splits: Mapping[str, SplitFindings]
    shown: tuple[Shown, ...]
    compared: tuple[Compared, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def vision(self) -> bool:
        """Whether events have a place in an image."""
        return self.sensor_size[1] > 1

    @property
    def shared_groups(self) -> tuple[str, ...]:
        """Speakers or subjects that are in more than one split."""
        named = [set(map(str, found.groups)) for found in self.splits.values() if found.groups is not None]
        return tuple(sorted(set.intersection(*named))) if len(named) > 1 else ()
