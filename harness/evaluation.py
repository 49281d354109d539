"""One pass over a split, with observers looking on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from .components import Choice, Metric
from .feeding import Batch, Feed, real_steps
from .isolation import Guard
from .metric_rows import without_collisions
from .observation import Context, LayerView, View
from .seen import Seen, layers_seen
from .state import resets
from .tally import Tally
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


def batch_of(frames: Frames, indices: npt.NDArray[np.int64], device: str) -> Batch:
    """Inputs (B, T, ...) float32, labels (B,), and the mask (B, T) of real steps or None where all are."""
    return Feed(frames, device)(indices)


def evaluate(
    model: nn.Module,
    frames: Frames | Feed,
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

    A metric that raises leaves a row with its error and disturbs no other. Observers get copies of tensors. If one changes the
    network, torch's settings or a random generator, the pass is repeated without what it did. ``context`` is needed where
    there are metrics. ``activity`` looks on, where given. A :class:`Feed` in the place of ``frames`` goes before ``device``.
    """
    feed = frames if isinstance(frames, Feed) else Feed(frames, device)
    chosen = np.arange(len(feed.frames)) if indices is None else np.asarray(indices)

    def measure(guard: Guard | None, *, apart: bool) -> Evaluation:
        watch = nullcontext if guard is None or apart else guard.watch
        with watch():
            watching = [Watched(metric, choice, model, context, guard if apart else None) for metric, choice in metrics]
        counts = _show(model, feed, chosen, watching, batch_size=batch_size, activity=activity, watch=watch)
        with watch():
            rows, stored = without_collisions(item.results() for item in watching)
        return _evaluation(feed.frames, chosen, counts, temperature, rows, stored)

    if not metrics:
        return measure(None, apart=False)
    guard = Guard(model)
    try:
        found = measure(guard, apart=False)
    except Exception:
        # An observer that changed the network may have broken its next pass.
        if not guard.found():
            raise
    else:
        if not guard.found():
            return found
    guard.restore()
    if activity is not None:
        activity.forget()
    return measure(guard, apart=True)


def _show(
    model: nn.Module,
    feed: Feed,
    chosen: npt.NDArray[np.int64],
    watching: Sequence[Watched],
    *,
    batch_size: int,
    activity: Activity | None,
    watch: Callable[[], AbstractContextManager[None]],
) -> list[torch.Tensor]:
    """Show every batch to the observers; returns the counts of output spikes, a tensor (B, C) per batch."""
    needs = frozenset().union(*(item.metric.needs for item in watching), {"spikes"} if activity is not None else ())
    counts: list[torch.Tensor] = []

    def see(view: View) -> None:
        counts.append(view.counts.cpu())
        with watch():
            for item in watching:
                item.batch(view)
        if activity is not None:
            activity.batch(view)

    run_batches(model, feed, chosen, batch_size=batch_size, needs=needs, see=see)
    return counts


def _evaluation(
    frames: Frames,
    chosen: npt.NDArray[np.int64],
    counts: Sequence[torch.Tensor],
    temperature: float,
    rows: list[dict[str, Any]],
    stored: dict[str, npt.NDArray[Any]],
) -> Evaluation:
    together = torch.cat(list(counts)).numpy() if counts else np.zeros((0, 0), dtype=np.float32)
    predictions = together.argmax(1).astype(np.int64) if len(together) else np.zeros(0, dtype=np.int64)
    labels_seen = np.asarray(frames.labels[chosen])
    return Evaluation(
        predictions=predictions,
        labels=labels_seen,
        recordings=np.asarray(frames.recordings[chosen]),
        counts=together,
        loss=_loss(together / temperature, labels_seen),
        accuracy=float((predictions == labels_seen).mean()) if len(chosen) else 0.0,
        metrics=rows,
        stored=stored,
    )


def _loss(scores: npt.NDArray[np.floating[Any]], labels: npt.NDArray[np.int64]) -> float:
    if not len(labels):
        return 0.0
    return float(nn.functional.cross_entropy(torch.from_numpy(scores), torch.from_numpy(labels.astype(np.int64))))


def run_batches(
    model: nn.Module,
    frames: Frames | Feed,
    indices: npt.NDArray[np.int64] | None = None,
    *,
    batch_size: int,
    device: str = "cpu",
    needs: frozenset[str] = frozenset(),
    see: Callable[[View], None],
) -> None:
    """Show ``see`` what ``model`` does with the samples at ``indices`` (default: all), a batch at a time and in order.

    Views hold what ``needs`` names (see :class:`harness.Metric`). The model is in evaluation mode meanwhile. A :class:`Feed` in
    the place of ``frames`` goes before ``device``.
    """
    feed = frames if isinstance(frames, Feed) else Feed(frames, device)
    chosen = np.arange(len(feed.frames)) if indices is None else np.asarray(indices)
    was_training = model.training
    model.eval()
    try:
        with ExitStack() as stack:
            seen = None
            if needs & {"spikes", "layers", "states"}:
                seen = stack.enter_context(layers_seen(model, whole="layers" in needs, states="states" in needs))
            passing = _Passing(model, feed, seen)
            for begin in range(0, len(chosen), batch_size):
                part = chosen[begin : begin + batch_size]
                with torch.inference_mode():
                    # Nothing here holds on to a batch while the next is computed in the memory that it leaves.
                    see(passing(part, inputs="inputs" in needs))
    finally:
        model.train(was_training)


class _Passing:
    """Forward passes, batch by batch, and what was seen in them."""

    def __init__(self, model: nn.Module, feed: Feed, seen: Seen | None) -> None:
        self.model, self.feed, self.seen = model, feed, seen
        # Inference mode does not count how often a tensor is written into: the first batch goes without and tells.
        self.watch = True
        self.writes_input = False
        self.resets = resets(model)

    def __call__(self, part: npt.NDArray[np.int64], *, inputs: bool) -> View:
        # What is on a device already is read from disk again only to be counted.
        stored = None if self.seen is None and self.feed.resident else self.feed.counts(part)
        found = self._pass(part, stored, watch=self.watch)
        if self.watch:
            self.writes_input = found[0]._version != 0
            if self.seen is not None and self.seen.overwritten():
                self.seen.copies = True
                found = self._pass(part, stored, watch=False)
            self.watch = False
        given, labels, mask, outputs = found
        layers: Mapping[str, LayerView] = {}
        if self.seen is not None:
            layers = self.seen.views()
            self.seen.forget()
        return View(
            outputs=outputs,
            labels=labels,
            recordings=torch.from_numpy(self.feed.frames.recordings[part]),
            mask=mask,
            inputs=given if inputs else None,
            layers=layers,
        )

    def _pass(
        self, part: npt.NDArray[np.int64], stored: npt.NDArray[Any] | None, *, watch: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]:
        with torch.inference_mode():
            for again in self.resets:
                again()
        with torch.inference_mode(False), torch.no_grad() if watch else torch.inference_mode():
            tally = None
            if self.seen is not None and stored is not None and not self.writes_input:
                # Before they are widened: then the processor's cache holds them for that.
                tally = Tally.of_counts(stored, real_steps(self.feed.frames, part))
            inputs, labels, mask = self.feed(part, stored)
            if self.seen is not None:
                self.seen.begin(inputs, mask, None if tally is None else tally.holding(inputs))
            return inputs, labels, mask, self.model(inputs)
