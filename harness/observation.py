"""What metrics see and what they return. Shapes: B recordings, T time steps, C classes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from .source import Bulk
    from .tally import Tally

Shared = TypeVar("Shared")

_SMALL = 1 << 16  # bytes of an array that is copied for every observer

Direction = Literal["higher", "lower", "none"]
ValueKind = Literal["exact", "seeded", "noisy"]
Role = Literal["quality", "cost", "detail"]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A figure against something else, drawn for every configuration: ``y`` over ``x``, as many values each.

    A unit of ``fraction`` is shown as per cent. Where ``y`` has no value, None leaves a gap.
    """

    x: Sequence[float]
    y: Sequence[float | None]
    x_title: str
    x_unit: str
    y_title: str
    y_unit: str

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"a curve needs as many values on both axes, not {len(self.x)} and {len(self.y)}")


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How many of ``what`` (neurons, say) lie between two neighbours of ``edges``, which are one more than ``counts``."""

    edges: Sequence[float]
    counts: Sequence[int]
    title: str
    unit: str
    what: str

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{len(self.counts)} counts need {len(self.counts) + 1} edges, not {len(self.edges)}")


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One figure of a metric.

    ``value`` is None where there is none, and ``reason`` then says why; beside a value it is dropped. ``kind``: exact (a count
    of parameters), seeded (decided by the trial's seed) or noisy (a time). ``role``: quality and cost become columns of the
    table and axes of the plots, details stay in the record. ``note`` is printed under a table that shows the figure: what it is
    made of, what it leaves out. ``arrays`` holds optional lists by name: per layer, per class, per time step. ``curves`` and
    ``histograms`` are drawn. ``stored`` holds large numpy arrays by name, which lie in the npz beside the record.
    """

    value: float | int | None
    unit: str
    direction: Direction
    kind: ValueKind
    title: str
    role: Role = "detail"
    tolerance: float = 0.0
    reason: str = ""
    note: str = ""
    arrays: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    stored: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.value is not None:
            object.__setattr__(self, "reason", "")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without what is ``stored`` elsewhere."""
        plain = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "stored"}
        for drawn in ("curves", "histograms"):
            plain[drawn] = {name: dict(vars(value)) for name, value in plain[drawn].items()}
        return plain


class Kept:
    """A tensor that was seen, (B, T, ...): itself, a byte an element, or its shape alone; and the events in it."""

    def __init__(
        self,
        shape: Sequence[int],
        tensor: torch.Tensor | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.shape = tuple(shape)
        self._tensor, self.tally = tensor, tally

    @property
    def known(self) -> bool:
        """Whether more than the shape was kept."""
        return self._tensor is not None or self.tally is not None

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor; raises ``ValueError`` where its shape alone was kept."""
        if self._tensor is None and self.tally is None:
            raise ValueError("this tensor was not kept; a metric that needs 'layers' sees it")
        if self._tensor is None and self.tally is not None:
            self._tensor = self.tally.values
        assert self._tensor is not None
        return self._tensor.reshape(self.shape)

    @property
    def shared(self) -> torch.Tensor:
        """The tensor that all observers count; nobody may write into it."""
        return self.tensor

    def in_shape(self, shape: Sequence[int]) -> Kept:
        """The same in another shape."""
        return Kept(shape, self._tensor, self.tally)

    def private(self) -> Kept:
        """Return the same for one observer: it may write into the tensor, which is a copy."""
        return _PrivateKept(self)


class _PrivateKept(Kept):
    """What one observer gets of a tensor: a copy on first use, and the tally that all share."""

    def __init__(self, whole: Kept) -> None:
        self._whole = whole
        self.shape = whole.shape
        self._tensor = None

    @property
    def tally(self) -> Tally | None:
        return self._whole.tally

    @tally.setter
    def tally(self, tally: Tally | None) -> None:
        self._whole.tally = tally

    @property
    def known(self) -> bool:
        return self._whole.known

    @property
    def tensor(self) -> torch.Tensor:
        if self._tensor is None:
            self._tensor = self._whole.tensor.clone()
        return self._tensor

    @property
    def shared(self) -> torch.Tensor:
        return self._whole.shared

    def in_shape(self, shape: Sequence[int]) -> Kept:
        return _PrivateKept(self._whole.in_shape(shape))


