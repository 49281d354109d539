"""Learning curves, and the curves that metrics hand over: a line a configuration, a band over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...components import SPLITS
from ...records import Record
from ..drawings import CURVE, Collected, Drawing, number, numbers
from ..formats import shown_factor, shown_unit
from .chart import BOTTOM, LEFT, RIGHT, TOP, Table, band, chart, path
from .elements import Markup, tag
from .looks import mark
from .scales import Axis, axis
from .series import Series, group

_POINTS = 240  # of a line, at most: more are not seen at this size
_DOTS = 8  # markers on a line, about
_UNITS = {"loss": "nat", "accuracy": "fraction"}  # of what training scores itself by

Values = list[float | None]


def learning_curves(all_of_them: Sequence[Series], done: Sequence[Record]) -> list[Markup]:
    """A chart a score that training kept: validation solid, training dashed, selected epochs marked."""
    scores: dict[str, dict[str, dict[str, list[Values]]]] = {}
    for record in done:
        kept = record.outcome.get("curves")
        for name, values in kept.items() if isinstance(kept, dict) else ():
            split, _, score = str(name).partition("_")
            if split in SPLITS and score and numbers(values):
                by_row = scores.setdefault(score, {}).setdefault(split, {})
                by_row.setdefault(record.row, []).append(numbers(values))
    charts = [_learning(score, by_split, all_of_them, done) for score, by_split in scores.items()]
    return [made for made in charts if made is not None]


def _learning(
    score: str,
    by_split: Mapping[str, Mapping[str, list[Values]]],
    all_of_them: Sequence[Series],
    done: Sequence[Record],
) -> Markup | None:
    unit = _UNITS.get(score, "")
    found = [
        value for by_row in by_split.values() for group_of in by_row.values() for line in group_of for value in line
    ]
    known = [value for value in found if value is not None]
    if not known:
        return None
    longest = max(len(line) for by_row in by_split.values() for group_of in by_row.values() for line in group_of)
    across = axis("epoch", "", [1, max(longest, 2)], LEFT, RIGHT, margin=0.02, whole=True)
    up = axis(score, unit, known, BOTTOM, TOP, zero=unit == "fraction")
    drawn, rows = [], []
    main = "validation" if "validation" in by_split else next(iter(by_split))
    for one in all_of_them:
        parts: list[Markup] = []
        for split in sorted(by_split, key=lambda name: name != main, reverse=True):
            lines = by_split[split].get(one.row.row, [])
            if not lines:
                continue
            length = min(map(len, lines))
            x: list[float] = [float(epoch) for epoch in range(1, length + 1)]
            parts += _line(across, up, x, [line[:length] for line in lines], banded=split == main, faint=split != main)
            rows.append([one.name, split, *_ends([line[:length] for line in lines], unit)])
        parts += _selected(one, done, main, score, across, up)
        if parts:
            drawn.append(group(one, *parts))
    ends = [f"{end} {_in(unit)}".strip() for end in ("first", "lowest", "highest", "last")]
    said = [f"{main} solid", *(f"{split} faint and dashed" for split in by_split if split != main)]
    said.append("marks: the epoch that each seed selected")
    said += ["bands: range over seeds"] if _several(by_split[main]) else []
    table = Table(["configuration", "split", *ends], rows)
    described = f"{score} over epochs, a line a configuration"
    return chart(described, across, up, drawn, table=table, note="; ".join(said))


def _several(by_row: Mapping[str, Sequence[object]]) -> bool:
    return any(len(group_of) > 1 for group_of in by_row.values())


def _selected(one: Series, done: Sequence[Record], split: str, score: str, across: Axis, up: Axis) -> list[Markup]:
    marks = []
    for record in (item for item in done if item.row == one.row.row):
        epoch = record.outcome.get("selected_epoch")
        values = numbers((record.outcome.get("curves") or {}).get(f"{split}_{score}"))
        if isinstance(epoch, int) and 0 < epoch <= len(values) and (value := values[epoch - 1]) is not None:
            marks.append(mark(one.index, across.of(epoch), up.of(value)))
    return marks


def _mean(lines: Sequence[Values]) -> Values:
    """Point by point; where one seed has no value there is none, rather than that of the others."""
    return [
        None if None in values else sum(value for value in values if value is not None) / len(values)
        for values in zip(*lines, strict=True)
    ]


def _line(
    across: Axis, up: Axis, x: Sequence[float], lines: Sequence[Values], *, banded: bool, faint: bool = False
) -> list[Markup]:
    """The mean of ``lines`` over ``x``, and the range of several."""
    every = max(1, -(-len(x) // _POINTS))
    kept = sorted({*range(0, len(x), every), len(x) - 1})
    at = [list(values) for values in zip(*lines, strict=True)]
    mean = _mean(lines)

    def pixels(of: Sequence[float | None]) -> list[tuple[float, float] | None]:
        return [None if (value := of[place]) is None else (across.of(x[place]), up.of(value)) for place in kept]

    parts = [tag("path", d=path(pixels(mean)), class_="l faint" if faint else "l")]
    if banded and len(lines) > 1:
        ends = [
            [None if None in values else choose(value for value in values if value is not None) for values in at]
            for choose in (min, max)
        ]
        outline = band(pixels(ends[0]), pixels(ends[1]))
        parts.insert(0, tag("path", d=outline, class_="band"))
    return parts


def _ends(lines: Sequence[Values], unit: str) -> list[str]:
    known = [value for value in _mean(lines) if value is not None]
    return [_shown(value, unit) for value in (known[0], min(known), max(known), known[-1])] if known else ["-"] * 4


def _shown(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value * shown_factor(unit):.4g}"


def _in(unit: str) -> str:
    return f"({shown_unit(unit)})" if unit else ""


def metric_curves(collected: Collected, all_of_them: Sequence[Series]) -> list[Markup]:
    """A chart a curve of one figure."""
    several = len(collected.panels) > 1
    charts = []
    for key, by_row in collected.panels.items():
        made = _curve(by_row, all_of_them, f"{collected.title}: {key[0]}" if several else collected.title)
        charts += [made] if made is not None else []
    return charts


def _curve(by_row: Mapping[str, list[Drawing]], all_of_them: Sequence[Series], title: str) -> Markup | None:
    labels = next(iter(by_row.values()))[0]
    x_title, x_unit, y_title, y_unit = (str(labels.get(name, "")) for name in CURVE)
    xs = [value for given in by_row.values() for curve in given for value in _x(curve)]
    ys = [value for given in by_row.values() for curve in given for value in numbers(curve["y"]) if value is not None]
    if not ys:
        return None
    across = axis(x_title, x_unit, xs, LEFT, RIGHT, margin=0.02)
    up = axis(y_title, y_unit, ys, BOTTOM, TOP, zero=y_unit == "fraction")
    shared = len({tuple(_x(curve)) for given in by_row.values() for curve in given}) == 1
    drawn, columns = [], []
    for one in (one for one in all_of_them if one.row.row in by_row):
        given = by_row[one.row.row]
        parts, middle = _of_row(given, across, up)
        parts += _dots(one, _x(given[0]), middle, across, up)
        drawn.append(group(one, *parts))
        columns.append((one, middle))
    x_heading = f"{x_title} {_in(x_unit)}".strip()
    table = (
        _shared_table(x_heading, x_unit, xs, columns, y_unit)
        if shared
        else _end_table(x_heading, x_unit, by_row, all_of_them, y_unit)
    )
    note = ("bands: range over seeds" if shared else "one line a seed") if _several(by_row) else ""
    described = f"{y_title} over {x_title}, a line a configuration"
    return chart(described, across, up, drawn, title=title, table=table, note=note)


def _x(curve: Mapping[str, Any]) -> list[float]:
    return [value for value in numbers(curve["x"]) if value is not None]


def _of_row(given: Sequence[Drawing], across: Axis, up: Axis) -> tuple[list[Markup], Values]:
    """What is drawn of one configuration, and the line that its markers stand on."""
    lines = [numbers(curve["y"]) for curve in given]
    if all(_x(curve) == _x(given[0]) for curve in given):
        return _line(across, up, _x(given[0]), lines, banded=True), _mean(lines)
    parts: list[Markup] = []
    for curve, line in zip(given, lines, strict=True):
        parts += _line(across, up, _x(curve), [line], banded=False)
    return parts, lines[0]


def _dots(one: Series, x: Sequence[float], line: Values, across: Axis, up: Axis) -> list[Markup]:
    """Markers along a line, each configuration's begun elsewhere, so that they do not cover each other."""
    every = max(1, len(x) // _DOTS)
    begin = (one.index * every // 3) % every if every > 1 else 0
    return [
        mark(one.index, across.of(x[place]), up.of(value), "dot")
        for place in range(begin, len(x), every)
        if (value := line[place]) is not None
    ]


def _shared_table(
    heading: str, unit: str, xs: Sequence[float], columns: Sequence[tuple[Series, Values]], y_unit: str
) -> Table:
    x = xs[: len(columns[0][1])]
    rows = [
        [_shown(value, unit), *(_shown(line[place], y_unit) for _, line in columns)] for place, value in enumerate(x)
    ]
    return Table([heading, *(one.name for one, _ in columns)], rows)


def _end_table(
    heading: str, unit: str, by_row: Mapping[str, Sequence[Drawing]], all_of_them: Sequence[Series], y_unit: str
) -> Table:
    rows = []
    for one in all_of_them:
        for seed, curve in enumerate(by_row.get(one.row.row, ())):
            x, y = _x(curve), numbers(curve["y"])
            rows += [
                [one.name, str(seed), _shown(x[place], unit), _shown(number(y[place]), y_unit)]
                for place in range(len(x))
            ]
    return Table(["configuration", "line", heading, f"value {_in(y_unit)}".strip()], rows)
