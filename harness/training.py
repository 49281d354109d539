"""Train one network: seeded order, best epoch by validation, nothing chosen on test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from .augmentation import shifted
from .components import Choice
from .devices import is_cuda
from .errors import TrainingError
from .evaluation import evaluate
from .feeding import Feed, Indices
from .finite import FiniteCheck, NotFiniteError
from .model import spiking_layers
from .observation import readout
from .precision import loss_scaler
from .specification import seed_for

if TYPE_CHECKING:
    from .events.frames import Frames

# An epoch from 1, how many there will be by what is known, and its scores.
Report = Callable[[int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Fitted:
    """What training left behind, beside the model that holds the chosen weights.

    ``selected_epoch`` counts from 1, 0 for untrained. ``curves`` hold a value an epoch; ``test_accuracy`` among them only
    under ``inflation``. ``refitted`` tells that the weights come from a second training on train and validation together.
    ``resident`` tells that all training frames were kept on the device.
    """

    selected_epoch: int
    epochs_trained: int
    refitted: bool
    curves: dict[str, list[float]]
    resident: bool = False


def fit(
    model: nn.Module,
    frames: Frames,
    train: Indices,
    validation: Indices,
    recipe: Choice,
    *,
    seed: int,
    device: str = "cpu",
    report: Report = lambda epoch, epochs, scores: None,
    inflation: Frames | None = None,
) -> Fitted:
    """Train ``model`` in place and leave it with the weights of the best epoch.

    Best is the highest validation accuracy, then the lowest validation loss, then the earliest; without validation, the
    last. What the network draws in training (dropout) depends on ``seed`` and the epoch alone, and the generators are left as
    they were. ``report`` is told every epoch; those of a refit, as many as led to the best one, are counted on.

    Raises:
        NotFiniteError: if the loss on training or validation recordings, a parameter or a buffer is not finite.
        TrainingError: if the network has nothing to train, or if no gradient was finite.
    """
    check = FiniteCheck(model)
    check(0)
    with _drawing_apart(device):
        feed = Feed(frames, device, keep=True)
        test_feed = None if inflation is None else Feed(inflation, device, keep=not is_cuda(device))
        start = _state(model) if recipe["refit"] else {}
        curves: dict[str, list[float]] = {}
        best: tuple[tuple[float, float], int, dict[str, torch.Tensor]] | None = None
        for epoch, scores in _epochs(model, feed, train, recipe, seed, recipe["epochs"], check):
            if len(validation):
                # The loss that training minimises, so that the two curves can be laid over each other.
                held = evaluate(
                    model, feed, validation, batch_size=recipe["batch_size"], temperature=recipe["temperature"]
                )
                if not math.isfinite(held.loss):
                    raise NotFiniteError(_of_loss("validation loss", epoch, recipe, check))
                scores |= {"validation_loss": held.loss, "validation_accuracy": held.accuracy}
                rank = (-held.accuracy, held.loss)
                if best is None or rank < best[0]:
                    best = (rank, epoch, _state(model))
            if test_feed is not None:
                test = evaluate(model, test_feed, batch_size=recipe["batch_size"])
                if not math.isfinite(test.loss):
                    raise NotFiniteError(_of_loss("loss on test", epoch, recipe, check))
                scores["test_accuracy"] = test.accuracy
            for name, value in scores.items():
                curves.setdefault(name, []).append(value)
            again = best[1] if recipe["refit"] and best is not None else 0
            report(epoch, recipe["epochs"] + again, scores)
        selected = best[1] if best is not None else recipe["epochs"]
        refitted = bool(recipe["refit"] and best is not None)
        if refitted:
            model.load_state_dict(start)
            everything = np.sort(np.concatenate([train, validation]))
            for epoch, scores in _epochs(model, feed, everything, recipe, seed, selected, check):
                report(recipe["epochs"] + epoch, recipe["epochs"] + selected, scores)
        elif best is not None:
            model.load_state_dict(best[2])
        return Fitted(selected, recipe["epochs"], refitted, curves, feed.resident)


@contextmanager
def _drawing_apart(device: str) -> Iterator[None]:
    """Inside, torch's generators of this process and of ``device`` may be seeded and drawn from; afterwards they are as before."""
    with torch.random.fork_rng(devices=[torch.device(device)] if is_cuda(device) else [], device_type="cuda"):
        yield


