"""Spoken-digit-like recordings: per class a few formants that glide over the channels, per speaker a voice.

Class k of the first ten and class k of the last ten have the same formants, run forwards and backwards: their spike
counts alone cannot tell them apart, their order in time can.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import Bulk

EVENT = np.dtype([("t", np.int64), ("x", np.int64), ("p", np.int64)])
CHANNELS = 700
CLASSES = 20
SPEAKERS = 12
UNSEEN = ("4", "5")  # as in SHD, these two speak in the test set alone
_SPLIT = {"train": 0, "test": 1}
_TRACKS, _KNOTS = 3, 4


@dataclass(frozen=True)
class _Voice:
    """How a speaker differs: shift in channels, stretch in time, loudness, and how wide each formant is."""

    shift: float
    tempo: float
    loudness: float
    width: float


class Recordings:
    """One split; satisfies :class:`harness.source.BulkSource`. Any recording can be made alone, in any order."""

    notes = ("shd-synthetic is generated; its accuracies say nothing about SHD",)
    synthetic = True

    def __init__(self, split: str, count: int, seed: int, noise: float) -> None:
        self.split, self._count, self._seed, self._noise = split, count, seed, noise
        self.labels = [index % CLASSES for index in range(count)]
        self.groups = [self._speaker(index) for index in range(count)]
        shapes = np.random.default_rng([seed, 101])
        # Knots in channels and strengths, per pair of classes and formant.
        bands = np.array([0.2, 0.48, 0.76]) * CHANNELS
        self._knots = bands[:, None] + shapes.normal(0, 55, (CLASSES // 2, _TRACKS, _KNOTS))
        self._strength = shapes.dirichlet(np.full(_TRACKS, 4.0), CLASSES // 2)
        self._length = shapes.uniform(0.38, 0.62, CLASSES // 2)
        voices = np.random.default_rng([seed, 102])
        self._voices = {
            str(speaker): _Voice(
                shift=float(voices.normal(0, 38)),
                tempo=float(np.exp(voices.normal(0, 0.2))),
                loudness=float(np.exp(voices.normal(0, 0.2))),
                width=float(voices.uniform(14, 30)),
            )
            for speaker in range(SPEAKERS)
        }

    def _speaker(self, index: int) -> str:
        known = [str(speaker) for speaker in range(SPEAKERS) if str(speaker) not in UNSEEN]
        turn = index // CLASSES + index % CLASSES
        return UNSEEN[turn % 2] if self.split == "test" else known[turn % len(known)]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], int]:
        if not 0 <= index < self._count:
            raise IndexError(index)
        t, x = self._generate(index)
        events = np.empty(len(t), dtype=EVENT)
        events["t"], events["x"], events["p"] = t, x, 1
        return events, self.labels[index]

    def bulk(self, start: int, stop: int) -> Bulk:
        """Recordings ``start`` to ``stop`` at once."""
        parts = [self._generate(index) for index in range(start, stop)]
        return Bulk(
            t=np.concatenate([t for t, _ in parts]),
            x=np.concatenate([x for _, x in parts]),
            offsets=np.cumsum([0, *(len(t) for t, _ in parts)]).astype(np.int64),
        )

    @property
    def fingerprint(self) -> str:
        """Names the parameters and this file, which together decide every event."""
        code = Path(__file__).read_bytes()
        given = f"{self.split} {self._count} {self._seed} {self._noise!r}".encode()
        return hashlib.sha256(given + b"\0" + code).hexdigest()[:20]

    def _generate(self, index: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Times in µs, sorted, and channels."""
        random = np.random.default_rng([self._seed, 103, _SPLIT[self.split], index])
        pair, backwards = self.labels[index] % (CLASSES // 2), self.labels[index] >= CLASSES // 2
        voice = self._voices[self.groups[index]]
        length = float(np.clip(self._length[pair] * voice.tempo * np.exp(random.normal(0, 0.12)), 0.3, 1.3))
        onset = random.uniform(0.0, 0.12)
        count = int(random.poisson(14_000 * length * voice.loudness))
        stray = int(count * self._noise)
        spoken = max(count - stray, 1)
        track = random.choice(_TRACKS, spoken, p=self._strength[pair])
        phase = random.beta(1.3, 1.3, spoken)
        position = (1 - phase if backwards else phase) * (_KNOTS - 1)
        left = np.minimum(position.astype(np.int64), _KNOTS - 2)
        knots = self._knots[pair] + random.normal(0, 34, (_TRACKS, _KNOTS))
        begin, end = knots[track, left], knots[track, left + 1]
        channel = begin + (end - begin) * (position - left) + voice.shift
        channel += random.normal(0, voice.width, spoken)
        t = onset + phase * length
        t = np.concatenate([t, random.uniform(0, onset + length, stray)])
        x = np.concatenate([np.rint(channel), random.integers(0, CHANNELS, stray)]).astype(np.int64)
        inside = (x >= 0) & (x < CHANNELS)
        microseconds = (t[inside] * 1e6).astype(np.int64)
        order = np.argsort(microseconds, kind="stable")
        return microseconds[order], x[inside][order]


def source(root: Path, split: str, train: int, test: int, seed: int, noise: float) -> Recordings:
    """The recordings of ``split``; ``root`` is not used, nothing is read."""
    return Recordings(split, train if split == "train" else test, seed, noise)
