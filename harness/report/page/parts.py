"""A figure by layer or by class: a line of the chart each, a marker a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..formats import shown_factor, shown_unit
from .arrays import ByPart
from .chart import Table, figure, label
from .elements import Markup, tag
from .looks import mark
from .scales import axis
from .series import Series, group

_WIDTH, _RIGHT, _TOP = 420, 404, 24
_LETTERS = 16  # of a name beside the chart
_STEMS = 24  # configurations, at most, whose markers have lines that lead to them
_LETTER = 6.2  # pixels, about


def by_part(part: ByPart, all_of_them: Sequence[Series], of: str) -> Markup | None:
    """The chart of one figure ``of`` each layer or class, means over seeds."""
    means = {row: _means(given) for row, given in part.rows.items()}
    names = list(dict.fromkeys(name for values in means.values() for name in values))
    known = [value for values in means.values() for value in values.values() if value is not None]
    if not known:
        return None
    mine = [one for one in all_of_them if one.row.row in means]
    left = 14 + _LETTER * min(max(map(len, names)), _LETTERS)
    height = _line_height(len(mine), of)
    bottom = _TOP + height * len(names)
    across = axis(part.title, part.unit, known, left, _RIGHT, zero=True, margin=0.04)
    ticks = across.ticks()
    grid = "".join(f"M{place:.1f} {_TOP}V{bottom}" for place, _ in ticks)
    rules = "".join(f"M{left:.0f} {_TOP + height * index:.1f}H{_RIGHT}" for index in range(1, len(names)))
    drawn = []
    for place, one in enumerate(mine):
        dots, stems = [], []
        for index, name in enumerate(names):
            value = means[one.row.row].get(name)
            if value is not None:
                y = _TOP + height * (index + (place + 1) / (len(mine) + 1))
                dots.append(mark(one.index, across.of(value), y))
                stems.append(f"M{across.at(max(across.low, 0)):.1f} {y:.1f}H{across.of(value):.1f}")
        stem = tag("path", d="".join(stems), class_="stem") if len(mine) <= _STEMS else None
        drawn.append(group(one, stem, *dots))
    picture = tag(
        "svg",
        tag("path", d=grid + rules, class_="grid"),
        tag("path", d=f"M{left:.1f} {_TOP}V{bottom}H{_RIGHT}", class_="axis"),
        [
            tag(
                "text",
                tag("title", name),
                _short(name),
                x=round(left - 7, 1),
                y=round(_TOP + height * (index + 0.5) + 4, 1),
                class_="e",
            )
            for index, name in enumerate(names)
        ],
        [tag("text", text, x=round(at, 1), y=bottom + 16, class_="m") for at, text in ticks],
        label(across.label, (left + _RIGHT) / 2, bottom + 36, "t m"),
        drawn,
        viewBox=f"0 0 {_WIDTH} {bottom + 46:.0f}",
        role="group",
        aria_label=f"{part.title} by {of}, a marker a configuration",
        class_="chart",
    )
    return figure(picture, title=f"{part.title} by {of}", table=_table(names, mine, means, part, of))


def _line_height(configurations: int, of: str) -> float:
    least, each, most = (22.0, 8.0, 90.0) if of == "layer" else (15.0, 4.0, 36.0)
    return min(max(least, each * (configurations + 1)), most)


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def _means(given: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Over seeds, of each part; None where one seed has no value."""
    names = dict.fromkeys(name for values in given for name in values)
    found: dict[str, float | None] = {}
    for name in names:
        values = [values.get(name) for values in given]
        found[name] = None if None in values else sum(value for value in values if value is not None) / len(values)
    return found


def _table(
    names: Sequence[str], mine: Sequence[Series], means: Mapping[str, Mapping[str, float | None]], part: ByPart, of: str
) -> Table:
    unit = shown_unit(part.unit)
    rows = [
        [
            name,
            *(
                "-" if (value := means[one.row.row].get(name)) is None else f"{value * shown_factor(part.unit):.5g}"
                for one in mine
            ),
        ]
        for name in names
    ]
    return Table([f"{of}, {part.title}" + (f" ({unit})" if unit else ""), *(one.name for one in mine)], rows)