class _Copies(Mapping[str, "torch.Tensor"]):
    """Tensors by name, each copied on first use."""

    def __init__(self, shared: Mapping[str, torch.Tensor]) -> None:
        self._shared = shared
        self._own: dict[str, torch.Tensor] = {}

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self._own:
            self._own[name] = self._shared[name].clone()
        return self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shared)

    def __len__(self) -> int:
        return len(self._shared)


class LayerView:
    """One layer in one batch.

    ``input`` and ``output`` are (B, T, ...), as the layer was given them and gave them; ``input_shape`` and ``output_shape`` cost
    less. ``spiking`` tells neurons from weights and pools. ``states`` by name (``i_syn``, ``v_mem``, ``b``), (B, T, ...) after every
    step, are there if the metric needs states and the layer's backend records them. ``reads_input`` tells that the layer was
    given what the network was given. Time that was flattened into the batch, or that a network steps through, is an axis here.
    A metric that needs ``spikes`` alone sees of a weight layer the input and of any other the output; the other tensor raises.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        input: torch.Tensor | Kept,
        output: torch.Tensor | Kept,
        spiking: bool,
        states: Mapping[str, torch.Tensor] | None = None,
        reads_input: bool = False,
    ) -> None:
        self.module, self.spiking, self.states, self.reads_input = module, spiking, states, reads_input
        self.received = input if isinstance(input, Kept) else Kept(input.shape, input)
        self.sent = output if isinstance(output, Kept) else Kept(output.shape, output)

    @property
    def input(self) -> torch.Tensor:
        """What the layer was given."""
        return self.received.tensor

    @property
    def output(self) -> torch.Tensor:
        """What the layer put out."""
        return self.sent.tensor

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of ``input``."""
        return self.received.shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of ``output``."""
        return self.sent.shape

    def private(self) -> LayerView:
        """Return the same for one observer, with tensors that are copies."""
        states = None if self.states is None else _Copies(self.states)
        return LayerView(
            self.module, self.received.private(), self.sent.private(), self.spiking, states, self.reads_input
        )


def readout(outputs: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Output spikes (B, T, C) summed over real steps: (B, C)."""
    return outputs.sum(1) if mask is None else (outputs * mask[:, :, None]).sum(1)


