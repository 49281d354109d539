"""Train one network: seeded order, best epoch by validation, nothing chosen on test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from .augmentation import shifted
from .components import Choice
from .errors import ExitCode, HandledError
from .evaluation import evaluate
from .observation import readout
from .specification import seed_for

if TYPE_CHECKING:
    from .events.frames import Frames

Indices = npt.NDArray[np.int64]
Report = Callable[[int, Mapping[str, float]], None]
# Frames are kept in memory as they are stored up to this size; beyond, batches are read from the mapped file.
_RESIDENT = 2 * 2**30


class TrainingError(HandledError):
    """Training cannot go on: the loss is not finite."""

    exit_code = ExitCode.FAILED


@dataclass(frozen=True)
class Fitted:
    """What training left behind, beside the model that holds the chosen weights.

    ``selected_epoch`` counts from 1, 0 for untrained. ``curves`` hold a value an epoch; ``test_accuracy`` among them only
    under ``inflation``. ``refitted`` tells that the weights come from a second training on train and validation together.
    """

    selected_epoch: int
    epochs_trained: int
    refitted: bool
    curves: dict[str, list[float]]


def fit(
    model: nn.Module,
    frames: Frames,
    train: Indices,
    validation: Indices,
    recipe: Choice,
    *,
    seed: int,
    device: str = "cpu",
    report: Report = lambda epoch, scores: None,
    inflation: Frames | None = None,
) -> Fitted:
    """Train ``model`` in place and leave it with the weights of the best epoch.

    Best is the highest validation accuracy, then the lowest validation loss, then the earliest; without validation, the
    last. Raises :class:`TrainingError` where the loss is not finite.
    """
    batches = _Batches(frames, device)
    start = _state(model) if recipe["refit"] else {}
    curves: dict[str, list[float]] = {}
    best: tuple[tuple[float, float], int, dict[str, torch.Tensor]] | None = None
    for epoch, scores in _epochs(model, batches, train, recipe, seed, recipe["epochs"]):
        if len(validation):
            # The loss that training minimises, so that the two curves can be laid over each other.
            held = evaluate(
                model,
                frames,
                validation,
                batch_size=recipe["batch_size"],
                device=device,
                temperature=recipe["temperature"],
            )
            scores |= {"validation_loss": held.loss, "validation_accuracy": held.accuracy}
            rank = (-held.accuracy, held.loss)
            if best is None or rank < best[0]:
                best = (rank, epoch, _state(model))
        if inflation is not None:
            test = evaluate(model, inflation, batch_size=recipe["batch_size"], device=device)
            scores["test_accuracy"] = test.accuracy
        for name, value in scores.items():
            curves.setdefault(name, []).append(value)
        report(epoch, scores)
    selected = best[1] if best is not None else recipe["epochs"]
    refitted = bool(recipe["refit"] and best is not None)
    if refitted:
        model.load_state_dict(start)
        for _ in _epochs(model, batches, np.sort(np.concatenate([train, validation])), recipe, seed, selected):
            pass
    elif best is not None:
        model.load_state_dict(best[2])
    return Fitted(selected, recipe["epochs"], refitted, curves)


class _Batches:
    """Frames on their way to the device; held there whole where they fit."""

    def __init__(self, frames: Frames, device: str) -> None:
        self.device = device
        self.labels = torch.from_numpy(np.array(frames.labels)).to(device)
        self.lengths = None if frames.lengths is None else torch.from_numpy(np.array(frames.lengths)).to(device)
        self.stored = frames.frames
        # torch indexes uint8 on every device; wider counts are rare and go through numpy.
        fits = frames.frames.nbytes <= _RESIDENT and frames.frames.dtype == np.uint8
        self.resident = torch.from_numpy(np.array(frames.frames)).to(device) if fits else None

    def __call__(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        on_device = indices.to(self.device)
        if self.resident is not None:
            inputs = self.resident[on_device].float()
        else:
            inputs = torch.from_numpy(self.stored[indices.numpy()].astype(np.float32)).to(self.device)
        if self.lengths is None:
            return inputs, self.labels[on_device], None
        mask = torch.arange(inputs.shape[1], device=self.device) < self.lengths[on_device][:, None]
        return inputs, self.labels[on_device], mask


def _epochs(model: nn.Module, batches: _Batches, train: Indices, recipe: Choice, seed: int, epochs: int) -> Any:
    """Train epoch by epoch; yields (epoch from 1, running scores)."""
    order = torch.Generator().manual_seed(seed_for(seed, "order"))
    chosen = torch.from_numpy(np.asarray(train))
    size = recipe["batch_size"]
    step = Step(model, recipe, epochs * -(-len(chosen) // size))
    for epoch in range(1, epochs + 1):
        model.train()
        losses = torch.zeros((), dtype=torch.float64, device=batches.device)
        right = torch.zeros((), dtype=torch.int64, device=batches.device)
        shuffled = chosen[torch.randperm(len(chosen), generator=order)]
        for begin in range(0, len(chosen), size):
            inputs, labels, mask = batches(shuffled[begin : begin + size])
            if recipe["shift"] or recipe["shift_steps"]:
                inputs = shifted(inputs, recipe["shift"], recipe["shift_steps"], order)
            loss, counts = step(inputs, labels, mask)
            losses += loss.detach() * len(labels)
            right += (counts.detach().argmax(1) == labels).sum()
        mean = float(losses) / len(chosen)
        if not np.isfinite(mean):
            raise TrainingError(f"the loss is not finite in epoch {epoch}; try a smaller -o recipe.learning_rate")
        yield epoch, {"train_loss": mean, "train_accuracy": float(right) / len(chosen)}


class Step:
    """One step of training on one batch: forward, loss, backward, optimiser, schedule; ``steps`` is how many there will be.

    Raises :class:`TrainingError` for a network without parameters to train.
    """

    def __init__(self, model: nn.Module, recipe: Choice, steps: int) -> None:
        self.model = model
        self.temperature = recipe["temperature"]
        self.optimiser = _optimiser(model, recipe)
        self.schedule = None
        if recipe["schedule"] == "cosine":
            self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, steps)

    def __call__(
        self, inputs: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of the batch and its output counts (batch, classes), both from before the step."""
        self.optimiser.zero_grad(set_to_none=True)
        counts = readout(self.model(inputs), mask)
        loss = nn.functional.cross_entropy(counts / self.temperature, labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimiser.step()
        if self.schedule is not None:
            self.schedule.step()
        return loss, counts


def _optimiser(model: nn.Module, recipe: Choice) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise TrainingError("the network has no parameters to train")
    rate, decay = recipe["learning_rate"], recipe["weight_decay"]
    if recipe["optimiser"] == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if recipe["optimiser"] == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=decay)


def _state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
