"""A single-file plugin of datasets with one fault each, and of one that has none: what a run and the conformance kit must both find."""

from __future__ import annotations

import numpy as np

from harness import Bulk, Dataset, Encoding, hookimpl

_FIELDS = [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i2")]
_SHIFT = {"late": 1_700_000_000_000_000}


class _Source:
    """Eight recordings of 100 ms; ``fault`` says what is wrong with them."""

    def __init__(self, fault: str, split: str) -> None:
        self.fault, self.first = fault, 100 * (split == "test")
        if fault == "labels":
            self.labels = [0] * 8
        if fault == "readers":
            self.bulk = self._shifted

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> object:
        if not 0 <= index < 8:
            raise IndexError(index)
        random = np.random.default_rng(self.first + index)
        events = np.zeros(100, dtype=_FIELDS)
        events["t"] = np.sort(random.integers(0, 100_000, 100))
        for name in "xyp":
            events[name] = random.integers(0, 2 if name == "p" else 8, 100)
        return self._broken(events, index), "b" if self.fault == "text" else index % 2

    def _broken(self, events: np.ndarray, index: int) -> object:
        fault = self.fault
        if fault == "seconds":
            events = events.astype([("t", "f8"), *_FIELDS[1:]])
            events["t"] /= 1e6
        elif fault == "milliseconds":
            events["t"] //= 1000
        elif fault == "polarity":
            events = events.view([*_FIELDS[:3], ("polarity", "i2")])
        elif fault == "fractions" and index == 7:
            events = events.astype([("t", "i8"), ("x", "f4"), *_FIELDS[2:]])
            events["x"][5] = np.nan
        elif fault == "columns":
            return np.zeros((100, 4))
        events["t"] += _SHIFT.get(fault, 0)
        return events

    def _shifted(self, start: int, stop: int) -> Bulk:
        own = np.concatenate([self[index][0] for index in range(start, stop)])
        return Bulk(t=own["t"] + 1, x=own["x"], y=own["y"], p=own["p"], offsets=np.arange(stop - start + 1) * 100)


FAULTS = (
    "sound",
    "seconds",
    "milliseconds",
    "late",
    "polarity",
    "merged",
    "fractions",
    "columns",
    "text",
    "labels",
    "readers",
)
for _fault in FAULTS:
    globals()[_fault] = lambda root, split, fault=_fault: _Source(fault, split)


@hookimpl
def register_datasets(register):
    for fault in FAULTS:
        register(
            Dataset(
                name=f"data-{fault}",
                summary="s",
                sensor_size=(8, 8, 1 if fault == "merged" else 2),
                classes=("a", "b"),
                source=f"faulty_data:{fault}",
                encodings={"default": Encoding(crop=100, dt=10)},
            )
        )
