"""What single neurons do with one input: their states and spikes step by step, on their definition or on backends."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from .components import Backend, Choice, Dataset, Neuron, load_reference
from .errors import UsageError, nearest
from .events.encode import encode
from .registry import Registered, Registry

Floats = npt.NDArray[np.float32]
DEFINITION = "definition"
LONGEST = 100_000  # steps of a generated input
MOST = 12  # configurations beside each other; more cannot be read


@dataclass(frozen=True, kw_only=True)
class Stimulus:
    """One input train: ``values`` (steps,) as the neuron receives it, weight included.

    ``raster`` (trains, steps) holds every train that was drawn, of which row ``row`` is the one in ``values``.
    """

    title: str
    values: Floats
    dt_ms: float | None = None
    raster: npt.NDArray[np.bool_] | None = None
    row: int = 0


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One neuron on one backend: ``spikes`` and each of ``states`` (steps,); no states where the backend records none.

    ``threshold`` (steps,) is what the membrane had to reach at each step, or None where the neuron declares none.
    """

    label: str
    backend: str
    spikes: Floats
    states: Mapping[str, Floats] = field(default_factory=dict)
    threshold: Floats | None = None

    def rates(self, dt_ms: float | None) -> dict[str, float | int | None]:
        """Spikes, spikes a step, spikes a second (None without ``dt_ms``) and the first step with one (None without)."""
        count, steps = float(self.spikes.sum()), len(self.spikes)
        fired = np.flatnonzero(self.spikes)
        a_step = count / steps if steps else 0.0
        return {
            "spikes": int(count),
            "per_step": a_step,
            "hz": None if dt_ms is None else a_step * 1000 / dt_ms,
            "first": int(fired[0]) if len(fired) else None,
        }

    def differs(self, other: Trace) -> tuple[int, int | None]:
        """Steps at which the spikes of both differ, and the first of them."""
        steps = np.flatnonzero(self.spikes != other.spikes)
        return len(steps), int(steps[0]) if len(steps) else None


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """The traces of several configurations on one stimulus, backends of a configuration next to each other."""

    stimulus: Stimulus
    traces: tuple[Trace, ...]

    def by_label(self) -> dict[str, list[Trace]]:
        """The traces of each configuration, one a backend."""
        found: dict[str, list[Trace]] = {}
        for trace in self.traces:
            found.setdefault(trace.label, []).append(trace)
        return found

    def remarks(self) -> list[str]:
        """Sentences on what a table or a figure of it leaves open."""
        found = []
        if not any(trace.spikes.any() for trace in self.traces):
            found.append(
                "no neuron fired: try a larger weight, or longer time constants such as neuron.tau_mem=20, neuron.tau_syn=10"
            )
        silent = dict.fromkeys(trace.backend for trace in self.traces if not trace.states)
        return found + [f"{backend} records no states: its output alone is drawn" for backend in silent]


def random_train(
    rate: float, steps: int, seed: int, weight: float, *, trains: int = 10, row: int = 3, dt_ms: float | None = None
) -> Stimulus:
    """``trains`` seeded trains that spike with probability ``rate`` a step; the neuron receives ``weight`` times train ``row``."""
    if not 0 <= row < trains:
        raise UsageError(f"train {row}: expected 0 to {trains - 1}")
    # The legacy generator, so that a notebook's np.random.seed draws the same trains.
    raster = np.random.RandomState(seed).random_sample((trains, steps)) > 1 - rate
    return Stimulus(
        title=f"random train, rate {rate:g} a step, seed {seed}, weight {weight:g}",
        values=raster[row].astype(np.float32) * np.float32(weight),
        dt_ms=dt_ms,
        raster=raster,
        row=row,
    )


def constant_current(steps: int, weight: float, *, dt_ms: float | None = None) -> Stimulus:
    """``weight`` at every step."""
    return Stimulus(
        title=f"constant current of {weight:g}", values=np.full(steps, weight, dtype=np.float32), dt_ms=dt_ms
    )


