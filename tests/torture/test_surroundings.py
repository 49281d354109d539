"""Odd surroundings: terminals, locales, folders, limits, streams. A command works in them, or says in one line why not."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

from small_job import UNTIMED

from .command import Command, Ended, Report, scale

JOB = ("run", "--plugins", "shd-synthetic,lif", *UNTIMED)
VARIABLES: tuple[dict[str, str | None], ...] = (
    *({"COLUMNS": value} for value in ("0", "1", "20", "79", "1000000", "-5", "wide", "")),
    *({"LINES": value} for value in ("0", "1", "x")),
    *({"TERM": value} for value in ("dumb", "", "unknown-terminal", "xterm-256color")),
    *({"LC_ALL": value, "LANG": value} for value in ("C", "POSIX", "C.UTF-8", "xx_YY.UTF-8", "")),
    {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    *({"PYTHONIOENCODING": value} for value in ("ascii", "latin-1", "utf-16", "ascii:strict")),
    *({"PYTHONWARNINGS": value} for value in ("error", "ignore", "default")),
    {"PYTHONDONTWRITEBYTECODE": "1"},
    {"PYTHONHASHSEED": "1"},
    {"PYTHONOPTIMIZE": "1"},
    {"PYTHONOPTIMIZE": "2"},
    {"PYTHONUNBUFFERED": "1"},
    {"PYTHONDEVMODE": "0"},
    {"PYTHONFAULTHANDLER": "1"},
    *({name: "1"} for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CI", "JUPYTER_LINES")),
    *({"HOME": value} for value in (None, "", "/nowhere", "/dev/null", "relative")),
    *({"TMPDIR": value} for value in ("/nowhere", "", ".")),
    *({"HARNESS_CACHE": value} for value in ("", "relative/cache", "/dev/null", "/proc/cache")),
    *({"HARNESS_RESULTS": value} for value in ("", "relative", "/dev/null", "/proc/results", "a\nb", "x" * 300)),
    *({"HARNESS_DATA": value} for value in ("", "/nowhere", "/dev/null")),
    *({"HARNESS_PLUGINS": value} for value in (",", "nosuch", "shd,,", "\udc80")),
    *({"OMP_NUM_THREADS": value} for value in ("0", "many", "1,1", "999")),
    *({"MPLBACKEND": value} for value in ("nosuch", "agg")),
    {"MPLCONFIGDIR": "/dev/null"},
    {"NUMBA_CACHE_DIR": "/dev/null"},
    {"NUMBA_DISABLE_JIT": "1"},
    {"CUDA_VISIBLE_DEVICES": "nosuch"},
    {"SOURCE_DATE_EPOCH": "0"},
    {"TZ": "Nowhere/None"},
)
REDIRECTIONS = (
    ">&-",
    "2>&-",
    "<&-",
    ">&- 2>&-",
    "<&- >&- 2>&-",
    ">/dev/full",
    "2>/dev/full",
    "</dev/null",
    "| true",
    "</dev/zero",
)
LIMITS = (
    (resource.RLIMIT_NOFILE, 40),
    (resource.RLIMIT_NOFILE, 16),
    (resource.RLIMIT_FSIZE, 1 << 16),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NPROC, 1),
    (resource.RLIMIT_STACK, 1 << 20),
)


def changed(command: Command, change: dict[str, str | None]) -> Ended:
    """Run the job with environment variables set, or removed where their value is None."""
    for name, value in change.items():
        command.environment.pop(name, None)
        if value is not None:
            command.environment[name] = value
    return command(*JOB)


def in_deleted_folder(command: Command, words: tuple[str, ...]) -> Ended:
    """Run a command in a folder that is removed before it starts."""
    gone = command.folder / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}" && exec "$@"'
    return command.wait(command.start(*words, cwd=gone, shell=("sh", "-c", script, "sh")))


def break_run(run: Path, how: str) -> None:
    """Put something else in the place of a part of ``run``."""
    if how == "trials is a file":
        shutil.rmtree(run / "trials")
        (run / "trials").write_text("x")
    elif how == "run.json is a folder":
        (run / "run.json").unlink()
        (run / "run.json").mkdir()
    elif how == "run.json is empty":
        (run / "run.json").write_text("")
    elif how == "latest is a folder":
        (run.parent / "latest").unlink()
        (run.parent / "latest").mkdir()


def surroundings(folder: Path) -> dict[str, Callable[[Command], list[Ended]]]:
    """Return every odd surrounding by what it is, as a function that runs commands in it."""
    found: dict[str, Callable[[Command], list[Ended]]] = {}
    for change in VARIABLES:
        found[str(change)] = lambda command, change=change: [changed(command, change)]
    for redirect in REDIRECTIONS:
        found[redirect] = lambda command, redirect=redirect: [command(*JOB, redirect=redirect)]
    for kind, most in LIMITS:
        limit = (kind, most)
        found[f"limit {kind} of {most}"] = lambda command, limit=limit: [command(*JOB, limit=limit)]
    found["a folder that is gone"] = lambda command: [
        in_deleted_folder(command, words) for words in (("runs",), ("plugins",), JOB)
    ]
    readers = (("runs",), ("runs", "latest"), ("report", "latest"), ("baseline", "save", "x"), JOB)
    for how in ("trials is a file", "run.json is a folder", "run.json is empty", "latest is a folder"):

        def broken(command: Command, how: str = how) -> list[Ended]:
            first = command(*JOB)
            (run,) = (command.folder / "results").glob("2*")
            break_run(run, how)
            return [first, *(command(*words) for words in readers)]

        found[how] = broken
    return found


def test_surroundings(tmp_path):
    report = Report("surroundings")
    every = surroundings(tmp_path)
    chosen = (
        every
        if scale(1, 0)
        else {name: every[name] for name in ("{'COLUMNS': '0'}", ">&- 2>&-", "a folder that is gone")}
    )
    for number, (name, enter) in enumerate(chosen.items()):
        # A name that is no UTF-8 for every other folder.
        folder = (
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/half-\x80-%d" % number))
            if number % 2
            else tmp_path / str(number)
        )
        folder.mkdir()
        command = Command(folder)
        for ended in enter(command):
            report.attacks += 1
            report.statuses[ended.status or 0] = report.statuses.get(ended.status or 0, 0) + 1
            report.faults += [f"{name}: {fault}" for fault in ended.faults((0, 2, 3, 4, 5, 6))]
            if ended.status == 0 and ">" not in name and not ended.out.strip():
                report.faults.append(f"{name}: status 0 without a word")
        report.faults += [f"{name}: {fault}" for fault in command.orphans()]
    report.conclude()
