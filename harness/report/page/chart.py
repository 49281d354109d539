"""A chart as SVG: axes, what is drawn between them, and the same numbers as a table below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .elements import Child, Markup, tag
from .scales import Axis

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 408, 34, 254
_CELLS = 2000  # a larger table is text that a spreadsheet takes
_LETTERS = 62  # of an axis label
_BEYOND = 40  # pixels outside of its axes that a line may be led through


@dataclass(frozen=True)
class Table:
    """The numbers of a chart."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def chart(
    described: str, x: Axis, y: Axis, *drawn: Child, title: str = "", table: Table | None = None, note: str = ""
) -> Markup:
    """A figure: ``drawn`` between the axes, ``title`` above, ``note`` and ``table`` below; ``described`` is for who cannot see it."""
    picture = tag(
        "svg",
        _grid(x, y),
        _window(drawn),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="group",
        aria_label=described,
        class_="chart",
    )
    return figure(picture, title=title, table=table, note=note)


def figure(picture: Child, *, title: str = "", table: Table | None = None, note: str = "") -> Markup:
    """``picture`` with what is said of it."""
    return tag(
        "figure",
        tag("figcaption", title) if title else None,
        picture,
        tag("p", note, class_="note") if note else None,
        data_of(table) if table is not None and table.rows else None,
    )


def _window(drawn: Iterable[Child]) -> Markup:
    """``drawn``, cut off a little outside of the axes."""
    x, y, width, height = LEFT, TOP - 6, RIGHT - LEFT + 6, BOTTOM - TOP + 12
    return tag("svg", *drawn, x=x, y=y, width=width, height=height, viewBox=f"{x} {y} {width} {height}")


def _grid(x: Axis, y: Axis) -> list[Markup]:
    across, up = x.ticks(), y.ticks()
    lines = [f"M{LEFT} {place:.1f}H{RIGHT}" for place, _ in up] + [
        f"M{place:.1f} {TOP}V{BOTTOM}" for place, _ in across
    ]
    return [
        tag("path", d="".join(lines), class_="grid"),
        tag("path", d=f"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}", class_="axis"),
        *(tag("text", text, x=LEFT - 6, y=round(place + 3.8, 1), class_="e") for place, text in up),
        *(tag("text", text, x=round(place, 1), y=BOTTOM + 16, class_="m") for place, text in across),
        label(y.label, 2, 16, "t"),
        label(x.label, (LEFT + RIGHT) / 2, BOTTOM + 37, "t m"),
    ]


def label(text: str, x: float, y: float, class_: str) -> Markup:
    """The label of an axis, cut where the chart is too narrow for it."""
    short = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
    return tag("text", short, tag("title", text) if short != text else None, x=round(x, 1), y=y, class_=class_)


def path(points: Iterable[tuple[float, float] | None]) -> str:
    """The line through ``points`` in pixels; None leaves a gap."""
    words: list[str] = []
    pen = "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        x, y = (_kept(value) for value in point)
        words.append(f"{pen}{x:g} {y:g}")
        pen = "L"
    return "".join(words)


def _kept(pixel: float) -> float:
    return round(min(max(pixel, -_BEYOND), max(WIDTH, HEIGHT) + _BEYOND), 1)


def band(low: Sequence[tuple[float, float] | None], high: Sequence[tuple[float, float] | None]) -> str:
    """The outline of what lies between two lines over the same x, in as many pieces as they have."""
    pieces: list[str] = []
    begin = 0
    for index in range(len(low) + 1):
        if index < len(low) and low[index] is not None and high[index] is not None:
            continue
        if index - begin > 1:
            pieces.append(path([*low[begin:index], *reversed(high[begin:index])]) + "z")
        begin = index + 1
    return "".join(pieces)


def data_of(table: Table) -> Markup:
    """``table``, folded: of cells where it is small, else as text with tabs."""
    if len(table.headings) * len(table.rows) > _CELLS:
        lines = ["\t".join(line) for line in (table.headings, *table.rows)]
        shown: Markup = tag("pre", "\n".join(lines), tabindex=0)
    else:
        head = tag("tr", [tag("th", heading, scope="col") for heading in table.headings])
        body = [
            tag("tr", tag("th", line[0], scope="row"), [tag("td", cell) for cell in line[1:]]) for line in table.rows
        ]
        shown = tag("table", tag("thead", head), tag("tbody", body))
    return tag(
        "details",
        tag("summary", "Numbers"),
        tag("div", shown, class_="scroll"),
        class_="data",
    )
