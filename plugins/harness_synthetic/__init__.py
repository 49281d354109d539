"""Generated twins of real datasets: always labelled synthetic, small by default, any size on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness_dvsgesture import DVSGESTURE
from harness_shd import SHD

from harness import Dataset, Parameter, hookimpl

if TYPE_CHECKING:
    import click

SHD_SYNTHETIC = Dataset(
    name="shd-synthetic",
    summary="generated twin of SHD: moving formants, 12 speakers, two of them in the test set alone",
    sensor_size=SHD.sensor_size,
    classes=tuple(f"{language}-{digit}" for language in ("rise", "fall") for digit in range(10)),
    source="harness_synthetic.formants:source",
    encodings=SHD.encodings,
    defaults={**SHD.defaults, "recipe.epochs": 30, "recipe.batch_size": 32},
    presets=SHD.presets,
    parameters=(
        Parameter(name="train", default=400, kind="int", minimum=20, summary="training recordings; SHD has 8156"),
        Parameter(name="test", default=200, kind="int", minimum=20, summary="test recordings; SHD has 2264"),
        Parameter(name="seed", default=0, kind="int", minimum=0, summary="what everything is drawn from"),
        Parameter(name="noise", default=0.25, kind="float", minimum=0, maximum=0.9, summary="share of stray events"),
    ),
    synthetic=True,
    licence="generated; no rights reserved",
)

DVSGESTURE_SYNTHETIC = Dataset(
    name="dvsgesture-synthetic",
    summary="generated twin of DVS128 Gesture: moving limbs before an event camera, 29 subjects, six in the test set alone",
    sensor_size=DVSGESTURE.sensor_size,
    classes=DVSGESTURE.classes,
    source="harness_synthetic.gestures:source",
    encodings=DVSGESTURE.encodings,
    defaults={**DVSGESTURE.defaults, "recipe.epochs": 10, "recipe.batch_size": 32, "recipe.temperature": 1.0},
    presets=DVSGESTURE.presets,
    parameters=(
        Parameter(
            name="train",
            default=253,
            kind="int",
            minimum=22,
            summary="training recordings; DVS128 Gesture has 1077",
        ),
        Parameter(name="test", default=132, kind="int", minimum=11, summary="test recordings; DVS128 Gesture has 264"),
        Parameter(name="seed", default=0, kind="int", minimum=0, summary="what everything is drawn from"),
        Parameter(
            name="duration",
            default=2000.0,
            kind="float",
            minimum=100,
            maximum=7000,
            unit="ms",
            summary="each recording lasts this long and up to a tenth longer; real ones about 6000",
        ),
        Parameter(
            name="noise",
            default=1.0,
            kind="float",
            minimum=0,
            maximum=20,
            summary="factor on the sensor's stray events",
        ),
    ),
    synthetic=True,
    licence="generated; no rights reserved",
)


@hookimpl
def register_datasets(register: Callable[[Dataset], None]) -> None:
    register(SHD_SYNTHETIC)
    register(DVSGESTURE_SYNTHETIC)


@hookimpl
def register_commands(cli: click.Group) -> None:
    from .commands import add

    add(cli)
