"""One pass over a split, with observers looking on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from .components import Choice, Metric
from .model import SpikingLayer, pooling_layers, recurrent_layers, spiking_layers, weight_layers
from .observation import Context, LayerView, View
from .watching import Watched

if TYPE_CHECKING:
    from .activity import Activity
    from .events.frames import Frames


@dataclass(frozen=True)
class Evaluation:
    """N samples evaluated. ``counts`` (N, C) output spikes over real steps; ``predictions`` their argmax, first on a tie.

    ``loss`` is the mean cross-entropy (nat) of counts, divided by the temperature asked for, against labels; ``metrics``
    rows as records hold them; ``stored`` the arrays that belong to them, ``figure/array`` to array.
    """

    predictions: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    recordings: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float32]
    loss: float
    accuracy: float
    metrics: list[dict[str, Any]] = field(default_factory=list)
    stored: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


def batch_of(
    frames: Frames, indices: npt.NDArray[np.int64], device: str, stored: npt.NDArray[Any] | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Inputs (B, T, ...) float32, labels (B,), and the mask (B, T) of real steps or None where all are.

    ``stored`` are the frames at ``indices`` where they are at hand already.
    """
    found = frames.frames[_slice_or(indices)] if stored is None else stored
    inputs = torch.from_numpy(found.astype(np.float32)).to(device)
    labels = torch.from_numpy(frames.labels[indices]).to(device)
    if frames.lengths is None:
        return inputs, labels, None
    lengths = torch.from_numpy(frames.lengths[indices]).to(device)
    return inputs, labels, torch.arange(inputs.shape[1], device=device) < lengths[:, None]


