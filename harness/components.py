"""What plugins hand over: frozen, light descriptors. The work sits behind ``"module:attribute"``, imported on use."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar

from .descriptor_types import normalise, wrong_types
from .errors import HandledError, PluginError, UsageError
from .foreign import describe, foreign_code
from .parameters import Parameter, Value, resolve
from .text import LONGEST, clean, one_line

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")

NEEDS = frozenset({"inputs", "spikes", "layers", "states", "events", "timing"})
PHASES = ("before", "after", "timing")
SPLITS = ("train", "validation", "test")
ANY_WITH_REFERENCE = "*"


def load_reference(reference: str) -> Any:
    """Return the object behind ``"module:attribute"``.

    Raises:
        PluginError: if either part is missing.
        ForeignExit: if importing the module raised what would have ended the process.
    """
    module, _, attribute = reference.partition(":")
    try:
        with foreign_code():
            return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{reference}: cannot be loaded: {describe(error)}") from error


def call_reference(reference: str, *arguments: Any, **named: Any) -> Any:
    """Call the object behind ``"module:attribute"``; what would end the process becomes :class:`ForeignExit`."""
    target = load_reference(reference)
    with foreign_code():
        return target(*arguments, **named)


@dataclass(frozen=True)
class Choice:
    """A component that an experiment has chosen, with the value of every parameter it declares."""

    kind: str
    name: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __getitem__(self, parameter: str) -> Any:
        return self.values[parameter]

    def to_json(self) -> dict[str, Any]:
        """``{"name": ..., "parameters": {...}}`` with lists for tuples."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in self.values.items()}
        return {"name": self.name, "parameters": plain}

    @classmethod
    def from_json(cls, kind: str, data: Mapping[str, Any]) -> Choice:
        """The choice that :meth:`to_json` wrote."""
        values = {name: tuple(v) if isinstance(v, list) else v for name, v in data["parameters"].items()}
        return cls(kind, data["name"], values)


@dataclass(frozen=True, kw_only=True)
class Component:
    """What every component declares.

    ``presets`` names sets of values, such as ``{"tutorial": {"spikes": "multi"}}``, that a recipe of that name applies.
    """

    kind: ClassVar[str] = ""
    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        normalise(self)

    def choose(self, **given: object) -> Choice:
        """This component with ``given`` values and its defaults for the rest; raises ``UsageError``."""
        return Choice(self.kind, self.name, resolve(self.name, self.parameters, given))

    def references(self) -> dict[str, str]:
        """Field name to ``"module:attribute"`` for everything that is imported on use."""
        return {}

    def problems(self) -> list[str]:
        """What is wrong with this descriptor, in words; empty when it is sound."""
        wrong = wrong_types(self)
        given = self.parameters if isinstance(self.parameters, tuple) else ()
        wrong += [
            f"parameter {one_line(item.name)!r}: {text}"
            for item in given
            if isinstance(item, Parameter)
            for text in item.problems()
        ]
        # Nothing else can be asked of a field that is not of its type.
        return wrong or self._problems()

    def _problems(self) -> list[str]:
        """What is wrong with the values of fields whose types are right."""
        found = []
        if not NAME.match(self.name):
            found.append(f"the name {self.name!r} is not lower-case words joined by hyphens")
        if not self.summary or "\n" in self.summary:
            found.append("the summary must be one line")
        found += _unprintable(self)
        names = [parameter.name for parameter in self.parameters]
        found += [f"parameter {name!r} is declared twice" for name in sorted(set(names)) if names.count(name) > 1]
        found += [
            f"{where} {reference!r} is not 'module:attribute'"
            for where, reference in self.references().items()
            if not REFERENCE.match(reference)
        ]
        for given in ({}, *self.presets.values()):
            try:
                self.choose(**given)
            except HandledError as error:
                found.append(str(error))
        return found


def _unprintable(component: Component) -> list[str]:
    """Name the texts of a descriptor that no terminal or file should be given as they are."""
    # Names of classes are data, which may come from files: they are made safe where they enter a record, a table or a picture.
    texts = {item.name: getattr(component, item.name) for item in fields(component) if item.name != "classes"}
    for parameter in component.parameters:
        texts[f"summary of {parameter.name!r}"] = parameter.summary
    found = []
    for where, text in texts.items():
        parts = text if isinstance(text, tuple) else (text,)
        found += [f"{where}: {clean(part)!r} holds characters that cannot be shown" for part in parts if _unsafe(part)]
    return found


