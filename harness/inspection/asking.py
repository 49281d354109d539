"""What an inspection is asked for, resolved as a run resolves it: the dataset's values, its encoding, and others to compare."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

from ..components import Choice, Dataset, Encoding
from ..errors import UsageError, nearest
from ..events.encode import sample_shape
from ..experiment import Experiment
from ..plan import plan_dataset
from ..registry import Registered, Registry

MOST = 12  # encodings compared with the one inspected; more cannot be read beside each other
_LARGEST = 2**30  # cells of one sample: what is larger comes of a bin that was mistyped
Values = Mapping[str, Sequence[object]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """``compared`` are labelled encodings, the one inspected first; empty where none are to be compared."""

    dataset: Dataset
    choice: Choice
    encoding: Encoding
    compared: tuple[tuple[str, Encoding], ...] = ()


def ask(registry: Registry, name: str, settings: Values, *, recipe: str, limit: int | None, what_if: Values) -> Asked:
    """Resolve everything before any data are read; raises :class:`UsageError` for what cannot be meant."""
    entry = registry.find(name)
    if not isinstance(entry.component, Dataset):
        known = ", ".join(item.component.name for item in registry.components("dataset")) or "none is installed"
        raise UsageError(f"{name} is a {entry.component.kind}, not a dataset; there are: {known}")
    dataset = entry.component
    for path, values in settings.items():
        owner = path.rpartition(".")[0]
        if path != "encoding" and owner not in ("dataset", "encoding", dataset.name, entry.qualified):
            raise UsageError(f"{path}: expected {dataset.name}.PARAMETER, encoding.PARAMETER or encoding=NAME")
        if len(values) != 1:
            parameter = path.removeprefix("encoding.")
            instead = f"; compare encodings with what-if {parameter}=..." if path.startswith("encoding") else ""
            raise UsageError(f"{path}: one value can be inspected at a time{instead}")
    choice, encoding = _resolved(entry, settings, recipe, limit)
    _check(encoding, dataset.sensor_size)
    compared = tuple(_compared(entry, encoding, settings, recipe, what_if)) if what_if else ()
    return Asked(dataset=dataset, choice=choice, encoding=encoding, compared=compared)


def _compared(
    entry: Registered, encoding: Encoding, settings: Values, recipe: str, what_if: Values
) -> list[tuple[str, Encoding]]:
    combinations = _combinations(what_if)
    found = [(f"as inspected ({_label(encoding, what_if, settings)})", encoding)]
    for varied in combinations:
        words = " ".join(f"{parameter}={value}" for parameter, value in varied.items())
        paths = {name if name == "encoding" else f"encoding.{name}": [value] for name, value in varied.items()}
        try:
            _, other = _resolved(entry, {**settings, **paths}, recipe)
            _check(other, cast(Dataset, entry.component).sensor_size)
        except UsageError as error:
            raise UsageError(f"what-if {words}: {error}") from None
        if other not in [earlier for _, earlier in found]:
            found.append((_label(other, varied, paths), other))
    if len(found) == 1:
        words = " ".join(f"{parameter}={','.join(map(str, values))}" for parameter, values in what_if.items())
        raise UsageError(f"what-if {words}: that is the encoding inspected; name another value")
    return found


def _resolved(entry: Registered, settings: Values, recipe: str, limit: int | None = None) -> tuple[Choice, Encoding]:
    """As in every trial of a run on this dataset."""
    experiment = Experiment(plugins=(entry.qualified,), settings=settings, recipe=recipe, limit=limit)
    return plan_dataset(experiment, entry)


def _combinations(what_if: Values) -> list[dict[str, object]]:
    names = [item.name for item in Encoding.PARAMETERS]
    for parameter, values in what_if.items():
        if parameter not in (*names, "encoding"):
            raise UsageError(
                f"what-if {parameter}: an encoding has no such parameter{nearest(parameter, names)}; "
                f"it has: {', '.join(names)}; or encoding=NAME"
            )
        if not values:
            raise UsageError(f"what-if {parameter}: no value is named")
    count = prod(len(values) for values in what_if.values())
    if what_if and count > MOST:
        raise UsageError(f"what-if: {count} encodings; {MOST} can be compared at once")
    return (
        [dict(zip(what_if, values, strict=True)) for values in itertools.product(*what_if.values())] if what_if else []
    )


def _label(encoding: Encoding, varied: Mapping[str, object], settings: Values) -> str:
    """``dt=5 ms, crop=none``, or an encoding's name: what is varied, at its value in ``encoding``."""
    units = {item.name: item.unit for item in Encoding.PARAMETERS}
    words = []
    for name in varied:
        if name == "encoding":
            words.append(str(settings.get("encoding", ["default"])[0]))
            continue
        value = getattr(encoding, name)
        shown = "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        words.append(f"{name}={shown} {units[name]}".rstrip() if value is not None else f"{name}={shown}")
    return ", ".join(words)


def _check(encoding: Encoding, sensor_size: tuple[int, int, int]) -> None:
    """Raise :class:`UsageError` for an encoding that would fail on every recording."""
    shape = sample_shape(encoding, sensor_size)
    if encoding.tonic_window is not None:
        if encoding.steps is None:
            raise UsageError("encoding.tonic_window needs encoding.crop or encoding.slice")
    elif encoding.slice is not None and encoding.crop is not None and encoding.crop < encoding.slice:
        raise UsageError(f"encoding.crop: {encoding.crop:g} ms leave no slice of {encoding.slice:g} ms")
    cells = (encoding.steps or 1) * prod(shape)
    if cells > _LARGEST:
        raise UsageError(f"encoding.dt: frames of one sample would take {cells / 2**30:.1f} GiB; widen the bins")
