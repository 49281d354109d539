"""The recordings of a split as events, for metrics that change events and encode them again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .encode import encode_bulk
from .frames import Frames
from .validation import CheckedSource, open_source

if TYPE_CHECKING:
    from ..components import Choice, Dataset, Encoding
    from ..source import Bulk


class SplitEvents:
    """Satisfies :class:`harness.observation.Recordings`; the source is opened when it is first read."""

    def __init__(self, dataset: Dataset, choice: Choice, encoding: Encoding, data: Path, split: str) -> None:
        self.sensor_size = dataset.sensor_size
        self._dataset, self._choice, self._data, self._split = dataset, choice, data, split
        self._encoding = encoding

    @cached_property
    def _source(self) -> CheckedSource:
        return open_source(self._dataset, self._data, self._split, self._choice.values)

    def read(self, recordings: Sequence[int]) -> Bulk:
        """The events of these recordings, end to end; raises :class:`DataError` where they cannot be read."""
        if not len(recordings):
            raise ValueError("no recordings to read")
        first, last = int(recordings[0]), int(recordings[-1])
        return self._source.read(recordings, bulk=list(recordings) == list(range(first, last + 1)))

    def encode(self, bulk: Bulk, recordings: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> Frames:
        """``bulk`` as frames by the trial's own encoding; one id and one label a recording."""
        encoded = encode_bulk(bulk, self._encoding, self.sensor_size, recordings)
        return Frames(encoded.frames, labels[encoded.recordings], recordings[encoded.recordings], None, encoded.lengths)
