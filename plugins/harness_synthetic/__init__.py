"""Generated twins of real datasets: always labelled synthetic, small by default, any size on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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


@hookimpl
def register_datasets(register: Callable[[Dataset], None]) -> None:
    register(SHD_SYNTHETIC)


@hookimpl
def register_commands(cli: click.Group) -> None:
    from .commands import add

    add(cli)
