"""A single-file plugin: datasets whose sources leave processes behind, attack the server, or write into its pipe."""

import os
import signal
import subprocess
import sys
import time

import numpy as np

from harness import Dataset, Encoding, hookimpl

FORMS = (
    "fine", "child", "session", "daemon", "garble", "stop_server", "kill_server", "hold_pipe", "group", "memory", "hang",
)  # fmt: skip


@hookimpl
def register_datasets(register):
    for form in FORMS:
        register(
            Dataset(
                name=form.replace("_", "-"),
                summary="forty recordings, and a process where none should be",
                sensor_size=(8, 1, 1),
                classes=("a", "b"),
                source=f"hostile_sources:{form}",
                encodings={"default": Encoding(crop=100, dt=10)},
            )
        )


class Recordings:
    labels = (0, 1) * 20
    fingerprint = "1"

    def __len__(self):
        return 40

    def __getitem__(self, index):
        if not 0 <= index < 40:
            raise IndexError(index)
        events = np.zeros(10, [("t", "i8"), ("x", "i2")])
        events["t"] = np.arange(10) * 1000
        return events, index % 2


def sleeper(code="", **options):
    # The word is what the test looks for among the processes of the machine.
    code = f"{code}\nimport time; time.sleep(600)"
    return subprocess.Popen([sys.executable, "-c", code, os.environ["HOSTILE_WORD"]], close_fds=False, **options)


def fine(root, split):
    return Recordings()


def child(root, split):
    sleeper()
    return Recordings()


def session(root, split):
    sleeper(start_new_session=True)
    return Recordings()


def daemon(root, split):
    if not os.fork():
        os.setsid()
        if not os.fork():
            sleeper(start_new_session=True)
            time.sleep(600)
        os._exit(0)
    time.sleep(0.2)
    return Recordings()


GARBAGE = (
    b'{"x": 1}',
    b'{"task": "garble", "event": "exit"}',
    b'{"task": "garble", "event": "forked"}',
    b'{"event": 3}',
    b'{"event": "exit"}',
    b"no json",
    b"[1]",
    b"\xff\xfe",
    b"[" * 3000,
    b"",
)


def garble(root, split):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\n".join(GARBAGE))
        except OSError:
            continue
    return Recordings()


def stop_server(root, split):
    os.kill(os.getppid(), signal.SIGSTOP)
    return Recordings()


def kill_server(root, split):
    sleeper(start_new_session=True)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def hold_pipe(root, split):
    # A forked child keeps every descriptor, that of the messages too.
    if not os.fork():
        os.setsid()
        sleeper()
        time.sleep(600)
    time.sleep(0.2)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def group(root, split):
    # A child of the task may leave its group and its session; a limit must reach it and the task all the same.
    sleeper(process_group=0)
    time.sleep(600)


def memory(root, split):
    sleeper("held = bytearray(400 << 20); held[::4096] = b'1' * len(held[::4096])")
    time.sleep(600)


def hang(root, split):
    time.sleep(600)
