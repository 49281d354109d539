"""Commands whose output nobody reads to its end, as before ``| head``: status and files are as if somebody did."""

import json
import os
import subprocess
import sys

from tests.small_job import UNTIMED


def unread(cli, *arguments):
    """``harness`` with both of its streams to a pipe whose reader is gone; the status."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "harness", *arguments]
    with open(writing, "wb") as gone:
        return subprocess.run(command, cwd=cli.folder, env=cli.environment, stdout=gone, stderr=gone).returncode


def test_figures_are_drawn_and_those_of_an_earlier_input_go(fresh):
    folder = fresh.folder / "n"
    folder.mkdir()
    (folder / "raster.png").write_bytes(b"of an earlier input")
    (folder / "mine.png").write_bytes(b"of somebody else")
    assert unread(fresh, "neurons", "iaf,lif", "--input", "constant", "--output", "n") == 0
    assert sorted(path.name for path in folder.iterdir()) == ["mine.png", "neurons.png", "neurons.svg"]
    assert unread(fresh, "nope") == 4


def test_a_run_goes_on_to_its_end(fresh):
    assert unread(fresh, "run", "--plugins", "shd-synthetic,lif", *UNTIMED) == 0
    (run,) = fresh.runs()
    assert json.loads((run / "run.json").read_text())["state"] == "finished"
    assert unread(fresh, "report", "latest", "-o", "-") == 0
    assert unread(fresh, "report", "latest", "-o", "/dev/stdout") == 0
