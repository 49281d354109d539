"""Training: repeatable to the last bit, chosen on validation, silent layers named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import frames, specification

from harness import Registry, feeding
from harness.activity import Activity
from harness.augmentation import shifted
from harness.evaluation import evaluate
from harness.events.splits import hold_out
from harness.initialisation import initialise
from harness.model import build
from harness.training import TrainingError, fit

REGISTRY = Registry.discover()


def train(spec=None, seed=0, given=None, inflation=None, share=0.2, report=lambda epoch, epochs, scores: None):
    spec = spec or specification()
    given = given or frames()
    train_indices, held, _ = hold_out(given.labels, given.groups, given.recordings, share, seed)
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, given, train_indices, seed)
    fitted = fit(model, given, train_indices, held, spec.recipe, seed=seed, report=report, inflation=inflation)
    return model, fitted, held


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    (first, one, _), (second, two, _), (_, three, _) = train(), train(), train(seed=1)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    assert one.curves == two.curves != three.curves


def test_it_learns():
    model, fitted, _ = train(specification(epochs=12), given=frames(120, classes=4))
    assert fitted.curves["train_loss"][-1] < fitted.curves["train_loss"][0]
    assert evaluate(model, frames(40, classes=4, seed=1), batch_size=32).accuracy > 0.8


def test_the_best_epoch_is_chosen_on_validation_and_its_weights_are_kept():
    given = frames()
    model, fitted, held = train(specification(epochs=6), given=given)
    accuracies, losses = fitted.curves["validation_accuracy"], fitted.curves["validation_loss"]
    ranks = [(-accuracy, loss) for accuracy, loss in zip(accuracies, losses, strict=True)]
    assert fitted.selected_epoch == ranks.index(min(ranks)) + 1
    again = evaluate(model, given, held, batch_size=16, temperature=specification().recipe["temperature"])
    assert again.accuracy == accuracies[fitted.selected_epoch - 1]
    assert again.loss == pytest.approx(losses[fitted.selected_epoch - 1], rel=1e-6)


def test_without_validation_the_last_epoch_counts():
    _, fitted, held = train(share=0.0)
    assert len(held) == 0
    assert fitted.selected_epoch == 3
    assert "validation_loss" not in fitted.curves


def test_no_epochs_leave_the_initial_weights():
    _, fitted, _ = train(specification(epochs=0))
    assert (fitted.selected_epoch, fitted.curves) == (0, {})


def test_inflation_scores_test_beside_and_changes_nothing():
    plain, fitted, _ = train()
    beside, with_test, _ = train(inflation=frames(seed=3))
    assert "test_accuracy" not in fitted.curves
    assert len(with_test.curves.pop("test_accuracy")) == 3
    assert with_test.curves == fitted.curves
    for name, value in plain.state_dict().items():
        assert torch.equal(value, beside.state_dict()[name])


def test_refitting_trains_anew_on_all_for_the_chosen_epochs():
    model, fitted, _ = train(specification(refit=True))
    plain, unfitted, _ = train()
    assert fitted.refitted
    assert not unfitted.refitted
    assert fitted.selected_epoch == unfitted.selected_epoch
    assert any(not torch.equal(value, plain.state_dict()[name]) for name, value in model.state_dict().items())


def test_every_epoch_is_reported_with_its_scores():
    said = []
    _, fitted, _ = train(report=lambda *told: said.append(told))
    assert [told[:2] for told in said] == [(1, 3), (2, 3), (3, 3)]
    assert [scores["train_loss"] for _, _, scores in said] == fitted.curves["train_loss"]


def test_the_epochs_of_a_refit_are_reported_and_counted_on():
    said = []
    _, fitted, _ = train(specification(refit=True), report=lambda *told: said.append(told))
    assert [epoch for epoch, _, _ in said] == list(range(1, 3 + fitted.selected_epoch + 1))
    # Until then as many as led to the best one so far.
    assert said[0][1] == 4
    assert {epochs for _, epochs, _ in said[2:]} == {3 + fitted.selected_epoch}
    assert "validation_accuracy" not in said[3][2]
    assert len(fitted.curves["train_loss"]) == 3


def test_every_recording_is_seen_once_an_epoch_the_last_partial_batch_too():
    seen = []
    spec = specification(epochs=1, batch_size=7, validation=0.0)
    model = build(REGISTRY, spec, (140,), 20)
    model.register_forward_pre_hook(
        lambda module, x: seen.extend(x[0].sum((1, 2)).tolist()) if module.training else None
    )
    given = frames()
    fit(model, given, np.arange(60), np.arange(0), spec.recipe, seed=0)
    assert sorted(seen) == sorted(given.frames.astype(float).sum((1, 2)).tolist())


class Drawing(torch.nn.Module):
    """Weights, a normalisation with buffers, neurons and dropout."""

    def __init__(self):
        super().__init__()
        spec = specification().with_backend(REGISTRY.find("fused").component.choose())
        neurons = build(REGISTRY, spec, (140,), 20).spiking
        self.first, self.last = torch.nn.Linear(140, 16), torch.nn.Linear(16, 20)
        self.norm, self.dropout, self.neurons = torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.5), neurons
        self.seen = []

    def forward(self, x):
        hidden = self.norm(self.first(x).flatten(0, 1)).unflatten(0, x.shape[:2])
        hidden = self.dropout(self.neurons[0](hidden))
        if self.training:
            self.seen.append(float(hidden.detach().sum()))
        return self.neurons[1](self.last(hidden))


def drawing(seed=0, **given):
    torch.manual_seed(0)
    model, spec, recordings = Drawing(), specification(epochs=3, **given.pop("recipe", {})), frames()
    train_indices, held, _ = hold_out(recordings.labels, recordings.groups, recordings.recordings, 0.2, 0)
    torch.manual_seed(given.pop("generator", 0))
    before = torch.get_rng_state()
    fitted = fit(model, recordings, train_indices, held, spec.recipe, seed=seed, **given)
    assert torch.equal(torch.get_rng_state(), before)
    return model, fitted, held


def test_what_dropout_draws_depends_on_the_seed_and_the_epoch_alone():
    model, fitted, _ = drawing()
    for given in ({"generator": 7}, {"inflation": frames(seed=3)}):
        again, other, _ = drawing(**given)
        assert again.seen == model.seen
        assert other.curves["train_loss"] == fitted.curves["train_loss"]
    assert drawing(seed=1)[0].seen != model.seen


def test_epochs_do_not_drop_the_same_units():
    still = {"learning_rate": 1e-30, "batch_size": 60}
    model, _, _ = drawing(recipe=still)
    assert len(model.seen) == len(set(model.seen)) == 3


def test_buffers_are_part_of_the_chosen_epoch():
    model, fitted, held = drawing()
    steps = len(model.seen) // 3
    assert int(model.norm.num_batches_tracked) == fitted.selected_epoch * steps
    again = evaluate(model, frames(), held, batch_size=16, temperature=specification().recipe["temperature"])
    assert again.accuracy == fitted.curves["validation_accuracy"][fitted.selected_epoch - 1]
    assert again.loss == pytest.approx(fitted.curves["validation_loss"][fitted.selected_epoch - 1], rel=1e-6)


def test_refitting_starts_from_the_buffers_of_the_start():
    model, fitted, _ = drawing(recipe={"refit": True})
    assert fitted.refitted
    assert int(model.norm.num_batches_tracked) == fitted.selected_epoch * -(-60 // 16)


@pytest.mark.parametrize("wide", [False, True])
def test_it_makes_no_difference_where_frames_lie(monkeypatch, wide):
    given = frames()
    if wide:
        given = type(given)(given.frames.astype(np.uint16) * 300, given.labels, given.recordings, given.groups)
    kept, fitted, _ = train(given=given)
    monkeypatch.setattr(feeding, "_MOST_IN_MEMORY", 0)
    sent, other, _ = train(given=given)
    assert (fitted.resident, other.resident) == (True, False)
    assert fitted.curves == other.curves
    for name, value in kept.state_dict().items():
        assert torch.equal(value, sent.state_dict()[name])


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_every_optimiser_moves_the_weights(optimiser, schedule):
    spec = specification(optimiser=optimiser, schedule=schedule, epochs=1)
    model, _, _ = train(spec)
    start, _, _ = train(specification(epochs=0))
    assert any(not torch.equal(value, start.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_loss_that_is_not_finite_is_one_line():
    with pytest.raises(TrainingError, match="not finite in epoch 1; try a smaller"):
        train(specification(optimiser="sgd", learning_rate=1e38, neuron_values={"spikes": "multi"}))


def activity(spec, given):
    model, _, held = train(spec, given=given)
    seen = Activity()
    evaluate(model, given, held, batch_size=16, activity=seen)
    return seen.warnings("validation")


def test_a_silent_layer_is_named():
    sentences = activity(specification(epochs=0, init="torch", neuron_values={"threshold": 1e6}), frames())
    assert "spiking.1 is silent: 100% of its neurons never spike on the validation recordings" in sentences


def test_a_saturated_layer_is_named():
    full = frames()
    full.frames[:] = 255
    spec = specification(
        epochs=0, init="torch", network={"hidden": (16,), "bias": True}, neuron_values={"threshold": 1e-6}
    )
    assert any("is saturated" in sentence for sentence in activity(spec, full))


def test_layers_that_sometimes_spike_are_not_named():
    assert activity(specification(epochs=3), frames()) == []


def test_taus_move_only_when_they_are_trained():
    fixed, _, _ = train(specification(epochs=1))
    moved, _, _ = train(specification(epochs=1, neuron_values={"train_taus": True}))
    name = "spiking.0.inner.layer.tau_mem"
    assert float(fixed.state_dict()[name]) == 2.0
    assert float(moved.state_dict()[name]) != 2.0


@pytest.mark.parametrize("shape", [(5, 12, 9), (5, 12, 2, 6, 7)])
def test_shifts_move_each_sample_as_a_whole(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 1
    moved = shifted(x, 2, 3, torch.Generator().manual_seed(1))
    assert moved.shape == x.shape
    axes = [1, *range(2 if len(shape) == 3 else 3, len(shape))]
    for before, after in zip(x, moved, strict=True):
        candidates = []
        for offsets in np.ndindex(*[7 if axis == 1 else 5 for axis in axes]):
            wanted = before
            for axis, offset in zip(axes, offsets, strict=True):
                step = offset - (3 if axis == 1 else 2)
                wanted = torch.roll(wanted, step, axis - 1)
                gone = slice(0, step) if step > 0 else slice(wanted.shape[axis - 1] + step, None)
                if step:
                    wanted = wanted.clone()
                    wanted.movedim(axis - 1, 0)[gone] = 0
            candidates.append(torch.equal(wanted, after))
        assert any(candidates)
    assert shifted(x, 0, 0, torch.Generator()) is x


def test_the_validation_loss_is_the_loss_that_training_minimises():
    """With a rate of zero the network stands still: the temperature then shows in both losses alike."""
    losses = {}
    for temperature in (1.0, 1e6):
        fitted = train(spec=specification(temperature=temperature, learning_rate=1e-12, epochs=1))[1]
        losses[temperature] = (fitted.curves["train_loss"][0], fitted.curves["validation_loss"][0])
    assert losses[1e6] == pytest.approx((np.log(20), np.log(20)), rel=1e-3)
    assert all(raw > even for raw, even in zip(losses[1.0], losses[1e6], strict=True))
