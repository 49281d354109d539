"""Checks of a neuron's definition: that it can be what backends are held to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, cast
from unittest import SkipTest

import torch
from hypothesis import strategies as st

from ..components import Neuron, load_reference
from .cases import Case, cases
from .rules import values_differ
from .suite import Suite


class NeuronSuite(Suite):
    """A definition computes any admitted values in any float type, from zero state, and streams."""

    kind: ClassVar[str] = "neuron"

    def layer(self, case: Case, dtype: torch.dtype = torch.float64) -> Any:
        """The definition's layer."""
        neuron = cast(Neuron, self.component)
        if not neuron.reference:
            raise SkipTest("it has no definition: backends are not compared, and init=calibrated cannot be had")
        return load_reference(neuron.reference)(case.neuron, case.shape, case.weights(dtype)).to(dtype)

    def cases(self) -> st.SearchStrategy[Case]:
        """Random cases of this neuron."""
        return cases([cast(Neuron, self.component)])

    def test_spikes_are_whole_numbers_in_any_float_type(self) -> None:
        """Spikes are whole numbers from 0, in the input's shape and float type"""

        def check(case: Case) -> None:
            for dtype in (torch.float32, torch.float64):
                x = case.inputs(dtype)
                spikes = self.layer(case, dtype)(x)
                assert (spikes.shape, spikes.dtype) == (x.shape, dtype)
                assert bool(((spikes >= 0) & (spikes == torch.round(spikes))).all())

        self.for_all(self.cases(), check)

    def test_gradients_are_finite(self) -> None:
        """Gradients of inputs and trained parameters are finite"""

        def check(case: Case) -> None:
            layer, x = self.layer(case), case.inputs(torch.float64).requires_grad_()
            layer(x).sum().backward()
            for name, gradient in {"x": x.grad, **{n: p.grad for n, p in layer.named_parameters()}}.items():
                assert gradient is None or bool(torch.isfinite(gradient).all()), f"gradient of {name}"

        self.for_all(self.cases(), check)

    def test_every_call_starts_from_zero_state(self) -> None:
        """Every call starts from zero state, and recordings do not touch each other"""

        def check(case: Case) -> None:
            case = replace(case, batch=case.batch + 1)
            layer, x = self.layer(case), case.inputs(torch.float64)
            first = layer(x)
            layer(torch.full_like(x, 5.0))
            assert torch.equal(first, layer(x)), "the same input gives other spikes after another call"
            assert torch.equal(first.flip(0), layer(x.flip(0))), "the order of recordings matters"

        self.for_all(self.cases(), check)

    def test_a_step_does_not_see_later_ones(self) -> None:
        """A step does not see later ones"""

        def check(case: Case) -> None:
            layer, x = self.layer(case), case.inputs(torch.float64)
            changed = x.clone()
            changed[:, -1] += 7.0
            assert torch.equal(layer(x)[:, :-1], layer(changed)[:, :-1])

        self.for_all(self.cases(), check)

    def test_a_stream_in_pieces_is_one_pass(self) -> None:
        """A stream in pieces is one pass"""

        def check(drawn: tuple[Case, float]) -> None:
            case, share = drawn
            cut = round(share * case.steps)
            layer, x = self.layer(case), case.inputs(torch.float64)
            if not hasattr(layer, "stream"):
                raise SkipTest("it does not offer stream")
            first, state = layer.stream(x[:, :cut])
            second, _ = layer.stream(x[:, cut:], state)
            assert torch.equal(torch.cat([first, second], 1), layer(x))

        self.for_all(st.tuples(self.cases(), st.sampled_from([0.5, 0.0, 1.0])), check)

    def test_margins_fit_the_spikes(self) -> None:
        """Distances to the threshold are given, at every step and not negative"""

        def check(case: Case) -> None:
            layer, x = self.layer(case), case.inputs(torch.float64)
            if not hasattr(layer, "margins"):
                raise SkipTest("it does not offer margins: backends must agree to the bit")
            with torch.no_grad():
                margins = layer.margins(x)
            assert set(margins) == {"spikes", "slopes", "scale"}
            for name, value in margins.items():
                assert value.shape == x.shape, f"{name} has shape {tuple(value.shape)}"
                assert bool((value >= 0).all()), f"{name} is negative"
            # A perturbation far smaller than every margin moves no spike.
            smallest = float(margins["spikes"].min()) if x.numel() else 1.0
            wrong = values_differ(layer(x + smallest * 1e-6 / (1 + case.steps)), layer(x), torch.float64)
            assert wrong is None or case.feedback, wrong

        self.for_all(self.cases(), check)
