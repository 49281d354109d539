"""What metrics see and what they return. Shapes: B recordings, T time steps, C classes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from .source import Bulk
    from .tally import Tally

Shared = TypeVar("Shared")
Place = tuple[int, int, int]
"""Where a tensor lies, how many elements it has, and its version."""

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

    ``value`` is None where there is none, and ``reason`` then says why. ``kind``: exact (a count of parameters), seeded
    (decided by the trial's seed) or noisy (a time). ``role``: quality and cost become columns of the table and axes of the
    plots, details stay in the record. ``note`` is printed under a table that shows the figure: what it is made of, what it
    leaves out. ``arrays`` holds optional lists by name: per layer, per class, per time step. ``curves`` and ``histograms`` are
    drawn. ``stored`` holds large numpy arrays by name, which lie in the npz beside the record.
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without what is ``stored`` elsewhere."""
        plain = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "stored"}
        for drawn in ("curves", "histograms"):
            plain[drawn] = {name: dict(vars(value)) for name, value in plain[drawn].items()}
        return plain


@dataclass(frozen=True)
class LayerView:
    """One layer in one batch: ``input`` and ``output`` are (B, T, ...), as the layer was given them and gave them.

    ``spiking`` tells neurons from weights and pools. ``states`` by name (``i_syn``, ``v_mem``, ``b``), (B, T, ...) after every
    step, are there if the metric needs states and the layer's backend records them. ``reads_input`` tells that the layer was
    given what the network was given. Time that was flattened into the batch, or that a network steps through, is an axis here.
    """

    module: torch.nn.Module
    input: torch.Tensor
    output: torch.Tensor
    spiking: bool
    states: Mapping[str, torch.Tensor] | None = None
    reads_input: bool = False
    _given: Place | None = None
    _made: Place | None = None

    def fed_by(self, other: LayerView, *, by_value: bool = False) -> bool:
        """Whether this layer was given what ``other`` put out, in whatever shape; ``by_value``: or a copy of it."""
        if self._given is not None and self._given == other._made:
            return True
        unknown = by_value or self._given is None or other._made is None
        if not unknown or self.input.numel() != other.output.numel():
            return False
        return bool((self.input.reshape(-1) == other.output.reshape(-1)).all())


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
    # The inputs as they are stored, unsigned integers, where the network leaves them as they are.
    _frames: npt.NDArray[Any] | None = field(default=None, repr=False, compare=False)
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
    def counts(self) -> torch.Tensor:
        """The readout (B, C): output spikes summed over real time steps."""
        return self.once("harness.counts", self._summed)

    def _summed(self) -> torch.Tensor:
        return self.outputs.sum(1) if self.mask is None else (self.outputs * self.mask[:, :, None]).sum(1)

    def tally(self, values: torch.Tensor, mask: torch.Tensor | None = None) -> Tally:
        """The events in ``values`` (B, T, ...), a layer's input or output, counted once for all metrics.

        ``mask`` (B, T) is the view's own unless another is given. One layer's output is the next one's input: both are one tally.
        """
        from .tally import Tally

        shown = self.mask if mask is None else mask
        inputs = self.inputs
        same = inputs is not None and values.data_ptr() == inputs.data_ptr() and values.numel() == inputs.numel()
        frames = self._frames if same else None
        key = (
            "harness.tally",
            values.data_ptr(),
            tuple(values.shape),
            tuple(values.stride()),
            None if mask is None else id(mask),
        )
        # The tensor stays beside its tally: its address names it while it lives.
        return self.once(key, lambda: (Tally(values, shown, frames), values, mask))[0]


@dataclass(frozen=True, kw_only=True)
class Training:
    """What was measured while a trial trained: ``peak_memory_bytes`` above what was held before, and ``memory`` says of what."""

    peak_memory_bytes: int | None = None
    memory: str = ""


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