def _unsafe(text: object) -> bool:
    return isinstance(text, str) and clean(text, LONGEST) != text


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How events become frames.

    Times are milliseconds that are whole microseconds. Bin k holds k·dt <= t < (k+1)·dt; crop keeps t < crop.
    ``tonic_window``, where set, bins as ``tonic.transforms.ToFrame`` with that window does (from the first event, last
    window dropped, crop inclusive) before summing to ``dt``.
    """

    dt: float = 10.0
    crop: float | None = None
    slice: float | None = None
    factor: int = 1
    polarity: str = "keep"
    tonic_window: float | None = None

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter(name="dt", default=10.0, kind="float", above=0, unit="ms", summary="time bin"),
        Parameter(
            name="crop", default=None, kind="float", above=0, unit="ms", optional=True, summary="events from here on go"
        ),
        Parameter(
            name="slice",
            default=None,
            kind="float",
            above=0,
            unit="ms",
            optional=True,
            summary="cut recordings into windows of this length; an incomplete last one is dropped",
        ),
        Parameter(name="factor", default=1, kind="int", minimum=1, summary="channels, or pixels a side, summed to one"),
        Parameter(
            name="polarity", default="keep", kind="str", choices=("keep", "merge"), summary="two polarities, or one"
        ),
        Parameter(
            name="tonic_window",
            default=None,
            kind="float",
            above=0,
            unit="ms",
            optional=True,
            summary="bin as tonic's ToFrame with this window",
        ),
    )

    def __post_init__(self) -> None:
        values = resolve("encoding", self.PARAMETERS, {item.name: getattr(self, item.name) for item in fields(self)})
        for name, value in values.items():
            object.__setattr__(self, name, value)
        for name in ("dt", "crop", "slice", "tonic_window"):
            ms = getattr(self, name)
            if ms is not None and abs(ms * 1000 - round(ms * 1000)) > 1e-6:
                raise UsageError(f"encoding.{name}: {ms:g} ms is not a whole number of microseconds")
        window = self.slice if self.slice is not None else self.crop
        if window is not None and self.microseconds(window) % self.microseconds(self.dt):
            raise UsageError(f"encoding.dt: {self.dt:g} ms does not divide the window of {window:g} ms")
        if self.tonic_window is not None and self.microseconds(self.dt) % self.microseconds(self.tonic_window):
            raise UsageError(f"encoding.tonic_window: {self.tonic_window:g} ms does not divide dt = {self.dt:g} ms")

    @staticmethod
    def microseconds(ms: float) -> int:
        """``ms`` in whole microseconds."""
        return round(ms * 1000)

    @property
    def steps(self) -> int | None:
        """Time steps a sample, or None where recordings keep their own length (neither crop nor slice)."""
        window = self.slice if self.slice is not None else self.crop
        return None if window is None else self.microseconds(window) // self.microseconds(self.dt)

    def to_json(self) -> dict[str, Any]:
        """Every parameter by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, kw_only=True)
class Dataset(Component):
    """Labelled recordings of events.

    ``source`` names ``source(root: Path, split: "train" | "test", **parameters)``, which returns a sequence of
    ``(events, label)`` as :class:`harness.source.Source` describes; any tonic dataset is one. ``fetch`` names
    ``fetch(root, report, **parameters)``, called before ``source`` to bring the data or raise ``DataError`` in one line.
    ``sensor_size`` is (width, height, polarities) as in tonic; channels are width x 1 x 1.
    ``defaults`` is a fragment of an experiment: ``{"network": "mlp", "neuron": "lif", "recipe.epochs": 40, "iaf.v_min": -1.0}``.
    ``presets`` of a dataset are such fragments too.
    """

    kind: ClassVar[str] = "dataset"
    sensor_size: tuple[int, int, int]
    classes: tuple[str, ...]
    source: str
    fetch: str = ""
    available: str = ""
    encodings: Mapping[str, Encoding]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    synthetic: bool = False

    def references(self) -> dict[str, str]:
        named = {"source": self.source, "fetch": self.fetch, "available": self.available}
        return {where: ref for where, ref in named.items() if ref or where == "source"}

    def _problems(self) -> list[str]:
        fragments = {"defaults": self.defaults, **self.presets}
        found = super(Dataset, _without_presets(self))._problems()
        if "default" not in self.encodings:
            found.append("encodings must hold one named 'default'")
        if len(self.classes) < 2:
            found.append("classes must name at least two")
        for where, fragment in fragments.items():
            for path in fragment:
                if path not in ("network", "neuron", "encoding") and path.count(".") != 1:
                    found.append(f"{where}: {path!r} is neither network, neuron, encoding nor 'component.parameter'")
        return found


def _without_presets(dataset: Dataset) -> Dataset:
    # A dataset's presets are fragments of an experiment, not values of its own parameters.
    given = {item.name: getattr(dataset, item.name) for item in fields(dataset)}
    return Dataset(**{**given, "presets": {}})


@dataclass(frozen=True, kw_only=True)
class Neuron(Component):
    """A model of a spiking neuron and its parameters: declared, not computed.

    ``reference`` names the definition, ``reference(neuron: Choice, shape, recurrent=None) -> torch.nn.Module`` with
    (batch, time, ...) in and out: plain torch, any float type. Initialisation calibrates with it, so that no backend
    is involved, and backends are compared with it.
    """

    kind: ClassVar[str] = "neuron"
    reference: str = ""

    def references(self) -> dict[str, str]:
        return {"reference": self.reference} if self.reference else {}


