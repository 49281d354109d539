"""The metrics: accuracy and loss, firing rate, SynOps, four latencies, footprint, energy by named tables, robustness."""

from collections.abc import Callable

from harness import Metric, Parameter, hookimpl

from .tables import TABLES, EnergyTable, energy_metric

__all__ = ["EnergyTable", "energy_metric", "register_metrics"]

_BOTH = ("before", "after")


def _shares(name: str, default: tuple[float, ...], summary: str) -> Parameter:
    return Parameter(name=name, default=default, kind="floats", above=0, maximum=1, summary=summary)


def _delays(name: str, default: tuple[float, ...], summary: str) -> Parameter:
    return Parameter(name=name, default=default, kind="floats", above=0, maximum=60_000, unit="ms", summary=summary)


METRICS = (
    Metric(
        name="accuracy",
        summary="share of samples, and of recordings in slices, whose class has the most output spikes; per class, and confusion",
        observer="harness_metrics.accuracy:Accuracy",
        phases=_BOTH,
        splits=("train", "validation", "test"),
    ),
    Metric(
        name="loss",
        summary="mean cross-entropy of the output spike counts",
        observer="harness_metrics.loss:Loss",
        phases=_BOTH,
        splits=("train", "validation", "test"),
    ),
    Metric(
        name="firing-rate",
        summary="spikes per neuron and step: of neurons, layers, classes; silent and saturated shares",
        observer="harness_metrics.firing_rate:FiringRate",
        needs=frozenset({"spikes"}),
        phases=_BOTH,
    ),
    Metric(
        name="synops",
        summary="synaptic operations a recording: events times non-zero outgoing weights; by layer, class and step",
        observer="harness_metrics.synops:SynOps",
        needs=frozenset({"spikes", "inputs"}),
        phases=_BOTH,
    ),
    Metric(
        name="first-spike",
        summary="time to the first output spike, and the share of samples without any",
        observer="harness_metrics.first_spike:FirstSpike",
    ),
    Metric(
        name="anytime",
        summary="accuracy of the readout as it grows over time: curve, area, time to 95 % of the final accuracy",
        observer="harness_metrics.anytime:Anytime",
    ),
    Metric(
        name="decision",
        summary="time from which a prediction no longer changes; accuracy and SynOps of stopping at a margin",
        observer="harness_metrics.decision:Decision",
        needs=frozenset({"spikes", "inputs"}),
        parameters=(
            Parameter(
                name="margin",
                default=4,
                kind="int",
                minimum=1,
                maximum=16,
                unit="spikes",
                summary="stop where the leading class is so far ahead of the next",
            ),
        ),
    ),
    Metric(
        name="footprint",
        summary="parameters, bytes, non-zero weights, neurons and their states; peak memory of training",
        observer="harness_metrics.footprint:Footprint",
        needs=frozenset({"spikes"}),
    ),
    Metric(
        name="wall-clock",
        summary="wall-clock time of a forward pass at batch 1 and at the trial's batch",
        observer="harness_metrics.wall_clock:WallClock",
        needs=frozenset({"timing"}),
        phases=("timing",),
    ),
    Metric(
        name="robustness",
        summary="accuracy and SynOps under dropped, jittered, spurious and late events and dead channels: curves, one area",
        observer="harness_metrics.robustness:Robustness",
        needs=frozenset({"events"}),
        on=False,
        parameters=(
            _shares("drop", (0.1, 0.25, 0.5, 0.75), "shares of the events that go"),
            _delays("jitter", (1.0, 5.0, 10.0, 20.0), "standard deviations of noise on event times"),
            _shares("spurious", (0.1, 0.25, 0.5, 1.0), "events added, as shares of a recording's own"),
            _shares("channel_loss", (0.1, 0.25, 0.5, 0.75), "shares of channels, or pixels, that are dead"),
            _delays("shift", (10.0, 25.0, 50.0, 100.0), "how much later all events come"),
            Parameter(name="seed", default=0, kind="int", minimum=0, summary="what every change is drawn from"),
        ),
    ),
    *(energy_metric(table) for table in TABLES),
)


@hookimpl
def register_metrics(register: Callable[[Metric], None]) -> None:
    for metric in METRICS:
        register(metric)
