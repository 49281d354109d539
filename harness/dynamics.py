"""What single neurons do with one input: their states and spikes step by step, on their definition or on backends."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch

from .components import Backend, Choice, Neuron, load_reference
from .errors import UsageError, nearest
from .foreign import plugin_code
from .lookup import find_kind
from .parameters import Value
from .registry import Registered, Registry
from .stimuli import LONGEST as LONGEST
from .stimuli import Floats as Floats
from .stimuli import Stimulus as Stimulus
from .stimuli import constant_current as constant_current
from .stimuli import random_train as random_train
from .stimuli import recorded_channel as recorded_channel
from .stimuli import refuse_foreign as refuse_foreign
from .stimuli import stimulus as stimulus

DEFINITION = "definition"
MOST = 12  # configurations beside each other; more cannot be read
_ENOUGH = 3  # spikes that show how a neuron fires; a weight is chosen for them
_LOOKED_AT = 2_000  # steps from the first input on that a weight is chosen by
_NAMED = 4  # silent configurations that a remark names


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One neuron on one backend: ``spikes`` and each of ``states`` (steps,); no states where the backend records none.

    ``threshold`` (steps,) is what the membrane had to reach at each step, or None where the neuron declares none. ``neuron``
    and ``parameters`` are what ``label`` stands for.
    """

    label: str
    backend: str
    spikes: Floats
    states: Mapping[str, Floats] = field(default_factory=dict)
    threshold: Floats | None = None
    neuron: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def rates(self, dt_ms: float | None) -> dict[str, float | int | None]:
        """Spikes, spikes a step, spikes a second (None without ``dt_ms``) and the first step with one (None without)."""
        count, steps = float(self.spikes.sum(dtype=np.float64)), len(self.spikes)
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
        silent = [trace for trace in self.traces if not trace.spikes.any()]
        stateless = dict.fromkeys(trace.backend for trace in self.traces if not trace.states)
        return [
            *([_silence(self.stimulus, silent)] if silent else []),
            *(f"{backend} records no states: its output alone is drawn" for backend in stateless),
        ]


def neuron_dynamics(
    registry: Registry,
    stimulus: Stimulus,
    neurons: Sequence[str] = (),
    settings: Mapping[str, Sequence[object]] | None = None,
    backends: Sequence[str] = (),
) -> Dynamics:
    """Each of ``neurons`` (default: all that have a definition) on ``stimulus``, alone and from zero state.

    ``settings`` maps ``lif.tau_mem``, or ``neuron.tau_mem`` for every neuron that has it, to values; several are a sweep.
    Without ``backends`` the definition computes. Settings that ``stimulus`` used are left out. Where it offers weights, the
    first at which all of the neurons fire some times is taken. Raises :class:`UsageError` for what cannot be meant or computed.
    """
    own = {path: values for path, values in (settings or {}).items() if path not in stimulus.used}
    entries = [find_kind(registry, name, Neuron) for name in dict.fromkeys(neurons)] or [
        entry for entry in registry.components("neuron") if cast(Neuron, entry.component).reference
    ]
    configurations = _configurations(entries, own)
    if len(configurations) > MOST:
        raise UsageError(f"{len(configurations)} configurations: {MOST} can be drawn beside each other; sweep fewer")
    computed_by = list(dict.fromkeys(backends)) or [DEFINITION]
    if stimulus.ladder:
        layers = [_layer(registry, entry, choice, computed_by[0]) for entry, choice, _ in configurations]
        with plugin_code(f"{computed_by[0]} failed"):
            stimulus = _weighed(stimulus, layers)
    traces = [
        _trace(_layer(registry, entry, choice, backend), choice, label, backend, stimulus)
        for entry, choice, label in configurations
        for backend in computed_by
    ]
    return Dynamics(stimulus=stimulus, traces=tuple(traces))


def _weighed(stimulus: Stimulus, layers: Sequence[Any]) -> Stimulus:
    """``stimulus`` at the first of its weights at which most of ``layers`` fire, some times each."""
    begin = int(np.argmax(stimulus.given != 0))
    given = torch.from_numpy(stimulus.given[begin : begin + _LOOKED_AT])
    x = (torch.tensor(stimulus.ladder)[:, None] * given).unsqueeze(-1)
    with torch.no_grad():
        counts = torch.stack([layer(x).reshape(len(x), -1).sum(1) for layer in layers], 1)
    # Firing a little is better than not at all, as where there are few steps.
    firing, fires = (counts >= _ENOUGH).sum(1).tolist(), (counts >= 1).sum(1).tolist()
    best = max(range(len(x)), key=lambda index: (firing[index], fires[index], -index))
    if best == 0:
        return stimulus.weighed(stimulus.ladder[0], "")
    what = (
        "it fires"
        if len(layers) == 1
        else "all fire"
        if fires[best] == len(layers)
        else f"{fires[best]} of {len(layers)} fire"
    )
    return stimulus.weighed(stimulus.ladder[best], f"chosen so that {what}")


