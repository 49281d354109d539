"""Records as runs leave them, made by hand."""

from __future__ import annotations

from harness.records import Record, Status
from harness.specification import digest


def figure(name, value, role="cost", split="test", phase="after", **more):
    base = {
        "metric": name,
        "name": name,
        "phase": phase,
        "split": split,
        "value": value,
        "unit": "operations/recording",
        "direction": "lower",
        "kind": "seeded",
        "title": name,
        "role": role,
        "tolerance": 0.0,
        "reason": "",
        "arrays": {},
    }
    return {**base, **more}


def accuracy(value, split="test", **more):
    quality = {"unit": "fraction", "direction": "higher", "title": "accuracy", **more}
    return figure("accuracy", value, "quality", split, **quality)


def record(neuron="lif", seed=0, test=0.5, synops=12_400.0, status="ok", dataset="toy", values=None, **more):
    """One trial of ``neuron`` on ``dataset`` with the given test accuracy and SynOps."""
    specification = {
        "dataset": {"name": dataset, "parameters": {}},
        "network": {"name": "mlp", "parameters": {"hidden": [64, 64]}},
        "neuron": {"name": neuron, "parameters": {"tau_mem": 2.0, **(values or {})}},
        "backend": {"name": "sinabs", "parameters": {}},
        "recipe": {
            "name": "recipe",
            "parameters": {"epochs": 2, "learning_rate": 0.005, "batch_size": 64, "init": "calibrated"},
        },
        "encoding": {"dt": 10.0, "crop": 700.0},
        "limit": more.pop("limit", None),
    }
    done = status == "ok"
    outcome = {
        "weights": "w",
        "selected_epoch": 2,
        "curves": {
            "train_loss": [3.0, 2.0 - 0.1 * seed],
            "train_accuracy": [0.2, 0.4],
            "validation_loss": [3.1, 2.2],
            "validation_accuracy": [0.1, 0.3 + 0.01 * seed],
        },
        "metrics": [
            accuracy(test, arrays={"per_class": [test, None, 1.0], "confusion": [[1, 0, 0], [0, 0, 0], [0, 0, 1]]}),
            accuracy(0.8, "train"),
            figure("synops", synops, title="SynOps"),
            figure("hidden_detail", 1.0, "detail"),
        ],
    }
    base = {
        "key": digest([neuron, seed, dataset, values]),
        "row": digest(specification),
        "label": f"{dataset} {neuron} s{seed}",
        "seed": seed,
        "attempt": 1,
        "status": Status(status),
        "specification": specification,
        "started": f"2026-01-01T00:00:0{seed}",
        "harness": "9.9",
        "outcome": outcome if done else {},
        "error": None if done else {"type": "RuntimeError", "message": "boom [red] | _x_", "traceback": None},
        "data": {"synthetic": False, "classes": ["a", "b", "c"]},
    }
    return Record(**{**base, **more})


def seeds(neuron, values, **more):
    return [record(neuron, seed, value, **more) for seed, value in enumerate(values)]
