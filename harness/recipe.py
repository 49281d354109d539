"""The recipe: how a trial is trained. Declared like a component, so that ``-o recipe.epochs=20`` works like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
        choices=("calibrated", "torch", "keep"),
        summary="calibrated: every layer starts at init_rate on training recordings; torch: its own default; "
        "keep: as the network was built",
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
    Parameter(
        name="precision",
        default="float32",
        kind="str",
        choices=("float32", "bfloat16", "float16"),
        summary="of weight layers, in training and evaluation; neurons, loss and optimiser stay float32",
    ),
)
# What specifications did not always have is left out of them at its default: earlier rows, keys and baselines stay valid.
_LATER = frozenset({"precision"})


def choose(**given: object) -> Choice:
    """A recipe with ``given`` values and the defaults for the rest; raises ``UsageError``."""
    return Choice("recipe", "recipe", resolve("recipe", PARAMETERS, given))


def to_json(recipe: Choice) -> dict[str, Any]:
    """``recipe`` as specifications hold it."""
    data = recipe.to_json()
    later = {item.name: item.default for item in PARAMETERS if item.name in _LATER}
    stated = {name: value for name, value in data["parameters"].items() if name not in later or value != later[name]}
    return {**data, "parameters": stated}


def from_json(data: Mapping[str, Any]) -> Choice:
    """The recipe that :func:`to_json` wrote, of this harness or an earlier one."""
    unstated = {
        item.name: item.default for item in PARAMETERS if item.name in _LATER and item.name not in data["parameters"]
    }
    return Choice.from_json("recipe", {**data, "parameters": {**data["parameters"], **unstated}})
