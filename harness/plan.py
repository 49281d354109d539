"""From an experiment to its trials."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from . import recipe as recipes
from .components import Backend, Choice, Dataset, Encoding, Metric, Neuron, load_reference
from .devices import check_name
from .errors import PluginCodeError, UsageError, nearest
from .experiment import Experiment
from .foreign import plugin_code
from .parameters import Parameter
from .registry import DISTRIBUTION, PluginWarning, Registered, Registry
from .specification import KINDS, RowDigests, Specification, differing_paths, leaves
from .text import one_line


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One trial to be: its specification, the digest of that (``row``), its seed, and why it cannot run if it cannot."""

    specification: Specification
    row: str
    seed: int
    label: str
    skip: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The trials, the metrics they are measured by, and who supplies what."""

    experiment: Experiment
    trials: tuple[Planned, ...]
    metrics: tuple[tuple[Registered, Choice], ...]
    components: Mapping[str, Registered]


def make_plan(
    experiment: Experiment,
    registry: Registry,
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> Plan:
    """Expand ``experiment`` to its trials.

    Args:
        experiment: what was requested.
        registry: where components are looked up.
        device: the device that backends are asked to compute on; ``auto`` refuses none.
        progress: called with how many configurations are planned so far, after each one.

    Raises:
        UsageError: for anything that cannot be meant.
    """
    _check_limit(experiment)
    check_name(device)
    named = [registry.find(name) for name in dict.fromkeys(experiment.plugins)]
    chosen: dict[str, list[Registered]] = {}
    for entry in named:
        if entry not in chosen.setdefault(entry.component.kind, []):
            chosen[entry.component.kind].append(entry)
    if not chosen.get("dataset"):
        known = ", ".join(item.component.name for item in registry.components("dataset")) or "none is installed"
        raise UsageError(f"no dataset is named; add one to --plugins: {known}")
    for entry in named:
        _check_usable(entry)
    return _Expansion(experiment, registry, chosen, device).plan(progress)


def plan_dataset(experiment: Experiment, entry: Registered) -> tuple[Choice, Encoding]:
    """The values and the encoding of the dataset ``entry`` in trials of ``experiment``, which sweeps nothing of either.

    No network, neuron or backend need be installed. Raises :class:`UsageError` for anything that cannot be meant.
    """
    _check_limit(experiment)
    _check_usable(entry)
    return _Expansion(experiment, Registry(), {"dataset": [entry]}, "auto").dataset(entry)


def _check_limit(experiment: Experiment) -> None:
    if experiment.limit is not None and experiment.limit < 1:
        raise UsageError(f"limit: {experiment.limit} is not at least 1")


def _check_usable(entry: Registered) -> None:
    reason = entry.unusable()
    if reason:
        raise UsageError(f"{entry.component.kind} {entry.component.name} cannot be used here: {reason}")


class _Expansion:
    """Expands one experiment; holds what every step of it needs."""

    def __init__(
        self, experiment: Experiment, registry: Registry, chosen: Mapping[str, list[Registered]], device: str
    ) -> None:
        self.experiment = experiment
        self.registry = registry
        self.chosen = chosen
        self.device = device
        self.used: dict[str, Registered] = {}
        self.settings_used: set[str] = set()
        self.warned: set[str] = set()
        self.preset_seen = experiment.recipe == "default"

    def plan(self, progress: Callable[[int], None] | None = None) -> Plan:
        found: dict[str, tuple[Specification, str | None]] = {}
        rows = RowDigests()
        for dataset in self.chosen["dataset"]:
            for network in self._or_default("network", dataset):
                for neuron in self._or_default("neuron", dataset):
                    for specification, skip in self._combination(dataset, network, neuron):
                        found.setdefault(rows.of(specification), (specification, skip))
                        if progress is not None:
                            progress(len(found))
        metrics = self._metrics()
        self._check_all_used(self.registry.components())
        labels = _labels([specification for specification, _ in found.values()])
        trials = tuple(
            Planned(specification=specification, row=row, seed=seed, label=f"{label} s{seed}", skip=skip)
            for (row, (specification, skip)), label in zip(found.items(), labels, strict=True)
            for seed in self.experiment.seeds
        )
        return Plan(experiment=self.experiment, trials=trials, metrics=metrics, components=self.used)

    def dataset(self, dataset: Registered) -> tuple[Choice, Encoding]:
        """Of the dataset alone."""
        parts = {"dataset": dataset}
        self.used[f"dataset {dataset.component.name}"] = dataset
        applicable = self._applicable(parts)
        given = _given(applicable, [self.experiment.settings[path][0] for path in applicable], parts)
        choice = self._values(dataset, dataset, given.get("dataset", {}))
        encoding = self._encoding(dataset, given.get("encoding", {}))
        self._check_all_used([dataset])
        return choice, encoding

    def _check_all_used(self, known: Iterable[Registered]) -> None:
        unused = [path for path in self.experiment.settings if path not in self.settings_used]
        if unused:
            raise self._unused(unused[0])
        if not self.preset_seen:
            names = {name for entry in known for name in entry.component.presets} | {"default"}
            raise UsageError(
                f"no component of this experiment has a recipe {self.experiment.recipe!r}"
                f"{nearest(self.experiment.recipe, names)}; there are: {', '.join(sorted(names))}"
            )

    def _metrics(self) -> tuple[tuple[Registered, Choice], ...]:
        chosen = []
        for entry in self._measured_by():
            given: dict[str, object] = {}
            for path, values in self.experiment.settings.items():
                owner, _, parameter = path.rpartition(".")
                if owner in (entry.component.name, entry.qualified):
                    _check_name(owner, parameter, entry.component.parameters)
                    if len(values) > 1:
                        raise UsageError(f"-o {path}: a metric's parameter cannot be swept")
                    given[parameter] = values[0]
                    self.settings_used.add(path)
            parsed = _parsed(entry.component.name, entry.component.parameters, given)
            chosen.append((entry, entry.component.choose(**parsed)))
            self.used[f"metric {entry.component.name}"] = entry
        return tuple(chosen)

    def _measured_by(self) -> list[Registered]:
        """Return the metrics that are on by default, or those of ``metrics`` in their place, and those named in ``plugins``.

        Their order decides whose a value is that two of them return: the harness's own come first.
        """
        named = list(self.chosen.get("metric", []))
        if self.experiment.metrics is None:
            default = [entry for entry in self.registry.components("metric") if cast(Metric, entry.component).on]
            # Of two that offer one name, the one that is named by its plugin.
            taken = {entry.component.name for entry in named}
            default = [entry for entry in default if entry in named or entry.component.name not in taken]
        else:
            default = [_metric(self.registry.find(name)) for name in dict.fromkeys(self.experiment.metrics)]
            for entry in default:
                _check_usable(entry)
        entries = [*default, *(entry for entry in named if entry not in default)]
        for entry in entries:
            other = next(item for item in entries if item.component.name == entry.component.name)
            if other is not entry:
                raise UsageError(
                    f"{entry.component.name!r} is offered by {other.supplier} and {entry.supplier}; "
                    f"say {other.qualified} or {entry.qualified}, or block one with -p no:{entry.supplier.plugin}"
                )
        return sorted(
            entries, key=lambda item: (item.supplier.distribution != DISTRIBUTION, not cast(Metric, item.component).on)
        )

    def _or_default(self, kind: str, dataset: Registered) -> list[Registered]:
        if self.chosen.get(kind):
            return self.chosen[kind]
        fragment = cast(Dataset, dataset.component).defaults
        if kind not in fragment:
            raise UsageError(f"{dataset.component.name} has no default {kind}; name one in --plugins")
        return [self.registry.find(str(fragment[kind]))]

    def _combination(
        self, dataset: Registered, network: Registered, neuron: Registered
    ) -> Iterable[tuple[Specification, str | None]]:
        explicit = self.chosen.get("backend")
        candidates = explicit or [
            entry
            for entry in self.registry.components("backend")
            if cast(Backend, entry.component).computes(cast(Neuron, neuron.component)) and not entry.unusable()
        ]
        if not candidates:
            raise UsageError(f"no usable backend computes {neuron.component.name}; 'harness plugins' says why")
        ranked = sorted(candidates, key=lambda entry: -cast(Backend, entry.component).speed)
        others: dict[str, Choice] = {}
        for backend in candidates if explicit else ranked[:1]:
            for specification in self._settings(dataset, network, neuron, backend):
                skip = self._refused(backend, specification, cast(Neuron, neuron.component))
                if skip and not explicit:
                    for other in ranked[1:]:
                        if other.qualified not in others:
                            others[other.qualified] = self._values(other, dataset, {})
                        swapped = specification.with_backend(others[other.qualified])
                        if not self._refused(other, swapped):
                            self.used[f"backend {other.component.name}"] = other
                            specification, skip = swapped, None
                            break
                yield specification, skip

    def _refused(self, backend: Registered, specification: Specification, neuron: Neuron | None = None) -> str | None:
        """Why ``backend`` refuses, or None; one that raises instead is planned, so that its rows fail by name."""
        try:
            return refusal(backend, specification, self.device, neuron)
        except PluginCodeError as error:
            if str(error) not in self.warned:
                self.warned.add(str(error))
                warnings.warn(str(error), PluginWarning, stacklevel=2)
            return None

    def _settings(
        self, dataset: Registered, network: Registered, neuron: Registered, backend: Registered
    ) -> Iterable[Specification]:
        parts = {"dataset": dataset, "network": network, "neuron": neuron, "backend": backend}
        for kind, entry in parts.items():
            self.used[f"{kind} {entry.component.name}"] = entry
        applicable = self._applicable(parts)
        make_values = {kind: functools.partial(self._values, entry, dataset) for kind, entry in parts.items()}
        # In the order in which mistakes are reported.
        makers: dict[str, Callable[[Mapping[str, object]], Any]] = {
            "dataset": make_values["dataset"],
            "encoding": functools.partial(self._encoding, dataset),
            **{kind: make_values[kind] for kind in ("network", "neuron", "backend")},
            "recipe": functools.partial(self._recipe, dataset),
        }
        # A part depends on its own paths only, so that a sweep makes it once for each of their values.
        own = {
            kind: {path: place for place, (path, (owner, _)) in enumerate(applicable.items()) if owner == kind}
            for kind in makers
        }
        swept = [self.experiment.settings[path] for path in applicable]
        made: dict[tuple[str, tuple[int, ...]], Any] = {}
        for chosen in itertools.product(*(range(len(values)) for values in swept)):
            found = {}
            for kind, make in makers.items():
                key = kind, tuple(chosen[place] for place in own[kind].values())
                if key not in made:
                    values = [swept[place][chosen[place]] for place in own[kind].values()]
                    targets = {path: applicable[path] for path in own[kind]}
                    made[key] = make(_given(targets, values, parts).get(kind, {}))
                found[kind] = made[key]
            yield Specification(**found, limit=self.experiment.limit)

    def _applicable(self, parts: Mapping[str, Registered]) -> dict[str, tuple[str, str]]:
        """What each path that concerns ``parts`` sets."""
        found = {path: target for path in self.experiment.settings if (target := self._target(path, parts))}
        self.settings_used.update(found)
        return found

    def _target(self, path: str, parts: Mapping[str, Registered]) -> tuple[str, str] | None:
        """(kind, parameter) that ``path`` sets in this combination, or None where it concerns none of it."""
        if path == "encoding":
            return "encoding", ""
        owner, dot, parameter = path.rpartition(".")
        if not dot:
            raise UsageError(f"{path!r} is no path; expected component.parameter, such as lif.tau_mem")
        if owner in ("recipe", "encoding"):
            declared: Iterable[Parameter] = recipes.PARAMETERS if owner == "recipe" else Encoding.PARAMETERS
            _check_name(owner, parameter, declared)
            return owner, parameter
        if owner in parts:
            known = {item.name for item in parts[owner].component.parameters}
            return (owner, parameter) if parameter in known else None
        for kind, entry in parts.items():
            if owner in (entry.component.name, entry.qualified):
                _check_name(owner, parameter, entry.component.parameters)
                return kind, parameter
        return None

    def _unused(self, path: str) -> UsageError:
        owner = path.rpartition(".")[0]
        names = [entry.component.name for entry in self.used.values()]
        kinds = ["dataset", "network", "neuron", "backend", "recipe", "encoding"]
        if owner in kinds:
            return UsageError(f"-o {path}: no {owner} of this experiment has that parameter")
        return UsageError(f"-o {path}: {owner!r} is not part of this experiment{nearest(owner, names + kinds)}")

    def _fragments(self, dataset: Registered) -> list[Mapping[str, Any]]:
        component = cast(Dataset, dataset.component)
        preset = component.presets.get(self.experiment.recipe, {})
        self.preset_seen |= self.experiment.recipe in component.presets
        return [component.defaults, preset]

    def _values(self, entry: Registered, dataset: Registered, given: Mapping[str, object]) -> Choice:
        component = entry.component
        values: dict[str, object] = {}
        defaults, preset = self._fragments(dataset)
        values.update(_of(component.name, defaults))
        if not isinstance(component, Dataset):
            values.update(component.presets.get(self.experiment.recipe, {}))
            self.preset_seen |= self.experiment.recipe in component.presets
        values.update(_of(component.name, preset))
        values.update(_parsed(component.name, component.parameters, given))
        return component.choose(**values)

    def _recipe(self, dataset: Registered, given: Mapping[str, object]) -> Choice:
        values: dict[str, object] = {}
        for fragment in self._fragments(dataset):
            values.update(_of("recipe", fragment))
        values.update(_parsed("recipe", recipes.PARAMETERS, given))
        return recipes.choose(**values)

    def _encoding(self, dataset: Registered, given: Mapping[str, object]) -> Encoding:
        component = cast(Dataset, dataset.component)
        named = str(given.get("", "default"))
        if named not in component.encodings:
            known = ", ".join(sorted(component.encodings))
            raise UsageError(
                f"{component.name} has no encoding {named!r}{nearest(named, component.encodings)}; it has: {known}"
            )
        values: dict[str, object] = {}
        for fragment in self._fragments(dataset):
            values.update(_of("encoding", fragment))
        values.update(_parsed("encoding", Encoding.PARAMETERS, {k: v for k, v in given.items() if k}))
        return replace(component.encodings[named], **cast(dict[str, Any], values))


def _metric(entry: Registered) -> Registered:
    if not isinstance(entry.component, Metric):
        raise UsageError(f"metrics: {entry.component.name} is a {entry.component.kind}, not a metric")
    return entry


def _given(
    applicable: Mapping[str, tuple[str, str]], values: Sequence[object], parts: Mapping[str, Registered]
) -> dict[str, dict[str, object]]:
    """One value a path, by kind and parameter."""
    given: dict[str, dict[str, object]] = {}
    # A path that names a component is closer than one that names a kind.
    by_reach = sorted(
        zip(applicable, values, strict=True), key=lambda item: item[0].split(".")[0] in parts, reverse=True
    )
    for path, value in by_reach:
        kind, parameter = applicable[path]
        given.setdefault(kind, {})[parameter] = value
    return given


def refusal(backend: Registered, specification: Specification, device: str, neuron: Neuron | None = None) -> str | None:
    """Return why ``backend`` cannot compute ``specification``, or None.

    Without ``neuron``, the neuron that the specification names is taken to have a reference.
    """
    component = cast(Backend, backend.component)
    computes = component.names(specification.neuron.name) if neuron is None else component.computes(neuron)
    if not computes:
        return f"{component.name} does not compute {specification.neuron.name}"
    if device != "auto" and device.split(":")[0] not in component.devices:
        return f"{component.name} runs on {', '.join(component.devices)}, not on {device}"
    if component.refuses:
        recurrent = bool(specification.network.values.get("recurrent", False))
        with plugin_code(f"backend {component.name} failed in refuses"):
            reason = load_reference(component.refuses)(specification.neuron, recurrent, device)
        return None if reason is None else one_line(reason)
    return None


def _check_name(owner: str, parameter: str, declared: Iterable[Parameter]) -> None:
    names = [item.name for item in declared]
    if parameter not in names:
        known = ", ".join(names) or "none"
        raise UsageError(f"{owner} has no parameter {parameter!r}{nearest(parameter, names)}; it has: {known}")


def _of(owner: str, fragment: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{owner}."
    return {path.removeprefix(prefix): value for path, value in fragment.items() if path.startswith(prefix)}


def _parsed(owner: str, declared: Iterable[Parameter], given: Mapping[str, object]) -> dict[str, object]:
    """``given`` with text from a command line turned into values."""
    parameters = {item.name: item for item in declared}
    values: dict[str, object] = {}
    for name, value in given.items():
        try:
            values[name] = parameters[name].parse(value) if isinstance(value, str) else value
        except UsageError as error:
            raise UsageError(f"{owner}.{error}") from None
    return values


def _labels(specifications: Sequence[Specification]) -> list[str]:
    """Return a short name for each: its components, and the parameters in which it differs from its like.

    Specifications of a sweep share their parts, so that each part is flattened, compared and put into words once.
    """
    names = [(item.dataset.name, item.network.name, item.neuron.name, item.backend.name) for item in specifications]
    shown = [index for index in range(4) if index in (0, 2) or len({name[index] for name in names}) > 1]
    like: dict[tuple[str, ...], list[Specification]] = {}
    for name, item in zip(names, specifications, strict=True):
        like.setdefault(name, []).append(item)
    said = {name: _PartWords(group) for name, group in like.items()}
    return [
        " ".join([*(name[index] for index in shown), *said[name].of(item)])
        for name, item in zip(names, specifications, strict=True)
    ]


class _PartWords:
    """The words for what differs within one group of specifications, by part and in the order of records."""

    def __init__(self, group: Sequence[Specification]) -> None:
        self._words: list[tuple[str, dict[int, list[str]]]] = []
        for kind in (*KINDS, "encoding"):
            parts = {id(part): part for part in (getattr(item, kind) for item in group)}
            flat = {name: leaves(part.to_json()) for name, part in parts.items()}
            differing = differing_paths(list(flat.values()))
            words = {
                name: [f"{path.rpartition('.')[2]}={_shown(own[path])}" for path in own if path in differing]
                for name, own in flat.items()
            }
            if differing:
                self._words.append((kind, words))

    def of(self, specification: Specification) -> Iterable[str]:
        """Return the words for ``specification``, one of the group."""
        return itertools.chain.from_iterable(words[id(getattr(specification, kind))] for kind, words in self._words)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).replace(" ", "")