def _epochs(
    model: nn.Module, feed: Feed, train: Indices, recipe: Choice, seed: int, epochs: int, check: FiniteCheck
) -> Any:
    """Train epoch by epoch; yields (epoch from 1, running scores)."""
    if epochs == 0:
        return
    order = torch.Generator().manual_seed(seed_for(seed, "order"))
    chosen = torch.from_numpy(np.asarray(train))
    size = recipe["batch_size"]
    step = Step(model, recipe, epochs * -(-len(chosen) // size))
    for epoch in range(1, epochs + 1):
        model.train()
        torch.manual_seed(seed_for(seed, "network", epoch))
        losses = torch.zeros((), dtype=torch.float64, device=feed.device)
        right = torch.zeros((), dtype=torch.int64, device=feed.device)
        shuffled = chosen[torch.randperm(len(chosen), generator=order)]
        for begin in range(0, len(chosen), size):
            inputs, labels, mask = feed(shuffled[begin : begin + size].numpy())
            if recipe["shift"] or recipe["shift_steps"]:
                inputs = shifted(inputs, recipe["shift"], recipe["shift_steps"], order)
            try:
                loss, counts = step(inputs, labels, mask)
            except RuntimeError as error:
                # torch converts a step's size to the parameters' type, and raises if it does not fit.
                if "without overflow" not in str(error):
                    raise
                raise TrainingError(
                    f"a step of the optimiser overflows float32 in epoch {epoch}; "
                    f"try a smaller -o recipe.learning_rate or recipe.weight_decay"
                ) from error
            losses += loss.detach() * len(labels)
            right += (counts.detach().argmax(1) == labels).sum()
        mean = float(losses) / len(chosen)
        if not math.isfinite(mean):
            raise NotFiniteError(_of_loss("loss", epoch, recipe, check))
        check(epoch)
        if step.stuck:
            raise NotFiniteError(
                f"gradients are not finite in every step up to epoch {epoch}; try -o recipe.precision=bfloat16"
            )
        yield epoch, {"train_loss": mean, "train_accuracy": float(right) / len(chosen)}


def _of_loss(what: str, epoch: int, recipe: Choice, check: FiniteCheck) -> str:
    """Return the message for a loss that is not finite, with the first parameter that is not."""
    name = check.first()
    which = f"the {what} and {name} are" if name else f"the {what} is"
    other = ", or -o recipe.precision=bfloat16" * (recipe["precision"] == "float16")
    return f"{which} not finite in epoch {epoch}; try a smaller -o recipe.learning_rate{other}"


class Step:
    """One step of training on one batch: forward, loss, backward, optimiser, schedule; ``steps`` is how many there will be.

    A step that takes a neuron's parameter out of its declared range is followed by a projection into it
    (:meth:`harness.Parameter.trained_range`). float16 leaves out steps with gradients that overflow.

    Raises :class:`TrainingError` for a network without parameters to train.
    """

    def __init__(self, model: nn.Module, recipe: Choice, steps: int) -> None:
        self.model = model
        self.temperature = recipe["temperature"]
        self.optimiser = _optimiser(model, recipe)
        self.schedule = None
        if recipe["schedule"] == "cosine":
            self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, steps)
        self.scaler = loss_scaler(recipe["precision"], next(model.parameters()).device.type)
        self.ranged = _ranged(model)

    @property
    def stuck(self) -> bool:
        """Whether float16's scaler found gradients that are not finite in every step until it no longer scales at all."""
        return self.scaler is not None and self.scaler.get_scale() < 1

    def __call__(
        self, inputs: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of the batch and its output counts (batch, classes), both from before the step."""
        self.optimiser.zero_grad(set_to_none=True)
        counts = readout(self.model(inputs), mask)
        loss = nn.functional.cross_entropy(counts / self.temperature, labels)
        if self.scaler is None:
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self.optimiser.step()
        else:
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            self.scaler.step(self.optimiser)
            self.scaler.update()
            # A first step that the scaler leaves out, gradients having overflowed, is none that was forgotten.
            self.optimiser._opt_called = True  # type: ignore[attr-defined]
        for parameter, lowest, highest in self.ranged:
            with torch.no_grad():
                parameter.clamp_(lowest, highest)
        if self.schedule is not None:
            self.schedule.step()
        return loss, counts


def _optimiser(model: nn.Module, recipe: Choice) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise TrainingError("the network has no parameters to train; evaluate it as it is with --epochs 0")
    rate, decay = recipe["learning_rate"], recipe["weight_decay"]
    if recipe["optimiser"] == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if recipe["optimiser"] == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=decay)


def _ranged(model: nn.Module) -> list[tuple[nn.Parameter, float | None, float | None]]:
    """Return trained neuron parameters with the range that each is kept in."""
    found: dict[int, tuple[nn.Parameter, float | None, float | None]] = {}
    for layer in spiking_layers(model).values():
        for name, (lowest, highest) in layer.ranges.items():
            parameter = layer.inner.get_parameter(name)
            if parameter.requires_grad:
                found[id(parameter)] = (parameter, lowest, highest)
    return list(found.values())


def _state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
