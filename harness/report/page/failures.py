"""What went wrong: trials that did not end well with the end of their logs, and what was damaged, left out, never started or merged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .elements import Markup, tag
from .gathering import Material, Trial
from .tables import link

LINES = 30  # of a log
_BYTES = 32 * 1024
_LETTERS = 400  # of a line
_OPEN = 3  # so many failures are shown unfolded
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def failures(material: Material, place: Path) -> tuple[str, Markup | None]:
    """Everything that did not go well and what was merged, or None; with its title, which speaks of failures if there are any."""
    failed = material.failed
    wrong = [*material.problems, *(f"never started: {label}" for label in material.unstarted)]
    wrong += [
        f"{item.run.id}: {item.about['error']}" for item in material.runs if isinstance(item.about.get("error"), str)
    ]
    notes = [*wrong, *material.notes]
    title = "Failures" if failed or wrong else "Notes"
    if not failed and not notes:
        return title, None
    return title, tag(
        "div",
        tag("ul", [tag("li", note) for note in notes], class_="notes") if notes else None,
        [_failure(trial, place, unfolded=len(failed) <= _OPEN) for trial in failed],
    )


def _cause(error: Mapping[str, Any]) -> str:
    kind, message = str(error.get("type") or "no cause"), str(error.get("message") or "none was recorded")
    # The message of an exception in a plugin begins with its type.
    return message if message.startswith(kind) else f"{kind}: {message}"


def _failure(trial: Trial, place: Path, *, unfolded: bool) -> Markup:
    record = trial.record
    error = record.error if isinstance(record.error, dict) else {}
    log = trial.log
    ended = tail(log) if log is not None else ""
    trace = "\n".join(cut(str(error.get("traceback") or "")))
    return tag(
        "details",
        tag(
            "summary",
            tag("span", record.ending, class_="badge" if record.not_started else "badge bad"),
            " ",
            tag("bdi", record.label),
            tag("span", f" {record.message}", class_="muted"),
        ),
        tag(
            "p",
            tag("code", _cause(error)),
            class_="message",
        ),
        [tag("h4", f"End of its log, {_count(ended)}"), tag("pre", ended, tabindex=0)] if ended else None,
        [tag("h4", "Traceback"), tag("pre", trace, tabindex=0)] if trace.strip() and trace not in ended else None,
        tag(
            "p",
            link("record", trial.path, place),
            [" · ", link("whole log", log, place)] if log is not None else None,
            class_="note",
        ),
        open=unfolded,
        class_="failure printed",
    )


def _count(ended: str) -> str:
    """How many lines of it are shown."""
    count = ended.count("\n") + 1
    return f"{count} line{'s' * (count != 1)}"


def tail(path: Path) -> str:
    """The last lines of a log, without what colours a terminal; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - _BYTES, 0))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(cut(text))


def cut(text: str) -> list[str]:
    """The last lines of ``text``, each as a terminal would have left it, and none of them endless."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in _ESCAPES.sub("", text).rstrip().split("\n")]
    return [line if len(line) <= _LETTERS else f"{line[:_LETTERS]}…" for line in lines[-LINES:]]
