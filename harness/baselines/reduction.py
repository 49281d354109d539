"""A run reduced to the form of a baseline, and the experiment behind it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..errors import DataError, UsageError
from ..experiment import Experiment, parse_seeds
from ..gate import Gate
from ..metric_rows import meaning, stands_for
from ..npz import read_npz
from ..processes import Life
from ..records import Record, Status
from ..run_state import RUNNING, life_of_run, shown
from ..specification import digest
from ..store import Run
from .form import LARGEST, Baseline, BaselineError, Configuration, Figure, Trial

# What decides whether two machines can be expected to compute the same numbers to the last bit.
_DECIDING_PACKAGES = ("torch", "numpy", "numba", "sinabs")


def of_run(run: Run, gate: Gate | None = None) -> Baseline:
    """``run`` reduced to what a check needs, held to ``gate`` or to the one it ran with; raises :class:`DataError`."""
    summary = run.summary()
    try:
        experiment = dict(summary["experiment"])
        held = Gate.from_data(summary.get("gate", {}), f"{run.path / 'run.json'}") if gate is None else gate
        harness, environment = summary["harness"], dict(summary["environment"])
    except KeyError:
        raise DataError(f"{run.path / 'run.json'}: damaged: without experiment or environment") from None
    records = run.records()
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.row, []).append(record)
    if records:
        experiment |= {name: records[0].environment.get(name) for name in ("device", "threads")}
    # Where Python lies and which kernel runs is of no use elsewhere.
    environment.pop("executable", None)
    environment["platform"] = str(environment.get("platform", "")).partition("-")[0]
    return Baseline(
        name=run.id,
        run=run.id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        harness=harness,
        experiment=experiment,
        gate=held,
        environment=environment,
        configurations=tuple(_reduced(run, group, held) for group in groups.values()),
    )


def unfinished(run: Run) -> str | None:
    """Why ``run`` is not whole, as the end of a sentence; None where every trial that was planned has ended."""
    summary = run.summary()
    state = summary.get("state")
    if state == RUNNING:
        alive = life_of_run(summary) is Life.ALIVE
        return (
            f"is still running (process {summary['process']['pid']})"
            if alive
            else f"is still {shown(summary)}, or was killed"
        )
    if state == "interrupted":
        return "was interrupted"
    left = [trial["label"] for trial in summary.get("trials", ()) if trial.get("status") is None]
    return f"never came to {', '.join(left)}" if left else None


def _reduced(run: Run, group: Sequence[Record], gate: Gate) -> Configuration:
    group = sorted(group, key=lambda record: record.seed)
    done = [record for record in group if record.status is Status.OK]
    first = (done or group)[0]
    tests: list[dict[str, Any]] = []
    trials = []
    for record in group:
        correct = ""
        if record.status is Status.OK:
            test, correct = _tested(run, record)
            tests.append(test)
        trials.append(
            Trial(
                seed=record.seed,
                key=record.key,
                status=str(record.status),
                error=record.message,
                weights=str(record.outcome.get("weights", "")),
                predictions=str(record.outcome.get("predictions", "")),
                correct=correct,
            )
        )
    alike = bool(tests) and all(test == tests[0] for test in tests)
    return Configuration(
        row=first.row,
        label=first.label.rpartition(" ")[0],
        specification=first.specification,
        data={
            "fingerprint": first.data.get("fingerprint"),
            **{name: first.data[name] for name in ("identity", "frames") if name in first.data},
            "synthetic": first.synthetic,
        },
        platform=platform_of(first),
        suppliers={
            kind: {name: supplier.get(name) for name in ("name", "distribution", "version", "source")}
            for kind, supplier in first.suppliers.items()
            if kind not in ("metrics", "harness")
        }
        | {"harness": {"source": first.suppliers.get("harness"), "version": first.harness}},
        test=tests[0] if alike else {},
        trials=tuple(trials if alike else (replace(trial, correct="") for trial in trials)),
        figures=tuple(_figures(done, gate)),
    )


def _tested(run: Run, record: Record) -> tuple[dict[str, Any], str]:
    """What a trial was tested on, and which samples it got right."""
    import numpy as np

    names = [f"test/{name}" for name in ("predictions", "labels", "recordings")]
    path = run.trials / str(record.arrays)
    try:
        stored = read_npz(path, record.arrays_checksum, names=names)
        predictions, labels, recordings = (stored[name] for name in names)
        if not predictions.shape == labels.shape == recordings.shape == (len(predictions),):
            raise DataError("predictions, labels and recordings differ in number")
    except DataError as error:
        cause = str(error).removeprefix(f"{path}: ").removeprefix("damaged: ")
        raise DataError(f"{path}: missing or damaged: {cause}; run the trial again") from None
    sliced = len(np.unique(recordings)) != len(recordings)
    test = {
        "samples": len(labels),
        "labels": digest([labels.tolist(), recordings.tolist()]),
        "recordings": recordings.tolist() if sliced else None,
    }
    return test, base64.b64encode(np.packbits(predictions == labels).tobytes()).decode()


def platform_of(record: Record) -> dict[str, Any]:
    """What two machines must share to be expected to agree to the last bit."""
    told = record.environment
    packages = told.get("packages", {})
    return {
        "system": str(told.get("platform", "")).partition("-")[0],
        "machine": told.get("machine"),
        "cpu": told.get("cpu"),
        "device": told.get("device"),
        "gpu": told.get("gpu"),
        "threads": told.get("threads"),
        "python": ".".join(str(told.get("python", "")).split(".")[:2]),
        **{name: packages.get(name) for name in _DECIDING_PACKAGES},
    }


def _figures(records: Sequence[Record], gate: Gate) -> Iterator[Figure]:
    """Figures of the trained network on test that a check may look at; times are none: they compare with no stored number."""
    rows = [
        (str(record.seed), row)
        for record in records
        for row in record.outcome.get("metrics", ())
        if (row["phase"], row["split"]) == ("after", "test")
    ]
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for seed, row in rows:
        if "error" in row or row["kind"] == "noisy" or not _kept(row, gate):
            continue
        plain = {part: row[part] for part in ("metric", "title", "unit", "direction", "kind")}
        blank = {"name": row["name"], "tolerance": row.get("tolerance", 0.0), "values": {}, "problems": {}}
        entry = found.setdefault(meaning(row), {**plain, **blank})
        if row["value"] is None:
            entry["problems"][seed] = str(row.get("reason") or "no value")
        elif not abs(row["value"]) <= LARGEST:
            entry["problems"][seed] = f"failed: its value is beyond {LARGEST:g}"
        else:
            entry["values"][seed] = row["value"]
    failed: dict[tuple[str, str], dict[str, str]] = {}
    for seed, row in rows:
        if "error" not in row:
            continue
        told = f"failed: {row['error']}"
        mine = [item for item in found.values() if item["metric"] == row["metric"] and stands_for(row, item["name"])]
        for entry in mine:
            entry["problems"].setdefault(seed, told)
        if not mine:
            failed.setdefault((row["metric"], row["name"]), {})[seed] = told
    taken: set[str] = set()
    for entry in found.values():
        yield Figure(**{**entry, "name": _free(entry, taken)})
    for (metric, name), problems in failed.items():
        free = _free({"metric": metric, "name": name}, taken)
        yield Figure(name=free, metric=metric, title=name, unit="", direction="none", kind="seeded", problems=problems)


def _free(entry: Mapping[str, Any], taken: set[str]) -> str:
    """Return the entry's name, qualified by its metric if another metric returned that name before."""
    name, wanted = str(entry["name"]), f"{entry['metric']}.{entry['name']}"
    names = (name, *(wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 2)))
    free = next(item for item in names if item not in taken)
    taken.add(free)
    return free


def _kept(row: Mapping[str, Any], gate: Gate) -> bool:
    """What the gate names, what the table shows, and what is exact: that costs nothing to check."""
    return row["name"] in gate.figures or row.get("role") in ("quality", "cost") or row["kind"] == "exact"


def experiment_of(baseline: Baseline) -> Experiment:
    """The experiment that ``baseline`` was made of, to run again; raises :class:`BaselineError`."""
    told = baseline.experiment
    try:
        return Experiment(
            plugins=tuple(told["plugins"]),
            settings={path: list(values) for path, values in told["settings"].items()},
            seeds=parse_seeds(list(told["seeds"])),
            recipe=str(told["recipe"]),
            limit=told["limit"],
            report_inflation=bool(told["report_inflation"]),
            metrics=None if told.get("metrics") is None else tuple(told["metrics"]),
        )
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        told_as = f"without {error}" if isinstance(error, KeyError) else str(error)
        raise BaselineError(f"baseline {baseline.name}: its experiment cannot be run again: {told_as}") from None
