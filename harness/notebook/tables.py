"""Tidy DataFrames of what the commands show: a row an observation, a column a variable, no text that was formatted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .display import Table

if TYPE_CHECKING:
    from ..comparison.verdicts import Check
    from ..derivatives import Surrogate
    from ..dynamics import Dynamics
    from ..inspection.findings import Inspection


def of_neurons(dynamics: Dynamics) -> dict[str, pd.DataFrame]:
    """``rates``, a row a configuration and backend; ``steps``, a row a time step of each. A state that is not recorded is NaN.

    ``differing_steps`` counts steps whose spikes differ from those of the first backend.
    """
    stimulus = dynamics.stimulus
    dt_ms, count = stimulus.dt_ms, len(stimulus.values)
    rates, steps = [], []
    for label, traces in dynamics.by_label().items():
        for trace in traces:
            named = {"neuron": label, "backend": trace.backend}
            rates.append({**named, **trace.rates(dt_ms), "differing_steps": trace.differs(traces[0])[0]})
            steps.append(
                pd.DataFrame(
                    {
                        **named,
                        "step": np.arange(count),
                        "time_ms": np.nan if dt_ms is None else np.arange(count) * float(dt_ms),
                        "input": stimulus.values,
                        "output": trace.spikes,
                        "threshold": np.nan if trace.threshold is None else trace.threshold,
                        **trace.states,
                    }
                )
            )
    by_rate = pd.DataFrame(rates).astype({"hz": float, "first": "Int64"})
    by_rate.attrs["units"] = {"per_step": "spikes/step", "hz": "spikes/s"}
    return {"rates": by_rate, "steps": pd.concat(steps, ignore_index=True)}


def of_surrogates(shown: Sequence[Surrogate]) -> dict[str, pd.DataFrame]:
    """``surrogates``, a row a surrogate and width; ``points``, a row a membrane potential of each."""
    points = [
        pd.DataFrame(
            {
                "surrogate": item.name,
                "width": item.width,
                "v": item.v,
                "spikes": item.spikes,
                "smooth": item.smooth,
                "derivative": item.derivative,
            }
        )
        for item in shown
    ]
    return {
        "surrogates": pd.DataFrame([item.figures() for item in shown]),
        "points": pd.concat(points, ignore_index=True),
    }


def of_inspection(inspection: Inspection) -> dict[str, pd.DataFrame]:
    """``splits``, a row a split; ``recordings``, a row each; ``times``, a row a bin of time that holds events; ``classes``.

    ``encodings`` too, a row each, where some are compared.
    """
    from ..inspection.plain import to_json

    plain = to_json(inspection)
    splits = [{"split": name, **found} for name, found in plain["splits"].items()]
    for found in splits:
        del found["recordings_of_class"], found["recordings_of_group"], found["times"]["events_of_bin"]
    frames = {"splits": pd.json_normalize(splits), **_by_split(inspection), "classes": _classes(inspection)}
    if inspection.compared:
        compared = [{**item, "shape": "x".join(map(str, item["shape"]))} for item in plain["compared"]]
        frames["encodings"] = pd.json_normalize(compared)
    return frames


def _by_split(inspection: Inspection) -> dict[str, pd.DataFrame]:
    recordings, times = [], []
    classes = np.array(inspection.classes, dtype=object)
    for name, found in inspection.splits.items():
        recordings.append(
            pd.DataFrame(
                {
                    "split": name,
                    "recording": found.recordings,
                    "class": classes[found.labels],
                    "group": None if found.groups is None else found.groups.astype(object),
                    "events": found.counts,
                    "duration_ms": found.durations_ms,
                }
            )
        )
        bins = np.flatnonzero(found.times.counts)
        begins = bins * found.times.bin_us / 1000
        times.append(pd.DataFrame({"split": name, "time_ms": begins, "events": found.times.counts[bins]}))
    return {
        "recordings": pd.concat(recordings, ignore_index=True),
        "times": pd.concat(times, ignore_index=True),
    }


def _classes(inspection: Inspection) -> pd.DataFrame:
    """Recordings of each class, a column a split."""
    sizes = {
        name: np.bincount(split.labels, minlength=len(inspection.classes)) for name, split in inspection.splits.items()
    }
    return pd.DataFrame({"class": list(inspection.classes), **sizes})


def shown_of_inspection(inspection: Inspection) -> tuple[list[str], list[Table]]:
    """What ``harness inspect`` prints: the lines above its tables, and the tables."""
    from ..inspection.wording import encoding_words, facts, printable, sensor_words, shared_words

    values = ", ".join(f"{name}={value}" for name, value in inspection.parameters.items())
    lines = [
        sensor_words(inspection.sensor_size) + (f" ({values})" if values else ""),
        f"encoding: {encoding_words(inspection.encoding, inspection.sensor_size)}",
        *inspection.notes,
    ]
    if inspection.limit is not None:
        lines.append(f"limited to {inspection.limit} recordings a split")
    of_splits = pd.DataFrame(
        {"": heading.replace("  ", "\u2003"), **{split: texts.get(split, "-") for split in inspection.splits}}
        for heading, texts in facts(inspection).items()
    )
    below = ["* least / median / most", *filter(None, [shared_words(inspection)])]
    sizes = _classes(inspection)
    if (sizes[list(inspection.splits)].nunique() == 1).all():
        below.append("every class is as large as any other")
        tables = [Table(of_splits, below=tuple(below))]
    else:
        tables = [Table(of_splits, below=tuple(below)), Table(sizes, heading="recordings of each class")]
    if inspection.compared:
        tables.append(Table(_comparison(inspection), heading="what if (both splits)"))
    if inspection.shown:
        named = (f"{item.recording} ({printable(inspection.classes[item.label])})" for item in inspection.shown)
        last = tables[-1]
        said = f"shown: {inspection.shown[0].split} recording{'s' * (len(inspection.shown) > 1)} {', '.join(named)}"
        tables[-1] = Table(last.frame, last.heading, (*last.below, said))
    return lines, tables


def _comparison(inspection: Inspection) -> pd.DataFrame:
    from ..inspection.wording import bytes_words, cells_words, percent

    rows = [
        {
            "what if": item.label,
            "steps": "own" if item.steps is None else f"{item.steps:,}",
            "cells": cells_words(item.shape, item.steps),
            "samples": f"{item.samples:,}",
            "cropped": percent(item.losses.share(item.losses.cropped)),
            "incomplete": percent(item.losses.share(item.losses.incomplete)),
            "cells not 0": percent(item.density),
            "of these > 1": percent(item.share_several),
            "mean count": f"{item.mean:.2f}",
            "most": f"{item.largest:,}",
            "memory of one": bytes_words(item.bytes_a_sample),
        }
        for item in inspection.compared
    ]
    found = pd.DataFrame(rows)
    losses = [item.losses for item in inspection.compared]
    # What is the same everywhere is no comparison, nor is what no encoding loses.
    needed = {
        "samples": found["samples"].nunique() > 1,
        "cropped": any(lost.cropped for lost in losses),
        "incomplete": any(lost.incomplete for lost in losses),
    }
    return found.drop(columns=[name for name, shown in needed.items() if not shown])


def verdicts_of(found: Check) -> Table:
    """What ``harness compare`` prints."""
    from ..report.checks import texts

    headings, cells, below = texts(found)
    return Table(pd.DataFrame(cells, columns=headings), below=tuple(below))


def of_check(found: Check) -> dict[str, pd.DataFrame]:
    """``verdicts``, a row a figure and configuration."""
    from ..comparison.verdicts import Verdict

    rows = [{**vars(verdict), "mark": str(verdict.mark)} for verdict in found.verdicts]
    return {"verdicts": pd.DataFrame(rows, columns=list(Verdict.__dataclass_fields__))}
