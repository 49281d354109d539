"""Commands whose output nobody reads to its end, as before ``| head``: status and files are as if somebody did."""

import json
import os
import shlex
import subprocess
import sys

import pytest

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


HOLLOW = """
import torch  # heavy, so that the module is worth preloading
from harness import Backend, hookimpl

@hookimpl
def register_backends(register):
    register(Backend(name="hollow", summary="another's layer", layer="hollow:layer", neurons=("lif",), devices=("cpu",)))

def layer(neuron, shape, recurrent=None):
    from harness_sinabs.layers import layer as made
    return made(neuron, shape, recurrent)
"""


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_a_run_without_standard_streams_ends_well(fresh, closed):
    (fresh.folder / "hollow.py").write_text(HOLLOW)
    words = ["run", "-P", "hollow.py", "--plugins", "shd-synthetic,lif,hollow", *UNTIMED]
    command = f"{shlex.join([sys.executable, '-m', 'harness', *words])} {closed}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=fresh.folder, env=fresh.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # A file that holds a layer is found by the server too.
    assert "could not be imported" not in done.stdout + done.stderr
    (run,) = fresh.runs()
    assert json.loads((run / "run.json").read_text())["state"] == "finished"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("stream", [">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"])
def test_streams_on_a_full_disk_are_one_line_or_no_matter(fresh, stream):
    words = ["run", "--plugins", "shd-synthetic,lif", *UNTIMED]
    command = f"{shlex.join([sys.executable, '-m', 'harness', *words])} {stream}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=fresh.folder, env=fresh.environment, capture_output=True, text=True, check=False
    )
    assert "internal error" not in done.stderr
    if stream != "2>/dev/full":  # said before anything was computed, where there is a stream to say it on
        assert done.returncode == 4
        assert fresh.runs() == []
        return
    assert done.returncode == 0
    (run,) = fresh.runs()
    assert json.loads((run / "run.json").read_text())["state"] == "finished"
