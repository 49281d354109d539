"""Lines of a history, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from harness.history import Entry, Measured
from harness.specification import digest

PLATFORM = {
    "machine": "x86_64",
    "cpu": "made",
    "python": "3",
    "torch": "2",
    "numpy": "2",
    "device": "cpu",
    "threads": 1,
}
ACCURACY = {"unit": "fraction", "direction": "higher", "kind": "seeded", "title": "accuracy"}
TIME = {"unit": "ms", "direction": "lower", "kind": "noisy", "title": "wall clock p50"}
PARAMETERS = {"unit": "parameters", "direction": "lower", "kind": "exact", "title": "parameters"}


def measured(values, **words):
    """A figure with a value a seed; one number is that of seed 0."""
    given = values if isinstance(values, dict) else {0: values}
    return Measured(values=given, **{**ACCURACY, **words})


def entry(number=0, neuron="lif", figures=None, dataset="toy", **more):
    """The ``number``-th run's line of ``neuron``, one run an hour."""
    run = f"run-{number:03d}"
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    base = {
        "id": digest([run, dataset, neuron, more.get("row")]),
        "time": time.isoformat(timespec="seconds"),
        "run": run,
        "row": digest([dataset, neuron]),
        "label": f"{dataset} {neuron}",
        "dataset": dataset,
        "synthetic": False,
        "harness": "9.9",
        "commit": digest(["commit", number]) * 2,
        "dirty": False,
        "platform": PLATFORM,
        "seeds": (0,),
        "figures": {"after.test.accuracy": measured(0.5)} if figures is None else figures,
    }
    return Entry(**{**base, **more})


def course(values, name="after.test.accuracy", **words):
    """A line a value of ``values``, oldest first."""
    return [entry(number, figures={name: measured(value, **words)}) for number, value in enumerate(values)]
