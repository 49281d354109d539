"""What single neurons are driven by: random trains, a constant current, or a channel of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from .components import Dataset, load_reference
from .errors import DataError, UsageError
from .events.encode import encode_bulk
from .events.validation import open_source
from .experiment import Experiment
from .foreign import plugin_code
from .lookup import find_kind
from .plan import plan_dataset
from .registry import Registered, Registry

Floats = npt.NDArray[np.float32]
LONGEST = 100_000  # steps of a generated input
# Weights to choose from where none is given.
LADDER = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
LADDER_OF_CURRENT = (0.008, 0.02, 0.05, *LADDER)
_GENERATED = frozenset({"steps", "dt"})
_CONCERNS = {"random": frozenset({"rate", "train", "seed"}) | _GENERATED, "constant": _GENERATED}
_OF_DATASETS = frozenset({"split", "recording", "channel", "data"})


@dataclass(frozen=True, kw_only=True)
class Stimulus:
    """One input train: ``given`` (steps,), of which a neuron receives ``weight`` times as much.

    ``raster`` (trains, steps) holds every train that was drawn, of which row ``row`` is the one in ``given``. ``ladder`` holds
    the weights to choose from where the user named none, ``chosen`` what was chosen for. ``used`` are the settings that the input
    took, ``instead`` is what to change where it is empty.
    """

    name: str
    given: Floats
    weight: float
    weighing: str = ", weight"
    dt_ms: float | None = None
    raster: npt.NDArray[np.bool_] | None = None
    row: int = 0
    ladder: tuple[float, ...] = ()
    chosen: str = ""
    used: frozenset[str] = frozenset()
    instead: str = ""
    generated: bool = True
    values: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not abs(self.weight) <= float(np.finfo(np.float32).max):
            raise UsageError(f"weight {self.weight:g}: not a number that is finite in float32")
        with np.errstate(over="ignore"):
            values = self.given * np.float32(self.weight)
        if not np.isfinite(values).all():
            raise UsageError(f"weight {self.weight:g}: {self.name} times it is not finite in float32")
        object.__setattr__(self, "values", values)

    @property
    def title(self) -> str:
        """What it is, its weight, and how that was chosen where it was."""
        return f"{self.name}{self.weighing} {self.weight:g}{self.chosen and f', {self.chosen}'}"

    def weighed(self, weight: float, chosen: str) -> Stimulus:
        """The same at ``weight``, which was ``chosen``."""
        return replace(self, weight=weight, chosen=chosen, ladder=())


def random_train(
    rate: float,
    steps: int,
    seed: int,
    weight: float | None,
    *,
    trains: int = 10,
    row: int = 3,
    dt_ms: float | None = None,
) -> Stimulus:
    """``trains`` seeded trains that spike with probability ``rate`` a step; the neuron receives ``weight`` times train ``row``."""
    if not 0 <= row < trains:
        raise UsageError(f"train {row}: expected 0 to {trains - 1}")
    # The legacy generator, so that a notebook's np.random.seed draws the same trains.
    raster = np.random.RandomState(seed).random_sample((trains, steps)) > 1 - rate
    return Stimulus(
        name=f"random train, rate {rate:g} a step, seed {seed}",
        given=raster[row].astype(np.float32),
        dt_ms=dt_ms,
        raster=raster,
        row=row,
        weight=LADDER[0] if weight is None else weight,
        ladder=LADDER if weight is None else (),
        instead="a higher rate, more steps or another seed",
    )


def constant_current(steps: int, weight: float | None, *, dt_ms: float | None = None) -> Stimulus:
    """``weight`` at every step."""
    return Stimulus(
        name="constant current",
        weighing=" of",
        given=np.ones(steps, dtype=np.float32),
        dt_ms=dt_ms,
        weight=LADDER_OF_CURRENT[0] if weight is None else weight,
        ladder=LADDER_OF_CURRENT if weight is None else (),
    )


def recorded_channel(
    registry: Registry,
    name: str,
    data: Path,
    *,
    split: str,
    recording: int,
    channel: int | None,
    weight: float | None,
    settings: Mapping[str, Sequence[object]] | None = None,
) -> Stimulus:
    """One channel (flat index of a step's shape; None: the one with most events) of a dataset's recording, times ``weight``.

    ``settings`` of the dataset and its encoding are used as in a run. A recording that is cut into slices gives its first.
    """
    entry = find_kind(registry, name, Dataset, ("random", "constant"))
    dataset = cast(Dataset, entry.component)
    used = _of_dataset(entry, settings or {})
    choice, encoding = plan_dataset(Experiment(plugins=(entry.qualified,), settings=used), entry)
    with plugin_code(f"dataset {dataset.name} failed"):
        if dataset.fetch:
            load_reference(dataset.fetch)(data, lambda *_: None, **choice.values)
        source = open_source(dataset, data, split, choice.values)
    if not 0 <= recording < len(source):
        raise UsageError(f"recording {recording}: the {split} split of {name} has 0 to {len(source) - 1}")
    with plugin_code(f"dataset {dataset.name} failed"):
        try:
            frames = encode_bulk(source.read([recording]), encoding, dataset.sensor_size, np.array([recording])).frames
        except DataError as error:
            raise source.named(error) from None
    if not len(frames) or not frames.shape[1]:
        raise UsageError(f"recording {recording}: {name} encodes it to nothing; name another")
    shape, flat = frames.shape[2:], frames[0].reshape(frames.shape[1], -1)
    if channel is not None and not 0 <= channel < flat.shape[1]:
        raise UsageError(f"channel {channel}: {name} has 0 to {flat.shape[1] - 1}")
    shown = int(flat.sum(0, dtype=np.int64).argmax()) if channel is None else channel
    place = "p {}, y {}, x {}".format(*np.unravel_index(shown, shape)) if len(shape) == 3 else ""
    marked = " (synthetic)" if not dataset.synthetic and source.synthetic else ""
    pieces = [
        f"{name}{marked} {split} recording {recording}",
        *([f"slice 1 of {len(frames)}"] if len(frames) > 1 else []),
        f"{'busiest ' if channel is None else ''}channel {shown}{place and f' ({place})'}",
    ]
    return Stimulus(
        name=", ".join(pieces),
        given=flat[:, shown].astype(np.float32),
        dt_ms=encoding.dt,
        weight=LADDER[0] if weight is None else weight,
        ladder=LADDER if weight is None else (),
        used=frozenset(used),
        instead="another recording" if channel is None else "another channel or recording",
        generated=False,
    )


def stimulus(
    registry: Registry,
    kind: str = "random",
    *,
    rate: float = 0.1,
    train: int = 3,
    seed: int = 30,
    steps: int = 200,
    weight: float | None = None,
    dt_ms: float | None = None,
    data: Path,
    split: str = "test",
    recording: int = 0,
    channel: int | None = None,
    settings: Mapping[str, Sequence[object]] | None = None,
) -> Stimulus:
    """The input that is meant by ``random``, ``constant`` or the name of a dataset; what the others concern is ignored.

    Without ``weight`` :func:`harness.dynamics.neuron_dynamics` chooses one, 0.1 at least, of constant input 0.008. Of ``settings``
    a dataset takes those of itself and of its encoding. Raises :class:`UsageError` for what no neuron can be given.
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"rate {rate:g}: expected 0 to 1 spikes a step")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed {seed}: expected 0 to {2**32 - 1}")
    if not 1 <= steps <= LONGEST:
        raise UsageError(f"steps {steps}: expected 1 to {LONGEST}")
    if dt_ms is not None and not (isfinite(dt_ms) and dt_ms > 0):
        raise UsageError(f"dt {dt_ms}: expected milliseconds above 0")
    if kind == "constant":
        return constant_current(steps, weight, dt_ms=dt_ms)
    if kind == "random":
        return random_train(rate, steps, seed, weight, row=train, dt_ms=dt_ms)
    if dt_ms is not None:
        refuse_foreign(kind, ["dt"])
    if split not in ("train", "test"):
        raise UsageError(f"split {split!r}: expected train or test")
    return recorded_channel(
        registry,
        kind,
        data,
        split=split,
        recording=recording,
        channel=channel,
        weight=weight,
        settings=settings,
    )


def refuse_foreign(kind: str, given: Iterable[str]) -> None:
    """Raise :class:`UsageError` for the first of the arguments ``given`` that says nothing about input of ``kind``."""
    concerns = _CONCERNS.get(kind, _OF_DATASETS)
    for name in given:
        if name in concerns or name not in _OF_DATASETS | _CONCERNS["random"]:
            continue
        if name == "dt":
            raise UsageError(f"dt: the encoding of {kind} says how long a step is; set encoding.dt instead")
        of = "a dataset" if name in _OF_DATASETS else "generated input" if name == "steps" else "random input"
        raise UsageError(f"{name}: concerns {of} alone, and the input is {kind}")


def _of_dataset(entry: Registered, settings: Mapping[str, Sequence[object]]) -> dict[str, Sequence[object]]:
    """Those of ``settings`` that concern the dataset or its encoding, a value each."""
    owners = ("dataset", "encoding", entry.component.name, entry.qualified)
    found = {
        path: values for path, values in settings.items() if path == "encoding" or path.rpartition(".")[0] in owners
    }
    for path, values in found.items():
        if len(values) != 1:
            raise UsageError(f"{path}: one value of a dataset or its encoding can be shown at a time")
    return found
