"""Robustness: accuracy and SynOps on events that were changed, at graded strengths, before they are encoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import nn

from harness import Bulk, Context, Curve, MetricValue, View
from harness.evaluation import run_batches
from harness.events.frames import Frames

from .perturbations import Perturbation, channel_loss, drop, jitter, shift, spurious
from .synops import SynOps
from .tracing import Structures

if TYPE_CHECKING:
    from harness.observation import Recordings, Role

_NAME = "robustness"
# Recordings read in one go, and events after which no more are read: long recordings are evaluated in smaller parts.
_READ, _EVENTS = 16, 4_000_000


@dataclass(frozen=True)
class _Axis:
    """One kind of change and how its strength is called."""

    change: Perturbation
    title: str
    unit: str

    def upto(self, strength: float) -> str:
        """How far a curve reaches, in words."""
        reached = f"{100 * strength:g} %" if self.unit == "fraction" else f"{strength:g} {self.unit}"
        return f"{self.title} to {reached}"


_AXES = {
    "drop": _Axis(drop, "events dropped", "fraction"),
    "jitter": _Axis(jitter, "time jitter", "ms"),
    "spurious": _Axis(spurious, "spurious events", "fraction"),
    "channel_loss": _Axis(channel_loss, "channels lost", "fraction"),
    "shift": _Axis(shift, "time shift", "ms"),
}


class Robustness:
    """Notes which recordings an evaluation shows, and evaluates them again, changed, once it is over.

    ``seed`` is the metric's own, so that every configuration and every seed of a trial meets the same changed events. An empty
    list of strengths leaves a kind of change out.
    """

    def __init__(
        self,
        *,
        drop: Sequence[float],
        jitter: Sequence[float],
        spurious: Sequence[float],
        channel_loss: Sequence[float],
        shift: Sequence[float],
        seed: int,
    ) -> None:
        asked = {"drop": drop, "jitter": jitter, "spurious": spurious, "channel_loss": channel_loss, "shift": shift}
        self.strengths = {name: tuple(sorted(set(values))) for name, values in asked.items() if values}
        self.seed = seed

    def start(self, model: nn.Module, context: Context) -> None:
        self.model, self.context = model, context
        self.labels: dict[int, int] = {}

    def batch(self, view: View) -> None:
        self.labels.update(zip(view.recordings.tolist(), view.labels.tolist(), strict=True))

    def merge(self, other: Robustness) -> None:
        self.labels |= other.labels

    def result(self) -> Mapping[str, MetricValue]:
        events = self.context.events
        if not self.strengths:
            return _none("every list of strengths is empty")
        if events is None:
            return _none("there are no events to change")
        if not self.labels:
            return _none("no recordings")
        unchanged, points = self._evaluated(events)
        if not unchanged.samples:
            return _none("no samples")
        details = {
            f"{_NAME}_{name}": _detail(_AXES[name], self.strengths[name], [unchanged, *points[name]])
            for name in self.strengths
        }
        areas = [figure.value or 0.0 for figure in details.values()]
        reach = ", ".join(_AXES[name].upto(strengths[-1]) for name, strengths in self.strengths.items())
        note = f"mean of the areas under accuracy against {reach}"
        return {_NAME: _value(sum(areas) / len(areas), _NAME, role="quality", note=note), **details}

    def _evaluated(self, events: Recordings) -> tuple[_Point, dict[str, list[_Point]]]:
        """What the model does with the events as they are, and with those of every strength."""
        structures = Structures(self.model)
        unchanged = _Point(self.model, self.context, structures)
        points = {
            name: [_Point(self.model, self.context, structures) for _ in given]
            for name, given in self.strengths.items()
        }
        for recordings, bulk in _parts(events, sorted(self.labels), self.context.batch_size):
            ids = np.array(recordings, dtype=np.int64)
            labels = np.array([self.labels[recording] for recording in recordings], dtype=np.int64)
            plain: Frames = events.encode(bulk, ids, labels)
            samples = _by_recording(ids, plain)
            unchanged.add(plain, samples)
            for name, strengths in self.strengths.items():
                for point, strength in zip(points[name], strengths, strict=True):
                    changed = _AXES[name].change(bulk, strength, events.sensor_size, recordings, self.seed)
                    point.add(_first(samples, ids, events.encode(changed, ids, labels)), samples)
        return unchanged, points


class _Point:
    """The model at one strength: right predictions, and synaptic operations or why there are none."""

    def __init__(self, model: nn.Module, context: Context, structures: Structures) -> None:
        self.model, self.context, self.structures = model, context, structures
        self.right = self.samples = self.recordings = 0
        self.trouble = ""
        # By time steps: recordings that keep their own length are padded to the longest of their part, which differs.
        self.counters: dict[int, SynOps] = {}
        self.counted: dict[int, int] = {}

    def add(self, frames: Frames, samples: npt.NDArray[np.int64]) -> None:
        """Evaluate ``frames``, of recordings that have ``samples`` (recordings,) as they are: those that are gone are wrong."""
        self.samples += int(samples.sum())
        self.recordings += int(np.count_nonzero(samples))
        if not len(frames):
            return
        steps = frames.frames.shape[1]
        self.counted[steps] = self.counted.get(steps, 0) + len(np.unique(frames.recordings))
        run_batches(
            self.model,
            _with_a_step(frames),
            batch_size=self.context.batch_size,
            device=self.context.device,
            needs=frozenset() if self.trouble else frozenset({"spikes", "inputs"}),
            see=lambda view: self._see(steps, view),
        )

    def _see(self, steps: int, view: View) -> None:
        self.right += int((view.counts.argmax(1) == view.labels).sum())
        if self.trouble:
            return
        try:
            if steps not in self.counters:
                counter = SynOps(self.structures)
                counter.start(self.model, self.context)
                self.counters[steps] = counter
            self.counters[steps].batch(view)
        except Exception as error:  # a layer that SynOps does not understand takes no accuracy away
            self.trouble = f"{type(error).__name__}: {error}"

    @property
    def accuracy(self) -> float:
        return self.right / self.samples

    def synops(self) -> float | None:
        """Operations a recording; a recording that is gone has none. None where they cannot be counted."""
        total = 0
        for steps, counter in self.counters.items():
            if self.trouble:
                return None
            try:
                mean = counter.result()["synops"].value
            except Exception as error:
                self.trouble = f"{type(error).__name__}: {error}"
                return None
            # Operations are whole numbers: no cut into parts changes a digit.
            total += round((mean or 0) * self.counted[steps])
        return None if self.trouble else total / self.recordings


def _parts(events: Recordings, ids: Sequence[int], size: int) -> Iterator[tuple[Sequence[int], Bulk]]:
    """The recordings ``ids`` in turn, each read once: ``size`` at a time, or fewer where they are long."""
    begin = 0
    while begin < len(ids):
        end, read = begin, list[Bulk]()
        until = min(begin + size, len(ids))
        while end < until and sum(len(bulk.t) for bulk in read) < _EVENTS:
            read.append(events.read(ids[end : min(end + _READ, until)]))
            end = min(end + _READ, until)
        yield ids[begin:end], _joined(read)
        begin = end


def _joined(parts: Sequence[Bulk]) -> Bulk:
    def field(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Bulk(t=field("t"), x=field("x"), y=field("y"), p=field("p"), offsets=offsets)


def _by_recording(ids: npt.NDArray[np.int64], frames: Frames) -> npt.NDArray[np.int64]:
    """How many samples each of ``ids`` (ascending) has."""
    return np.bincount(np.searchsorted(ids, frames.recordings), minlength=len(ids))


def _first(samples: npt.NDArray[np.int64], ids: npt.NDArray[np.int64], frames: Frames) -> Frames:
    """As many samples of each recording as it has unchanged: a later last event may complete one more slice."""
    owner = np.searchsorted(ids, frames.recordings)
    found = np.bincount(owner, minlength=len(ids))
    keep = np.arange(len(owner)) - (np.cumsum(found) - found)[owner] < samples[owner]
    if keep.all():
        return frames
    lengths = None if frames.lengths is None else frames.lengths[keep]
    return Frames(frames.frames[keep], frames.labels[keep], frames.recordings[keep], None, lengths)


def _with_a_step(frames: Frames) -> Frames:
    """``frames``, or one hidden step of them where no event is left to give them any."""
    if frames.frames.shape[1]:
        return frames
    shape = frames.frames.shape
    empty = np.zeros((shape[0], 1, *shape[2:]), dtype=frames.frames.dtype)
    return Frames(empty, frames.labels, frames.recordings, None, np.zeros(len(frames), dtype=np.int64))


def _detail(axis: _Axis, strengths: Sequence[float], points: Sequence[_Point]) -> MetricValue:
    """The area and the curves of one kind of change; the first of ``points`` is strength 0."""
    x = [0.0, *strengths]
    accuracy = [point.accuracy for point in points]
    synops = [point.synops() for point in points]
    troubles = dict.fromkeys(point.trouble for point in points if point.trouble)
    curves = {"accuracy": _curve(axis, x, accuracy, "accuracy", "fraction")}
    if not troubles:
        curves["synops"] = _curve(axis, x, synops, "SynOps", "operations/recording")
    return _value(
        _area(x, accuracy),
        f"accuracy over {axis.title}",
        curves=curves,
        note=f"no curve of SynOps: {'; '.join(troubles)}" if troubles else "",
    )


def _curve(axis: _Axis, x: Sequence[float], y: Sequence[float | None], title: str, unit: str) -> Curve:
    return Curve(x=x, y=y, x_title=axis.title, x_unit=axis.unit, y_title=title, y_unit=unit)


def _area(x: Sequence[float], y: Sequence[float]) -> float:
    """Under the straight lines between points, over the width: the mean height."""
    pieces = [(x[k + 1] - x[k]) * (y[k + 1] + y[k]) / 2 for k in range(len(x) - 1)]
    return sum(pieces) / (x[-1] - x[0])


def _none(reason: str) -> Mapping[str, MetricValue]:
    return {_NAME: _value(None, _NAME, role="quality", reason=reason)}


def _value(
    value: float | None,
    title: str,
    *,
    role: Role = "detail",
    reason: str = "",
    note: str = "",
    curves: Mapping[str, Curve] | None = None,
) -> MetricValue:
    return MetricValue(
        value=value,
        reason=reason,
        note=note,
        unit="fraction",
        direction="higher",
        kind="seeded",
        title=title,
        role=role,
        curves=curves or {},
    )
