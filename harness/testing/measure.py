"""A metric's figures on numbers written by hand: for tests, and for examples that documentation can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ..components import Encoding, Metric, load_reference
from ..evaluation import run_batches
from ..events.encode import encode_bulk
from ..events.frames import Frames
from ..model import context
from ..observation import MetricValue, Training, View
from ..registry import Registry
from ..source import Bulk
from ..state import carried_state, kept_state


class FrameEvents:
    """Events that encode to given frames, one in the middle of its bin for each count.

    Satisfies :class:`harness.observation.Recordings`.
    """

    def __init__(self, frames: Frames, dt_ms: float) -> None:
        shape = frames.frames.shape[2:]
        self._frames = frames
        self._dt = Encoding.microseconds(dt_ms)
        crop = None if frames.lengths is not None else dt_ms * frames.frames.shape[1]
        self._encoding = Encoding(dt=dt_ms, crop=crop)
        self.sensor_size = (shape[0], 1, 1) if len(shape) == 1 else (shape[2], shape[1], shape[0])

    def read(self, recordings: Sequence[int]) -> Bulk:
        """The events of the samples whose ids these are."""
        parts = []
        for recording in recordings:
            counts = self._frames.frames[int(np.flatnonzero(self._frames.recordings == recording)[0])]
            places = np.nonzero(counts)
            parts.append(np.repeat(np.stack(places), counts[places], axis=1))
        together = np.concatenate(parts, axis=1)
        vision = len(together) == 4
        return Bulk(
            t=together[0] * self._dt + self._dt // 2,
            x=together[-1],
            y=together[-2] if vision else None,
            p=together[-3] if vision else None,
            offsets=np.cumsum([0, *(part.shape[1] for part in parts)]),
        )

    def encode(self, bulk: Bulk, recordings: Any, labels: Any) -> Frames:
        """``bulk`` as frames again."""
        encoded = encode_bulk(bulk, self._encoding, self.sensor_size)
        return Frames(encoded.frames, np.asarray(labels), np.asarray(recordings), None, encoded.lengths)


def measure(
    name: str,
    model: nn.Module,
    counts: Any,
    labels: Sequence[int] | None = None,
    *,
    classes: int | None = None,
    dt_ms: float = 10.0,
    lengths: Sequence[int] | None = None,
    batch_size: int = 128,
    seconds: Mapping[int, Sequence[float]] | None = None,
    training: Training | None = None,
    registry: Registry | None = None,
    **parameters: object,
) -> dict[str, MetricValue]:
    """The figures of the metric ``name`` for ``model`` on ``counts`` (recordings, steps, ...), whole numbers >= 0.

    ``labels`` are 0 where none are given; ``lengths`` real steps a recording. A metric of the timing phase sees ``seconds``: what
    passes of each batch size took. Layers of sinabs, snnTorch and SpikingJelly are reset before every batch. Whatever the metric
    raises is raised, and ``ValueError`` names what else ``model`` carries from one batch into the next.
    """
    inputs = np.asarray(counts, dtype=np.uint8)
    truth = np.zeros(len(inputs), dtype=np.int64) if labels is None else np.asarray(labels, dtype=np.int64)
    frames = Frames(inputs, truth, np.arange(len(inputs)), None, None if lengths is None else np.asarray(lengths))
    metric = cast(Metric, (registry or Registry.discover()).find(name).component)
    observer = load_reference(metric.observer)(**metric.choose(**parameters).values)
    outputs = _outputs(model, inputs) if classes is None else classes
    told = context(
        model,
        classes=[str(number) for number in range(outputs)],
        split=metric.splits[0],
        phase=metric.phases[-1],
        dt_ms=dt_ms,
        batch_size=batch_size,
        device="cpu",
        training=training,
        events=FrameEvents(frames, dt_ms) if "events" in metric.needs else None,
    )
    _refuse_carried_state(model, inputs)
    observer.start(model, told)
    if "timing" in metric.needs:
        for size, taken in (seconds or {}).items():
            for passed in taken:
                observer.batch(
                    View(
                        outputs=torch.zeros(size, 0, outputs),
                        labels=torch.zeros(size, dtype=torch.int64),
                        recordings=torch.arange(size),
                        seconds=passed,
                    )
                )
    else:
        run_batches(model, frames, batch_size=batch_size, needs=metric.needs, see=observer.batch)
    figures: dict[str, MetricValue] = dict(observer.result())
    return figures


def _outputs(model: nn.Module, inputs: Any) -> int:
    with _evaluation(model), torch.inference_mode():
        return int(model(torch.from_numpy(inputs[:1].astype(np.float32))).shape[2])


def _refuse_carried_state(model: nn.Module, inputs: Any) -> None:
    if not len(inputs):
        return
    with _evaluation(model):
        carried = carried_state(model, torch.from_numpy(inputs[:2].astype(np.float32)))
    if carried:
        raise ValueError(
            f"the network carries state from one batch into the next, in {', '.join(carried)}: figures would depend on the batch size; "
            "begin every forward pass anew"
        )


@contextmanager
def _evaluation(model: nn.Module) -> Iterator[None]:
    """While inside, ``model`` is in evaluation mode; afterwards it is as before, what it keeps included."""
    was_training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with kept_state(model):
            yield
    finally:
        for module, training in was_training.items():
            module.training = training
