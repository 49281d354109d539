"""What an element of a tensor holds, as the operations that led to it say, whatever its value is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

# Factors that differ by rounding alone are one.
_ROUNDING = 1e-5

Source = Literal["zero", "constant", "input", "spikes", "network"]


@dataclass(frozen=True)
class Origin:
    """What one element holds.

    Attributes:
        source: a constant (``zero`` or another), the network's input, what a spiking layer puts out, or anything else.
        pool: the average that the element went through, in words; empty where it is no average.
        divisor: by which number of events were divided to give the value of an average.
        summands: how many elements were added to give this one; 0 where that is not known.
        whole: whether it is a whole number of events (divided by ``divisor``).
        sign: whether it is -1, 0 or 1.
        gain: the constant tensor by which the element was multiplied, in words; empty where it was not.
        changed: how an average became something that is no number of events any more, in words; empty where it did not.
    """

    source: Source
    pool: str = ""
    divisor: float = 1.0
    summands: int = 1
    whole: bool = False
    sign: bool = False
    gain: str = ""
    changed: str = ""

    @property
    def averaged(self) -> bool:
        """Whether the value has to be multiplied to be a number of events."""
        return bool(self.pool) and not self.changed

    @property
    def constant(self) -> bool:
        """Whether the element does not depend on the input."""
        return self.source in ("zero", "constant")

    @property
    def events(self) -> bool:
        """Whether the element holds events: whole numbers, what the network is given, spikes, and averages of them."""
        return not self.constant and not self.changed and (self.whole or self.source in ("input", "spikes"))

    def spoiled(self, how: str) -> Origin:
        """The same after something that no average survives; ``how`` says what."""
        if self.changed or not self.pool:
            return replace(COMPUTED, pool=self.pool, changed=self.changed, gain=self.gain)
        return replace(COMPUTED, pool=self.pool, changed=how, gain=self.gain)

    def scaled(self, factor: float, how: str) -> Origin:
        """The same times a constant; an average may become another one, or a sum again."""
        if self.changed or abs(factor) == 1:
            return replace(self, sign=self.sign and abs(factor) == 1)
        if factor == 0:
            return ZERO
        if self.averaged:
            divisor = _whole(self.divisor / abs(factor))
            if divisor is None and _whole(abs(factor) / self.divisor) is not None:
                divisor = 1.0  # a whole multiple of a number of events
            return self.spoiled(f"scaled by {how}") if divisor is None else replace(self, divisor=divisor, sign=False)
        if self.constant:
            return CONSTANT
        if self.summands > 1 and _whole(1 / abs(factor)) == self.summands:
            return replace(self, pool=f"average by {how}", divisor=float(self.summands), summands=1, sign=False)
        if self.whole and _whole(abs(factor)) is not None:
            return replace(self, sign=False)
        return replace(COMPUTED, gain=self.gain)

    def averaged_over(self, number: float, pool: str) -> Origin:
        """The mean of ``number`` elements of this origin."""
        if self.changed or self.constant or number == 1:
            return self
        return replace(self, pool=self.pool or pool, divisor=self.divisor * number, summands=1, sign=False)

    def times(self, number: int) -> Origin:
        """The sum of ``number`` elements of this origin."""
        return self if number == 1 else replace(self, summands=self.summands * number, sign=False)


ZERO = Origin("zero", whole=True, sign=True)
CONSTANT = Origin("constant")
INPUT = Origin("input", whole=True)
SPIKES = Origin("spikes")
COMPUTED = Origin("network")
WHOLE = Origin("network", whole=True)
SIGN = Origin("network", whole=True, sign=True)


def merged(parts: Iterable[Origin], how: str, *, added: bool) -> Origin:
    """What comes of elements of these origins together: added up where ``added``, else the largest or one of them."""
    found = [part for part in dict.fromkeys(parts) if part.source != "zero"]
    if not found:
        return ZERO
    first = found[0]
    if len(found) == 1:
        return first
    gain = next((part.gain for part in found if part.gain), "")
    for part in found:
        if part.changed:
            return replace(COMPUTED, pool=part.pool, changed=part.changed, gain=gain)
    live = [part for part in found if not part.constant]
    if any(part.averaged for part in found):
        pool = next(part.pool for part in found if part.averaged)
        if len({(part.averaged, part.divisor) for part in found}) > 1:
            return replace(COMPUTED, pool=pool, changed=how, gain=gain)
    if not live:
        return CONSTANT
    sources = {part.source for part in live} if len(live) == len(found) else {"network"}
    summands = sum(part.summands for part in found) if added and all(part.summands for part in found) else 1
    return Origin(
        live[0].source if len(sources) == 1 and live[0].source in sources else "network",
        pool=live[0].pool,
        divisor=live[0].divisor,
        summands=summands,
        whole=all(part.whole for part in found),
        sign=not added and all(part.sign for part in found),
        gain=gain,
    )


def _whole(value: float) -> float | None:
    nearest = round(value)
    return float(nearest) if nearest >= 1 and abs(value - nearest) <= _ROUNDING * nearest else None
