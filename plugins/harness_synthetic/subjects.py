"""Who gestures, and in what light: what all recordings of one subject, or under one lighting, share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# As in DVS128 Gesture: 29 subjects, the last six in the test set alone, and five lightings.
SUBJECTS = {"train": tuple(range(1, 24)), "test": tuple(range(24, 30))}


@dataclass(frozen=True)
class Lighting:
    """Noise in events a second and pixel, the lamps' flicker in Hz, and how far noise follows it.

    ``contrast`` scales thresholds: in dim light a pixel needs more.
    """

    name: str
    noise: float
    flicker: float
    depth: float
    contrast: float


LIGHTINGS = (
    Lighting("fluorescent", 0.9, 120.0, 0.8, 1.0),
    Lighting("fluorescent_led", 0.7, 120.0, 0.4, 0.95),
    Lighting("lab", 1.2, 120.0, 0.6, 1.15),
    Lighting("led", 0.6, 0.0, 0.0, 0.95),
    Lighting("natural", 1.5, 0.0, 0.0, 1.05),
)


@dataclass(frozen=True)
class Subject:
    """Lengths in pixels, tones in log intensity above the background, ``tempo`` and ``reach`` as factors."""

    number: int
    centre: float
    shoulder: float
    width: float
    arm: float
    limb: float
    tempo: float
    reach: float
    elbow: float
    skin: float
    sleeve: float
    shirt: float
    wrinkles: float
    sway: float


def subjects(seed: int) -> dict[int, Subject]:
    """All 29, by number; each is drawn alone, so that none depends on how many there are."""
    return {number: _draw(number, seed) for split in SUBJECTS.values() for number in split}


def _draw(number: int, seed: int) -> Subject:
    random = np.random.default_rng([seed, 201, number])
    size = float(np.exp(random.normal(0, 0.1)))
    dark = random.random() < 0.5
    shirt = float(random.uniform(0.35, 0.9) * (-1 if dark else 1))
    bare = random.random() < 0.4
    skin = float(random.uniform(0.25, 0.7) * random.choice([-1, 1], p=[0.35, 0.65]))
    return Subject(
        number=number,
        centre=float(random.normal(66, 6)),
        shoulder=float(random.normal(62, 5)),
        width=15.0 * size,
        arm=45.0 * size * float(np.exp(random.normal(0, 0.05))),
        limb=4.8 * size * float(np.exp(random.normal(0, 0.12))),
        tempo=float(np.exp(random.normal(0, 0.22))),
        reach=float(np.exp(random.normal(0, 0.1))),
        elbow=float(random.uniform(0.4, 1.0)),
        skin=skin,
        sleeve=skin if bare else shirt * float(random.uniform(0.8, 1.2)),
        shirt=shirt,
        wrinkles=float(random.uniform(0.02, 0.1)),
        sway=float(random.uniform(0.5, 1.6)),
    )
