"""Validated conversion of metric values to record rows, and back from disk.

A row is plain JSON: ``{"metric", "name", "phase", "split", **MetricValue}``. A metric that failed has one row by its own name
with ``error`` and no ``value``, which stands for all of its values. A single value that cannot be recorded has a row by
that value's name with ``error`` and a ``value`` of None, and the metric's other values stay.
"""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .schemas import metric_row
from .text import one_line, short_repr

DIRECTIONS = ("higher", "lower", "none")
KINDS = ("exact", "seeded", "noisy")
ROLES = ("quality", "cost", "detail")

Row = dict[str, Any]

_NAME = 120  # characters of a value's name, a unit or a title
_MOST_NUMBERS = 1_000_000  # in the lists of one value: larger data belongs in ``stored``
_MOST_BYTES = 1 << 28  # in the stored arrays of one value
_QUICK = 1e300  # numbers up to here need no closer look
_DEEPEST = 8  # lists in lists
_EXPECTED = "a value is a finite number, or None with a reason"


class ValueProblem(ValueError):
    """A part of a metric value that cannot be recorded; the message says which and what is expected."""


def stands_for(row: Mapping[str, Any], name: str) -> bool:
    """Return True if ``row`` holds the value ``name`` of its metric, or the error of the whole metric."""
    return bool(row["name"] == name or ("error" in row and "value" not in row))


def meaning(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what two rows with values must share to be values of one thing, which seeds may be averaged over."""
    return tuple(str(row[part]) for part in ("metric", "name", "unit", "direction", "kind"))


def failed_value(where: Mapping[str, Any], name: str, error: str) -> Row:
    """Return the row of one value that cannot be recorded."""
    return {**where, "name": name, "value": None, "error": error}


def finite_number(value: object) -> int | float:
    """Return a number as a plain, finite ``int`` or ``float``.

    Args:
        value: a Python or numpy number or truth value, a ``Fraction`` or ``Decimal``, or an array or tensor of one
            element. Truth values become 0 or 1.

    Raises:
        ValueProblem: for anything else, for NaN and infinity, and for what no double holds, such as ``10**400``.
    """
    try:
        plain = _as_number(value)
        # Also true of NaN: every comparison with it is false.
        if not abs(plain) <= sys.float_info.max:
            raise ValueProblem(f"is {_shown(plain)}")
        return plain
    except ValueProblem:
        raise
    except Exception:  # a foreign object's conversions may raise anything
        raise ValueProblem(f"is {_shown(value)}") from None


def _as_number(value: Any) -> int | float:
    # numpy registers its time differences as integers.
    if getattr(getattr(value, "dtype", None), "kind", "f") not in "biuf" or bool(getattr(value, "mask", False)):
        raise ValueProblem(f"is {_shown(value)}")
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, (numbers.Real, Decimal)):
        return float(value)
    if not hasattr(value, "item"):
        raise ValueProblem(f"is {_shown(value)}")
    if any(length != 1 for length in value.shape):
        raise ValueProblem(f"has the shape {one_line(tuple(value.shape), 60)}")
    item = value.item()
    if not isinstance(item, numbers.Real):
        raise ValueProblem(f"is {_shown(item)}")
    return int(item) if isinstance(item, numbers.Integral) else float(item)


def _shown(value: object) -> str:
    """Return what an error says of a value: its type and the beginning of its text."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 1024:
        return "an int that no double holds"  # Python refuses to print the largest
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, str):
        return f"the text {one_line(value, 40)!r}"
    text = short_repr(value)
    return " ".join(filter(None, ["of type", type(value).__name__, f"({text})" if text else ""]))


def value_row(value: Any) -> tuple[Row, dict[str, Any]]:
    """Return the plain JSON fields of one ``MetricValue``, and its stored arrays.

    Raises:
        ValueProblem: if a field has another type, is not finite or is too large.
    """
    reason = _text("reason", value.reason or "", empty=True, limit=2000)
    if value.value is None and not reason:
        raise ValueProblem(f"is None without a reason; {_EXPECTED}")
    try:
        number = None if value.value is None else finite_number(value.value)
    except ValueProblem as problem:
        raise ValueProblem(f"{problem}; {_EXPECTED}") from None
    try:
        tolerance = float(finite_number(value.tolerance))
    except ValueProblem as problem:
        raise ValueProblem(f"has a tolerance that {problem}; it is a finite number of at least 0") from None
    if tolerance < 0:
        raise ValueProblem(f"has the tolerance {tolerance:g}; it is a finite number of at least 0")
    budget = _Budget()
    row = {
        "value": number,
        "unit": _text("unit", value.unit, empty=True),
        "direction": _one_of("direction", value.direction, DIRECTIONS),
        "kind": _one_of("kind", value.kind, KINDS),
        "title": _text("title", value.title),
        "role": _one_of("role", value.role, ROLES),
        "tolerance": tolerance,
        "reason": reason if number is None else "",
        "note": _text("note", value.note or "", empty=True, limit=2000),
        "arrays": {name: budget.plain(f"arrays[{name!r}]", part) for name, part in _named("arrays", value.arrays)},
        "curves": {name: _curve(budget, name, part) for name, part in _named("curves", value.curves)},
        "histograms": {name: _histogram(budget, name, part) for name, part in _named("histograms", value.histograms)},
    }
    return row, _stored(value.stored)


