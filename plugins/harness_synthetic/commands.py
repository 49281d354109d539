"""``harness data synthesize LAYOUT DIR``: the generated twins in the layouts of the datasets that they stand in for."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def data() -> None:
    """Work with datasets."""


@data.group()
def synthesize() -> None:
    """Write generated recordings in a dataset's own layout, for 'harness run --plugins shd --data DIR'."""


@synthesize.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--train", default=400, show_default=True, type=click.IntRange(20), help="Training recordings; SHD has 8156."
)
@click.option("--test", default=200, show_default=True, type=click.IntRange(20), help="Test recordings; SHD has 2264.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="What everything is drawn from.")
@click.option("--noise", default=0.25, show_default=True, type=click.FloatRange(0, 0.9), help="Share of stray events.")
def shd(folder: Path, train: int, test: int, seed: int, noise: float) -> None:
    """Spoken-digit-like recordings as SHD's two HDF5 files, in DIR/SHD."""
    from .files import write_shd

    for path in write_shd(folder, train=train, test=test, seed=seed, noise=noise):
        click.echo(f"{path}: synthetic")


# From 100 files a split on tonic takes the data for complete; there are 23 and 6 subjects, 5 lightings and 11 classes.
@synthesize.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--train",
    default=253,
    show_default=True,
    type=click.IntRange(100, 23 * 5 * 11),
    help="Training recordings; DVS128 Gesture has 1077.",
)
@click.option(
    "--test",
    default=132,
    show_default=True,
    type=click.IntRange(100, 6 * 5 * 11),
    help="Test recordings; DVS128 Gesture has 264.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="What everything is drawn from.")
@click.option(
    "--duration",
    default=2000.0,
    show_default=True,
    type=click.FloatRange(100, 7000),
    help="Milliseconds that a recording lasts, and up to a tenth longer; real ones about 6000.",
)
@click.option(
    "--noise",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 20),
    help="Factor on the sensor's stray events.",
)
def dvsgesture(folder: Path, train: int, test: int, seed: int, duration: float, noise: float) -> None:
    """Gestures before an event camera as tonic's files of DVS128 Gesture, in DIR/DVSGesture."""
    import sys

    from .gesture_files import write_gestures

    with click.progressbar(
        length=train + test, label="writing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        paths = write_gestures(
            folder,
            train=train,
            test=test,
            seed=seed,
            duration=duration,
            noise=noise,
            report=lambda text, done, total: bar.update(1),
        )
    for path in paths:
        click.echo(f"{path}: synthetic")


def add(cli: click.Group) -> None:
    """Add ``data`` to ``cli``, or ``synthesize`` to the group of that name that another plugin has added."""
    existing = cli.commands.get("data")
    if isinstance(existing, click.Group):
        existing.add_command(synthesize)
    else:
        cli.add_command(click.Group(name="data", help=data.help, commands=dict(data.commands)))
