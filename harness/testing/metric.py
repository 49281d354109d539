"""Checks of a metric: the same figures however an evaluation is cut, and figures or reasons for every network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast, get_args
from unittest import SkipTest

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

from ..components import Metric, load_reference
from ..evaluation import run_batches
from ..events.frames import Frames
from ..metric_rows import ValueProblem, value_row
from ..model import SpikingLayer, context
from ..observation import Context, Direction, Kept, LayerView, MetricValue, Role, Training, ValueKind, View
from .measure import FrameEvents
from .suite import Suite

_CLASSES = ("one", "two", "three")
_STEPS, _CHANNELS = 6, 5


class _Above(nn.Module):
    """Spikes where the current is above a level: minus infinity always fires, infinity never."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x > self.level).to(x.dtype)

    def trace(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return self(x), {"v_mem": x}


def _network(level: float) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(_CHANNELS, 7),
            SpikingLayer(_Above(level), None),
            nn.Linear(7, len(_CLASSES)),
            SpikingLayer(_Above(level), None),
        )


def _frames(count: int, seed: int, *, own_lengths: bool) -> Frames:
    random = np.random.default_rng(seed)
    counts = random.poisson(0.7, (count, _STEPS, _CHANNELS)).astype(np.uint8)
    lengths = random.integers(1, _STEPS + 1, count) if own_lengths else None
    if lengths is not None:
        counts[np.arange(_STEPS)[None, :] >= lengths[:, None]] = 0
    return Frames(counts, random.integers(0, len(_CLASSES), count), np.arange(count), None, lengths)


class MetricSuite(Suite):
    """A metric's figures depend on what was evaluated alone, and say what they are."""

    kind: ClassVar[str] = "metric"
    examples: int = 25

    @property
    def metric(self) -> Metric:
        """The metric under test."""
        return cast(Metric, self.component)

    def observer(
        self, model: nn.Module, frames: Frames, batch_size: int, phase: str | None = None, split: str | None = None
    ) -> Any:
        """An observer with default parameters that has been started."""
        made = load_reference(self.metric.observer)(**self.metric.choose().values)
        made.start(
            model,
            self._context(model, frames, batch_size, phase or self.metric.phases[0], split or self.metric.splits[0]),
        )
        return made

    def _context(self, model: nn.Module, frames: Frames, batch_size: int, phase: str, split: str) -> Context:
        return context(
            model,
            classes=_CLASSES,
            split=split,
            phase=phase,
            dt_ms=10.0,
            batch_size=batch_size,
            device="cpu",
            training=Training(peak_memory_bytes=4096, memory="the kit's") if phase == "after" else None,
            events=FrameEvents(frames, 10.0) if "events" in self.metric.needs else None,
        )

    def views(self, model: nn.Module, frames: Frames, indices: Any, batch_size: int) -> list[View]:
        """What an evaluation of the samples at ``indices`` shows, in batches."""
        found: list[View] = []
        run_batches(model, frames, indices, batch_size=batch_size, needs=self.metric.needs, see=found.append)
        if "timing" in self.metric.needs:
            found = [replace(view, seconds=1e-3 * len(view.labels)) for view in found]
        return found

    def _figures(self, model: nn.Module, frames: Frames, indices: Any, batch_size: int) -> Mapping[str, MetricValue]:
        observer = self.observer(model, frames, batch_size)
        for view in self.views(model, frames, indices, batch_size):
            observer.batch(view)
        figures: Mapping[str, MetricValue] = observer.result()
        return figures

    def _steady(self) -> None:
        if "timing" in self.metric.needs:
            raise SkipTest("it measures time")

    def test_batches_of_any_size_and_order_give_the_same_figures(self) -> None:
        """Batches of any size and order give the same figures"""
        self._steady()

        def check(drawn: tuple[int, int, bool]) -> None:
            seed, batch_size, own_lengths = drawn
            model, frames = _network(0.2), _frames(11, seed, own_lengths=own_lengths)
            order = np.random.default_rng(seed).permutation(len(frames))
            whole = self._figures(model, frames, np.arange(len(frames)), len(frames))
            _same(whole, self._figures(model, frames, np.arange(len(frames)), batch_size), f"batches of {batch_size}")
            _same(whole, self._figures(model, frames, order, batch_size), "another order")

        self.for_all(st.tuples(st.integers(0, 1000), st.integers(1, 10), st.booleans()), check)

    def test_merged_observers_are_one(self) -> None:
        """Two observers of half an evaluation each, merged, are one of all of it"""

        def check(drawn: tuple[int, int, bool]) -> None:
            seed, cut, own_lengths = drawn
            model, frames = _network(0.2), _frames(11, seed, own_lengths=own_lengths)
            everything = np.arange(len(frames))
            first, second = self.observer(model, frames, 4), self.observer(model, frames, 4)
            for observer, part in ((first, everything[:cut]), (second, everything[cut:])):
                for view in self.views(model, frames, part, 4):
                    observer.batch(view)
            first.merge(second)
            whole = self.observer(model, frames, 4)
            for part in (everything[:cut], everything[cut:]):
                for view in self.views(model, frames, part, 4):
                    whole.batch(view)
            _same(whole.result(), first.result(), "merged")

        self.for_all(st.tuples(st.integers(0, 1000), st.integers(0, 11), st.booleans()), check)

    def test_silent_and_saturated_networks_have_figures_or_reasons(self) -> None:
        """Silent and saturated networks have figures or reasons, never an error, NaN or infinity"""
        for what, level in (("silent", math.inf), ("saturated", -math.inf)):
            for own_lengths in (False, True):
                frames = _frames(6, 1, own_lengths=own_lengths)
                figures = self._figures(_network(level), frames, np.arange(len(frames)), 4)
                for name, figure in figures.items():
                    _sound(f"{name} of a {what} network", figure)

    def test_every_phase_and_split_declared_gives_the_same_names(self) -> None:
        """Every phase and split that it declares gives figures of the same names, unit, direction and kind"""
        model, frames = _network(0.2), _frames(6, 2, own_lengths=False)
        seen: dict[str, tuple[Any, ...]] | None = None
        for phase in self.metric.phases:
            for split in self.metric.splits:
                observer = self.observer(model, frames, 4, phase, split)
                for view in self.views(model, frames, np.arange(len(frames)), 4):
                    observer.batch(view)
                told = {name: (f.unit, f.direction, f.kind, f.role) for name, f in observer.result().items()}
                assert told, f"no figure in phase {phase} on {split}"
                assert seen is None or told == seen, f"{told} in phase {phase} on {split}, and {seen} elsewhere"
                seen = told

    def test_figures_say_what_they_are(self) -> None:
        """Every figure says its unit, direction, kind, role and title, and is a number or says why not"""
        frames = _frames(9, 3, own_lengths=False)
        for name, figure in self._figures(_network(0.2), frames, np.arange(len(frames)), 4).items():
            _sound(name, figure)
            assert figure.title, f"{name} has no title"
            assert figure.kind in get_args(ValueKind), f"{name} is of kind {figure.kind!r}"
            assert figure.direction in get_args(Direction), f"{name} has direction {figure.direction!r}"
            assert figure.role in get_args(Role), f"{name} has role {figure.role!r}"
            if "timing" in self.metric.needs:
                assert figure.kind == "noisy", f"{name} is measured by the clock and of kind {figure.kind}"

    def test_the_model_is_left_as_it_was(self) -> None:
        """Observing changes neither the model nor what it was shown"""
        model, frames = _network(0.2), _frames(6, 4, own_lengths=False)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        observer = self.observer(model, frames, 4)
        for view in self.views(model, frames, np.arange(len(frames)), 4):
            shown = {name: (tensor, tensor.clone()) for name, tensor in _tensors(view)}
            observer.batch(view)
            for name, (tensor, was) in shown.items():
                assert torch.equal(was, tensor), f"{name} {'were' if name.endswith('s') else 'was'} changed"
        observer.result()
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items()), (
            "weights were changed"
        )
        hooks = [name for name, module in model.named_modules() if module._forward_hooks or module._forward_pre_hooks]
        assert not hooks, f"hooks are left on {hooks}"


