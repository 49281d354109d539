"""The metrics: accuracy, loss, firing rate, SynOps, footprint and wall-clock latency."""

from collections.abc import Callable

from harness import Metric, hookimpl

_BOTH = ("before", "after")

METRICS = (
    Metric(
        name="accuracy",
        summary="share of samples whose class has the most output spikes; per class, and confusion",
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
        summary="spikes per neuron and step, over all spiking layers and by layer; silent and saturated shares",
        observer="harness_metrics.firing_rate:FiringRate",
        needs=frozenset({"layers"}),
        phases=_BOTH,
    ),
    Metric(
        name="synops",
        summary="synaptic operations a recording: events times non-zero outgoing weights",
        observer="harness_metrics.synops:SynOps",
        needs=frozenset({"layers"}),
        phases=_BOTH,
    ),
    Metric(
        name="footprint",
        summary="parameters, non-zero weights and neurons",
        observer="harness_metrics.footprint:Footprint",
        needs=frozenset({"layers"}),
    ),
    Metric(
        name="latency",
        summary="wall-clock time of a forward pass at batch 1 and at the trial's batch",
        observer="harness_metrics.latency:Latency",
        needs=frozenset({"timing"}),
        phases=("timing",),
    ),
)


@hookimpl
def register_metrics(register: Callable[[Metric], None]) -> None:
    for metric in METRICS:
        register(metric)
