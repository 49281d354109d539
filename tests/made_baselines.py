"""Sides of a check, made by hand."""

from __future__ import annotations

import base64

import numpy as np

from harness.baselines.form import Baseline, Configuration, Figure, Trial
from harness.gate import Gate
from harness.specification import digest

PLATFORM = {"system": "Linux", "machine": "x86_64", "cpu": "A", "device": "cpu", "threads": 1, "torch": "2.13.0"}


def packed(bits):
    return base64.b64encode(np.packbits(np.asarray(bits, dtype=bool)).tobytes()).decode()


def figure(name, values, **more):
    base = {"metric": name, "title": name, "unit": "operations/recording", "direction": "lower", "kind": "seeded"}
    given = {str(seed): value for seed, value in enumerate(values)} if not isinstance(values, dict) else values
    return Figure(name=name, values=given, **{**base, **more})


def specification(neuron="lif", dt=10.0, dataset="toy"):
    return {
        "dataset": {"name": dataset, "parameters": {"noise": 0.1}},
        "network": {"name": "mlp", "parameters": {"hidden": [64, 64]}},
        "neuron": {"name": neuron, "parameters": {"tau_mem": 2.0}},
        "backend": {"name": "sinabs", "parameters": {}},
        "recipe": {"name": "recipe", "parameters": {"epochs": 2}},
        "encoding": {"dt": dt},
        "limit": None,
    }


def configuration(
    bits=None, figures=(), neuron="lif", seeds=None, statuses=None, platform=None, data="f", samples=None, **more
):
    """One configuration; ``bits`` (seeds, samples) become its accuracy."""
    told = specification(neuron, **more)
    count = len(bits) if bits is not None else len(next(iter(figures)).values)
    seeds = list(range(count)) if seeds is None else seeds
    statuses = statuses or {}
    trials = tuple(
        Trial(
            seed=seed,
            key=f"k{seed}",
            status=statuses.get(seed, "ok"),
            error="boom" if seed in statuses else "",
            correct="" if bits is None or seed in statuses else packed(bits[index]),
        )
        for index, seed in enumerate(seeds)
    )
    own = []
    if bits is not None:
        values = {str(seed): float(np.mean(bits[index])) for index, seed in enumerate(seeds) if seed not in statuses}
        own = [figure("accuracy", values, unit="fraction", direction="higher")]
    return Configuration(
        row=digest(told),
        label=f"{told['dataset']['name']} {neuron}",
        specification=told,
        data={"fingerprint": data, "synthetic": True},
        platform={**PLATFORM, **(platform or {})},
        suppliers={"neuron": {"name": neuron, "distribution": "snn-harness", "version": "1"}},
        test={"samples": samples or (len(bits[0]) if bits is not None else 0), "labels": "l", "recordings": None},
        trials=trials,
        figures=(*own, *figures),
    )


def baseline(*configurations, name="main", limit=None, gate=None):
    return Baseline(
        name=name,
        run=f"run-{name}",
        created="2026-01-01T00:00:00+00:00",
        harness="9.9",
        experiment={
            "plugins": ["toy", "lif"],
            "settings": {},
            "seeds": [0, 1],
            "recipe": "default",
            "limit": limit,
            "report_inflation": False,
            "device": "cpu",
            "threads": 1,
        },
        gate=gate or Gate(),
        environment={"packages": {"torch": "2.13.0"}},
        configurations=configurations,
    )