def recorded_channel(
    registry: Registry, name: str, data: Path, *, split: str, recording: int, channel: int, weight: float
) -> Stimulus:
    """One channel (flat index of a step's shape) of a dataset's recording, in the dataset's default encoding, times ``weight``."""
    entry = registry.find(name)
    if not isinstance(entry.component, Dataset):
        raise UsageError(f"input {name}: a {entry.component.kind}, not a dataset; expected one, or random, or constant")
    reason = entry.unusable()
    if reason:
        raise UsageError(f"dataset {name} cannot be used here: {reason}")
    dataset = entry.component
    encoding = dataset.encodings["default"]
    source = load_reference(dataset.source)(data, split, **dataset.choose().values)
    if not 0 <= recording < len(source):
        raise UsageError(f"recording {recording}: the {split} split of {name} has 0 to {len(source) - 1}")
    frames = encode(source[recording][0], encoding, dataset.sensor_size).frames
    if not len(frames):
        raise UsageError(f"recording {recording}: {name} encodes it to nothing; name another")
    flat = frames[0].reshape(frames.shape[1], -1)
    if not 0 <= channel < flat.shape[1]:
        raise UsageError(f"channel {channel}: {name} has 0 to {flat.shape[1] - 1}")
    return Stimulus(
        title=f"{name} {split} recording {recording}, channel {channel}, weight {weight:g}",
        values=flat[:, channel].astype(np.float32) * np.float32(weight),
        dt_ms=encoding.dt,
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
    channel: int = 0,
) -> Stimulus:
    """The input that is meant by ``random``, ``constant`` or the name of a dataset; what the others concern is ignored.

    ``weight`` defaults to 0.1, of constant input to 0.008. Raises :class:`UsageError` for what no neuron can be given.
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"rate {rate:g}: expected 0 to 1 spikes a step")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed {seed}: expected 0 to {2**32 - 1}")
    if not 1 <= steps <= LONGEST:
        raise UsageError(f"steps {steps}: expected 1 to {LONGEST}")
    if weight is not None and not isfinite(weight):
        raise UsageError(f"weight {weight}: not a finite number")
    if dt_ms is not None and not (isfinite(dt_ms) and dt_ms > 0):
        raise UsageError(f"dt {dt_ms}: expected milliseconds above 0")
    if kind == "constant":
        return constant_current(steps, 0.008 if weight is None else weight, dt_ms=dt_ms)
    weight = 0.1 if weight is None else weight
    if kind == "random":
        return random_train(rate, steps, seed, weight, row=train, dt_ms=dt_ms)
    if dt_ms is not None:
        raise UsageError(f"dt: the encoding of {kind} says how long a step is")
    if split not in ("train", "test"):
        raise UsageError(f"split {split!r}: expected train or test")
    return recorded_channel(registry, kind, data, split=split, recording=recording, channel=channel, weight=weight)


def neuron_dynamics(
    registry: Registry,
    stimulus: Stimulus,
    neurons: Sequence[str] = (),
    settings: Mapping[str, Sequence[object]] | None = None,
    backends: Sequence[str] = (),
) -> Dynamics:
    """Each of ``neurons`` (default: all that have a definition) on ``stimulus``, alone and from zero state.

    ``settings`` maps ``lif.tau_mem``, or ``neuron.tau_mem`` for every neuron that has it, to values; several are a sweep.
    Without ``backends`` the definition computes. Raises :class:`UsageError` for what cannot be meant or computed.
    """
    entries = [_of_kind(registry, name, Neuron) for name in dict.fromkeys(neurons)] or [
        entry for entry in registry.components("neuron") if cast(Neuron, entry.component).reference
    ]
    configurations = _configurations(entries, settings or {})
    if len(configurations) > MOST:
        raise UsageError(f"{len(configurations)} configurations: {MOST} can be drawn beside each other; sweep fewer")
    traces = [
        _trace(registry, entry, choice, label, backend, stimulus)
        for entry, choice, label in configurations
        for backend in (dict.fromkeys(backends) or (DEFINITION,))
    ]
    return Dynamics(stimulus=stimulus, traces=tuple(traces))


def _of_kind(registry: Registry, name: str, kind: type[Neuron] | type[Backend]) -> Registered:
    entry = registry.find(name)
    if not isinstance(entry.component, kind):
        known = ", ".join(item.component.name for item in registry.components(kind.kind))
        raise UsageError(f"{name} is a {entry.component.kind}, not a {kind.kind}; there are: {known}")
    return entry


def _configurations(
    entries: Sequence[Registered], settings: Mapping[str, Sequence[object]]
) -> list[tuple[Registered, Choice, str]]:
    used: set[str] = set()
    found = []
    for entry in entries:
        component = entry.component
        declared = {item.name: item for item in component.parameters}
        own: dict[str, Sequence[object]] = {}
        # A path that names the neuron is closer than one that names the kind.
        for path in sorted(settings, key=lambda item: not item.startswith("neuron.")):
            owner, _, parameter = path.rpartition(".")
            if owner in (component.name, entry.qualified) and parameter not in declared:
                raise UsageError(
                    f"{owner} has no parameter {parameter!r}{nearest(parameter, declared)}; it has: {', '.join(declared)}"
                )
            if owner in (component.name, entry.qualified, "neuron") and parameter in declared:
                own[parameter] = settings[path]
                used.add(path)
        for values in itertools.product(*own.values()):
            given: dict[str, Any] = {}
            for name, value in zip(own, values, strict=True):
                try:
                    given[name] = declared[name].parse(value) if isinstance(value, str) else value
                except UsageError as error:
                    raise UsageError(f"{component.name}.{error}") from None
            swept = [f"{name}={value}" for name, value in zip(own, values, strict=True) if len(own[name]) > 1]
            found.append((entry, component.choose(**given), " ".join([component.name, *swept])))
    for path in settings:
        if path not in used:
            names = [entry.component.name for entry in entries]
            raise UsageError(f"{path}: no neuron shown has it; shown are {', '.join(names)}")
    return found


def _trace(
    registry: Registry, entry: Registered, choice: Choice, label: str, backend: str, stimulus: Stimulus
) -> Trace:
    if backend == DEFINITION:
        reference = cast(Neuron, entry.component).reference
        if not reference:
            raise UsageError(f"neuron {choice.name} has no definition; name a backend that computes it")
        layer = load_reference(reference)(choice, (1,), None)
    else:
        layer = _on_backend(registry, backend, choice)
    x = torch.from_numpy(stimulus.values).reshape(1, -1, 1)
    states: dict[str, Floats] = {}
    with torch.no_grad():
        if hasattr(layer, "trace"):
            spikes, seen = layer.trace(x)
            states = {name: _flat(value) for name, value in seen.items()}
        else:
            spikes = layer(x)
    return Trace(
        label=label,
        backend=backend,
        spikes=_flat(spikes),
        states=states,
        threshold=_threshold(choice, states, len(stimulus.values)),
    )


def _on_backend(registry: Registry, name: str, choice: Choice) -> Any:
    entry = _of_kind(registry, name, Backend)
    backend = cast(Backend, entry.component)
    reason = entry.unusable()
    if reason:
        raise UsageError(f"backend {name} cannot be used here: {reason}")
    if choice.name not in backend.neurons:
        raise UsageError(f"backend {name} does not compute {choice.name}; it computes {', '.join(backend.neurons)}")
    if "cpu" not in backend.devices:
        raise UsageError(f"backend {name} runs on {', '.join(backend.devices)}; single neurons are shown on the CPU")
    refused = load_reference(backend.refuses)(choice, False, "cpu") if backend.refuses else None
    if refused is not None:
        raise UsageError(f"backend {name} refuses {choice.name}: {refused}")
    return load_reference(backend.layer)(choice, (1,), None, **backend.choose().values)


def _flat(value: torch.Tensor) -> Floats:
    return value.detach().reshape(-1).to(torch.float32).numpy().copy()


def _threshold(choice: Choice, states: Mapping[str, Floats], steps: int) -> Floats | None:
    """The declared threshold, raised by ``adapt_scale`` times the last step's ``b`` where the neuron adapts."""
    base = choice.values.get("threshold")
    if not isinstance(base, (int, float)):
        return None
    threshold = np.full(steps, base, dtype=np.float32)
    scale = choice.values.get("adapt_scale")
    if isinstance(scale, (int, float)):
        if "b" not in states:
            return None
        threshold[1:] += np.float32(scale) * states["b"][:-1]
    return threshold
