"""A table that fits its terminal: headings break, and columns that find no room go on below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .formats import ARROWS

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

_GAP = 2
_LAST = 10  # the last column may be squeezed to this before it moves below
_SLASH = 12  # what is this short is not broken at its slashes
_WORD = 24  # a longer word is broken


@dataclass(frozen=True)
class Strip:
    """One column: its heading, each part of which starts a line, and a text a row.

    Blanks that a cell starts with indent the lines it is folded to as well. ``slashes`` are where the cells break if they must.
    """

    heading: Sequence[str]
    cells: Sequence[Text]
    slashes: bool = False

    def natural(self) -> int:
        """How wide it is with no line broken."""
        return max((_wide(line) for text in self._texts() for line in text.split("\n")), default=0)

    def narrowest(self) -> int:
        """How wide it is with every line of words broken; no word asks for more than it may."""
        return min(
            max((_indent(text) + _wide(word) for text in self._texts() for word in text.split()), default=0), _WORD
        )

    def upright(self) -> int:
        """How wide it is with the heading broken, but no cell."""
        pieces = [piece for part in self.heading for piece in _pieces(part)]
        lines = [line for cell in self.cells for line in cell.plain.split("\n")]
        return max((_wide(text) for text in [*pieces, *lines]), default=0)

    def stacked(self) -> str:
        """The heading broken over lines, so that the cells decide how wide the column is."""
        return "\n".join(line for part in self.heading for line in broken(part, self.upright()))

    def tight(self) -> Strip:
        """The same with cells broken at their slashes, where they may be."""
        from rich.text import Text

        if not self.slashes:
            return self
        width = max([_SLASH, *(_wide(piece) for cell in self.cells for piece in _pieces(cell.plain))])
        return replace(self, cells=[Text("\n".join(broken(cell.plain, width)), cell.style) for cell in self.cells])

    def _texts(self) -> list[str]:
        return [*self.heading, *(cell.plain for cell in self.cells)]


@dataclass(frozen=True)
class Grid:
    """Columns for a terminal of any width.

    ``left`` are words, which fold, and stand in every block; ``figures`` are never cut; ``last`` ends the last block.
    """

    left: Sequence[Strip]
    figures: Sequence[Strip]
    last: Strip | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """As many tables below each other as the width needs."""
        left, given = self.left, options.max_width
        taken = sum(strip.natural() + _GAP for strip in left)
        if taken + sum(strip.upright() + _GAP for strip in self.figures) - _GAP > given:
            left = [strip.tight() for strip in left]
            narrowest = sum(strip.narrowest() + _GAP for strip in left)
            taken = min(sum(strip.natural() + _GAP for strip in left), max(narrowest, given // 2))
        for index, (figures, last) in enumerate(self._blocks(given - taken)):
            if index:
                yield ""
            yield _table(left, figures, last, given)

    def _blocks(self, room: int) -> list[tuple[list[Strip], Strip | None]]:
        blocks: list[list[Strip]] = [[]]
        used = 0
        for strip in self.figures:
            if blocks[-1] and used + strip.upright() > room:
                blocks.append([])
                used = 0
            blocks[-1].append(strip)
            used += strip.upright() + _GAP
        if self.last is not None and blocks[-1] and used + min(self.last.natural(), _LAST) > room:
            # The last column does not stand alone below.
            blocks.append([blocks[-1].pop()] if len(blocks[-1]) > 1 else [])
        return [(block, self.last if index == len(blocks) - 1 else None) for index, block in enumerate(blocks)]


def _table(left: Sequence[Strip], figures: Sequence[Strip], last: Strip | None, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    words = [*left, *([last] if last is not None else [])]
    least = sum(strip.narrowest() + _GAP for strip in words) + sum(strip.upright() + _GAP for strip in figures)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")

    def add_words(strip: Strip) -> None:
        # Words stay whole as long as no figure is cut for it.
        shortest = strip.narrowest() if least - _GAP <= width else 1
        table.add_column(Text("\n".join(strip.heading)), overflow="fold", min_width=shortest)

    for strip in left:
        add_words(strip)
    for strip in figures:
        table.add_column(Text(strip.stacked()), justify="right", no_wrap=True)
    if last is not None:
        add_words(last)
    for texts in zip(*(strip.cells for strip in (*left, *figures, *words[len(left) :])), strict=True):
        table.add_row(*(_cell(text) for text in texts))
    return table


def _cell(text: Text) -> RenderableType:
    from rich.padding import Padding

    indent = _indent(text.plain)
    return Padding(text[indent:], (0, 0, 0, indent)) if indent else text


def broken(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width``, broken at blanks and after slashes; a piece that is longer stays whole."""
    lines: list[str] = []
    for piece in _pieces(text):
        joint = "" if lines and lines[-1].endswith("/") else " "
        if lines and _wide(lines[-1] + joint + piece) <= width:
            lines[-1] += joint + piece
        else:
            lines.append(piece)
    return lines


def _pieces(text: str) -> list[str]:
    """What a text can be broken into: words, the sides of a slash; an arrow stays with its word."""
    pieces: list[str] = []
    for word in text.split():
        if word in ARROWS.values() and pieces:
            pieces[-1] += f" {word}"
        else:
            pieces += [piece for piece in word.replace("/", "/\n").split("\n") if piece]
    return pieces


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _wide(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
