"""Plugins that raise, exit, kill and write nonsense in every place: each costs its own row or value, and is named."""

from __future__ import annotations

import json
from pathlib import Path

from small_job import UNTIMED

from .command import Command, Ended, Report, scale

HOSTILE = Path(__file__).with_name("hostile.py")
RAISED = (
    "exit-0", "exit-3", "exit-text", "interrupt", "generator-exit", "base", "stop", "recursion", "memory", "broken-text",
    "surrogate", "escape", "bidi", "megabytes", "nul", "group", "base-group", "pipe", "cancelled", "decode", "loop", "no-text",
)  # fmt: skip
DEADLY = ("leave-0", "leave-3", "killed", "crash", "no-descriptors", "no-environment", "kill-server", "stop-server")
PLACES = ("source", "item", "layer", "forward", "backward", "build")
WATCHED = ("create", "start", "batch", "result", "value", "title")
NOTIFIED = ("trial_started", "epoch_finished", "trial_finished", "run_finished")


def rows(command: Command, ended: Ended) -> list[dict]:
    trials = next((command.folder / "results").glob("2*/trials"), None)
    assert trials is not None, ended.err
    return [json.loads(path.read_text(encoding="utf-8")) for path in trials.glob("*.json")]


def run(command: Command, *words: str, made: bool = True):
    """Run the smallest job; ``made`` if it is on the generated data that the job makes smaller."""
    return command("run", "-P", str(HOSTILE), *words, "--time-limit", "60", *(UNTIMED if made else UNTIMED[4:]))


def test_trials_fail_alone_and_say_how(tmp_path):
    report = Report("hostile datasets, networks and backends")
    hows = (*RAISED, *DEADLY) if scale(1, 0) else ("exit-0", "interrupt", "surrogate", "leave-0", "kill-server")
    for place in PLACES if scale(1, 0) else ("item", "forward"):
        folder = tmp_path / place
        folder.mkdir()
        command = Command(folder)
        dataset = "hostile-data" if place in ("source", "item") else "shd-synthetic"
        owner = {"source": "hostile-data", "item": "hostile-data", "build": "hostile-net"}.get(place, "hostile-layer")
        names = [dataset, "lif", *([owner] if owner != dataset else [])]
        ended = run(
            command,
            "--plugins",
            ",".join(names),
            "-o",
            f"{owner}.how=none,{','.join(hows)}",
            "-o",
            f"{owner}.place={place}",
            made=dataset == "shd-synthetic",
        )
        report.statuses[ended.status or 0] = report.statuses.get(ended.status or 0, 0) + 1
        found = {
            record["specification"][part]["parameters"]["how"]: record
            for record in rows(command, ended)
            for part in ("dataset", "network", "backend")
            if "how" in record["specification"][part]["parameters"]
        }
        report.attacks += len(hows)
        report.faults += [f"{place}: {fault}" for fault in ended.faults((3,)) + command.orphans()]
        report.faults += [f"{place} {how}: no record" for how in hows if how not in found]
        report.faults += [
            f"{place} {how}: ok" for how in hows if how in found and found[how]["status"] == "ok" and how in RAISED
        ]
        if found.get("none", {}).get("status") != "ok":
            report.faults.append(f"{place}: the harmless trial is {found.get('none', {}).get('error')}")
    report.conclude()


def test_metrics_cost_their_own_value(tmp_path):
    report, command = Report("hostile metrics"), Command(tmp_path)
    hows = RAISED if scale(1, 0) else ("exit-0", "interrupt", "broken-text", "escape", "megabytes")
    names = [
        f"hostile-{place}-{how}"
        for place in WATCHED
        for how in hows
        if place != "title" or how in ("surrogate", "escape", "bidi", "nul")
    ]
    ended = run(command, "--plugins", ",".join(["shd-synthetic", "lif", *names]))
    report.attacks = len(names)
    report.statuses[ended.status or 0] = 1
    (record,) = rows(command, ended)
    report.faults += ended.faults((0,)) + command.orphans()
    if record["status"] != "ok":
        report.faults.append(f"the trial is {record['status']}: {record['error']}")
    else:
        values = record["outcome"]["metrics"]
        if not any(row["name"] == "accuracy" and row.get("value") is not None for row in values):
            report.faults.append("accuracy is gone")
        failed = {row["metric"] for row in values if "error" in row}
        report.faults += [f"{name}: no error" for name in names if name not in failed and "-title-" not in name]
    for words in (["runs", "latest"], ["runs", "latest", "--figures"], ["report", "latest"], ["baseline", "save", "x"]):
        report.faults += [f"{' '.join(words)}: {fault}" for fault in command(*words).faults((0, 4, 6))]
    report.conclude()


def test_hooks_are_warnings(tmp_path):
    report = Report("hostile hooks and imports")
    hows = RAISED if scale(1, 0) else ("exit-0", "interrupt")
    for place in (*NOTIFIED, "import", "register") if scale(1, 0) else ("run_finished", "import"):
        for how in hows if place in ("import", "register") else hows[:: scale(1, 2) or 1]:
            folder = tmp_path / f"{place}-{how}"
            folder.mkdir()
            command = Command(folder)
            command.environment |= {"HOSTILE_HOOK": place, "HOSTILE_HOW": how}
            words = (
                ["plugins"] if place in ("import", "register") else ["run", "--plugins", "shd-synthetic,lif", *UNTIMED]
            )
            ended = command(*words, "-P", str(HOSTILE))
            report.attacks += 1
            report.statuses[ended.status or 0] = report.statuses.get(ended.status or 0, 0) + 1
            report.faults += [f"{place} {how}: {fault}" for fault in ended.faults((0,))]
            if "warning: plugin hostile" not in ended.err:
                report.faults.append(f"{place} {how}: no warning: {ended.err[-200:]!r}")
    report.conclude()
