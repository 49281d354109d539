"""Confusion matrices: true classes down, predicted across, a square a configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .chart import Table, data_of
from .elements import Markup, tag
from .looks import swatch
from .series import Series

_SIDE = 260.0  # pixels of a matrix
_LEVELS = 8  # of darkness: a path each, so that a page of a hundred matrices stays small
_LETTERS = 11
_LABELS = 26  # classes named along an axis, at most
_WORST = 5
_TABLES = 24  # matrices with a table each, at most
Counts = list[list[int]]


def confusion_matrices(
    by_row: Mapping[str, list[Counts]], names: Sequence[str], all_of_them: Sequence[Series], name: str
) -> Markup | None:
    """A matrix a configuration, its seeds added up; ``name`` is that of no other element of the page."""
    shown = [one for one in all_of_them if any(len(counts) == len(names) for counts in by_row.get(one.row.row, ()))]
    if not shown:
        return None
    place = _Place(names, name)
    matrices = [
        _matrix(one, _added(by_row[one.row.row], len(names)), place, table=len(shown) <= _TABLES) for one in shown
    ]
    return tag("div", place.labels(), tag("div", matrices, class_="charts"), data_classes="\n".join(names))


class _Place:
    """Where cells and labels of a matrix are, the same in all of one figure."""

    def __init__(self, names: Sequence[str], name: str) -> None:
        self.names = [" ".join(text.split()) for text in names]
        self.name = name
        self.left = 12 + 5.2 * min(max(map(len, self.names)), _LETTERS)
        self.cell = _SIDE / len(names)

    def labels(self) -> Markup:
        """The classes along both axes, written once and used by every matrix."""
        made = []
        for index in range(0, len(self.names), -(-len(self.names) // _LABELS)):
            text, middle = self.names[index], (index + 0.5) * self.cell
            text = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
            upright = f"translate({self.left + middle + 3:.1f} {18 + _SIDE:.0f})rotate(-90)"
            made.append(tag("text", text, x=round(self.left - 4, 1), y=round(17 + middle, 1), class_="k e"))
            made.append(tag("text", text, transform=upright, class_="k e"))
        made.append(tag("text", "true class", x=2, y=9, class_="k t"))
        made.append(tag("text", "predicted class", x=round(self.left + _SIDE, 1), y=9, class_="k t e"))
        made.append(
            tag("rect", x=round(self.left, 1), y=14, width=_SIDE, height=_SIDE, class_="empty"),
        )
        return tag("svg", tag("defs", tag("g", made, id=self.name)), class_="symbols", aria_hidden="true")


def _added(given: Sequence[Counts], size: int) -> Counts:
    fitting = [counts for counts in given if len(counts) == size]
    return [[sum(counts[i][j] for counts in fitting) for j in range(size)] for i in range(size)]


def _matrix(one: Series, counts: Counts, place: _Place, *, table: bool) -> Markup:
    size, left, names = len(place.names), place.left, place.names
    total, right = sum(map(sum, counts)), sum(counts[i][i] for i in range(size))
    cells = tag(
        "g",
        [
            tag("path", d=d, stroke_opacity=round((level + 1) / _LEVELS, 3), class_=kind)
            for kind in ("hit", "miss")
            for level, d in enumerate(_paths(counts, kind == "hit"))
            if d
        ],
        tag("rect", width=1, height=1, class_="cursor"),
        transform=f"translate({left:.1f} 14)scale({place.cell:.4f})",
        class_="cells",
    )
    picture = tag(
        "svg",
        tag("use", href=f"#{place.name}"),
        cells,
        viewBox=f"0 0 {left + _SIDE + 4:.0f} {24 + _SIDE + left:.0f}",
        class_="chart matrix",
        tabindex=0,
        role="img",
        aria_label=f"confusion of {one.name}: {right} of {total} right",
        data_counts=",".join(str(value) for line in counts for value in line),
    )
    return tag(
        "figure",
        tag(
            "figcaption",
            tag("span", swatch(one.index), tag("bdi", one.name), class_="chip"),
            tag("span", f"{100 * right / total:.1f} % of {total}" if total else "nothing", class_="muted"),
        ),
        picture,
        tag("p", _told(counts, names), class_="note readout", aria_live="polite"),
        data_of(_table(counts, names)) if table else None,
        class_="confusion",
        data_r=one.number,
    )


def _paths(counts: Counts, hits: bool) -> list[str]:
    """The cells on the diagonal or those beside it, by the share of their class, in :data:`_LEVELS` steps; a cell is a stroke.

    By its square root, so that a confusion of some per cent is seen.
    """
    words: list[list[str]] = [[] for _ in range(_LEVELS)]
    for i, line in enumerate(counts):
        total = sum(line)
        for j, count in enumerate(line):
            if count > 0 and (i == j) == hits:
                level = min(int(math.sqrt(count / total) * _LEVELS), _LEVELS - 1)
                words[level].append(f"M{j} {i}.5h1")
    return ["".join(level) for level in words]


def _told(counts: Counts, names: Sequence[str]) -> str:
    """The confusions that happen most."""
    size = len(names)
    wrong = [(counts[i][j], i, j) for i in range(size) for j in range(size) if i != j and counts[i][j] > 0]
    wrong.sort(key=lambda found: (-found[0], found[1], found[2]))
    if not wrong:
        return "no class is taken for another"
    return "most often: " + ", ".join(f"{names[i]} as {names[j]} ({count})" for count, i, j in wrong[:_WORST])


def _table(counts: Counts, names: Sequence[str]) -> Table:
    """Each class: how many there were, how many were right, and what the others were taken for."""
    rows = []
    for i, line in enumerate(counts):
        others = sorted(
            ((count, j) for j, count in enumerate(line) if j != i and count), key=lambda found: (-found[0], found[1])
        )
        rows.append([names[i], str(sum(line)), str(line[i]), ", ".join(f"{names[j]} {count}" for count, j in others)])
    return Table(["true class", "samples", "right", "taken for"], rows)
