"""What a check lets pass: margins and thresholds by figure, as the table ``[gate]`` of an experiment file says them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import UsageError, nearest

CONFIDENCE = 0.99
MARGIN = {"fraction": 0.01}  # absolute; of every other unit the share below
RELATIVE_MARGIN = 0.05
THRESHOLD = 0.05
# The largest standard deviation over seeds that is reckoned with if nothing measures it and none is stated.
RECKONED_NOISE = {"fraction": 0.15}
RELATIVE_RECKONED_NOISE = 0.3

WORKS = ("training_step", "inference")  # what is timed, and what a threshold can speak of
_LIMITS = ("margin", "tolerance", "threshold", "seed_noise")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """How a check decides. Figures of unit ``fraction`` are held to absolute limits, all others to shares of the baseline.

    - ``confidence``: one-sided, of every verdict that something became worse or better, over all rows together
    - ``figures``: names of the figures that are checked; none: every figure of quality or cost on the test split
    - ``limits``: by figure ``margin`` (seeded: the loss that is let pass), ``tolerance`` (exact), ``threshold`` (times), ``seed_noise``
      (the standard deviation over seeds that is assumed below five seeds; nothing is assumed if it is not stated)
    """

    confidence: float = CONFIDENCE
    figures: tuple[str, ...] = ()
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def margin(self, figure: str, unit: str) -> float:
        """The loss of a seeded figure that is let pass."""
        return self._limit(figure, "margin", MARGIN.get(unit, RELATIVE_MARGIN))

    def seed_noise(self, figure: str) -> float | None:
        """Return the standard deviation over seeds that is stated for ``figure``, or None; 0 assumes nothing from two seeds on."""
        return self.limits.get(figure, {}).get("seed_noise")

    @staticmethod
    def reckoned_noise(unit: str) -> float:
        """Return the largest noise over seeds that is reckoned with if neither seeds nor the user tell it."""
        return RECKONED_NOISE.get(unit, RELATIVE_RECKONED_NOISE)

    def tolerance(self, figure: str, declared: float) -> float:
        """By how much an exact figure may differ, in its own unit; its metric declares it where the gate does not."""
        return self._limit(figure, "tolerance", declared)

    def threshold(self, work: str) -> float:
        """The share by which a time must grow to count as worse."""
        return self._limit(work, "threshold", THRESHOLD)

    def _limit(self, figure: str, limit: str, otherwise: float) -> float:
        return self.limits.get(figure, {}).get(limit, otherwise)

    def with_limit(self, figure: str, limit: str, value: float) -> Gate:
        """The same with another limit for one figure."""
        own = {**self.limits.get(figure, {}), limit: _number(f"{limit} of {figure}", value)}
        return replace(self, limits={**self.limits, figure: own})

    def to_json(self) -> dict[str, Any]:
        """What :meth:`from_data` reads."""
        plain: dict[str, Any] = {"confidence": self.confidence}
        if self.figures:
            plain["figures"] = list(self.figures)
        return {**plain, **{figure: dict(limits) for figure, limits in self.limits.items()}}

    @classmethod
    def from_data(cls, data: object, where: str) -> Gate:
        """The gate in a table; raises :class:`UsageError` that names ``where`` and what is wrong."""
        if not isinstance(data, Mapping):
            raise UsageError(f"{where}: gate must be a table")
        limits: dict[str, dict[str, float]] = {}
        for figure, given in data.items():
            if figure in ("confidence", "figures"):
                continue
            if not isinstance(given, Mapping):
                known = ["confidence", "figures"]
                raise UsageError(
                    f"{where}: [gate] {figure} = {given!r}: expected confidence, figures, or a table such as "
                    f"[gate.accuracy]{nearest(str(figure), known)}"
                )
            for name, value in given.items():
                if name not in _LIMITS:
                    raise UsageError(
                        f"{where}: [gate.{figure}] has no {name!r}{nearest(name, _LIMITS)}; it has: {', '.join(_LIMITS)}"
                    )
                if name == "threshold" and figure not in WORKS:
                    raise UsageError(
                        f"{where}: [gate.{figure}] threshold: times are those of {' and '.join(WORKS)}{nearest(str(figure), WORKS)}"
                    )
                limits.setdefault(str(figure), {})[name] = _number(f"{where}: [gate.{figure}] {name}", value)
        figures = data.get("figures", [])
        if not isinstance(figures, (list, tuple)) or not all(isinstance(name, str) for name in figures):
            raise UsageError(f"{where}: [gate] figures = {figures!r}: expected a list of names")
        return cls(
            confidence=confidence(data.get("confidence", CONFIDENCE), f"{where}: [gate] confidence"),
            figures=tuple(figures),
            limits=limits,
        )


def confidence(value: object, where: str) -> float:
    """``value`` as a one-sided confidence; raises :class:`UsageError`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.5 < value < 1:
        raise UsageError(f"{where} = {value!r}: expected a number between 0.5 and 1")
    return float(value)


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise UsageError(f"{where} = {value!r}: expected a number >= 0")
    if value > sys.float_info.max:  # whole numbers may be larger
        raise UsageError(f"{where}: expected a number >= 0 below {sys.float_info.max:.2g}")
    return float(value)
