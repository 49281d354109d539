"""Figures of single neurons: the trains they are driven by, and what happens inside them step by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .panels import head
from .style import COLOURS, save, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..dynamics import Dynamics, Stimulus, Trace

_NAMES = {"i_syn": "synaptic current", "v_mem": "membrane", "b": "adaptation b"}


def plot_dynamics(dynamics: Dynamics) -> Figure:
    """A column a configuration; from above: output, membrane with its threshold, other states, current, input.

    A second backend lies dashed over the first. A state that no backend records has no panel.
    """
    from matplotlib.figure import Figure

    columns = dynamics.by_label()
    recorded = list(dict.fromkeys(name for trace in dynamics.traces for name in trace.states))
    states = sorted(recorded, key=lambda name: (name != "v_mem", name == "i_syn"))
    lines = ["output", *states, "input"]
    figure = Figure(figsize=(1.0 + 3.6 * len(columns), 1.4 + 1.35 * len(lines)))
    heights = [0.6 if name in ("output", "input") else 1.4 for name in lines]
    grid = figure.subplots(
        len(lines),
        len(columns),
        squeeze=False,
        sharex=True,
        sharey="row",
        gridspec_kw={"height_ratios": heights},
    )
    for place, (label, traces) in enumerate(columns.items()):
        grid[0][place].set_title(label)
        for axis, name in zip(grid[:, place], lines, strict=True):
            _panel(axis, name, traces, dynamics.stimulus)
            if name in states and not any(name in trace.states for trace in traces):
                axis.set_axis_off()
        grid[-1][place].set_xlabel(_time(dynamics.stimulus))
    for name, line in zip(lines, grid, strict=True):
        first = next((axis for axis in line if axis.axison), line[0])
        first.set_ylabel(_NAMES.get(name, name))
        first.tick_params(labelleft=True)
    figure.align_ylabels(grid[:, 0])
    head(figure, dynamics.stimulus.title)
    found = {}
    for axis in grid.flat:
        found.update({label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)})
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=min(4, len(found) or 1))
    return figure


def plot_raster(stimulus: Stimulus) -> Figure:
    """Every train that was drawn, the one that the neurons receive in colour."""
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4))
    axis = figure.subplots()
    if stimulus.raster is not None:
        scale = stimulus.dt_ms or 1
        rows, steps = np.nonzero(stimulus.raster)
        own = rows == stimulus.row
        axis.scatter(steps[~own] * scale, rows[~own], s=9, color="#555555")
        axis.scatter(
            steps[own] * scale, rows[own], s=14, color=COLOURS[0], label=f"train {stimulus.row}, shown to neurons"
        )
        axis.set_yticks(range(len(stimulus.raster)))
    axis.set_ylabel("train")
    axis.set_xlabel(_time(stimulus))
    head(figure, stimulus.title)
    figure.legend(loc="outside lower center")
    return figure


def write_dynamics(dynamics: Dynamics, folder: Path) -> list[Path]:
    """Write ``neurons`` and, where trains were drawn, ``raster`` as svg and png."""
    with styled():
        written = save(plot_dynamics(dynamics), folder, "neurons")
        if dynamics.stimulus.raster is not None:
            written += save(plot_raster(dynamics.stimulus), folder, "raster")
    return written


def _panel(axis: Axes, name: str, traces: list[Trace], stimulus: Stimulus) -> None:
    import numpy as np

    scale = stimulus.dt_ms or 1
    at = np.arange(len(stimulus.values)) * scale
    if name == "input":
        axis.step(at, stimulus.values, where="post", color="#555555", linewidth=1)
        axis.set_ylim(bottom=min(0.0, float(stimulus.values.min(initial=0))))
        return
    if name == "v_mem":
        known = [trace.threshold for trace in traces if trace.threshold is not None]
        for threshold in known[:1]:
            axis.plot(at, threshold, color=COLOURS[1], linewidth=1, linestyle=":", label="threshold")
    for index, trace in enumerate(traces):
        colour, style = COLOURS[(0, 2, 3, 6)[index % 4]], "-" if not index else "--"
        if name == "output":
            fired = np.flatnonzero(trace.spikes)
            # A backend without states has no line that could name it.
            label = None if trace.states else f"{trace.backend} (output alone)"
            axis.scatter(fired * scale, np.full(len(fired), -index), s=60, marker="|", color=colour, label=label)
        elif name in trace.states:
            axis.plot(at, trace.states[name], color=colour, linestyle=style, linewidth=1.2, label=trace.backend)
    if name == "output":
        axis.set_yticks([])
        axis.set_ylim(-len(traces) + 0.3, 0.7)


def _time(stimulus: Stimulus) -> str:
    return "time step" if stimulus.dt_ms is None else "time (ms)"
