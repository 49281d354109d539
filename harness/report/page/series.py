"""The configurations of one dataset as the charts know them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...comparison.summary import Row, Summary
from ..panels import row_name
from .elements import Child, Markup, tag
from .looks import series_class, swatch


@dataclass(frozen=True)
class Series:
    """A configuration: its row, its place among those of its dataset, which is its look, and its number on the page."""

    row: Row
    index: int
    number: int

    @property
    def name(self) -> str:
        """What tells it from the others of its dataset."""
        return row_name(self.row) or self.row.label


def series_of(summary: Summary) -> dict[str, list[Series]]:
    """The configurations by dataset, in the order of their rows."""
    found: dict[str, list[Series]] = {}
    for number, row in enumerate(summary.rows):
        mine = found.setdefault(row.dataset, [])
        mine.append(Series(row, len(mine), number))
    return found


def group(one: Series, *drawn: Child, told: str = "") -> Markup:
    """What is drawn of a configuration in one chart; it is told from the others by its look and, under a pointer, by its name."""
    title = tag("title", f"{one.name}: {told}" if told else one.name)
    return tag("g", title, *drawn, class_=series_class(one.index), data_r=one.number)


def legend(all_of_them: Sequence[Series], label: str) -> Markup:
    """The names with their looks; a script makes each a switch of what is drawn of it on the whole page."""
    chips = (
        tag(
            "button",
            swatch(one.index),
            tag("bdi", one.name),
            type="button",
            class_="chip",
            data_chip=one.number,
            aria_pressed="true",
        )
        for one in all_of_them
    )
    return tag("div", chips, class_="legend", role="group", aria_label=label)


def printed_legend(all_of_them: Iterable[Series]) -> Markup:
    """The same on paper, where it cannot stay in sight."""
    return tag(
        "p",
        (tag("span", swatch(one.index), tag("bdi", one.name), class_="chip", data_r=one.number) for one in all_of_them),
        class_="legend on-paper",
    )
