"""Figures of single neurons: the trains they are driven by, and what happens inside them step by step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .panels import ACROSS, head
from .style import COLOURS, save_all

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..dynamics import Dynamics, Stimulus, Trace

FIGURES = ("neurons", "raster")  # every name that is given
_NAMES = {"i_syn": "synaptic current", "v_mem": "membrane", "b": "adaptation b"}


def plot_dynamics(dynamics: Dynamics) -> Figure:
    """A column a configuration, four in a line; from above: output, membrane with its threshold, other states, current, input.

    Where a neuron puts out several spikes a step, marks are as high as their count.

    A second backend lies thin and dashed over the first, which is broad. A state that a neuron does not have, or no
    backend records, is said to be so.
    """
    from matplotlib.figure import Figure

    columns = dynamics.by_label()
    recorded = list(dict.fromkeys(name for trace in dynamics.traces for name in trace.states))
    states = sorted(recorded, key=lambda name: (name != "v_mem", name == "i_syn"))
    lines = ["output", *states, "input"]
    across = min(len(columns), ACROSS)
    blocks = -(-len(columns) // across)
    figure = Figure(figsize=(1.0 + 3.6 * across, 1.0 + (0.4 + 1.35 * len(lines)) * blocks))
    most = max((float(trace.spikes.max(initial=0)) for trace in dynamics.traces), default=0.0)
    heights = [_low(name, most) for name in lines] * blocks
    grid = figure.subplots(len(heights), across, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights})
    for place, (label, traces) in enumerate(columns.items()):
        block, column = divmod(place, across)
        own = grid[block * len(lines) : (block + 1) * len(lines), column]
        own[0].set_title(label)
        for axis, first, name in zip(own, grid[:, 0], lines, strict=False):
            # Neurons are compared by height, over all blocks.
            if axis is not first:
                axis.sharey(first)
            axis.tick_params(labelleft=column == 0, labelbottom=name == "input")
            _panel(axis, name, traces, dynamics.stimulus, counted=most > 1)
            if name in states and not any(name in trace.states for trace in traces):
                _without(axis, "none" if any(trace.states for trace in traces) else "not recorded", first=column == 0)
            if column == 0:
                axis.set_ylabel("spikes" if name == "output" and most > 1 else _NAMES.get(name, name))
        own[-1].set_xlabel(_time(dynamics.stimulus))
    for spare in grid[(blocks - 1) * len(lines) :, len(columns) - (blocks - 1) * across :].flat:
        spare.remove()
    figure.align_ylabels(grid[:, 0])
    head(figure, dynamics.stimulus.title)
    found = {}
    for axis in figure.axes:
        found.update({label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)})
    if found:
        figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=min(4, len(found)))
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
    """Write each figure as svg and png to ``folder``; returns the paths."""
    return save_all(dynamics_figures(dynamics), folder)


def dynamics_figures(dynamics: Dynamics) -> Iterator[tuple[str, Figure]]:
    """``neurons`` and, where trains were drawn, ``raster``, one by one; to be drawn inside ``styled()``."""
    yield "neurons", plot_dynamics(dynamics)
    if dynamics.stimulus.raster is not None:
        yield "raster", plot_raster(dynamics.stimulus)


def _low(name: str, most: float) -> float:
    """The height of a line; one mark a spike needs little of it, counts need some."""
    return 1.0 if name == "output" and most > 1 else 0.6 if name in ("output", "input") else 1.4


def _panel(axis: Axes, name: str, traces: list[Trace], stimulus: Stimulus, *, counted: bool) -> None:
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    scale = stimulus.dt_ms or 1
    at = np.arange(len(stimulus.values)) * scale
    if name == "input":
        # The last step lasts as long as any.
        ends, held = np.append(at, len(at) * scale), np.append(stimulus.values, stimulus.values[-1:])
        axis.step(ends[: len(held)], held, where="post", color="#555555", linewidth=1)
        axis.set_ylim(bottom=min(0.0, float(stimulus.values.min(initial=0))))
        return
    if name == "v_mem":
        known = [trace.threshold for trace in traces if trace.threshold is not None]
        for threshold in known[:1]:
            axis.plot(at, threshold, color=COLOURS[1], linewidth=1, linestyle=":", label="threshold")
    for index, trace in enumerate(traces):
        colour, style, width = COLOURS[0], "-", 1.2
        if len(traces) > 1:
            # What lies over each other must be seen to do so: broad and light below, thin and dark above.
            colour, style, width = COLOURS[(4, 6, 3, 2)[index % 4]], "--" if index else "-", 1.0 if index else 3.0
        if name == "output":
            fired = np.flatnonzero(trace.spikes)
            # A backend without states has no line that could name it.
            label = None if trace.states else f"{trace.backend} (output alone)"
            if counted:
                heights = trace.spikes[fired]
                axis.vlines(
                    fired * scale, 0, heights, color=colour, linestyle=style, linewidth=width, label=label or ""
                )
                continue
            place = np.full(len(fired), -index)
            axis.scatter(fired * scale, place, s=60, marker="|", linewidths=1.4, color=colour, label=label)
        elif name in trace.states:
            axis.plot(at, trace.states[name], color=colour, linestyle=style, linewidth=width, label=trace.backend)
    if name == "output" and counted:
        axis.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        axis.set_ylim(bottom=0)
    elif name == "output":
        axis.set_yticks([])
        axis.set_ylim(-len(traces) + 0.3, 0.7)


def _without(axis: Axes, why: str, *, first: bool) -> None:
    """A panel of what the neuron does not have; the ``first`` of a line keeps the numbers that the others share."""
    axis.grid(False)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(bottom=False)
    if not first:
        axis.spines["left"].set_visible(False)
        axis.tick_params(left=False)
    axis.text(0.5, 0.5, why, transform=axis.transAxes, ha="center", va="center", color="#777777")


def _time(stimulus: Stimulus) -> str:
    return "time step" if stimulus.dt_ms is None else "time (ms)"
