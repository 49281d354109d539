"""Damaged files through the command line, in real processes: one line and a status, never an internal error or a wait."""

from __future__ import annotations

import random
from pathlib import Path

from . import damage
from .command import Command, Report, scale
from .readers import readers


def commands(name: str, path: Path, run: Path) -> list[tuple[str, ...]]:
    """Return the commands that read the file called ``name``."""
    of_run = [
        ("runs", "latest"),
        ("runs",),
        ("runs", str(run), "--figures"),
        ("report", str(run), "--format", "csv", "-o", "-"),
        ("baseline", "save", "again", str(run), "--replace"),
        ("compare", str(run), str(run)),
        ("track", str(run), "--history", str(path.parent / "other.jsonl")),
    ]
    return {
        "baseline": [("baseline", "show", str(path)), ("check", str(run), "--baseline", str(path))],
        "history": [("trend", "--history", str(path), "--no-plots"), ("track", str(run), "--history", str(path))],
        "experiment": [("run", str(path), "--dry-run")],
        "noise": [("runs",)],
        "manifest": [("cache",)],
        "labels": [("cache",)],
    }.get(name, of_run)


def test_damaged_files_through_the_command_line(tmp_path):
    report, draw, command = Report("damaged files through the command line"), random.Random(11), Command(tmp_path)
    all_readers = readers(tmp_path)
    sound = {reader.path: reader.path.read_bytes() for reader in all_readers}
    (run,) = (tmp_path / "runs").glob("2*")
    command.environment |= {"HARNESS_RESULTS": str(tmp_path / "runs"), "HARNESS_CACHE": str(tmp_path / "cache")}
    for number in range(scale(1500, 12)):
        reader = draw.choice(all_readers)
        kind = draw.random()
        if kind < 0.2:
            what = draw.choice(list(damage.SPECIAL_FILES))
            damage.remove(reader.path)
            damage.SPECIAL_FILES[what](reader.path)
        else:
            texts = kind < 0.4
            content = (
                draw.choice(damage.HOSTILE_TEXTS) if texts else draw.choice(reader.damages)(sound[reader.path], draw)
            )
            what = f"{content[:30]!r}"
            reader.path.write_bytes(content)
        words = draw.choice(commands(reader.name, reader.path, run))
        ended = command(*words)
        report.attacks += 1
        report.statuses[ended.status or 0] = report.statuses.get(ended.status or 0, 0) + 1
        report.faults += [
            f"{number} {reader.name}, {what}: {words[0]}: {fault}" for fault in ended.faults((0, 1, 4, 5, 6))
        ]
        for aside in tmp_path.rglob("*.damaged"):
            damage.remove(aside)
        damage.remove(reader.path)
        for place, content in sound.items():
            if not place.is_file():
                damage.remove(place)
                place.write_bytes(content)
    report.faults += command.orphans()
    report.conclude()
