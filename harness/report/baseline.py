"""A baseline as a person reviews it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..baselines.form import Baseline, Configuration, Figure
from ..comparison.statistics import mean_interval
from .formats import heading, interval_text, shown_unit

if TYPE_CHECKING:
    from rich.console import RenderableType


def terminal(made: Baseline) -> RenderableType:
    """Its figures by configuration, what it ran on, and what it lets pass."""
    from rich.console import Group
    from rich.text import Text

    from .grid import Grid, Strip

    lines = [(item, figure) for item in made.configurations for figure in item.figures]
    labels = ["" if index and lines[index - 1][0] is item else _label(item) for index, (item, _) in enumerate(lines)]
    grid = Grid(
        left=[
            Strip(["configuration"], [Text(label) for label in labels]),
            Strip(["figure"], [Text(_heading(figure)) for _, figure in lines], slashes=True),
        ],
        figures=[
            Strip(["value"], [Text(_value(figure)) for _, figure in lines]),
            Strip(["kind"], [Text(figure.kind) for _, figure in lines]),
            Strip(["lets pass"], [Text(_passes(made, figure)) for _, figure in lines]),
        ],
    )
    packages = made.environment.get("packages", {})
    git = made.environment.get("git") or {}
    commit = f", commit {str(git.get('commit'))[:10]}{' with changes' if git.get('dirty') else ''}" if git else ""
    told = [
        f"{made.name}: snn-harness {made.harness}{commit}, saved {made.created} of {made.run}",
        f"on {made.environment.get('cpu')}, {made.environment.get('platform')}, Python {made.environment.get('python')}, "
        f"torch {packages.get('torch')}, {made.experiment.get('device')}, threads: {made.experiment.get('threads')}",
        f"experiment: {', '.join(made.experiment.get('plugins', ()))}; seeds "
        f"{', '.join(map(str, made.experiment.get('seeds', ())))}; confidence {made.gate.confidence:g}",
    ]
    return Group(*(Text(text, style="bold" if index == 0 else "dim") for index, text in enumerate(told)), grid)


def _label(item: Configuration) -> str:
    return f"{item.label} (synthetic)" if item.data.get("synthetic") else item.label


def _heading(figure: Figure) -> str:
    return heading(figure.title, figure.direction, shown_unit(figure.unit))


def _value(figure: Figure) -> str:
    values = [float(value) for value in figure.values.values()]
    return interval_text(mean_interval(values), figure.unit) if values else "-"


def _passes(made: Baseline, figure: Figure) -> str:
    if figure.kind == "exact":
        return f"{made.gate.tolerance(figure.name, figure.tolerance):g}"
    if figure.direction == "none":
        return "-"
    margin = 100 * made.gate.margin(figure.name, figure.unit)
    return f"{margin:g} pp" if figure.unit == "fraction" else f"{margin:g} %"