def _text(field: str, text: object, *, empty: bool = False, limit: int = _NAME) -> str:
    if not isinstance(text, str):
        raise ValueProblem(f"has a {field} that is {_shown(text)}; it is text")
    plain = one_line(text, limit)
    if not plain and not empty:
        raise ValueProblem(f"has no {field}")
    return plain


def _one_of(field: str, given: object, known: Sequence[str]) -> str:
    if not isinstance(given, str) or given not in known:
        raise ValueProblem(f"has a {field} that is {_shown(given)}; it is one of {', '.join(known)}")
    return str(given)


def _named(field: str, parts: object) -> Iterable[tuple[str, Any]]:
    if not isinstance(parts, Mapping):
        raise ValueProblem(f"has {field} that are {_shown(parts)}; they are a mapping from names")
    for name, part in parts.items():
        yield _key(field, name), part


def _key(field: str, name: object) -> str:
    """Return a name as JSON writes it; it may be empty, as that of a network which is one layer."""
    return str(int(name)) if type(name) is int else _text(f"name in {field}", name, empty=True)


class _Budget:
    """Conversion of lists to plain JSON, with a limit on how many numbers one value may hold."""

    def __init__(self) -> None:
        self.left = _MOST_NUMBERS

    def plain(self, field: str, part: Any, depth: int = 0) -> Any:
        """Return ``part`` as lists, objects, numbers, text and None; NaN becomes None."""
        # Nearly all are plain numbers.
        if (type(part) is float or type(part) is int) and -_QUICK <= part <= _QUICK:
            self._spend(field, 1)
            return part
        if hasattr(part, "tolist") and hasattr(part, "shape"):
            self._spend(field, math.prod(part.shape))
            self.left += math.prod(part.shape)  # counted below, one by one
            part = part.tolist()
        if depth > _DEEPEST:
            raise ValueProblem(f"has {field} nested more than {_DEEPEST} deep")
        if isinstance(part, Mapping):
            return {_key(field, key): self.plain(field, item, depth + 1) for key, item in part.items()}
        if isinstance(part, (list, tuple)):
            return [self.plain(field, item, depth + 1) for item in part]
        self._spend(field, 1)
        if part is None or isinstance(part, bool):
            return part
        if isinstance(part, str):
            return one_line(part)
        return self.number(field, part)

    def number(self, field: str, part: Any) -> int | float | None:
        """Return a finite number, or None for NaN."""
        try:
            # NaN is how arrays write that there is no value.
            return None if part != part else finite_number(part)
        except ValueProblem as problem:
            raise ValueProblem(f"has {field} with an element that {problem}; elements are finite numbers") from None

    def axis(self, field: str, values: Any, *, gaps: bool = False) -> list[int | float | None]:
        """Return one list of numbers; ``gaps``: some may be None."""
        plain = self.plain(field, values)
        if not isinstance(plain, list) or any(isinstance(item, (str, list, dict)) for item in plain):
            raise ValueProblem(f"has {field} that is {_shown(values)}; it is a list of numbers")
        if not gaps and None in plain:
            raise ValueProblem(f"has {field} with an element that is no number")
        return plain

    def _spend(self, field: str, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ValueProblem(
                f"has {field} with more than {_MOST_NUMBERS:,} elements; hand large arrays over in stored"
            )


def _curve(budget: _Budget, name: str, curve: Any) -> Row:
    field = f"curves[{name!r}]"
    if any(not hasattr(curve, part) for part in ("x", "y", "x_title", "x_unit", "y_title", "y_unit")):
        raise ValueProblem(f"has {field} that is {_shown(curve)}; it is a harness.Curve")
    x, y = budget.axis(f"{field}.x", curve.x), budget.axis(f"{field}.y", curve.y, gaps=True)
    if len(x) != len(y):
        raise ValueProblem(f"has {field} with {len(x)} values on one axis and {len(y)} on the other")
    texts = {part: _text(part, getattr(curve, part), empty=True) for part in ("x_title", "x_unit", "y_title", "y_unit")}
    return {"x": x, "y": y, **texts}


def _histogram(budget: _Budget, name: str, histogram: Any) -> Row:
    field = f"histograms[{name!r}]"
    if any(not hasattr(histogram, part) for part in ("edges", "counts", "title", "unit", "what")):
        raise ValueProblem(f"has {field} that is {_shown(histogram)}; it is a harness.Histogram")
    edges, counts = budget.axis(f"{field}.edges", histogram.edges), budget.axis(f"{field}.counts", histogram.counts)
    if len(edges) != len(counts) + 1:
        raise ValueProblem(f"has {field} with {len(edges)} edges around {len(counts)} counts")
    texts = {part: _text(part, getattr(histogram, part), empty=True) for part in ("title", "unit", "what")}
    return {"edges": edges, "counts": counts, **texts}


def _stored(arrays: Any) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {}
    for name, given in _named("stored", arrays):
        try:
            array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        except Exception:  # a foreign object's conversions may raise anything
            array = np.empty(0, dtype=object)
        # An array of objects would be pickled, and no file of the harness is ever executed.
        if array.dtype.kind not in "biuf" or not hasattr(given, "shape"):
            raise ValueProblem(f"has stored[{name!r}] that is {_shown(type(given))}; it is a numpy array of numbers")
        found[name] = np.array(array)
    if sum(array.nbytes for array in found.values()) > _MOST_BYTES:
        raise ValueProblem(f"has more than {_MOST_BYTES >> 20} MiB in stored")
    return found


def result_rows(where: Mapping[str, Any], found: object) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of what an observer's ``result()`` returned, and its stored arrays as ``value/array``.

    Args:
        where: ``metric``, ``phase`` and ``split`` of the evaluation.
        found: a mapping from names to ``MetricValue``. A value that cannot be recorded becomes a row with an error.

    Raises:
        ValueProblem: if ``found`` is no mapping, or if a name is no text.
    """
    if not isinstance(found, Mapping):
        raise ValueProblem(
            f"result() returned an object {_shown(found)}; it returns a mapping from names to MetricValue"
        )
    rows: list[Row] = []
    stored: dict[str, Any] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not name or one_line(name, _NAME) != name:
            raise ValueProblem(
                f"result() returned a value whose name is {_shown(name)}; a name is one line of 1 to {_NAME} characters"
            )
        try:
            if any(not hasattr(value, part) for part in ("value", "unit", "direction", "kind", "title")):
                raise ValueProblem(f"is {_shown(value)}; it is a harness.MetricValue")
            row, arrays = value_row(value)
        except ValueProblem as problem:
            rows.append(failed_value(where, name, f"the value {name!r} {problem}"))
            continue
        rows.append({**where, "name": str(name), **row})
        stored |= {f"{name}/{key}": array for key, array in arrays.items()}
    return rows, stored


def without_collisions(
    results: Iterable[tuple[list[Row], dict[str, Any]]],
) -> tuple[list[Row], dict[str, Any]]:
    """Join the rows of several metrics so that each name stands for one value.

    The names of all metrics share one space. A name belongs to the first metric that returned a value for it, in
    the order of ``results``; a later one has a row with an error in its place.
    """
    owners: dict[str, str] = {}
    joined: list[Row] = []
    stored: dict[str, Any] = {}
    for rows, arrays in results:
        for row in rows:
            name = row["name"]
            owner = row["metric"] if "error" in row else owners.setdefault(name, row["metric"])
            if owner != row["metric"]:
                arrays = {key: array for key, array in arrays.items() if not key.startswith(f"{name}/")}
                row = failed_value(
                    {part: row[part] for part in ("metric", "phase", "split")},
                    name,
                    f"the metric {owner} returns a value {name!r} too and comes first; rename the one of {row['metric']}",
                )
            joined.append(row)
        stored |= arrays
    return joined, stored


def sound_rows(rows: list[Any]) -> list[Row]:
    """Return metric rows that were read from disk, with an error in the place of every one that cannot be used.

    What was written by an older or another harness must not break every command that reads it.
    """
    return [_sound(row) for row in rows]


def _sound(found: Any) -> Row:
    row: Row = found if isinstance(found, dict) else {}
    value = row.get("value")
    try:
        metric_row(row, "")
        if value is None or abs(value) <= sys.float_info.max:
            return row
        problem = "value: not finite"
    except ValueError as error:
        problem = one_line(error)
    where = {part: _word(row.get(part)) for part in ("metric", "phase", "split")}
    return failed_value(where, _word(row.get("name")), f"the record cannot be used: {problem}")


def _word(text: object) -> str:
    return one_line(text, _NAME) if isinstance(text, str) and text else "?"
