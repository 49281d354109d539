"""What hands do in each class: paths relative to the shoulder, (outwards, upwards) in arm lengths.

A direction of turning is the direction of time: the counter-clockwise circle of a random draw is its clockwise one run
backwards, so that both pass the same places at the same speeds and only their order differs. Clockwise is meant as the
subject sees it, who faces the camera.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RIGHT, LEFT = 0, 1


@dataclass(frozen=True)
class Motion:
    """``hands`` (2, steps, 2): right and left hand; ``near`` (2, steps): how much larger a hand appears before the camera.

    ``moving`` says which arms do more than hang.
    """

    hands: Floats
    near: Floats
    moving: tuple[bool, bool]


class Draw:
    """One recording's random numbers, clock and subject's style, for a class to make a motion from."""

    def __init__(self, random: np.random.Generator, seconds: Floats, tempo: float, reach: float) -> None:
        self.random, self._seconds = random, seconds
        self._tempo = tempo * float(np.exp(random.normal(0, 0.08)))
        self._reach = reach * float(np.exp(random.normal(0, 0.06)))

    def turns(self, slowest: float, fastest: float) -> Floats:
        """An angle that grows at so many turns a second, a little unevenly, from a random one on."""
        random, t = self.random, self._seconds
        rate = random.uniform(slowest, fastest) * self._tempo
        wobble = random.uniform(0, 0.12) * np.sin(2 * np.pi * (random.uniform(0.2, 0.5) * t + random.random()))
        return 2 * np.pi * np.asarray(rate * t + wobble + random.random(), dtype=np.float64)

    def size(self, mean: float, spread: float = 0.12) -> float:
        """A length of about ``mean``, larger for who gestures widely."""
        return mean * self._reach * float(np.exp(self.random.normal(0, spread)))

    def place(self, out: float, up: float, spread: float = 0.05) -> Floats:
        """A point of about there."""
        return np.array([out, up]) + self.random.normal(0, spread, 2)

    def path(self, at: Floats, out: Floats | float, up: Floats | float) -> Floats:
        """(steps, 2): from ``at``, so far outwards and upwards."""
        steps = len(self._seconds)
        return np.stack([at[0] + np.broadcast_to(out, steps), at[1] + np.broadcast_to(up, steps)], 1)

    def hanging(self) -> Floats:
        """A hand at rest."""
        drift = 0.01 * np.sin(2 * np.pi * (self.random.uniform(0.1, 0.4) * self._seconds + self.random.random()))
        return self.path(self.place(0.12, -0.9, 0.04), drift, 0.5 * drift)

    def one(self, arm: int, path: Floats) -> Motion:
        """A motion of one arm; the other hangs."""
        other = self.hanging()
        hands = np.stack([path, other] if arm == RIGHT else [other, path])
        return Motion(hands, np.ones(hands.shape[:2]), (arm == RIGHT, arm == LEFT))

    def both(self, right: Floats, left: Floats, near: Floats | None = None) -> Motion:
        """A motion of both arms."""
        hands = np.stack([right, left])
        return Motion(hands, np.ones(hands.shape[:2]) if near is None else near, (True, True))


def _clap(draw: Draw) -> Motion:
    phase = draw.turns(1.6, 3.0)
    at, wide = draw.place(-0.3, -0.42), draw.size(0.24)
    apart = wide * (1 - np.cos(phase)) / 2
    rise = draw.random.normal(0, 0.03) * np.cos(phase)
    return draw.both(draw.path(at, apart, rise), draw.path(at + draw.random.normal(0, 0.03, 2), apart, rise))


def _wave(arm: int) -> Callable[[Draw], Motion]:
    def make(draw: Draw) -> Motion:
        phase = draw.turns(1.3, 2.6)
        swing = draw.size(0.55) * np.sin(phase)
        length = draw.size(0.5, 0.06)
        at = draw.place(0.3, -0.1)
        return draw.one(arm, draw.path(at, length * np.sin(swing), length * np.cos(swing)))

    return make


def _circle(arm: int, clockwise: bool) -> Callable[[Draw], Motion]:
    def make(draw: Draw) -> Motion:
        phase = draw.turns(0.75, 1.3)
        radius, at = draw.size(0.82, 0.08), draw.place(0.08, -0.02)
        flat = float(np.exp(draw.random.normal(0, 0.08)))
        # Outwards is to the camera's left for the right arm, so that a growing angle turns clockwise there, and not for who gestures.
        if (arm == RIGHT) == clockwise:
            phase = phase[::-1]
        return draw.one(arm, draw.path(at, radius * flat * np.cos(phase), radius / flat * np.sin(phase)))

    return make


def _roll(draw: Draw) -> Motion:
    phase = draw.turns(1.1, 2.2) * draw.random.choice([-1, 1])
    at, tall, wide = draw.place(-0.3, -0.42), draw.size(0.17), draw.size(0.07)
    return draw.both(
        draw.path(at, wide * np.cos(phase), tall * np.sin(phase)),
        draw.path(at, -wide * np.cos(phase), -tall * np.sin(phase)),
    )


def _drums(draw: Draw) -> Motion:
    phase = draw.turns(1.2, 2.4)
    at, high = draw.place(0.0, -0.45), draw.size(0.24)
    # Fast down, slow up.
    right, left = (np.sin(angle + 0.5 * np.sin(angle)) for angle in (phase, phase + np.pi))
    lean = draw.random.normal(0.02, 0.03)
    return draw.both(draw.path(at, lean * right, high * right), draw.path(at, lean * left, high * left))


def _guitar(draw: Draw) -> Motion:
    strum, fret = draw.turns(1.6, 3.2), draw.turns(0.3, 0.9)
    high = draw.size(0.15)
    return draw.both(
        draw.path(draw.place(-0.12, -0.68), 0.35 * high * np.sin(strum), high * np.sin(strum)),
        draw.path(draw.place(0.55, -0.2), draw.size(0.07) * np.sin(fret), 0.02 * np.sin(2 * fret)),
    )


def _raise(draw: Draw) -> Motion:
    angle = draw.size(1.1) * np.sin(draw.turns(0.5, 0.9)) + draw.random.normal(0, 0.15)
    length = draw.size(0.85, 0.06)
    return draw.both(*(draw.path(draw.place(0.0, 0.0, 0.02), length * np.cos(angle), length * np.sin(angle)),) * 2)


def _eight(draw: Draw) -> Motion:
    phase = draw.turns(0.5, 1.0) * draw.random.choice([-1, 1])
    at = draw.place(0.0, -0.15)
    wide, tall = draw.size(0.45), draw.size(0.22)
    return draw.one(int(draw.random.integers(2)), draw.path(at, wide * np.sin(phase), tall * np.sin(2 * phase)))


def _box(draw: Draw) -> Motion:
    phase = draw.turns(0.9, 1.8)
    out = np.clip(np.sin(np.stack([phase, phase + np.pi])), 0, 1) ** 2
    at, far = draw.place(-0.1, -0.25), draw.size(0.15)
    return draw.both(
        draw.path(at, -far * out[0], far * out[0]), draw.path(at, -far * out[1], far * out[1]), 1 + 0.9 * out
    )


def _swipe(draw: Draw) -> Motion:
    phase = draw.turns(0.5, 1.0)
    at, wide = draw.place(0.1, -0.15), draw.size(0.65)
    slope = draw.random.normal(0, 0.25)
    return draw.one(int(draw.random.integers(2)), draw.path(at, wide * np.sin(phase), slope * wide * np.sin(phase)))


def _swing(draw: Draw) -> Motion:
    angle = draw.random.uniform(-2.0, 2.0) + draw.size(1.3) * np.sin(draw.turns(0.4, 0.8))
    length, at = draw.size(0.8, 0.08), draw.place(0.05, 0.0)
    return draw.one(int(draw.random.integers(2)), draw.path(at, length * np.cos(angle), length * np.sin(angle)))


_OTHERS = (_raise, _eight, _box, _swipe, _swing)


def _other(draw: Draw) -> Motion:
    return _OTHERS[int(draw.random.integers(len(_OTHERS)))](draw)


# In label order.
MOTIONS: tuple[Callable[[Draw], Motion], ...] = (
    _clap,
    _wave(RIGHT),
    _wave(LEFT),
    _circle(RIGHT, True),
    _circle(RIGHT, False),
    _circle(LEFT, True),
    _circle(LEFT, False),
    _roll,
    _drums,
    _guitar,
    _other,
)