@dataclass(frozen=True, kw_only=True)
class Backend(Component):
    """Code that computes neurons.

    ``layer`` names ``layer(neuron: Choice, shape, recurrent=None, **parameters) -> torch.nn.Module`` from (batch, time,
    *shape) to the same; ``recurrent`` is a module of the harness's from (batch, *shape) to the same, applied to the last
    step's spikes. Every call of the module starts from zero state. ``available`` names ``available() -> reason or None``
    and ``refuses`` names ``refuses(neuron: Choice, recurrent: bool, device: str) -> reason or None``; both must be light.
    ``libraries`` are the distributions whose versions decide results. ``speed`` ranks backends for the default, faster
    is higher. ``floats`` are the types that it computes in, float32 among them; in others its layer raises ``TypeError``.

    ``neurons=("*",)`` stands for every neuron that declares a reference. The ``layer`` of such a backend is called with
    the keyword ``reference`` as well: the function behind the neuron's reference.
    """

    kind: ClassVar[str] = "backend"
    layer: str
    neurons: tuple[str, ...]
    devices: tuple[str, ...] = ("cpu", "cuda")
    available: str = ""
    refuses: str = ""
    libraries: tuple[str, ...] = ()
    speed: float = 1.0
    floats: tuple[str, ...] = ("float32", "float64")

    def names(self, neuron: str) -> bool:
        """Return True if this backend computes a neuron of that name which has a reference."""
        return neuron in self.neurons or ANY_WITH_REFERENCE in self.neurons

    def computes(self, neuron: Neuron) -> bool:
        """Return True if this backend computes ``neuron``."""
        return neuron.name in self.neurons or (ANY_WITH_REFERENCE in self.neurons and bool(neuron.reference))

    def layer_of(self, neuron: Neuron) -> Callable[..., Any]:
        """Import and return ``layer(neuron: Choice, shape, recurrent, **parameters)`` for ``neuron``.

        Raises:
            PluginError: if the layer, or a reference that it needs, cannot be imported.
        """
        make: Callable[..., Any] = load_reference(self.layer)
        if ANY_WITH_REFERENCE in self.neurons:
            make = partial(make, reference=load_reference(neuron.reference))
        return make

    def computed(self) -> str:
        """Return the neurons that this backend computes, in words."""
        words = ("any neuron with a reference" if name == ANY_WITH_REFERENCE else name for name in self.neurons)
        return ", ".join(words)

    def _problems(self) -> list[str]:
        wrong = [name for name in self.neurons if name != ANY_WITH_REFERENCE and not NAME.match(name)]
        return super()._problems() + [f"neurons: {name!r} is not lower-case words joined by hyphens" for name in wrong]

    def references(self) -> dict[str, str]:
        named = {"layer": self.layer, "available": self.available, "refuses": self.refuses}
        return {where: ref for where, ref in named.items() if ref or where == "layer"}


@dataclass(frozen=True, kw_only=True)
class Network(Component):
    """A topology.

    ``build`` names ``build(input_shape, classes, spiking_layer, **parameters) -> torch.nn.Module`` from (batch, time,
    *input_shape) to (batch, time, classes); ``spiking_layer(shape, recurrent=None)`` makes a spiking layer of the trial's
    neuron on its backend. Weights are drawn by the harness afterwards, except under ``recipe.init=keep``.
    """

    kind: ClassVar[str] = "network"
    build: str

    def references(self) -> dict[str, str]:
        return {"build": self.build}


@dataclass(frozen=True, kw_only=True)
class Metric(Component):
    """An observer of an evaluation.

    ``observer`` names a factory ``observer(**parameters)`` of :class:`harness.observation.Observer`. ``needs`` says what its
    views must hold beyond outputs, labels, recording ids and mask (``inputs``; ``spikes``: what spiking layers put out and weight
    layers are given; ``layers``: what any layer is given and puts out; ``states`` of spiking layers), or that it works on
    ``events`` or in the ``timing`` phase; ``phases`` and ``splits`` when and on what it runs. A metric that
    is not ``on`` runs where it is named.
    """

    kind: ClassVar[str] = "metric"
    observer: str
    needs: frozenset[str] = frozenset()
    phases: tuple[str, ...] = ("after",)
    splits: tuple[str, ...] = ("test",)
    on: bool = True

    def references(self) -> dict[str, str]:
        return {"observer": self.observer}

    def _problems(self) -> list[str]:
        found = super()._problems()
        for what, given, known in (
            ("needs", self.needs, NEEDS),
            ("phases", self.phases, PHASES),
            ("splits", self.splits, SPLITS),
        ):
            found += [
                f"{what}: {item!r} is not one of {', '.join(sorted(known))}" for item in given if item not in known
            ]
        return found


KINDS: dict[str, type[Component]] = {kind.kind: kind for kind in (Dataset, Neuron, Backend, Network, Metric)}
