"""What a camera saw, moving: a small GIF of a few recordings beside each other, and a page that plays each of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..store import write_atomically
from ..text import one_line
from .event_images import in_cells
from .inspection_titles import end_ms, label, recording_name, title
from .player import player
from .style import COLOURS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

    from ..inspection.findings import Inspection, Shown

Picture = npt.NDArray[np.uint8]

_ACROSS = 4  # recordings in one GIF
_SIDE = 256  # pixels of a recording's longer side, at most
_LARGEST = 2_000_000  # bytes
_STEP = 50.0  # ms in a picture, at most, where the encoding's steps are longer
_FASTEST, _SLOWEST = 20, 1000  # ms on the screen: viewers show none more briefly, and nobody waits longer
_MOST = 200  # pictures
FILES = ("events.gif", "player.html")
_GAP, _LINE, _SMALL = 8, 17, 12
# Inks on white paper, as in the figures: none, one and more of ON, by none, one and more of OFF; then greys for letters.
_GREYS = 6


@dataclass(frozen=True)
class _Pace:
    """``step_us`` of events are in each of ``pictures``, which is shown for ``delay_ms``."""

    step_us: int
    pictures: int
    delay_ms: int

    @property
    def words(self) -> str:
        """``50 ms a picture, real time``."""
        step = self.step_us / 1000
        ratio = self.delay_ms / step
        speed = (
            "real time"
            if abs(ratio - 1) < 0.005
            else f"{max(ratio, 1 / ratio):.3g}x {'slower' if ratio > 1 else 'faster'}"
        )
        return f"{step:g} ms a picture, {speed}"


def write_animations(inspection: Inspection, folder: Path) -> list[Path]:
    """Write ``events.gif`` and ``player.html`` of the recordings shown to ``folder``; returns the paths.

    Nothing is written where events have no place in an image, or no recording is shown. The same inspection gives the
    same bytes.
    """
    if not inspection.vision or not inspection.shown:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    contents = dict(zip(FILES, (events_gif(inspection), player(inspection).encode()), strict=True))
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def events_gif(inspection: Inspection, largest: int = _LARGEST) -> bytes:
    """The first recordings shown, side by side, a picture a step of the encoding or finer.

    Pictures become smaller, then fewer, until the file has at most ``largest`` bytes; how long a picture is, in the
    recording and on the screen, is written in it.
    """
    made = b""
    for side, coarser in (
        (_SIDE, 1),
        (_SIDE // 2, 1),
        (_SIDE // 2, 2),
        (_SIDE // 2, 4),
        (_SIDE // 4, 4),
        (_SIDE // 4, 16),
    ):
        made = _gif(inspection, side, _pace(inspection, coarser))
        if len(made) <= largest:
            break
    return made


def _pace(inspection: Inspection, coarser: int) -> _Pace:
    span = max(1, round(1000 * max(map(end_ms, inspection.shown[:_ACROSS]))))
    whole = inspection.encoding.microseconds(inspection.encoding.dt)
    parts = -(-whole // round(1000 * _STEP))
    step = max(1, whole // parts)
    while -(-span // step) > _MOST:
        step *= 2
    step *= coarser
    return _Pace(step, -(-span // step), min(max(_FASTEST, round(step / 10_000) * 10), _SLOWEST))


def _gif(inspection: Inspection, side: int, pace: _Pace) -> bytes:
    first, *others = _pictures(inspection, side, pace)
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=pace.delay_ms, loop=0, optimize=False)
    return file.getvalue()


def _pictures(inspection: Inspection, side: int, pace: _Pace) -> Iterator[Image]:
    """All pictures as images of one palette."""
    from PIL.Image import fromarray

    shown = inspection.shown[:_ACROSS]
    panes = [_inked(inspection, item, side, pace) for item in shown]
    sheet, places = _sheet(inspection, shown, panes[0].shape[1:], pace)
    palette = [channel for colour in _palette() for channel in colour]
    for number in range(pace.pictures):
        picture = sheet.copy()
        for pane, (top, left) in zip(panes, places, strict=True):
            picture[top : top + pane.shape[1], left : left + pane.shape[2]] = pane[number]
        now = f"t = {number * pace.step_us / 1000:,.0f} ms"
        _write(picture, now, _GAP, picture.shape[0] - _LINE - 2, _font(_SMALL))
        image = fromarray(picture)
        # The numbers are indices of colours, not greys.
        image.putpalette(palette)
        yield image


def _inked(inspection: Inspection, shown: Shown, side: int, pace: _Pace) -> Picture:
    """One recording as indices of colours, (pictures, height, width)."""
    cells, (height, width) = in_cells(shown.events, inspection.sensor_size, side)
    number = np.minimum(shown.events.t // pace.step_us, pace.pictures - 1)
    several = inspection.sensor_size[2] > 1 and shown.events.p is not None
    inks = np.zeros((pace.pictures, height * width), np.uint8)
    for factor, of_ink in (
        (1, cells % 2 == 1 if several else np.ones(len(cells), bool)),
        (3, cells % 2 == 0 if several else np.zeros(len(cells), bool)),
    ):
        place = (number * height * width + cells // 2)[of_ink]
        seen, counts = np.unique(place, return_counts=True)
        inks.reshape(-1)[seen] += (factor * np.minimum(counts, 2)).astype(np.uint8)
    larger = max(1, side // max(height, width))
    return inks.reshape(-1, height, width).repeat(larger, axis=1).repeat(larger, axis=2)


def _sheet(
    inspection: Inspection, shown: Sequence[Shown], pane: tuple[int, ...], pace: _Pace
) -> tuple[Picture, list[tuple[int, int]]]:
    """What stands in all pictures alike, and where the recordings go in it: (top, left)."""
    height, width = pane
    column = max(width, 128) + _GAP
    wide = max(column * len(shown) + _GAP, 300)
    top = 2 * _GAP + 3 * _LINE
    sheet = np.zeros((top + height + _GAP + 2 * _LINE, wide), np.uint8)
    font, room = _font(_SMALL + 1), wide - 2 * _GAP
    headline = title(inspection, short=font.getlength(title(inspection)) > room)
    _write(sheet, headline, _GAP, _GAP // 2, font, room)
    places = []
    for number, item in enumerate(shown):
        left = _GAP + column * number
        _write(sheet, label(inspection, item), left, _GAP + _LINE, _font(_SMALL), column - _GAP)
        _write(sheet, recording_name(item), left, _GAP + 2 * _LINE, _font(_SMALL - 1), column - _GAP)
        sheet[top - 1 : top + height + 1, left - 1 : left + width + 1] = 9 + 1
        places.append((top, left))
    below = sheet.shape[0] - _LINE - 2
    if inspection.sensor_size[2] > 1:
        _write(sheet, "blue: ON, orange: OFF, dark: both", _GAP, below - _LINE, _font(_SMALL - 1), room)
    _write(sheet, pace.words, _GAP + 110, below, _font(_SMALL - 1), wide - 110 - 2 * _GAP)
    return sheet, places


def _write(picture: Picture, text: str, left: int, top: int, font: FreeTypeFont, width: int = 10_000) -> None:
    """Write ``text`` in greys, cut where it is wider than ``width`` pixels."""
    from PIL import ImageDraw
    from PIL.Image import new

    plain = one_line(text)
    if font.getlength(plain) > width:
        while plain and font.getlength(plain + "…") > width:
            plain = plain[:-1]
        plain += "…"
    ink = new("L", (min(width, picture.shape[1] - left), min(_LINE + 2, picture.shape[0] - top)))
    ImageDraw.Draw(ink).text((0, 0), plain, fill=255, font=font)
    greys = (np.asarray(ink).astype(np.uint16) * _GREYS + 127) // 255
    place = picture[top : top + greys.shape[0], left : left + greys.shape[1]]
    place[greys > 0] = (9 + greys - 1)[greys > 0].astype(np.uint8)


def _font(points: int) -> FreeTypeFont:
    """matplotlib's own font, so that letters are the same on every machine and class names beyond ASCII have theirs."""
    from matplotlib import get_data_path
    from PIL.ImageFont import truetype

    return truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), points)


def _palette() -> list[tuple[int, int, int]]:
    """Nine inks, index ON + 3 OFF with 0 none, 1 one event, 2 more; then greys from light to nearly black."""
    hues = [np.array([int(tone[place : place + 2], 16) for place in (1, 3, 5)]) / 255 for tone in COLOURS[:2]]
    levels = (0.0, 0.6, 1.0)
    found = []
    for off in levels:
        for on in levels:
            colour = np.prod([1 - level * (1 - hue) for level, hue in zip((on, off), hues, strict=True)], axis=0)
            found.append(colour)
    found += [np.full(3, 1 - (grey + 1) / _GREYS * 0.9) for grey in range(_GREYS)]
    return [(int(r), int(g), int(b)) for r, g, b in (np.round(colour * 255) for colour in found)]
