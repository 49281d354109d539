"""Runs that are killed, or interrupted, at any moment: nothing finished is lost, nothing lives on, no state is left wrong."""

from __future__ import annotations

import random
import signal
import sys
import time

import pytest
from small_job import UNTIMED

from .command import Command, Report, scale

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are followed to their end on Linux")
SEQUENCES = (
    (signal.SIGINT,),
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGINT, signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM,),
    (signal.SIGTERM, signal.SIGINT),
    (signal.SIGHUP,),
)


def arguments(number: int) -> list[str]:
    """Seeds that no earlier attack has trained, and one that an earlier one may have."""
    seeds = f"{max(number - 1, 0)}..{number + 1}"
    drawn = [word for word in UNTIMED if number % 3 or word not in ("--no-timing", "--no-plots")]
    return ["run", "--plugins", "shd-synthetic,iaf,lif", "--seeds", seeds, "--jobs", "2", *drawn]


def attack(command: Command, number: int, signals: tuple[int, ...], delay: float) -> tuple[int | None, list[str]]:
    before = command.finished()
    process = command.start(*arguments(number))
    time.sleep(delay)
    for sent in signals:
        if process.poll() is None:
            process.send_signal(sent)
        time.sleep(random.Random(number).choice((0.0, 0.05, 0.5)))
    ended = command.wait(process)
    faults = command.orphans() + command.lost(before)
    if signals[0] in (signal.SIGKILL, signal.SIGHUP):
        if ended.status not in (-signals[0], 0):
            faults.append(f"status {ended.status} after signal {signals[0]}")
    elif not (ended.status == -signal.SIGINT and not ended.out):  # Python itself was still starting
        faults += ended.faults((0, 2))
    return ended.status, [f"attack {number} after {delay:.2f} s: {fault}" for fault in faults]


def typical_seconds(command: Command) -> float:
    started = time.monotonic()
    ended = command(*arguments(0))
    assert ended.status == 0, ended.err
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("what", "count", "sequences"),
    [
        ("SIGKILL", scale(200, 2), ((signal.SIGKILL,),)),
        ("signals", scale(40, 2), SEQUENCES),
    ],
)
def test_no_moment_is_wrong_for_an_end(tmp_path, what, count, sequences):
    command, report, draw = Command(tmp_path), Report(what), random.Random(7)
    seconds = typical_seconds(command)
    for number in range(1, count + 1):
        status, faults = attack(command, number, draw.choice(sequences), draw.uniform(0.0, 1.1 * seconds))
        report.attacks += 1
        report.statuses[status or 0] = report.statuses.get(status or 0, 0) + 1
        report.faults += faults
    report.faults += command.running()
    again = command(*arguments(1))
    report.faults += again.faults((0,))
    report.conclude()