def _tensors(view: View) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every tensor of a view that an observer could write into, by a name to report."""
    for name in ("outputs", "labels", "recordings", "mask", "inputs"):
        if getattr(view, name) is not None:
            yield name, getattr(view, name)
    for name, layer in view.layers.items():
        yield from ((f"the {part} of {name}", kept.tensor) for part, kept in _parts(layer) if kept.known)
        yield from ((f"the state {state} of {name}", tensor) for state, tensor in (layer.states or {}).items())


def _parts(layer: LayerView) -> tuple[tuple[str, Kept], tuple[str, Kept]]:
    return ("input", layer.received), ("output", layer.sent)


def _sound(name: str, figure: MetricValue) -> None:
    """Fail if a record would hold an error in the place of the value."""
    try:
        value_row(figure)
    except ValueProblem as problem:
        raise AssertionError(f"the value {name!r} {problem}") from None


def _same(expected: Mapping[str, MetricValue], found: Mapping[str, MetricValue], what: str) -> None:
    assert set(expected) == set(found), f"{what}: figures {sorted(found)}, not {sorted(expected)}"
    for name, figure in expected.items():
        _close(figure.value, found[name].value, f"{what}: {name}")
        assert set(figure.arrays) == set(found[name].arrays), f"{what}: arrays of {name}"
        for array, values in figure.arrays.items():
            _close(values, found[name].arrays[array], f"{what}: {name}, {array}")
        drawn = figure.to_json(), found[name].to_json()
        for part in ("curves", "histograms"):
            _close(drawn[0][part], drawn[1][part], f"{what}: {part} of {name}")
        assert set(figure.stored) == set(found[name].stored), f"{what}: stored arrays of {name}"
        for array, stored in figure.stored.items():
            _close(stored.tolist(), found[name].stored[array].tolist(), f"{what}: {name}, {array}")


def _close(expected: Any, found: Any, what: str) -> None:
    if isinstance(expected, Mapping):
        assert set(expected) == set(found), f"{what}: {sorted(found)}, not {sorted(expected)}"
        for key, value in expected.items():
            _close(value, found[key], f"{what}, {key}")
    elif isinstance(expected, (list, tuple)):
        assert len(expected) == len(found), f"{what}: {len(found)} values, not {len(expected)}"
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            _close(one, other, f"{what}[{index}]")
    elif isinstance(expected, float) and isinstance(found, (int, float)):
        assert math.isclose(expected, found, rel_tol=1e-5, abs_tol=1e-9), f"{what}: {found}, not {expected}"
    else:
        assert expected == found, f"{what}: {found}, not {expected}"
