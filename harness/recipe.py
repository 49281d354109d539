"""The recipe: how a trial is trained. Declared like a component, so that ``-o recipe.epochs=20`` works like any other."""

from __future__ import annotations

from .components import Choice
from .parameters import Parameter, resolve

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(name="epochs", default=40, kind="int", minimum=0, summary="passes over the training recordings"),
    Parameter(name="batch_size", default=64, kind="int", minimum=1, summary="samples a training step"),
    Parameter(
        name="optimiser", default="adam", kind="str", choices=("adam", "adamw", "sgd"), summary="torch's optimiser"
    ),
    Parameter(name="learning_rate", default=0.005, kind="float", above=0, summary="one rate for every neuron"),
    Parameter(name="weight_decay", default=0.0, kind="float", minimum=0, summary="the optimiser's weight decay"),
    Parameter(
        name="init",
        default="calibrated",
        kind="str",
        choices=("calibrated", "torch"),
        summary="calibrated: every layer starts at init_rate on training recordings; torch: its own default",
    ),
    Parameter(
        name="init_rate",
        default=0.05,
        kind="float",
        above=0,
        maximum=1,
        unit="spikes per neuron and step",
        summary="mean firing rate each layer starts at under init=calibrated",
    ),
    Parameter(
        name="schedule",
        default="cosine",
        kind="str",
        choices=("constant", "cosine"),
        summary="learning rate over the epochs: constant, or a half cosine down to 0",
    ),
    Parameter(
        name="temperature",
        default=10.0,
        kind="float",
        above=0,
        unit="spikes",
        summary="the loss sees spike counts divided by this; predictions do not depend on it",
    ),
    Parameter(
        name="shift",
        default=0,
        kind="int",
        minimum=0,
        unit="cells",
        summary="in training, move each recording's channels (or pixels) by up to this, at random",
    ),
    Parameter(
        name="shift_steps",
        default=0,
        kind="int",
        minimum=0,
        unit="time steps",
        summary="in training, move each recording in time by up to this, at random",
    ),
    Parameter(name="loss", default="cross-entropy", kind="str", choices=("cross-entropy",), summary="on the readout"),
    Parameter(
        name="readout",
        default="spike-count",
        kind="str",
        choices=("spike-count",),
        summary="output spikes summed over time",
    ),
    Parameter(
        name="validation",
        default=0.2,
        kind="float",
        minimum=0,
        maximum=0.9,
        summary="share of the training recordings held out, whole groups where the dataset has them",
    ),
    Parameter(
        name="refit",
        default=False,
        kind="bool",
        summary="train anew on train and validation for the chosen number of epochs",
    ),
)


def choose(**given: object) -> Choice:
    """A recipe with ``given`` values and the defaults for the rest; raises ``UsageError``."""
    return Choice("recipe", "recipe", resolve("recipe", PARAMETERS, given))
