"""Gestures as an event camera sees them: a subject's arms, drawn and moved, before a simulated sensor."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness import Bulk

from .body import scene
from .motions import MOTIONS, Draw
from .sensor import SIDE, STEP, Pixels, stray, unpack, watch
from .subjects import LIGHTINGS, SUBJECTS, Lighting, subjects

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("p", np.bool_), ("t", np.int64)])  # tonic's own
CLASSES = len(MOTIONS)
_SPLIT = {"train": 0, "test": 1}
_MODULES = ("gestures", "body", "motions", "sensor", "subjects")
Recorded = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


class Recordings:
    """One split; satisfies :class:`harness.source.BulkSource`. Any recording can be made alone, in any order.

    Every eleven recordings are one session: a subject under a lighting performs each class once. A recording lasts
    ``duration`` ms and up to a tenth longer.
    """

    notes = ("dvsgesture-synthetic is generated; its accuracies say nothing about DVS128 Gesture",)
    synthetic = True

    def __init__(self, split: str, count: int, seed: int, duration: float, noise: float) -> None:
        self.split, self._count, self._seed = split, count, seed
        self._duration, self._noise = duration, noise
        self.labels = [index % CLASSES for index in range(count)]
        sessions = [session(split, index // CLASSES) for index in range(count)]
        self.groups = [f"user{number:02d}" for number, _ in sessions]
        self.lightings = [lighting.name for _, lighting in sessions]
        self._sessions, self._subjects = sessions, subjects(seed)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], int]:
        if not 0 <= index < self._count:
            raise IndexError(index)
        t, x, y, p = self._record(index)
        events = np.empty(len(t), dtype=EVENT)
        events["t"], events["x"], events["y"], events["p"] = t, x, y, p
        return events, self.labels[index]

    def bulk(self, start: int, stop: int) -> Bulk:
        """Recordings ``start`` to ``stop`` at once."""
        parts = [self._record(index) for index in range(start, stop)]
        t, x, y, p = (np.concatenate(field) for field in zip(*parts, strict=True))
        return Bulk(t=t, x=x, y=y, p=p, offsets=np.cumsum([0, *(len(part[0]) for part in parts)]).astype(np.int64))

    @property
    def fingerprint(self) -> str:
        """Names the parameters and the code, which together decide every event."""
        given = f"{self.split} {self._count} {self._seed} {self._duration!r} {self._noise!r}".encode()
        return hashlib.sha256(given + b"\0" + _code()).hexdigest()[:20]

    def _record(self, index: int) -> Recorded:
        """Times in µs, sorted, and x, y, p."""
        number, lighting = self._sessions[index]
        subject, label = self._subjects[number], self.labels[index]
        random = np.random.default_rng([self._seed, 203, _SPLIT[self.split], index])
        duration = int(1000 * self._duration * random.uniform(1.01, 1.1))
        seconds = np.arange(0, duration + STEP, STEP) / 1e6
        motion = MOTIONS[label](Draw(random, seconds, subject.tempo, subject.reach))
        capsules, quick = scene(motion, subject, random, seconds)
        pixels, rates = _sensor(random, lighting)
        seen = watch(capsules, quick, pixels, duration, int(random.uniform(300, 1500)))
        noise = stray(random, self._noise * lighting.noise * rates, duration, lighting.flicker, lighting.depth)
        return unpack(np.concatenate([seen, noise]))


def session(split: str, number: int) -> tuple[int, Lighting]:
    """Subject and lighting of the split's session of that number: every subject once, then all under another lighting.

    Sessions begin anew after as many as there are pairs of the two.
    """
    turn, place = divmod(number, len(SUBJECTS[split]))
    return SUBJECTS[split][place], LIGHTINGS[(place + turn) % len(LIGHTINGS)]


def _sensor(random: np.random.Generator, lighting: Lighting) -> tuple[Pixels, npt.NDArray[np.float64]]:
    """A background, each pixel's thresholds, and its noise in events a second before the lighting's factor."""
    size = (SIDE, SIDE)
    coarse = random.normal(0, 0.12, (9, 9)).repeat(15, 0).repeat(15, 1)[:SIDE, :SIDE]
    mean = 0.07 * lighting.contrast
    on, off = (
        np.clip(mean * (1 + random.normal(0, 0.12, size)), 0.4 * mean, None).astype(np.float32) for _ in range(2)
    )
    rates = np.exp(random.normal(-1.5, 1.2, size))
    return Pixels(coarse.astype(np.float32), on, off), rates


@cache
def _code() -> bytes:
    return b"\0".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in _MODULES)


def source(root: Path, split: str, train: int, test: int, seed: int, duration: float, noise: float) -> Recordings:
    """The recordings of ``split``; ``root`` is not used, nothing is read."""
    return Recordings(split, train if split == "train" else test, seed, duration, noise)
