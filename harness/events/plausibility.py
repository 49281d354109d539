"""Whether a split's times can be microseconds from each recording's start, judged by what its encoding keeps of them.

Integers say no unit. Milliseconds read as microseconds fit into one bin, nanoseconds lie after the crop, and times of one
clock for all recordings, or of day, begin long after 0: each leaves its mark on the split as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..source import Bulk

if TYPE_CHECKING:
    from ..components import Encoding

Ints = npt.NDArray[np.int64]
# A wrong unit is wrong by a factor of 1,000; a crop, or the room it leaves, seldom by 50.
_LOST = 0.9  # of the events
_UNUSED = 50  # times as long as the median recording is the window
_BINS = 5  # a window of fewer is too coarse to tell
_LONG = 600 * 10**6  # µs; a single recording of ten minutes is no sample for a network
_STEPS = 50_000
_ADVICE = "times must be in µs and count from each recording's start"


class Plausibility:
    """First and last times of a split's recordings, taken in chunk by chunk.

    Args:
        split: what warnings begin with.
        encoding: what the recordings are encoded by.
    """

    def __init__(self, split: str, encoding: Encoding) -> None:
        self._split, self._encoding = split, encoding
        self._firsts: list[Ints] = []
        self._ends: list[Ints] = []
        self._empty = self._unsorted = 0

    def add(self, bulk: Bulk) -> None:
        """Take in recordings whose times are int64."""
        begins, stops = bulk.offsets[:-1].astype(np.int64), bulk.offsets[1:].astype(np.int64)
        there = stops > begins
        self._empty += int(np.count_nonzero(~there))
        begins, stops = begins[there], stops[there]
        if not len(begins):
            return
        falling = bulk.t[1:] < bulk.t[:-1]
        falling[stops[:-1] - 1] = False
        if falling.any():
            self._unsorted += len(np.unique(np.searchsorted(stops, np.flatnonzero(falling), side="right")))
            pairs = [bulk.t[begin:stop] for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True)]
            first, last = (np.array([pick(own) for own in pairs]) for pick in (np.min, np.max))
        else:
            first, last = bulk.t[begins], bulk.t[stops - 1]
        self._firsts.append(first)
        # The latest time there is has no successor.
        self._ends.append(np.minimum(last, np.iinfo(np.int64).max - 1) + 1)

    def refusal(self, events: int, kept: int) -> str | None:
        """Return why nothing can be learned from the split, as one line; None if any of its events is kept.

        Args:
            events: how many the recordings hold.
            kept: how many of these lie in frames.
        """
        if kept:
            return None
        if not events:
            return f"none of its {self._recordings:,} recordings holds an event"
        lost = (
            f"after encoding.crop = {self._encoding.crop:g} ms"
            if self._encoding.crop is not None
            else "outside the frames"
        )
        return f"all of its {events:,} events lie {lost} ({self._described()}); {_ADVICE}"

    def too_short(self) -> str:
        """How long recordings are, and what their times must be, for a split whose recordings are no slice long."""
        return f"{self._described()}; {_ADVICE}" if self._firsts else "no recording holds an event"

    def warnings(self, events: int, cropped: int) -> list[str]:
        """Return sentences on what makes figures of the split doubtful: :meth:`doubt`, and an order that is not that of time.

        Args:
            events: how many the recordings hold.
            cropped: how many of these lie after the crop.
        """
        doubt = self.doubt(events, cropped)
        found = [] if doubt is None else [f"{self._split}: {doubt}"]
        if self._unsorted:
            found.append(
                f"{self._split}: the events of {self._unsorted:,} recordings are not in order of time; they are counted all "
                "the same"
            )
        return found

    def doubt(self, events: int, cropped: int) -> str | None:
        """Return why the times can hardly be microseconds from each recording's start, None if they can.

        Args:
            events: how many the recordings hold.
            cropped: how many of these lie after the crop.
        """
        if not self._firsts:
            return None
        if cropped > _LOST * events:
            found: str | None = (
                f"{int(1000 * cropped / events) / 10:g} % of its events lie after encoding.crop = {self._encoding.crop:g} ms"
            )
        else:
            found = self._unlikely()
        return None if found is None else f"{found} ({self._described()}); {_ADVICE}"

    def _unlikely(self) -> str | None:
        """What of the durations does not suit the encoding."""
        encoding, first, end = self._encoding, *self._medians()
        bin_width = encoding.microseconds(encoding.dt)
        window = None if encoding.steps is None else encoding.steps * bin_width
        if end <= bin_width and (encoding.steps is None or encoding.steps >= _BINS):
            return f"half of its recordings lie within one bin of {encoding.dt:g} ms"
        if window is not None and end * _UNUSED < window:
            return f"half of its recordings fill less than 1/{_UNUSED} of a window of {_words(window)}"
        if first > end - first and (window is None or first > window / 2):
            return "half of its recordings begin later than they last"
        if end > _LONG or (window is None and end > _STEPS * bin_width):
            return "half of its recordings are too long for one sample"
        return None

    @property
    def _recordings(self) -> int:
        return self._empty + sum(map(len, self._firsts))

    def _medians(self) -> tuple[float, float]:
        return float(np.median(np.concatenate(self._firsts))), float(np.median(np.concatenate(self._ends)))

    def _described(self) -> str:
        first, end = self._medians()
        return f"at the median a recording's first event is at {_words(first)}, its last at {_words(end - 1)}"


def _words(us: float) -> str:
    """``850 µs``, ``7.2 ms`` or ``1.7e+09 s``."""
    if us < 1000:
        return f"{us:.4g} µs"
    return f"{us / 1000:.4g} ms" if us < 10**6 else f"{us / 10**6:.4g} s"
