"""A subject in motion as capsules: torso, shoulders, neck, head, and three for each arm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .motions import Motion
from .sensor import AX, AY, BX, BY, COLUMNS, COUNT, PHASE, RA, RB, SHADE, STRIPE, TONE
from .subjects import Subject

Floats = npt.NDArray[np.float64]
_BODY, _ARM = 4, 3  # capsules: torso, shoulders, neck, head; upper arm, forearm, hand


def scene(
    motion: Motion, subject: Subject, random: np.random.Generator, seconds: Floats
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Capsules over time, (steps, 10, columns of a capsule), and which of them move fast, (10,).

    Arms lie on top of the body and the right one, which faces the image's left, below the left one.
    """
    sway = subject.sway * _sway(random, seconds)
    # The trunk follows the arms a little.
    sway[:, 0] += 0.03 * subject.arm * (motion.hands[1, :, 0] - motion.hands[0, :, 0])
    sway[:, 1] -= 0.02 * subject.arm * motion.hands[:, :, 1].mean(0)
    middle = np.array([subject.centre, subject.shoulder]) + random.normal(0, 1.5, 2) + sway
    capsules = np.zeros((len(seconds), _BODY + 2 * _ARM, COLUMNS))
    _trunk(capsules, middle, subject)
    quick = np.zeros(capsules.shape[1], dtype=np.bool_)
    for arm, side in enumerate((-1.0, 1.0)):
        first = _BODY + arm * _ARM
        shoulder = middle + np.array([side * subject.width, 2.0])
        hand = shoulder + motion.hands[arm] * np.array([side, -1.0]) * subject.arm
        hand, elbow = _reached(shoulder, hand, subject.arm / 2, side, subject.elbow)
        _limb(capsules[:, first : first + _ARM], shoulder, elbow, hand, motion.near[arm], subject)
        quick[first : first + _ARM] = motion.moving[arm]
    capsules[:, :, PHASE] = random.random(capsules.shape[1])
    return capsules.astype(np.float32), quick


def _sway(random: np.random.Generator, seconds: Floats) -> Floats:
    """(steps, 2) of about a pixel."""
    rates = random.uniform(0.15, 1.6, (2, 3, 1))
    strength = random.normal(0, 0.6, (2, 3, 1)) / np.sqrt(rates)
    return np.asarray((strength * np.sin(2 * np.pi * (rates * seconds + random.random((2, 3, 1))))).sum(1).T)


def _trunk(capsules: Floats, middle: Floats, subject: Subject) -> None:
    """Torso, shoulders, neck and head around ``middle`` (steps, 2), the point between the shoulders."""
    width = subject.width
    for place, (begin, end, first, last) in enumerate(
        (
            ((0, 0.7), (0, 5), 0.95, 0.9),
            ((-0.85, 0.15), (0.85, 0.15), 0.3, 0.3),
            ((0, -0.2), (0, -0.7), 0.28, 0.28),
            ((0, -1.25), (0, -1.7), 0.5, 0.6),
        )
    ):
        capsules[:, place, AX : AY + 1] = middle + np.array(begin) * width
        capsules[:, place, BX : BY + 1] = middle + np.array(end) * width
        capsules[:, place, RA], capsules[:, place, RB] = first * width, last * width
        clothed = place < 2
        capsules[:, place, TONE] = subject.shirt if clothed else subject.skin
        capsules[:, place, SHADE] = 0.05 if clothed else 0.2
        capsules[:, place, STRIPE] = subject.wrinkles * (0.5 if clothed else 1.0)
        capsules[:, place, COUNT] = 7 if clothed else 2


def _reached(shoulder: Floats, hand: Floats, bone: float, side: float, bend: float) -> tuple[Floats, Floats]:
    """Hand and elbow, (steps, 2), of two equal bones; a hand out of reach is drawn in.

    The elbow points down and outwards as far as the bones let it, times ``bend``: the rest of its way is towards the camera.
    """
    line = hand - shoulder
    far = np.maximum(np.hypot(line[:, 0], line[:, 1]), 1e-6)
    ahead = line / far[:, None]
    far = np.minimum(far, 2 * bone)
    hand = shoulder + far[:, None] * ahead
    down = np.array([0.5 * side, 0.87])
    aside = down - (ahead @ down)[:, None] * ahead
    off = bend * np.sqrt(np.maximum(bone**2 - (far / 2) ** 2, 0))
    return hand, (shoulder + hand) / 2 + off[:, None] * aside


def _limb(capsules: Floats, shoulder: Floats, elbow: Floats, hand: Floats, near: Floats, subject: Subject) -> None:
    """Upper arm, forearm and hand, drawn into (steps, 3, columns)."""
    limb = subject.limb
    finger = hand + 0.25 * (hand - elbow)
    for place, (begin, end) in enumerate(((shoulder, elbow), (elbow, hand), (hand, finger))):
        capsules[:, place, AX : AY + 1], capsules[:, place, BX : BY + 1] = begin, end
        clothed = place < 2
        capsules[:, place, RA] = limb * (1.1, 0.95, 1.2)[place] * (near if place == 2 else 1)
        capsules[:, place, RB] = limb * (0.95, 0.75, 1.0)[place] * (near if place else 1)
        capsules[:, place, TONE] = subject.sleeve if clothed else subject.skin
        capsules[:, place, SHADE] = 0.2
        capsules[:, place, STRIPE] = subject.wrinkles
        capsules[:, place, COUNT] = 4 if clothed else 3