def _slice_or(indices: npt.NDArray[np.int64]) -> Any:
    """Indices that follow one another as a slice, which copies nothing."""
    if len(indices) and indices[-1] - indices[0] == len(indices) - 1 and (np.diff(indices) == 1).all():
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def readout(outputs: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Output spikes (B, T, C) summed over real steps: (B, C)."""
    return outputs.sum(1) if mask is None else (outputs * mask[:, :, None]).sum(1)


def evaluate(
    model: nn.Module,
    frames: Frames,
    indices: npt.NDArray[np.int64] | None = None,
    *,
    batch_size: int,
    device: str = "cpu",
    context: Context | None = None,
    metrics: Sequence[tuple[Metric, Choice]] = (),
    temperature: float = 1.0,
    activity: Activity | None = None,
) -> Evaluation:
    """Evaluate ``model`` on the samples at ``indices`` (default: all) in order.

    A metric that raises leaves a row with its error and disturbs no other. ``context`` is needed where there are metrics.
    ``activity`` looks on, where given.
    """
    chosen = np.arange(len(frames)) if indices is None else np.asarray(indices)
    watching = [Watched(metric, choice, model, context) for metric, choice in metrics]
    needs = frozenset().union(*(item.metric.needs for item in watching), {"layers"} if activity is not None else ())
    counts: list[torch.Tensor] = []
    losses: list[float] = []

    def see(view: View) -> None:
        losses.append(float(nn.functional.cross_entropy(view.counts / temperature, view.labels, reduction="sum")))
        counts.append(view.counts.cpu())
        for item in watching:
            item.batch(view)
        if activity is not None:
            activity.batch(view)

    run_batches(model, frames, chosen, batch_size=batch_size, device=device, needs=needs, see=see)
    together = torch.cat(counts).numpy() if counts else np.zeros((0, 0), dtype=np.float32)
    predictions = together.argmax(1).astype(np.int64) if len(together) else np.zeros(0, dtype=np.int64)
    labels_seen = np.asarray(frames.labels[chosen])
    told = [item.told() for item in watching]
    return Evaluation(
        predictions=predictions,
        labels=labels_seen,
        recordings=np.asarray(frames.recordings[chosen]),
        counts=together,
        loss=sum(losses) / max(len(chosen), 1),
        accuracy=float((predictions == labels_seen).mean()) if len(chosen) else 0.0,
        metrics=[row for rows, _ in told for row in rows],
        stored={name: array for _, arrays in told for name, array in arrays.items()},
    )


def run_batches(
    model: nn.Module,
    frames: Frames,
    indices: npt.NDArray[np.int64] | None = None,
    *,
    batch_size: int,
    device: str = "cpu",
    needs: frozenset[str] = frozenset(),
    see: Callable[[View], None],
) -> None:
    """Show ``see`` what ``model`` does with the samples at ``indices`` (default: all), a batch at a time and in order.

    Views hold what ``needs`` names (see :class:`harness.Metric`). The model is in evaluation mode meanwhile.
    """
    chosen = np.arange(len(frames)) if indices is None else np.asarray(indices)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), ExitStack() as stack:
            states = "states" in needs
            seen = stack.enter_context(layers_seen(model, states=states)) if "layers" in needs or states else None
            for begin in range(0, len(chosen), batch_size):
                part = chosen[begin : begin + batch_size]
                stored = frames.frames[_slice_or(part)]
                # Tensors made in inference mode do not note that they are written into.
                with torch.inference_mode(False):
                    inputs, labels, mask = batch_of(frames, part, device, stored)
                if seen is not None:
                    seen.begin(inputs.shape[0], inputs.shape[1])
                outputs = model(inputs)
                see(
                    View(
                        outputs=outputs,
                        labels=labels,
                        recordings=torch.from_numpy(frames.recordings[part]),
                        mask=mask,
                        inputs=inputs if "inputs" in needs else None,
                        layers=seen.views() if seen is not None else {},
                        _frames=stored if "inputs" in needs else None,
                    )
                )
    finally:
        model.train(was_training)


class Seen:
    """What the hooks saw in one forward pass, by name, in order of execution."""

    def __init__(self, model: nn.Module) -> None:
        # A module that feeds back is not hooked at every step where it is a single weight layer: its input is known.
        self.callers = {
            name: layer
            for name, layer in recurrent_layers(model).items()
            if layer.recurrent is not None and layer.recurrent is weight_layers(model)[name]
        }
        self._views: dict[str, LayerView] = {}
        self._calls: dict[str, int] = {}
        self._leading = (0, 0)

    def begin(self, batch: int, time: int) -> None:
        """Forget the last forward pass; the next is of ``batch`` recordings and ``time`` steps."""
        self._views, self._calls = {}, {}
        self._leading = (batch, time)

    def _unflattened(self, x: torch.Tensor) -> torch.Tensor:
        batch, time = self._leading
        flattened = x.shape[:2] != (batch, time) and x.shape[0] == batch * time
        return x.reshape(batch, time, *x.shape[1:]) if flattened else x

    def record(
        self,
        name: str,
        module: nn.Module,
        given: torch.Tensor,
        out: torch.Tensor,
        states: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """Keep one call of ``module``; a second one is ``name#1``."""
        number = self._calls.get(name, 0)
        self._calls[name] = number + 1
        self._views[f"{name}#{number}" if number else name] = LayerView(
            module, self._unflattened(given), self._unflattened(out), isinstance(module, SpikingLayer), states
        )

    def views(self) -> Mapping[str, LayerView]:
        """The layers of the pass since :meth:`begin`."""
        views = dict(self._views)
        spikes = {id(view.module): view.output for view in self._views.values() if view.spiking}
        for name, layer in self.callers.items():
            if id(layer) in spikes and layer.recurrent is not None:
                # Every spike is sent back; hooking the call of every step would slow the scan itself.
                views[name] = LayerView(layer.recurrent, spikes[id(layer)], spikes[id(layer)], False)
        return views


@contextmanager
def layers_seen(model: nn.Module, *, states: bool = False) -> Iterator[Seen]:
    """While inside, what every weight, pooling and spiking layer of ``model`` is given and puts out.

    With ``states``, what is inside the neurons of spiking layers too, where their backend records it.
    """
    seen = Seen(model)
    handles = []

    def hook(name: str) -> Any:
        def see(module: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
            inside = None
            if states and isinstance(module, SpikingLayer) and module.records_states:
                inside = module.states(given[0])
            seen.record(name, module, given[0], out, inside)

        return see

    try:
        for name, module in {**weight_layers(model), **pooling_layers(model), **spiking_layers(model)}.items():
            if name not in seen.callers:
                handles.append(module.register_forward_hook(hook(name)))
        yield seen
    finally:
        for handle in handles:
            handle.remove()
