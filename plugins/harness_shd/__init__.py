"""The Spiking Heidelberg Digits (SHD): spoken digits as spikes of 700 cochlear channels."""

from collections.abc import Callable

from harness import Dataset, Encoding, hookimpl

ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GERMAN = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")

# Voices differ by where on the cochlea they fall: training moves channels, and onsets, a little.
DEFAULTS = {"network": "mlp", "neuron": "lif", "recipe.epochs": 100, "recipe.shift": 8, "recipe.shift_steps": 5}
# What the tutorial trains with; its neuron settings stand in the neurons' own presets.
TUTORIAL = {
    "recipe.epochs": 3,
    "recipe.batch_size": 128,
    "recipe.learning_rate": 0.001,
    "recipe.schedule": "constant",
    "recipe.init": "torch",
    "recipe.temperature": 1.0,
    "recipe.shift": 0,
    "recipe.shift_steps": 0,
}

SHD = Dataset(
    name="shd",
    summary="Spiking Heidelberg Digits: 20 spoken digits, 700 channels, two speakers in the test set alone",
    sensor_size=(700, 1, 1),
    classes=ENGLISH + GERMAN,
    source="harness_shd.source:source",
    fetch="harness_shd.files:fetch",
    encodings={
        "default": Encoding(crop=700, dt=10, factor=5),
        "tutorial": Encoding(crop=700, dt=10, factor=5, tonic_window=1),
    },
    defaults=DEFAULTS,
    presets={"tutorial": TUTORIAL},
    licence="CC BY 4.0",
    citation="Cramer, Stradmann, Schemmel, Zenke: The Heidelberg Spiking Data Sets for the Systematic Evaluation of "
    "Spiking Neural Networks, IEEE TNNLS 33(7), 2022, doi:10.1109/TNNLS.2020.3044364",
)


@hookimpl
def register_datasets(register: Callable[[Dataset], None]) -> None:
    register(SHD)
