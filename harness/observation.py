"""What metrics see and what they return. Shapes: B recordings, T time steps, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import torch

Direction = Literal["higher", "lower", "none"]
ValueKind = Literal["exact", "seeded", "noisy"]
Role = Literal["quality", "cost", "detail"]


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One figure of a metric.

    ``value`` is None where there is none, and ``reason`` then says why. ``kind``: exact (a count of parameters), seeded
    (decided by the trial's seed) or noisy (a time). ``role``: quality and cost become columns of the table and axes of the
    plots, details stay in the record. ``arrays`` holds optional lists by name: per layer, per class, per time step.
    """

    value: float | int | None
    unit: str
    direction: Direction
    kind: ValueKind
    title: str
    role: Role = "detail"
    tolerance: float = 0.0
    reason: str = ""
    arrays: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class LayerView:
    """One layer in one batch: ``input`` and ``output`` are (B, T, ...); ``spiking`` tells neurons from weights."""

    module: torch.nn.Module
    input: torch.Tensor
    output: torch.Tensor
    spiking: bool


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


@dataclass(frozen=True, kw_only=True)
class Context:
    """What an observer knows about its evaluation."""

    classes: Sequence[str]
    split: str
    phase: str
    dt_ms: float
    batch_size: int
    device: str
    spiking_layers: Sequence[str] = ()
    weight_layers: Sequence[str] = ()
    recurrent_layers: Sequence[str] = ()


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
