"""How a command ends: its table on the terminal, its files and plots, its exit status."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..places import check_writable, kept_if_used, writing

if TYPE_CHECKING:
    from ..comparison.verdicts import Check

_OUTPUT = "--output"


def conclude(found: Check, given: dict[str, Any], beside: Path) -> int:
    """Show ``found``, write it as Markdown and JUnit XML (``beside`` with their suffixes, unless told), return the exit status.

    Raises :class:`UsageError` for a file that cannot be written.
    """
    from ..report.checks import markdown, terminal
    from ..report.junit import junit

    told = {name: given[name] for name in ("strict", "fail_inconclusive")}
    code = found.exit_code(**told)
    written = [
        (given["markdown"] or beside.with_suffix(".md"), markdown(found, code=code).encode()),
        (given["junit"] or beside.with_suffix(".xml"), junit(found, **told)),
    ]
    for path, content in written:
        write_file(path, content)
    if given["as_json"]:
        click.echo(json.dumps({"exit_code": int(code), **plain(found)}, indent=1))
        return int(code)
    from rich.console import Console

    Console().print(terminal(found, code=code))
    if not given["quiet"]:
        click.echo(f"written: {', '.join(str(shown_path(path)) for path, _ in written)}")
    return int(code)


def write_file(path: Path, content: bytes, *, option: str | None = None) -> None:
    """Write ``content`` whole or not at all, folders made as needed; a pipe or a device is written to, not replaced.

    Raises :class:`UsageError`, which names ``option`` as the way out, for a path that cannot be written.
    """
    from ..store import write_atomically

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            write_atomically(path.resolve(), content)
    except BrokenPipeError:
        raise  # the reader left, which is no mistake
    except OSError as error:
        advice = f"; name a file with {option}" if option else ""
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}{advice}") from None


def check_output(output: Path) -> None:
    """Try whether figures can be written to ``output``, before any work is done for them; leaves nothing behind.

    Raises :class:`UsageError` where they cannot.
    """
    with writing(output, _OUTPUT), kept_if_used(output):
        check_writable(output, _OUTPUT)


def write_plots(output: Path, write: Callable[[Path], list[Path]], owned: Iterable[str] = ()) -> None:
    """Let ``write`` draw into the folder ``output`` and name what it returns, drawings once by their PNG files.

    Figures called as in ``owned`` that it did not write are of an earlier call and go. Raises :class:`UsageError` for a folder
    that cannot be written.
    """
    with writing(output, _OUTPUT), kept_if_used(output):
        written = write(output)
        old = [output / f"{name}{kind}" for name in owned for kind in (".svg", ".png")]
        gone = [path for path in old if path not in written and path.is_file()]
        for path in gone:
            path.unlink()
    names = (str(item.relative_to(output)) for item in written if item.suffix != ".svg")
    click.echo(f"in {shown_path(output)}: {', '.join(names)}")
    if gone:
        click.echo(f"removed there, of an earlier call: {', '.join(path.name for path in gone)}")


def plain(found: Check) -> dict[str, Any]:
    """A check as plain JSON values."""
    return {
        "old": found.old,
        "new": found.new,
        "gate": found.gate.to_json(),
        "notes": list(found.notes),
        "verdicts": [vars(verdict) for verdict in found.verdicts],
    }


@contextlib.contextmanager
def readers_may_leave() -> Iterator[None]:
    """Go on where the reader of a pipe such as ``| head`` is gone: that says nothing of the work, and must not be its status."""
    try:
        yield
    except BrokenPipeError:
        say_no_more()
    except SystemExit as error:  # click and rich make an exit of it
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        say_no_more()


def say_no_more() -> None:
    """Let standard output go nowhere from here."""
    # Not even at interpreter exit, when what is left in the buffer would be written.
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def shown_path(path: Path) -> Path:
    """``path`` as seen from here, where it lies below."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path