@dataclass(frozen=True)
class View:
    """One batch of an evaluation.

    ``outputs`` (B, T, C) output spikes, ``labels`` (B,), ``recordings`` (B,) recording ids, ``mask`` (B, T) true at
    real steps or None where all are. The rest is there if the metric needs it: ``inputs`` (B, T, ...), ``layers`` by
    module name in order of execution (one a call for a module called twice), ``seconds`` a timed forward pass took.
    """

    outputs: torch.Tensor
    labels: torch.Tensor
    recordings: torch.Tensor
    mask: torch.Tensor | None = None
    inputs: torch.Tensor | None = None
    layers: Mapping[str, LayerView] = field(default_factory=dict)
    seconds: float | None = None
    _shared: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, key: Hashable, compute: Callable[[], Shared]) -> Shared:
        """What ``compute`` gives, computed once a batch for all metrics that ask for ``key``.

        Start a key with your package's name: metrics of one evaluation share what it names.
        """
        if key not in self._shared:
            self._shared[key] = compute()
        found: Shared = self._shared[key]
        return found

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return recordings, time steps and classes: the shape of ``outputs``, of which nothing is copied for it."""
        batch, steps, classes = self.outputs.shape
        return batch, steps, classes

    @property
    def counts(self) -> torch.Tensor:
        """The readout (B, C): output spikes summed over real time steps."""
        return self.once("harness.counts", lambda: readout(self.outputs, self.mask))

    def tally(self, seen: Kept | torch.Tensor) -> Tally:
        """The events in ``layer.sent`` or ``layer.received``, counted once for all metrics; or in a tensor (B, T, ...).

        One layer's output is the next one's input: both are one tally.
        """
        if not isinstance(seen, Kept):
            seen = Kept(seen.shape, seen)
        if seen.tally is None:
            from .tally import Tally

            seen.tally = Tally(seen.shared, self.mask)
        return seen.tally

    def private(self) -> View:
        """Return the same for one observer: whatever it writes into is a copy, made on first use."""
        return _PrivateView(self)


class _PrivateView(View):
    """What one observer gets of a batch. Others cannot see what it writes."""

    def __init__(self, shared: View | None = None, **parts: Any) -> None:
        # dataclasses.replace() makes one of parts.
        vars(self).update(_view=View(**parts) if shared is None else shared, _own={})

    def _part(self, name: str) -> Any:
        own = vars(self)["_own"]
        if name not in own:
            own[name] = _copied(getattr(vars(self)["_view"], name))
        return own[name]

    outputs = property(lambda self: self._part("outputs"))
    labels = property(lambda self: self._part("labels"))
    recordings = property(lambda self: self._part("recordings"))
    mask = property(lambda self: self._part("mask"))
    inputs = property(lambda self: self._part("inputs"))
    seconds = property(lambda self: vars(self)["_view"].seconds)
    _shared = property(lambda self: vars(self)["_view"]._shared)

    @property
    def layers(self) -> Mapping[str, LayerView]:
        own = vars(self)["_own"]
        if "layers" not in own:
            own["layers"] = {name: layer.private() for name, layer in vars(self)["_view"].layers.items()}
        found: Mapping[str, LayerView] = own["layers"]
        return found

    @property
    def shape(self) -> tuple[int, int, int]:
        found: tuple[int, int, int] = vars(self)["_view"].shape
        return found

    def once(self, key: Hashable, compute: Callable[[], Shared]) -> Shared:
        own = vars(self)["_own"]
        # Another package's key is another key, so that no metric answers for one it does not know.
        whose = (str(getattr(compute, "__module__", "")).partition(".")[0], key)
        if whose not in own:
            shared = vars(self)["_view"]._shared
            if whose in shared:
                own[whose] = _copied(shared[whose])
            else:
                own[whose] = compute()
                shared[whose] = _copied(own[whose])
        found: Shared = own[whose]
        return found

    @property
    def counts(self) -> torch.Tensor:
        own = vars(self)["_own"]
        if "counts" not in own:
            own["counts"] = vars(self)["_view"].counts.clone()
        found: torch.Tensor = own["counts"]
        return found

    def tally(self, seen: Kept | torch.Tensor) -> Tally:
        found: Tally = vars(self)["_view"].tally(seen)
        return found

    def private(self) -> View:
        return self


def _copied(value: Any) -> Any:
    """Return ``value`` with every tensor and small numpy array in it copied; large arrays become read-only instead."""
    if isinstance(value, (dict, list, tuple)):
        if type(value) is dict:
            return {name: _copied(item) for name, item in value.items()}
        return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value
    if hasattr(value, "detach"):
        return value.clone()
    if hasattr(value, "flags") and hasattr(value, "copy"):
        if value.nbytes <= _SMALL:
            return value.copy()
        value.flags.writeable = False
        return value
    if is_dataclass(value) and not isinstance(value, type):
        made = copy(value)
        for item in fields(value):
            object.__setattr__(made, item.name, _copied(getattr(value, item.name)))
        return made
    return value


@dataclass(frozen=True, kw_only=True)
class Training:
    """What was measured while a trial trained: ``peak_memory_bytes`` above what was held before, and ``memory`` says of what.

    ``peak_reserved_bytes`` is all that torch had taken from a CUDA device at most; ``frames`` says whether the training frames were
    kept on the device whole (``resident``) or sent batch by batch (``streamed``).
    """

    peak_memory_bytes: int | None = None
    memory: str = ""
    peak_reserved_bytes: int | None = None
    frames: str = ""


class Recordings(Protocol):
    """The recordings of a split as events, for metrics that need ``events``: read them, change them, encode them again."""

    sensor_size: tuple[int, int, int]

    def read(self, recordings: Sequence[int]) -> Bulk:
        """The events of these recordings, by the ids that views carry, end to end."""

    def encode(self, bulk: Bulk, recordings: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> Any:
        """:class:`harness.events.frames.Frames` of ``bulk`` by the trial's own encoding; one id and one label a recording."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What an observer knows about its evaluation.

    ``training`` is None before training; ``events`` is there if the metric needs events.
    """

    classes: Sequence[str]
    split: str
    phase: str
    dt_ms: float
    batch_size: int
    device: str
    spiking_layers: Sequence[str] = ()
    weight_layers: Sequence[str] = ()
    recurrent_layers: Sequence[str] = ()
    pooling_layers: Sequence[str] = ()
    training: Training | None = None
    events: Recordings | None = None


class Observer(Protocol):
    """Collects over batches; batches may come in any size and order."""

    def start(self, model: torch.nn.Module, context: Context) -> None:
        """Called once before the first batch."""

    def batch(self, view: View) -> None:
        """Called for each batch."""

    def merge(self, other: Any) -> None:
        """Take over what another observer of the same evaluation has collected."""

    def result(self) -> Mapping[str, MetricValue]:
        """The figures by name."""
