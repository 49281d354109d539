"""``harness neurons``: what declared neurons do with one input, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..experiment import parse_setting
from ..places import data_folder
from .concluding import check_output, write_plots
from .given import refuse_beside_json, separate, told_by_user

if TYPE_CHECKING:
    from ..dynamics import Dynamics
    from ..registry import Registry

_OF_INPUT = ("rate", "train", "seed", "steps", "weight", "dt_ms", "split", "recording", "channel")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--input", "given", default="random", metavar="INPUT", help="random (default), constant, or a dataset.")
@click.option("--rate", type=click.FloatRange(0, 1), default=0.1, help="Of a random train: spikes a step (0.1).")
@click.option("--train", type=int, default=3, help="Which of the ten random trains the neurons receive (3).")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=30, help="Of the random trains (30).")
@click.option(
    "--steps", type=click.IntRange(1, 100_000), default=200, help="Length of random and constant input (200)."
)
@click.option(
    "--weight", type=float, help="Factor on the input, or the constant current (default: the first at which all fire)."
)
@click.option("--dt", "dt_ms", type=float, metavar="MS", help="Length of a step, for time axes (default: count steps).")
@click.option("--split", default="test", help="Of a dataset's recording (test).")
@click.option("--recording", type=int, default=0, help="Which recording of the dataset (0).")
@click.option("--channel", type=int, help="Which channel of a step, counted flat (default: the one with most events).")
@click.option(
    "-o",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Such as lif.tau_mem=5,20, where commas sweep; or encoding.dt=5 of a dataset.",
)
@click.option(
    "--backend", "backends", metavar="A,B", help="Compute on these, laid over each other (default: the definition)."
)
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Instead of HARNESS_DATA.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("neurons"), metavar="DIR", help="For figures (./neurons)."
)
@click.option("--json", "as_json", is_flag=True, help="Print rates, states and spikes as JSON; draw nothing.")
@click.pass_context
def neurons(
    context: click.Context, /, names: tuple[str, ...], as_json: bool, output: Path, data: Path | None, **given: Any
) -> None:
    """Show the input, states and output spikes of NAMES (default: every neuron that has a definition)."""
    registry: Registry = context.obj["registry"]
    told = told_by_user(context)
    if as_json:
        refuse_beside_json(told)
    else:
        check_output(output)
    settings = dict(parse_setting(text) for text in given["settings"])

    from ..dynamics import neuron_dynamics, refuse_foreign, stimulus

    refuse_foreign(given["given"], ["dt" if name == "dt_ms" else name for name in told])
    own = {name: given[name] for name in _OF_INPUT}
    received = stimulus(registry, given["given"], **own, data=data_folder(data), settings=settings)
    dynamics = neuron_dynamics(registry, received, separate(*names), settings, separate(given["backends"] or ""))
    if as_json:
        click.echo(json.dumps(_plain(dynamics), allow_nan=False))
        return
    _table(dynamics)

    from ..report.dynamics_plots import FIGURES, write_dynamics

    write_plots(output, lambda folder: write_dynamics(dynamics, folder), FIGURES)


def _plain(dynamics: Dynamics) -> dict[str, Any]:
    dt_ms = dynamics.stimulus.dt_ms
    return {
        "input": {
            "title": dynamics.stimulus.title,
            "weight": dynamics.stimulus.weight,
            "dt_ms": dt_ms,
            "values": dynamics.stimulus.values.tolist(),
        },
        "neurons": [
            {
                "label": trace.label,
                "backend": trace.backend,
                **trace.rates(dt_ms),
                "output": trace.spikes.tolist(),
                "threshold": None if trace.threshold is None else trace.threshold.tolist(),
                "states": {name: values.tolist() for name, values in trace.states.items()},
            }
            for trace in dynamics.traces
        ],
    }


def _table(dynamics: Dynamics) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    dt_ms = dynamics.stimulus.dt_ms
    several = any(len(traces) > 1 for traces in dynamics.by_label().values())
    steps = len(dynamics.stimulus.values)
    click.echo(f"{dynamics.stimulus.title}, {steps} step{'s' * (steps != 1)}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    headings = ["neuron", "backend", "spikes", "a step", *(["Hz"] if dt_ms else []), "first at step"]
    for heading in [*headings, *(["differs from the first"] if several else [])]:
        table.add_column(heading, justify="left" if heading in ("neuron", "backend") else "right")
    for traces in dynamics.by_label().values():
        for trace in traces:
            rates = trace.rates(dt_ms)
            cells = [trace.label, trace.backend, _short(rates["spikes"], "d"), _short(rates["per_step"], ".3f")]
            cells += [_short(rates["hz"], ".1f")] if dt_ms else []
            cells.append("-" if rates["first"] is None else str(rates["first"]))
            if several:
                count, first = trace.differs(traces[0])
                cells.append("" if trace is traces[0] else f"{count} steps, first {first}" if count else "nowhere")
            table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
    for remark in dynamics.remarks():
        click.echo(remark)


def _short(number: float | int | None, form: str) -> str:
    """``number`` in ``form``, or by its power of ten where nobody would count its digits."""
    return "-" if number is None else format(number, form) if number < 1e9 else f"{number:.3g}"
