"""What the server says of devices: a child of its own asks, since a driver that was asked cannot be used after a fork."""

from __future__ import annotations

import subprocess
import sys

ASK = """
import os, torch
from harness.execution import server

asked = []
def answers(available, count=0):
    torch.cuda.is_available = lambda: asked.append(1) or available()
    torch.cuda.device_count = lambda: asked.append(1) or count
    print(server._devices())

torch.version.cuda = "12.0"
answers(lambda: False)
answers(lambda: True, 2)
answers(lambda: os.kill(os.getpid(), 11))
assert not asked, "the server itself asked"
"""


def test_a_child_asks_for_cuda_devices_and_may_crash_at_it():
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    without, with_two, crashed = done.stdout.splitlines()
    assert without.startswith("{'devices': ['cpu'], 'no_cuda': 'torch ")
    assert without.endswith("finds no CUDA device; does nvidia-smi?'}")
    assert with_two == "{'devices': ['cpu', 'cuda:0', 'cuda:1'], 'no_cuda': ''}"
    assert crashed.startswith("{'devices': ['cpu'], 'no_cuda': 'asking for CUDA devices failed")
