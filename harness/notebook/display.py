"""What a notebook shows: tables and figures that belong together, drawn when somebody looks."""

from __future__ import annotations

import html
import io
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .arguments import path

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_ROWS = 40  # of a table, at most; pandas leaves out the middle
_DPI = 150
_POINTS = 80  # pixels an inch on the screen


@dataclass(frozen=True)
class Table:
    """A table for reading, its numbers formatted, with a ``heading`` and with lines ``below`` that explain it."""

    frame: pd.DataFrame
    heading: str = ""
    below: tuple[str, ...] = ()


class Display:
    """Tables (``frames``, by name), ``figures``, by name, and the ``data`` that both are made of.

    The value of a notebook's cell shows title, ``notes``, tables and all figures. Figures are drawn at the first look.
    ``shown`` are those tables; else the first of ``frames`` is shown. ``write`` adds what is neither table nor figure
    to a folder.
    """

    def __init__(
        self,
        title: str,
        data: object,
        frames: Mapping[str, pd.DataFrame],
        draw: Callable[[], Iterable[tuple[str, Figure]]] = tuple,
        *,
        notes: Iterable[str] = (),
        shown: Iterable[Table] = (),
        write: Callable[[Path], Iterable[Path]] | None = None,
    ) -> None:
        self.title = title
        self.data = data
        self.frames = dict(frames)
        self.notes = tuple(notes)
        self.shown = tuple(shown) or (Table(self.frame),)
        self.write = write
        self._draw = draw

    @property
    def frame(self) -> pd.DataFrame:
        """The first of ``frames``."""
        return next(iter(self.frames.values()))

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """matplotlib figures by name, in the harness's style, without pyplot; each shows itself in a notebook."""
        from ..report.style import lay_out, styled

        with styled():
            drawn = dict(self._draw())
            for figure in drawn.values():
                lay_out(figure)
        for figure in drawn.values():
            # Only figures of pyplot show themselves otherwise.
            figure._repr_png_ = partial(_png, figure)  # type: ignore[attr-defined]
        return drawn

    def save(self, folder: str | Path) -> list[Path]:
        """Write each table as csv, each figure as svg and png, and a GIF and a player of what an event camera saw to ``folder``.

        Returns the paths. The same data give the same bytes. Raises :class:`UsageError` for a folder that cannot be written.
        """
        from ..places import kept_if_used, reason
        from ..report.style import save_all
        from ..store import write_atomically
        from ..text import csv_cell

        folder, written = path(folder, "folder"), list[Path]()
        try:
            with kept_if_used(folder):
                for name, frame in self.frames.items():
                    written.append(folder / f"{name}.csv")
                    safe = frame.rename(columns=csv_cell)
                    texts = safe.columns[safe.dtypes.map(lambda kind: kind.kind == "O" or kind == "str")]
                    safe[texts] = safe[texts].map(csv_cell)
                    write_atomically(written[-1], safe.to_csv(index=False, lineterminator="\n").encode())
                written += save_all(self.figures.items(), folder)
                if self.write is not None:
                    written += self.write(folder)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written: {reason(error)}; name another folder") from None
        return written

    def __repr__(self) -> str:
        tables = ", ".join(f"{name} {len(frame)} x {len(frame.columns)}" for name, frame in self.frames.items())
        return f"<Display of {self.title}: {tables}>"

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        tables = "".join(map(_table, self.shown))
        figures = "".join(_image(name, figure) for name, figure in self.figures.items())
        # Jupyter takes what stands between dollar signs for a formula, unless it is told not to.
        return (
            '<div class="tex2jax_ignore mathjax_ignore">'
            f"<p><strong>{html.escape(self.title)}</strong></p>{notes}{tables}{figures}</div>"
        )


def _table(table: Table) -> str:
    heading = f"<p><strong>{html.escape(table.heading)}</strong></p>" if table.heading else ""
    rows = table.frame.to_html(max_rows=_ROWS, index=False, border=0, justify="left", na_rep="")
    return heading + rows + "".join(f"<p>{html.escape(line)}</p>" for line in table.below)


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from ..report.style import styled

    made = io.BytesIO()
    with styled():
        FigureCanvasAgg(figure)
        figure.savefig(made, format="png", dpi=_DPI, metadata={"Software": None})
    return made.getvalue()


def _image(name: str, figure: Figure) -> str:
    data, width = b64encode(_png(figure)).decode(), round(_POINTS * figure.get_figwidth())
    return f'<p><img alt="{html.escape(name)}" width="{width}" style="max-width: 100%" src="data:image/png;base64,{data}"></p>'