def _silence(stimulus: Stimulus, silent: Sequence[Trace]) -> str:
    """Which neurons did not fire, why, and what to change: only what they have."""
    values = stimulus.values
    if not (values > 0).any():
        if stimulus.weight <= 0 and stimulus.given.any():
            return f"no neuron fired: the input is nowhere above 0 at weight {stimulus.weight:g}; give one above 0"
        return f"no neuron fired: the input is 0 at every step; try {stimulus.instead}"
    by_label = {trace.label: trace for trace in reversed(silent)}
    named = [_closest(trace) for trace in list(by_label.values())[::-1]]
    more = [f"{len(named) - _NAMED} more"] if len(named) > _NAMED else []
    rising = stimulus.generated and any(
        "v_mem" in trace.states and int(trace.states["v_mem"].argmax()) == len(values) - 1 for trace in silent
    )
    ways = ["a larger weight", *(["more steps"] if rising else [])]
    longer = dict.fromkeys(path for trace in silent for path in _slowing(trace))
    ways += [f"longer {', '.join(longer)}"] if longer else []
    return f"no spike of {', '.join([*named[:_NAMED], *more])}; try {', or '.join(ways)}"


def _closest(trace: Trace) -> str:
    if "v_mem" not in trace.states or trace.threshold is None:
        return trace.label
    reached = float(trace.states["v_mem"].max(initial=0))
    return f"{trace.label} (membrane up to {reached:.3g}, threshold {float(trace.threshold.min(initial=np.inf)):g})"


def _slowing(trace: Trace) -> Iterable[str]:
    """The time constants of which longer ones let the membrane reach higher."""
    for name in ("tau_mem", "tau_syn"):
        # Normalised input shrinks as the membrane slows.
        if trace.parameters.get(name) is not None and not (name == "tau_mem" and trace.parameters.get("norm_input")):
            yield f"{trace.neuron}.{name}"


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
                if len(settings[path]) == 0:
                    raise UsageError(f"{path}: no value is named")
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
            if path == "encoding" or path.startswith(("encoding.", "dataset.")):
                raise UsageError(f"{path}: concerns a dataset as input alone")
            names = [entry.component.name for entry in entries]
            raise UsageError(f"{path}: no neuron shown has it; shown are {', '.join(names)}")
    return found


def _layer(registry: Registry, entry: Registered, choice: Choice, backend: str) -> Any:
    """``choice`` as ``backend`` computes it, (batch, steps, 1) to the same."""
    neuron = cast(Neuron, entry.component)
    if backend != DEFINITION:
        return _on_backend(registry, backend, neuron, choice)
    reference = neuron.reference
    if not reference:
        raise UsageError(f"neuron {choice.name} has no definition; name a backend that computes it")
    with plugin_code(f"the definition of {choice.name} failed"):
        return load_reference(reference)(choice, (1,), None)


def _trace(layer: Any, choice: Choice, label: str, backend: str, stimulus: Stimulus) -> Trace:
    x = torch.from_numpy(stimulus.values).reshape(1, -1, 1)
    states: dict[str, Floats] = {}
    what = f"the definition of {choice.name}" if backend == DEFINITION else f"backend {backend}"
    with plugin_code(f"{what} failed"), torch.no_grad():
        if hasattr(layer, "trace"):
            spikes, seen = layer.trace(x)
            states = {name: _flat(value) for name, value in seen.items()}
        else:
            spikes = layer(x)
    trace = Trace(
        label=label,
        backend=backend,
        spikes=_flat(spikes),
        states=states,
        threshold=_threshold(choice, states, len(stimulus.values)),
        neuron=choice.name,
        parameters=choice.values,
    )
    known = [] if trace.threshold is None else [trace.threshold]
    if not all(np.isfinite(values).all() for values in (trace.spikes, *known, *states.values())):
        raise UsageError(f"weight {stimulus.weight:g}: {label} leaves the range of float32; give a smaller one")
    return trace


def _on_backend(registry: Registry, name: str, neuron: Neuron, choice: Choice) -> Any:
    entry = find_kind(registry, name, Backend, (DEFINITION,))
    backend = cast(Backend, entry.component)
    reason = entry.unusable()
    if reason:
        raise UsageError(f"backend {name} cannot be used here: {reason}")
    if not backend.computes(neuron):
        raise UsageError(f"backend {name} does not compute {choice.name}; it computes {backend.computed()}")
    if "cpu" not in backend.devices:
        raise UsageError(f"backend {name} runs on {', '.join(backend.devices)}; single neurons are shown on the CPU")
    with plugin_code(f"backend {name} failed"):
        refused = load_reference(backend.refuses)(choice, False, "cpu") if backend.refuses else None
        if refused is not None:
            raise UsageError(f"backend {name} refuses {choice.name}: {refused}")
        return backend.layer_of(neuron)(choice, (1,), None, **backend.choose().values)


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
        with np.errstate(over="ignore"):  # what is not finite is refused
            threshold[1:] += np.float32(scale) * states["b"][:-1]
    return threshold
