"""What tasks leave behind, or do to the server they are forked from, ends with them and costs no other task."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness import Encoding
from harness.execution.local import Local
from harness.execution.tasks import Limits, Outcome, Task

HOSTILE = Path(__file__).with_name("hostile_sources.py")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="orphans can be found on Linux only")
ORDER = (
    "child", "session", "daemon", "garble", "stop-server", "kill-server", "hold-pipe", "group", "memory", "fine",
)  # fmt: skip


def with_word(word: str) -> list[psutil.Process]:
    """Every process that has ``word`` in its command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if word in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def gone(find, seconds: float = 20.0) -> bool:
    """Whether ``find()`` becomes empty; the bound only keeps a failing test from lasting for ever."""
    until = time.monotonic() + seconds
    while find() and time.monotonic() < until:
        time.sleep(0.05)
    return not find()


@pytest.fixture(scope="module")
def word() -> Iterator[str]:
    chosen = f"hostile-{secrets.token_hex(8)}"
    yield chosen
    for process in with_word(chosen):
        process.kill()


def task(name: str, folder: Path) -> Task:
    payload = {
        "dataset": f"hostile_sources:{name}",
        "choice": {"name": name, "parameters": {}},
        "encoding": Encoding(crop=100, dt=10).to_json(),
        "data": str(folder),
        "cache": str(folder / "cache"),
        "limit": None,
        "summary": str(folder / f"{name}.json"),
    }
    return Task(id=name, kind="prepare", label=name, log=str(folder / f"{name}.log"), payload=payload)


def local(folder: Path, word: str, preload: tuple[str, ...] = ()) -> Local:
    return Local(
        {"block": [], "only": [], "files": [str(HOSTILE)]},
        preload=preload,
        threads=1,
        limits=Limits(seconds=0.001, prepare_seconds=10.0, private_bytes=300 << 20),
        log=folder / "server.log",
        environment={"HOSTILE_WORD": word},
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, word: str) -> dict[str, Outcome]:
    """Every hostile task in turn, the harmless one last."""
    folder = tmp_path_factory.mktemp("hostile")
    executor = local(folder, word)
    found: dict[str, Outcome] = {}
    try:
        executor.run(
            [task(name, folder) for name in ORDER],
            jobs=1,
            on_message=lambda task, message: None,
            on_outcome=lambda task, outcome: found.update({task.id: outcome}),
        )
    finally:
        executor.close()
    return found


@LINUX
@pytest.mark.parametrize(
    ("name", "how", "detail"),
    [
        ("child", "done", ""),
        ("session", "done", ""),
        ("daemon", "done", ""),
        ("garble", "done", ""),
        ("stop-server", "done", ""),
        ("kill-server", "crashed", "killed by SIGKILL"),
        ("hold-pipe", "crashed", "killed by SIGKILL"),
        ("group", "timeout", "the time limit is 10 s for preparation"),
        ("memory", "oom", "held more than 300 MiB"),
        ("fine", "done", ""),
    ],
)
def test_each_task_costs_itself_alone(outcomes, name, how, detail):
    assert outcomes[name].how == how, outcomes[name].detail
    assert detail in outcomes[name].detail


@LINUX
def test_nothing_that_a_task_started_outlives_the_run(outcomes, word):
    assert len(outcomes) == len(ORDER)
    assert with_word(word) == []


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_supervision import local
executor = local(Path(sys.argv[1]), sys.argv[2], ("imports_for_ever",))
executor.launch()
print(executor._server.pid, flush=True)
executor.start()
"""


@LINUX
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_with_its_driver_also_while_it_imports(tmp_path, word, how):
    started = tmp_path / "started"
    (tmp_path / "imports_for_ever.py").write_text(
        f"import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {word!r}], start_new_session=True)\n"
        f"open({str(started)!r}, 'w').close()\n"
        f"time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path), word, str(HOSTILE.parent)],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert driver.stdout is not None
    try:
        guard = psutil.Process(int(driver.stdout.readline()))
        assert gone(lambda: not started.exists())
        family = [guard, *guard.children(recursive=True)]
        assert len(family) >= 3
        driver.send_signal(how)
        driver.wait()
        assert gone(lambda: [process for process in family if process.is_running()])
        assert with_word(word) == []
    finally:
        driver.kill()
        driver.wait()
        driver.stdout.close()


def test_what_ends_a_serving_process_stands_in_its_log():
    """Its last line is what a driver shows of a server that is gone."""
    code = "import sys; from harness.execution.guard import run_guarded; sys.exit(run_guarded(lambda: 1 // 0))"
    done = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.stdin is not None
    assert done.stderr is not None
    try:
        assert done.wait(60) == 1
        assert done.stderr.read().splitlines()[-1].startswith("ZeroDivisionError: ")
    finally:
        done.kill()
        done.stdin.close()
        done.stderr.close()


@LINUX
def test_a_guard_ends_when_a_stranger_keeps_its_input_open(tmp_path, word):
    """A driver that forked leaves a second writer; its death alone must do."""
    script = (
        "import os, subprocess, sys, time\n"
        "reading, writing = os.pipe()\n"
        "os.set_inheritable(writing, True)\n"
        "keeper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'], pass_fds=[writing])\n"
        "code = 'import time; from harness.execution.guard import run_guarded; run_guarded(lambda: time.sleep(600))'\n"
        "guard = subprocess.Popen([sys.executable, '-c', code, sys.argv[1]], stdin=reading)\n"
        "print(guard.pid, keeper.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script, word], stdout=subprocess.PIPE)
    assert driver.stdout is not None
    keeper = None
    try:
        guard, keeper = map(psutil.Process, map(int, driver.stdout.readline().split()))
        assert gone(lambda: not guard.children())
        family = [guard, *guard.children()]
        driver.kill()
        driver.wait()
        assert gone(lambda: [process for process in family if process.is_running()])
        assert keeper.is_running()
    finally:
        driver.kill()
        driver.wait()
        driver.stdout.close()
        if keeper is not None:
            keeper.kill()
