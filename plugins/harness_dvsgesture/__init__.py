"""DVS128 Gesture: eleven hand and arm gestures of 29 subjects before an event camera."""

from collections.abc import Callable

from harness import Dataset, Encoding, hookimpl

# By label: tonic's files are named 0.npy to 10.npy, one less than the numbers in the original's gesture_mapping.csv.
CLASSES = (
    "hand-clapping",
    "right-hand-wave",
    "left-hand-wave",
    "right-arm-clockwise",
    "right-arm-counter-clockwise",
    "left-arm-clockwise",
    "left-arm-counter-clockwise",
    "arm-roll",
    "air-drums",
    "air-guitar",
    "other-gestures",
)

# One floor for all neurons: neurons that differ in it too could not be compared.
DEFAULTS = {
    "network": "conv",
    "neuron": "iaf",
    "iaf.v_min": -1.0,
    "lif.v_min": -1.0,
    "alif.v_min": -1.0,
    "recipe.epochs": 15,
    "recipe.batch_size": 32,
    "recipe.temperature": 1.0,
}
# What the tutorial trains with. Its gesture network has sinabs' IAFSqueeze: several spikes a step, no synaptic current,
# and so no time constant to train, unlike the IAF of its first part, which is the neuron's own preset.
TUTORIAL = {
    "recipe.epochs": 1,
    "recipe.batch_size": 128,
    "recipe.learning_rate": 0.001,
    "recipe.schedule": "constant",
    "recipe.init": "torch",
    "recipe.temperature": 1.0,
    "recipe.shift": 0,
    "recipe.shift_steps": 0,
    "iaf.spikes": "multi",
    "iaf.tau_syn": None,
    "iaf.train_taus": False,
}

DVSGESTURE = Dataset(
    name="dvsgesture",
    summary="DVS128 Gesture: 11 hand and arm gestures before an event camera, six subjects in the test set alone",
    sensor_size=(128, 128, 2),
    classes=CLASSES,
    source="harness_dvsgesture.source:source",
    fetch="harness_dvsgesture.files:fetch",
    encodings={
        "default": Encoding(crop=10000, slice=1000, dt=100, factor=2),
        "tutorial": Encoding(crop=10000, slice=1000, dt=100, factor=2, tonic_window=100),
    },
    defaults=DEFAULTS,
    presets={"tutorial": TUTORIAL},
    licence="CC BY 4.0",
    citation="Amir, Taba, Berg, Melano, McKinstry, Di Nolfo, Nayak, Andreopoulos, Garreau, Mendoza, Kusnitz, Debole, Esser, "
    "Delbruck, Flickner, Modha: A Low Power, Fully Event-Based Gesture Recognition System, CVPR 2017, "
    "doi:10.1109/CVPR.2017.781",
)


@hookimpl
def register_datasets(register: Callable[[Dataset], None]) -> None:
    register(DVSGESTURE)
