"""What a person sees of a run on a terminal, and that logs get plain lines."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import record
from rich.console import Console
from small_job import UNTIMED

from harness.cli.estimate import Estimate
from harness.cli.live import LiveTable
from harness.cli.progress import ending
from harness.comparison.summary import summarise

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def terminal(width=80, height=24, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", write_through=True)
    return Console(file=file, force_terminal=True, width=width, height=height, color_system=None)


def frame(table):
    """The table as it stands, in lines."""
    console = Console(width=table._console.size.width, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(table._now())
    return captured.get().splitlines()


def left_behind(console):
    console.file.seek(0)
    return console.file.read()


def cached(seed):
    return replace(record(seed=seed), provenance={"cached_from": "earlier"}, timings={"train": 3.0})


def played(width=80, height=24, ended=(), running=2, total=12):
    """A table in the midst of a run."""
    table = LiveTable(terminal(width, height))
    table.trials(total, sum(item.cached for item in ended), 2, "cpu", Path("run"))
    for item in ended:
        if not item.cached:
            table.trial_started(item.label)
        table.trial_finished(item)
    for number in range(running):
        table.trial_started(f"toy alif s{number}")
        table.epoch(f"toy alif s{number}", 12, 30, {"train_loss": 1.2345, "validation_accuracy": 0.4321})
    return table


FAILED = record("iaf", seed=5, status="failed")
SOME = (cached(0), replace(record(seed=1), timings={"train": 12.0}), FAILED)


def test_it_shows_progress_scores_and_how_trials_ended():
    lines = frame(played(ended=SOME))
    text = "\n".join(lines)
    running = next(line for line in lines if "toy alif s0" in line)
    assert "12/30" in running
    assert "1.234" in running
    assert "43.2%" in running
    assert "left" in running
    assert re.search(r"↺ toy lif s0 .*cached", text)
    assert re.search(r"✓ toy lif s1 .*ok .*12 s", text)
    assert "✗ toy iaf s5: boom [red] | _x_" in text
    assert lines[-1].startswith("3 of 12 done, 1 cached, 1 failed, 2 running, 7 waiting, about")


def test_ended_trials_show_the_scores_of_the_epoch_whose_weights_were_kept():
    line = next(line for line in frame(played(ended=SOME)) if "toy lif s1" in line)
    assert "1.900" in line
    assert "31.0%" in line


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [6, 10, 24])
def test_it_fits_any_terminal_and_says_what_it_leaves_out(width, height):
    ended = [replace(record(seed=seed), timings={"train": 1.0}) for seed in range(100)]
    ended[3] = FAILED
    lines = frame(played(width, height, ended, total=200))
    assert len(lines) < height
    assert all(len(line) <= width for line in lines)
    assert re.match(r"\.\.\. and \d+ more", lines[0])
    assert any("toy alif s0"[:6] in line for line in lines)
    if height >= 10:
        assert any("✗" in line for line in lines)


def test_the_end_leaves_every_trial_and_the_cursor():
    console = terminal()

    def fails():
        with LiveTable(console) as table:
            table.trials(100, 0, 2, "cpu", Path("run"))
            for seed in range(99):
                table.trial_finished(replace(record(seed=seed), timings={"train": 1.0}))
            table.trial_finished(FAILED)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    text = left_behind(console)
    assert text.rstrip().endswith("boom [red] | _x_")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    final = CONTROLS.sub("", text[text.rindex("\x1b[?25h") :])
    assert all(f"toy lif s{seed} " in final for seed in range(99))
    assert "more" not in final


def test_a_terminal_without_the_marks_gets_others():
    console = terminal(encoding="ascii")
    with LiveTable(console) as table:
        table.trials(3, 1, 1, "cpu", Path("run"))
        for item in SOME:
            table.trial_finished(item)
    text = left_behind(console)
    assert "= toy lif s0" in text
    assert "x toy iaf s5" in text
    assert "?" not in CONTROLS.sub("", text)


def test_names_and_messages_steer_no_terminal():
    table = played(ended=[replace(FAILED, label="\x1b[2J[bold]x", error={"message": "\x1b]0;title\x07y"})], running=0)
    text = "\n".join(frame(table))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\\x1b[2J[bold]x" in text


def test_an_interrupt_never_waits_for_what_it_interrupts():
    """Ctrl-C runs in whatever the main thread does, in the midst of a row that it changes too, and says so afterwards."""
    console = terminal()
    with LiveTable(console) as table:
        table.trial_started("toy lif s0")

        def pressed():
            time.sleep(0.6)  # until the thread that draws holds rich's lock and waits for the table's
            table.interrupted(1)
            return 0.0

        table.estimate.clock = pressed
        changing = threading.Thread(target=table.epoch, args=("toy lif s0", 1, 2, {}), daemon=True)
        changing.start()
        changing.join(timeout=30)
        assert not changing.is_alive()
        table.estimate.clock = time.monotonic
        deadline = time.monotonic() + 30
        while "interrupted: finishing what runs; Ctrl-C again" not in left_behind(console):
            assert time.monotonic() < deadline, "it was never said"
            time.sleep(0.01)


def test_stages_of_preparation_come_and_go():
    table = LiveTable(terminal())
    table.progress("toy", "encoding train", 3, 10)
    assert any("encoding train" in line for line in frame(table))
    table.progress("toy", "encoding train", 10, 10)
    assert not any("encoding" in line for line in frame(table))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_time_that_is_left_does_not_take_the_first_epoch_for_a_measure():
    clock = Clock()
    estimate = Estimate(clock)
    estimate.begin(4, 2)
    assert estimate.left() == ""
    estimate.started("a")
    clock.now = 30.0  # compiles
    estimate.epoch("a", 1, 11)
    clock.now = 31.0
    estimate.epoch("a", 2, 11)
    assert estimate.of("a") == "9 s left"
    # Three more of 40 s and this one's 9 s, two at a time.
    assert estimate.left() == "about 64 s left"
    estimate.ended("a")
    for label in "bcd":
        estimate.started(label)
        estimate.ended(label)
    assert estimate.left() == ""


def test_skipped_trials_wait_no_longer():
    estimate = Estimate(Clock())
    estimate.begin(1, 1)
    estimate.ended("never started")
    assert (estimate.waiting, estimate.left()) == (0, "")


def on_a_terminal(arguments, **environment):
    """Everything a real command writes to a terminal of its own, and its status."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**{name: value for name, value in os.environ.items() if name != "CI"}, "TERM": "xterm", **environment},
    )
    os.close(follower)
    read = b""
    while True:
        ready, _, _ = select.select([leader], [], [], 120)
        assert ready, "nothing was written for two minutes"
        try:
            block = os.read(leader, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not block:
            break
        read += block
    os.close(leader)
    return read.decode(), process.wait()


JOB = ["run", "--plugins", "shd-synthetic,lif", *UNTIMED]


def test_a_real_run_on_a_terminal_draws_and_leaves_its_table(places):
    text, status = on_a_terminal(JOB)
    assert status == 0
    assert "\x1b[?25l" in text  # the cursor is hidden while it draws
    end = CONTROLS.sub("", text[text.rindex("\x1b[?25h") :])
    assert re.search(r"✓ shd-synthetic lif .*ok", end)
    again, _ = on_a_terminal(JOB)
    assert re.search(r"↺ shd-synthetic lif .*cached", CONTROLS.sub("", again))


def test_in_ci_and_on_a_dumb_terminal_lines_are_plain(places):
    for environment in ({"CI": "true"}, {"TERM": "dumb"}):
        text, status = on_a_terminal(JOB, **environment)
        assert status == 0
        assert "\x1b[?25l" not in text
        assert "[1/1] shd-synthetic lif" in text


def test_an_interrupt_counts_what_never_started_apart_from_what_failed():
    error = {"type": "interrupted", "message": "not started: the run was interrupted", "traceback": None}
    waiting = [record(seed=seed, status="interrupted", error=error, timings={"total": 0.0}) for seed in (2, 3)]
    killed = record(seed=1, status="interrupted", error={**error, "message": "killed"}, timings={"total": 1.5})
    failed = record(seed=0, status="failed", error={**error, "message": "boom"}, timings={"total": 1.5})
    table = played(ended=[failed, killed, *waiting], running=0, total=4)
    (counts,) = [line for line in frame(table) if " of 4 done" in line]
    assert "2 of 4 done, 1 failed, 1 interrupted, 2 not started" in counts
    assert ending(waiting[0]) == "not started: the run was interrupted"
    assert ending(killed) == "interrupted: killed"
    summary = summarise([failed, killed, *waiting])
    assert [row.trials for row in summary.rows] == ["1 failed, 1 interrupted, 2 not started"]
