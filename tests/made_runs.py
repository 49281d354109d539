"""Runs on disk as the harness leaves them, of records made by hand."""

from __future__ import annotations

import json
from dataclasses import replace

from made_records import figure, record, seeds

from harness.records import Status
from harness.store import Run

EVIL = '</td></script><script>alert(1)</script><img src=x onerror=alert(2)>"\' onload="alert(3) <!-- ]]> & $x_1$ [red]'


def made_run(folder, records, name="20260101-000000-toy-0001", timings=None, logs=None, **about):
    """A run with ``records``; ``logs`` by a record's key; ``timings`` is what timings.json holds, ``about`` goes into run.json."""
    run = Run(folder / name)
    for part in (run.trials, run.logs):
        part.mkdir(parents=True)
    for one in records:
        run.write(one)
    for number, (key, text) in enumerate((logs or {}).items(), start=1):
        (run.logs / f"trial-{number:03d}-{key}.log").write_bytes(text if isinstance(text, bytes) else text.encode())
    if timings is not None:
        (run.path / "timings.json").write_text(json.dumps(timings))
    done = all(one.status is Status.OK for one in records)
    run.write_summary(
        {
            "schema": 1,
            "id": name,
            "state": "finished" if done else "failed",
            "harness": "9.9",
            "started": "2026-01-01T00:00:00+00:00",
            "seconds": 75.5,
            "experiment": {
                "plugins": ["toy", "lif"],
                "settings": {"recipe.epochs": [2]},
                "seeds": [0],
                "recipe": "default",
                "limit": None,
                "report_inflation": False,
            },
            "environment": {"python": "3.11.7", "git": None},
            "trials": [{"label": one.label, "key": one.key, "status": str(one.status)} for one in records],
            "error": None,
            **about,
        }
    )
    return run


def curve(x, y):
    labels = {"x_title": "time", "x_unit": "ms", "y_title": "anytime accuracy", "y_unit": "fraction"}
    return {"x": x, "y": y, **labels}


def histogram(counts, edges=(0.0, 0.1, 0.2, 0.3)):
    labels = {"title": "firing rate", "unit": "spikes/step", "what": "neurons"}
    return {"edges": list(edges), "counts": list(counts), **labels}


def whole(one):
    """``one`` with everything that the page draws."""
    one.outcome["metrics"] += [
        figure("rate", 0.1, title="firing rate", arrays={"layers": {"spiking.0": 0.1, "spiking.1": 0.2}},
               histograms={"all": histogram([3, 2, 1]), "uneven": histogram([1, 1, 1], (0, 0.001, 0.01, 1))}),
        figure("anytime", 0.4, "detail", title="anytime", curves={"c": curve([10, 20, 30], [0.1, None, 0.4])}),
        figure("wait", 30.0 + one.seed, "detail", title="waiting", unit="ms"),
    ]  # fmt: skip
    return one


def timings(*records):
    rows = {
        one.row: {
            "key": one.key,
            "metrics": [figure("clock", 2.0 + index, phase="timing", title="wall clock", unit="ms")],
        }
        for index, one in enumerate(records)
    }
    return {"rounds": 9, "threads": 1, "device": "cpu", "rows": rows}


def good():
    return [
        whole(one) for one in [*seeds("iaf", [0.50, 0.52, 0.54]), *seeds("lif", [0.40, 0.43, 0.41], synops=9_000.0)]
    ]


def hostile(text):
    """Records and a run.json that hold ``text`` wherever a stranger's text can stand."""
    names = {"title": text, "unit": text, "note": text}
    one = whole(record("lif", warnings=(text,), data={"synthetic": True, "classes": [text, "b", "c"]}))
    one.outcome["metrics"].append(
        figure("evil", 1.0, **names, arrays={"layers": {text: 1.0}},
               curves={text: {**curve([0, 1], [1, 2]), "x_title": text, "y_title": text, "x_unit": text, "y_unit": text}},
               histograms={text: {**histogram([1, 2, 3]), "title": text, "unit": text, "what": text}})
    )  # fmt: skip
    one.specification["neuron"]["parameters"]["mode"] = text
    other = record("lif", values={"mode": "plain"})
    lost = replace(record(text, status="failed"), error={"type": text, "message": text, "traceback": text}, label=text)
    lost = replace(lost, environment={text: text}, suppliers={"neuron": {"name": text, "distribution": text}})
    return [one, other, replace(lost, key="f" * 20)]
