"""Nothing but the user's own signal ends a command: what plugins raise is a named warning or a failed row."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from harness import Registry
from harness.cli.main import main
from harness.records import Record
from harness.registry import PluginWarning

HOSTILE = Path(__file__).with_name("hostile.py")


def _contents():
    spec = importlib.util.spec_from_file_location("hostile_contents", HOSTILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NAMES = _contents().NAMES
ODD = "class OddError(BaseException): pass\n"
RAISED = {
    "exit-0": "raise SystemExit(0)",
    "exit-3": "raise SystemExit(3)",
    "interrupt": "raise KeyboardInterrupt",
    "generator": "raise GeneratorExit",
    "base": "raise OddError('odd')",
    "recursion": "raise RecursionError('deep')",
    "memory": "raise MemoryError('no more')",
}
REGISTERING = ("datasets", "neurons", "backends", "networks", "metrics")
NOTIFIED = {
    "trial_started": "trial",
    "epoch_finished": "trial, epoch, scores",
    "trial_finished": "record",
    "run_finished": "run",
}


@pytest.fixture
def write(places, monkeypatch):
    monkeypatch.chdir(places)
    stems = []

    def writing(stem, text):
        (places / f"{stem}.py").write_text(text)
        stems.append(stem)
        return f"{stem}.py"

    yield writing
    for stem in stems:
        sys.modules.pop(stem, None)


@pytest.fixture
def hostile(write):
    return write("hostile", HOSTILE.read_text())


@pytest.mark.parametrize("kind", RAISED)
def test_an_import_that_raises_is_one_warning(write, capsys, kind):
    file = write("breaking", f"{ODD}{RAISED[kind]}\n")
    assert main(["-P", file, "plugins", "lif"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("lif")
    assert re.fullmatch(rf"warning: plugin breaking .* was left out: {NAMES[kind]}.*\(breaking\.py:2\)\n", said.err)
    assert main(["-P", file, "--strict-plugins", "plugins", "lif"]) == 4
    assert NAMES[kind] in capsys.readouterr().err


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("what", REGISTERING)
def test_a_register_hook_that_raises_leaves_the_plugin_out(write, kind, what):
    file = write(
        "raising", f"from harness import hookimpl\n{ODD}@hookimpl\ndef register_{what}(register):\n    {RAISED[kind]}\n"
    )
    with pytest.warns(PluginWarning, match=rf"plugin raising .*{NAMES[kind]}.*\(raising\.py:5\)"):
        registry = Registry.discover(files=[Path(file)])
    assert "raising" not in {entry.supplier.plugin for entry in registry.components()}


@pytest.mark.parametrize("kind", RAISED)
def test_commands_of_plugins_that_raise_are_named(write, capsys, kind):
    file = write(
        "hooked", f"from harness import hookimpl\n{ODD}@hookimpl\ndef register_commands(cli):\n    {RAISED[kind]}\n"
    )
    assert main(["-P", file, "plugins", "lif"]) == 0
    assert f"warning: plugin hooked failed in register_commands: {NAMES[kind]}" in capsys.readouterr().err
    text = (
        f"import click\nfrom harness import hookimpl\n{ODD}@hookimpl\ndef register_commands(cli):\n"
        f"    @cli.command('mine')\n    def mine():\n        {RAISED[kind]}\n"
    )
    assert main(["-P", write("commanding", text), "mine"]) == 3
    said = capsys.readouterr().err
    assert re.fullmatch(rf"error: command mine: {NAMES[kind]}.*\(commanding\.py:8\)\n", said)


@pytest.mark.parametrize(("given", "status"), [(0, 0), (5, 5), (256, 3)])
def test_a_command_of_a_plugin_chooses_its_status_by_click(write, given, status):
    text = (
        "import click\nfrom harness import hookimpl\n@hookimpl\ndef register_commands(cli):\n"
        "    @cli.command('mine')\n    @click.pass_context\n    def mine(ctx):\n        ctx.exit({})\n"
    )
    assert main(["-P", write("leaving_by_click", text.format(given)), "mine"]) == status


@pytest.mark.parametrize("kind", RAISED)
def test_available_that_raises_is_the_reason(hostile, capsys, kind):
    assert main(["-P", hostile, "plugins", f"unavailable-{kind}", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert not found["usable"]
    assert re.match(rf"{NAMES[kind]}\b.*\(hostile\.py:\d+\)", found["reason"])
    assert main(["-P", hostile, "check-plugin", f"unavailable-{kind}"]) == 3
    assert NAMES[kind] in capsys.readouterr().out


@pytest.mark.parametrize("kind", RAISED)
def test_a_dataset_that_raises_is_named_by_every_command_that_reads_it(hostile, capsys, kind):
    setting = ("-o", f"hostile-data.kind={kind}")
    for command in (("inspect", "hostile-data"), ("neurons", "iaf", "--input", "hostile-data", "--json")):
        # Memory that ran out is no matter of the data; anything else names the recording.
        where = "dataset hostile-data failed" if kind == "memory" else "hostile-data (train|test), recording \\d of 8"
        assert main(["-P", hostile, *command, *setting]) == (3 if kind == "memory" else 4)
        said = capsys.readouterr().err
        assert re.fullmatch(rf"error: {where}: {NAMES[kind]}.*\(hostile\.py:\d+\)\n", said)


@pytest.mark.parametrize("kind", RAISED)
def test_neurons_names_the_backend_that_raises(hostile, write, capsys, kind):
    assert main(["-P", hostile, "neurons", "iaf", "--backend", f"refusing-{kind}", "--json"]) == 3
    assert f"error: backend refusing-{kind} failed: {NAMES[kind]}" in capsys.readouterr().err


@pytest.mark.parametrize("kind", RAISED)
def test_a_check_that_raises_is_a_failed_check(hostile, write, capsys, kind):
    text = HOSTILE.read_text().replace('default="none"', f'default="{kind}"').replace('"hostile:', '"hostile_checked:')
    file = write("hostile_checked", text)
    names = ("hostile-data", "hostile-net", f"hostile-{kind}")
    assert main(["-P", file, "check-plugin", *names, "--examples", "2", "--json"]) == 3
    for told in json.loads(capsys.readouterr().out):
        failed = [check for check in told["checks"] if check["status"] == "failed"]
        assert failed, told["name"]
        assert all("hostile_checked.py:" in check["detail"] for check in failed if NAMES[kind] in check["detail"])
        assert any(NAMES[kind] in check["detail"] for check in failed)


def test_a_run_keeps_every_row_apart(fresh):
    shutil.copy(HOSTILE, fresh.folder / "hostile.py")
    files = ["-P", "hostile.py"]
    for kind, raised in RAISED.items():
        stem = f"notified_{kind.replace('-', '_')}"
        hooks = "".join(f"@hookimpl\ndef {name}({given}):\n    {raised}\n" for name, given in NOTIFIED.items())
        (fresh.folder / f"{stem}.py").write_text(f"from harness import hookimpl\n{ODD}{hooks}")
        files += ["-P", f"{stem}.py"]
    kinds = ",".join(RAISED)
    metrics = ",".join(f"hostile-{kind}" for kind in RAISED)
    done = fresh(
        "run", *files, "--plugins", f"hostile-data,iaf,mlp,hostile-net,hostile-layer,accuracy,{metrics}",
        "-o", f"hostile-layer.kind=none,{kinds}", "-o", f"hostile-net.kind={kinds}", "--epochs", "1", "--no-timing", "--no-plots",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    for kind in RAISED:
        stem = f"notified_{kind.replace('-', '_')}"
        for hook in NOTIFIED:
            assert f"warning: plugin {stem} failed in {hook}: {NAMES[kind]}" in done.stderr
    (folder,) = fresh.runs()
    records = [Record.from_text(path.read_text(), "x") for path in (folder / "trials").glob("*.json")]
    assert len(records) == 8 + 8 * 7
    for record in records:
        layer = record.specification["backend"]["parameters"]["kind"]
        net = record.specification["network"]["parameters"].get("kind", "none")
        kind = net if net != "none" else layer
        if kind == "none":
            assert str(record.status) == "ok"
            errors = {row["metric"]: row["error"] for row in record.figures() if "error" in row}
            assert {name: error.split(":")[0].split(" ")[0] for name, error in errors.items()} == {
                f"hostile-{name}": NAMES[name] for name in RAISED
            }
            assert all("(hostile.py:" in error for error in errors.values())
        else:
            assert str(record.status) == ("oom" if kind == "memory" else "failed")
            assert record.error["type"] == NAMES[kind]
            if kind != "memory":
                assert "(hostile.py:" in record.message
                assert record.message_and_log.endswith(f"; see {record.error['log']}")
    assert json.loads((folder / "run.json").read_text())["state"] == "failed"


def test_preparing_and_refusing_that_raise_are_failed_rows(fresh):
    shutil.copy(HOSTILE, fresh.folder / "hostile.py")
    refusing = ",".join(f"refusing-{kind}" for kind in RAISED)
    done = fresh(
        "run", "-P", "hostile.py", "--plugins", f"hostile-data,iaf,accuracy,hostile-layer,{refusing}",
        "-o", f"hostile-data.kind=none,{','.join(RAISED)}", "--epochs", "1", "--no-timing", "--no-plots",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    (folder,) = fresh.runs()
    records = [Record.from_text(path.read_text(), "x") for path in (folder / "trials").glob("*.json")]
    for record in records:
        backend = record.specification["backend"]["name"].removeprefix("refusing-")
        data = record.specification["dataset"]["parameters"]["kind"]
        if backend == "hostile-layer" and data == "none":
            assert str(record.status) == "ok"
            continue
        assert str(record.status) == "failed"
        if backend != "hostile-layer":
            assert re.match(
                rf"backend refusing-{backend} failed in refuses: {NAMES[backend]}.*\(hostile", record.message
            )
        else:
            where = "dataset hostile-data failed" if data == "memory" else "hostile-data train, recording 0 of 8"
            assert re.fullmatch(rf"{where}: {NAMES[data]}.*\(hostile\.py:\d+\)", record.message)
            log = folder / record.error["log"]
            assert log.name.startswith("prepare-")
            assert "Traceback" in log.read_text()
    assert len(records) == 64


def test_a_dataset_that_raises_alone_leaves_its_log(fresh):
    shutil.copy(HOSTILE, fresh.folder / "hostile.py")
    done = fresh(
        "run", "-P", "hostile.py", "--plugins", "hostile-data,iaf,accuracy", "-o", "hostile-data.kind=exit-0",
        "--epochs", "1", "--no-timing", "--no-plots",
    )  # fmt: skip
    assert done.returncode == 3
    found = re.search(
        r"error: hostile-data train, recording 0 of 8: SystemExit: 0 \(hostile\.py:\d+\); see (.*)\n", done.stderr
    )
    assert "SystemExit: 0" in Path(found[1]).read_text()


EXECUTOR = """
from harness import hookimpl

class OddError(BaseException): pass

class Mine:
    def start(self):
        {start}
        return {{"devices": ["cpu"], "failed": {{}}}}
    def run(self, tasks, *, jobs, on_message, on_outcome):
        {run}
    def close(self):
        pass

@hookimpl
def make_executor(name, options):
    {make}
    return Mine() if name == "mine" else None
"""


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("place", ["make", "start", "run"])
def test_an_executor_that_raises_is_named(write, capsys, kind, place):
    parts = {"make": "pass", "start": "pass", "run": "pass", place: RAISED[kind]}
    file = write("executing", EXECUTOR.format(**parts))
    assert main(["run", "-P", file, "--plugins", "shd-synthetic,iaf", "--executor", "mine", "--quiet"]) == 3
    said = capsys.readouterr().err
    named = "plugin executing failed in make_executor" if place == "make" else "executor mine failed"
    assert re.match(rf"error: {named}: {NAMES[kind]}.*\(executing\.py:\d+\)", said)
