"""Declared parameters of components: what they are called, which values they take, and how text becomes one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from .descriptor_types import normalise, wrong_types
from .errors import UsageError, nearest

Kind = Literal["bool", "int", "float", "str", "ints", "floats"]
Value = bool | int | float | str | None | tuple[int, ...] | tuple[float, ...]

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One settable, sweepable value of a component.

    ``minimum`` and ``maximum`` are inclusive, ``above`` is exclusive; ``optional`` admits ``None`` (text ``none``).
    Lists (``ints``, ``floats``) are held as tuples and bounded element by element.
    """

    name: str
    default: Value
    kind: Kind
    summary: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        normalise(self)

    def problems(self) -> list[str]:
        """Return a line for every field that is not of its type."""
        return wrong_types(self)

    def parse(self, text: str) -> Value:
        """The value that ``text`` stands for on a command line; raises :class:`UsageError`."""
        stripped = text.strip()
        if self.optional and stripped.lower() == "none":
            return None
        try:
            if self.kind in ("ints", "floats"):
                inner = stripped.removeprefix("[").removesuffix("]").strip()
                return self.check([self._scalar(part) for part in inner.split(",")] if inner else [])
            return self.check(self._scalar(stripped))
        except ValueError:
            raise UsageError(f"{self.name}: {text!r} is not {self.expects()}") from None

    def _scalar(self, text: str) -> bool | int | float | str:
        text = text.strip()
        if self.kind == "bool":
            if text.lower() in _TRUE:
                return True
            if text.lower() in _FALSE:
                return False
            raise ValueError(text)
        if self.kind in ("int", "ints"):
            return int(text)
        if self.kind in ("float", "floats"):
            return float(text)
        return text

    def check(self, value: object) -> Value:
        """``value`` in its canonical type, or a :class:`UsageError` that says what is expected."""
        if value is None:
            if self.optional:
                return None
            raise UsageError(f"{self.name}: none is not {self.expects()}")
        if self.kind in ("ints", "floats"):
            if isinstance(value, str) or not isinstance(value, Iterable):
                raise self._wrong(value)
            return tuple(self._checked(item, value) for item in value)
        result: Value = self._checked(value, value)
        return result

    def _checked(self, item: object, whole: object) -> Any:
        scalar = self.kind.removesuffix("s") if self.kind in ("ints", "floats") else self.kind
        if scalar == "bool":
            if not isinstance(item, bool):
                raise self._wrong(whole)
            return item
        if scalar == "str":
            if not isinstance(item, str) or (self.choices and item not in self.choices):
                raise UsageError(f"{self._wrong(whole)}{nearest(str(item), self.choices)}")
            return item
        # A number of numpy's is one too; asking an abstract class is slow, and most values are Python's own.
        if type(item) is not float and type(item) is not int and (isinstance(item, bool) or not isinstance(item, Real)):
            raise self._wrong(whole)
        try:
            number = item if isinstance(item, int) else float(item)
            finite = math.isfinite(number)
        except OverflowError:
            raise self._wrong(whole) from None
        if not finite or (scalar == "int" and number != int(number)):
            raise self._wrong(whole)
        if (
            (self.minimum is not None and number < self.minimum)
            or (self.above is not None and number <= self.above)
            or (self.maximum is not None and number > self.maximum)
        ):
            raise self._wrong(whole)
        return int(number) if scalar == "int" else float(number)

    def _wrong(self, value: object) -> UsageError:
        return UsageError(f"{self.name}: {value!r} is not {self.expects()}")

    def trained_range(self, start: float) -> tuple[float | None, float | None]:
        """Return the range that training keeps this parameter in.

        An inclusive bound is the end of the range. An exclusive bound is never reached: the range ends 0.01 above it, or
        a hundredth of the way from the bound to ``start`` if that is closer to the bound.

        Args:
            start: the value that training starts from, which lies in the declared range.

        Returns:
            The lowest and the highest value, None if there is no such bound.
        """
        open_end = None if self.above is None else self.above + min(0.01, 0.01 * (start - self.above))
        lowest = max((end for end in (self.minimum, open_end) if end is not None), default=None)
        return lowest, self.maximum

    def expects(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            words = "one of " + ", ".join(self.choices)
        else:
            words = {
                "bool": "true or false",
                "int": "a whole number",
                "float": "a finite number",
                "str": "a word",
                "ints": "a list of whole numbers like [64,64]",
                "floats": "a list of finite numbers like [0.5,1.0]",
            }[self.kind]
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in ((">=", self.minimum), (">", self.above), ("<=", self.maximum))
            if bound is not None
        ]
        return " ".join(filter(None, [words, " and ".join(bounds), self.unit and f"({self.unit})"])) + (
            ", or none" if self.optional else ""
        )


def resolve(owner: str, parameters: Iterable[Parameter], given: Mapping[str, object]) -> dict[str, Value]:
    """Every declared parameter of ``owner`` with its given value or its default, in declared order.

    Raises :class:`UsageError` for a name that is not declared or a value that is out of range.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise UsageError(f"{owner} has no parameter {name!r}{nearest(name, declared)}; it has: {known}")
    values: dict[str, Value] = {}
    for name, parameter in declared.items():
        try:
            values[name] = parameter.check(given.get(name, parameter.default))
        except UsageError as error:
            raise UsageError(f"{owner}.{error}") from None
    return values
