"""Tidy DataFrames of what the commands show: a row an observation, a column a variable, no text that was formatted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

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
    """``splits``, a row a split; ``recordings``, a row each; ``times``, a row a bin of time that holds events.

    ``encodings`` too, a row each, where some are compared.
    """
    from ..inspection.plain import to_json

    plain = to_json(inspection)
    splits = [{"split": name, **found} for name, found in plain["splits"].items()]
    for found in splits:
        del found["recordings_of_class"], found["recordings_of_group"], found["times"]["events_of_bin"]
    frames = {"splits": pd.json_normalize(splits), **_by_split(inspection)}
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


def facts_of(inspection: Inspection) -> pd.DataFrame:
    """A column a split, a line a fact, as ``harness inspect`` prints them."""
    from ..inspection.wording import facts

    rows = [
        {"": heading, **{split: texts.get(split, "-") for split in inspection.splits}}
        for heading, texts in facts(inspection).items()
    ]
    return pd.DataFrame(rows)


def of_check(found: Check) -> dict[str, pd.DataFrame]:
    """``verdicts``, a row a figure and configuration."""
    from ..comparison.verdicts import Verdict

    rows = [{**vars(verdict), "mark": str(verdict.mark)} for verdict in found.verdicts]
    return {"verdicts": pd.DataFrame(rows, columns=list(Verdict.__dataclass_fields__))}
