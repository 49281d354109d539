"""Checks of a backend against the double-precision definitions of the neurons that it says it computes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ClassVar, cast
from unittest import SkipTest

import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import nn

from ..components import Backend, Neuron, load_reference
from .carried import Carried
from .cases import Case, cases
from .rules import decided_by_rounding, spikes_differ, values_differ
from .suite import Suite

_SINGLE, _DOUBLE = torch.float32, torch.float64


class BackendSuite(Suite):
    """A backend computes what the neurons' definitions say: spikes, gradients, states, and nothing beside."""

    kind: ClassVar[str] = "backend"

    @cached_property
    def backend(self) -> Backend:
        """The backend under test."""
        return cast(Backend, self.component)

    @cached_property
    def neurons(self) -> list[Neuron]:
        """The neurons that it names, that are installed and that have a definition."""
        entries = [cast(Neuron, entry.component) for entry in self.registry.components("neuron")]
        found = [neuron for neuron in entries if neuron.reference and self.backend.computes(neuron)]
        if not found:
            raise SkipTest(f"none of {self.backend.computed()} is installed with a definition")
        return found

    def cases(self, **options: Any) -> st.SearchStrategy[Case]:
        """Random cases of this backend."""
        return cases(self.neurons, self.backend, **options)

    def layer(self, case: Case, weights: nn.Module | None = None, device: str = "cpu") -> nn.Module:
        """The backend's layer; an example that it refuses is left out.

        One of a backend that computes on CUDA devices alone takes the processor's tensors there and back.
        """
        carried = device not in self.backend.devices
        if carried:
            self._needs_cuda()
        if self.backend.refuses:
            there = "cuda" if carried else device
            assume(load_reference(self.backend.refuses)(case.neuron, case.feedback, there) is None)
        make = self.backend.layer_of(self._neuron(case))
        made: nn.Module = make(case.neuron, case.shape, weights, **case.backend.values)
        return Carried(made) if carried else made

    def _neuron(self, case: Case) -> Neuron:
        return next(neuron for neuron in self.neurons if neuron.name == case.neuron.name)

    def definition(self, case: Case, weights: nn.Module | None = None) -> Any:
        """The definition's layer."""
        return load_reference(self._neuron(case).reference)(case.neuron, case.shape, weights)

    def pair(
        self, case: Case, dtype: torch.dtype, device: str = "cpu"
    ) -> tuple[Any, Any, nn.Module | None, nn.Module | None]:
        """The backend's layer in ``dtype``, the definition's in double precision, and the recurrent weights of each."""
        self._needs(dtype)
        weights, exact = case.weights(dtype), case.weights(_DOUBLE)
        if weights is not None:
            weights.to(device)
        mine = self.layer(case, weights, device).to(device, dtype)
        return mine, self.definition(case, exact).double(), weights, exact

    # --- spikes

    def test_spikes_are_the_definitions(self) -> None:
        """Spikes are the definition's in single precision, but where rounding decides"""
        self.for_all(self.cases(), lambda case: self._spikes(case, _SINGLE))

    def test_spikes_are_the_definitions_in_double_precision(self) -> None:
        """Spikes are the definition's in double precision"""
        self.for_all(self.cases(), lambda case: self._spikes(case, _DOUBLE))

    def _spikes(self, case: Case, dtype: torch.dtype, device: str = "cpu") -> None:
        mine, defined, _, _ = self.pair(case, dtype, device)
        with torch.no_grad():
            spikes, exact = mine(case.inputs(dtype).to(device)).cpu(), case.inputs(_DOUBLE)
            wrong = spikes_differ(spikes, defined(exact), _margins(defined, exact), feedback=case.feedback)
        assert spikes.dtype == dtype, f"spikes are {spikes.dtype} for inputs in {dtype}"
        assert wrong is None, wrong

    def test_what_is_not_a_number_passes_as_in_the_definition(self) -> None:
        """NaN and infinity pass as in the definition"""

        def check(drawn: tuple[Case, float]) -> None:
            case, bad = drawn
            case = replace(case, feedback=False, drive=0.3)
            x = case.inputs(_SINGLE)
            x[:, x.shape[1] // 2] = bad
            with torch.no_grad():
                spikes, expected = self.layer(case)(x), self.definition(case)(x)
            torch.testing.assert_close(spikes, expected, rtol=0, atol=0, equal_nan=True)

        bad = st.sampled_from([float("nan"), float("inf"), float("-inf")])
        self.for_all(st.tuples(self.cases(), bad), check)

    # --- gradients

    def test_gradients_are_the_definitions(self) -> None:
        """Gradients are the definition's in single precision, within 1e-5"""
        self.for_all(self.cases(), lambda case: self._gradients(case, _SINGLE))

    def test_gradients_are_the_definitions_in_double_precision(self) -> None:
        """Gradients are the definition's in double precision, within 1e-9"""
        self.for_all(self.cases(), lambda case: self._gradients(case, _DOUBLE))

    def _gradients(self, case: Case, dtype: torch.dtype, device: str = "cpu") -> None:
        mine, defined, weights, exact_weights = self.pair(case, dtype, device)
        expected_spikes, expected = _backward(defined, case.inputs(_DOUBLE), exact_weights)
        margins = _margins(defined, case.inputs(_DOUBLE))
        assume(margins is None or not decided_by_rounding(margins, dtype))
        spikes, found = _backward(mine, case.inputs(dtype).to(device), weights)
        assume(torch.equal(spikes.double(), expected_spikes))  # the checks of spikes say so
        defined_here = partial(self._own, case, dtype, expected_spikes)
        for name, gradient in expected.items():
            matching = [key for key in found if key == name or key.endswith(f".{name}")]
            if not matching:
                assert not gradient.any(), f"no gradient reaches {name}"
                continue
            wrong = values_differ(found[matching[0]], gradient, dtype, partial(defined_here, name))
            assert wrong is None, f"gradient of {name}: {wrong}"

    def _own(self, case: Case, dtype: torch.dtype, expected: torch.Tensor, name: str) -> Iterator[torch.Tensor]:
        """The definition's own gradients in ``dtype`` for inputs whose last bits differ, where spikes are those expected."""
        for bits in (0, 1, -1, 2, -2):
            weights = case.weights(dtype)
            x = case.inputs(dtype) * (1 + bits * torch.finfo(dtype).eps)
            spikes, gradients = _backward(self.definition(case, weights).to(dtype), x, weights)
            if torch.equal(spikes.double(), expected):
                yield gradients[name]

    def test_time_constants_train_only_when_asked(self) -> None:
        """Time constants are trained when asked, and only then"""

        def check(case: Case) -> None:
            if "train_taus" not in case.neuron.values:
                raise SkipTest(f"{case.neuron.name} declares no train_taus")
            trained = [name for name, p in self.layer(case).named_parameters() if p.requires_grad]
            defined = [name for name, p in self.definition(case).named_parameters() if p.requires_grad]
            assert len(trained) == len(defined), f"trained are {trained}, by the definition {defined}"

        self.for_all(self.cases(), check)

    def test_declared_parameters_hold_their_value(self) -> None:
        """Parameters that bear the name of a declared one start at its value, so that training can keep them in range"""

        def check(case: Case) -> None:
            for name, parameter in self.layer(case).named_parameters():
                declared = case.neuron.values.get(name.rpartition(".")[2])
                if isinstance(declared, float):
                    expected = torch.full_like(parameter, declared)
                    assert torch.allclose(parameter, expected), f"{name} does not start at {declared:g}, as declared"

        self.for_all(self.cases(), check)

    def test_a_second_derivative_is_right_or_an_error(self) -> None:
        """A second derivative is right, or an error; never silently wrong"""

        def check(case: Case) -> None:
            dtype = _DOUBLE if "float64" in self.backend.floats else _SINGLE
            mine, defined, _, _ = self.pair(replace(case, feedback=False), dtype)
            results = []
            for layer, own in ((mine, dtype), (defined, _DOUBLE)):
                x = case.inputs(own).requires_grad_()
                (first,) = torch.autograd.grad((layer(x) * _ramp(x)).sum(), x, create_graph=True)
                try:
                    (second,) = torch.autograd.grad((first * _ramp(x)).sum(), x, allow_unused=True)
                except RuntimeError:
                    return
                results.append(torch.zeros_like(x) if second is None else second)
            wrong = values_differ(results[0], results[1], dtype)
            assert wrong is None, wrong

        self.for_all(self.cases(), check)

    # --- states

    def test_states_are_the_definitions(self) -> None:
        """Recorded states are the definition's"""

        def check(case: Case) -> None:
            dtype = _DOUBLE if "float64" in self.backend.floats else _SINGLE
            mine, defined, _, _ = self.pair(case, dtype)
            if not hasattr(mine, "trace"):
                raise SkipTest("it does not offer trace")
            with torch.no_grad():
                spikes, states = mine.trace(case.inputs(dtype))
                expected_spikes, expected = defined.trace(case.inputs(_DOUBLE))
            assume(torch.equal(spikes.double(), expected_spikes))
            assert set(states) == set(expected), f"states are {sorted(states)}, by the definition {sorted(expected)}"

            def own(name: str) -> list[torch.Tensor]:
                return [self.definition(case, case.weights(dtype)).to(dtype).trace(case.inputs(dtype))[1][name]]

            for name, value in expected.items():
                wrong = values_differ(states[name], value, dtype, partial(own, name))
                assert wrong is None, f"{name}: {wrong}"

        self.for_all(self.cases(), check)

    def test_a_stream_in_pieces_is_one_pass(self) -> None:
        """A stream in pieces is one pass, gradients included"""

        def check(drawn: tuple[Case, float]) -> None:
            case, share = drawn
            cut = round(share * case.steps)
            mine, defined, weights, _ = self.pair(case, _DOUBLE)
            if not hasattr(mine, "stream"):
                raise SkipTest("it does not offer stream")
            x = case.inputs(_DOUBLE)

            def pieces(x: torch.Tensor) -> torch.Tensor:
                first, state = mine.stream(x[:, :cut])
                second, _ = mine.stream(x[:, cut:], state)
                return torch.cat([first, second], 1)

            spikes, gradients = _backward(pieces, x, weights, mine)
            whole, expected = _backward(mine, x, weights)
            wrong = spikes_differ(spikes, whole, _margins(defined, x), feedback=case.feedback)
            assert wrong is None, wrong
            assume(torch.equal(spikes, whole))
            for name, gradient in expected.items():
                wrong = values_differ(gradients[name], gradient, _DOUBLE)
                assert wrong is None, f"gradient of {name}: {wrong}"

        self.for_all(st.tuples(self.cases(), st.sampled_from([0.5, 0.0, 0.2, 1.0])), check)

    # --- nothing beside

    def test_recordings_do_not_touch_each_other(self) -> None:
        """Recordings of a batch do not touch each other: any order, the same spikes"""

        def check(case: Case) -> None:
            case = replace(case, batch=case.batch + 1)
            mine, defined, _, _ = self.pair(case, _SINGLE)
            x = case.inputs(_SINGLE)
            with torch.no_grad():
                together, margins = mine(x).double(), _margins(defined, case.inputs(_DOUBLE))
                wrong = spikes_differ(mine(x.flip(0)).flip(0), together, margins, feedback=case.feedback)
                assert wrong is None, wrong
                wrong = spikes_differ(mine(x[:1]), together[:1], _first(margins), feedback=case.feedback)
                assert wrong is None, f"alone in a batch: {wrong}"

        self.for_all(self.cases(), check)

    def test_a_call_leaves_nothing_behind(self) -> None:
        """A call leaves nothing behind: not in the next call, its input or state_dict"""

        def check(case: Case) -> None:
            mine = self.layer(case, case.weights(_SINGLE))
            kept = {name: value.clone() for name, value in mine.state_dict().items()}
            x = case.inputs(_SINGLE)
            given = x.clone()
            with torch.no_grad():
                first = mine(x)
                assert torch.equal(first, mine(x)), "the same input gives other spikes at the second call"
                mine(torch.full((case.batch + 2, 3, *case.shape), 5.0))
                assert torch.equal(first, mine(x)), "the same input gives other spikes after another call"
            assert torch.equal(given, x), "the input was changed"
            after = mine.state_dict()
            assert {name: value.shape for name, value in kept.items()} == {n: v.shape for n, v in after.items()}, (
                f"state_dict held {sorted(kept)}, and after a call {sorted(after)} or other shapes"
            )
            assert all(torch.equal(kept[name], after[name]) for name in kept), "a call changed state_dict"

        self.for_all(self.cases(), check)

    def test_threads_change_no_bit(self) -> None:
        """Feed-forward, the same input gives the same bits, whatever the number of threads"""
        # Recurrent weights may be torch's own matrix products, which threads cut differently.
        before = torch.get_num_threads()

        def check(case: Case) -> None:
            case = replace(case, batch=9, steps=30, feedback=False)
            results = []
            for threads in (1, 2):
                torch.set_num_threads(threads)
                weights = case.weights(_SINGLE)
                results.append(_backward(self.layer(case, weights), case.inputs(_SINGLE), weights))
            assert torch.equal(results[0][0], results[1][0]), "spikes differ between one thread and two"
            for name, gradient in results[0][1].items():
                assert torch.equal(gradient, results[1][1][name]), (
                    f"gradient of {name} differs between one thread and two"
                )

        try:
            self.for_all(self.cases(), check)
        finally:
            torch.set_num_threads(before)

    def test_training_and_evaluation_compute_the_same(self) -> None:
        """Training and evaluation mode, with and without gradients, give the same spikes"""

        def check(case: Case) -> None:
            mine, x = self.layer(case, case.weights(_SINGLE)), case.inputs(_SINGLE)
            trained = mine.train()(x.clone().requires_grad_()).detach()
            with torch.inference_mode():
                assert torch.equal(trained, mine.eval()(x))

        self.for_all(self.cases(), check)

    def test_state_dict_goes_round(self) -> None:
        """state_dict holds all that training moves, and loads into a new layer"""

        def check(case: Case) -> None:
            first, second = self.layer(case, case.weights(_SINGLE)), self.layer(case, case.weights(_SINGLE))
            with torch.no_grad():
                for parameter in first.parameters():
                    parameter.mul_(1.5)
                second(torch.ones(2, 2, *case.shape))
                second.load_state_dict(first.state_dict())
                x = case.inputs(_SINGLE)
                assert torch.equal(first(x), second(x))

        self.for_all(self.cases(trained=True), check)

    def test_a_deep_copy_is_apart(self) -> None:
        """A deep copy computes the same and does not follow its original"""

        def check(case: Case) -> None:
            weights, x = case.weights(_SINGLE), case.inputs(_SINGLE)
            owner = nn.ModuleList([self.layer(case, weights), *([weights] if weights is not None else [])])
            with torch.no_grad():
                before = owner[0](x)
                copied = copy.deepcopy(owner)
                for parameter in owner.parameters():
                    parameter.mul_(3.0).add_(1.0)
                assert torch.equal(before, copied[0](x)), "the copy followed a change of its original"

        self.for_all(self.cases(), check)

    def test_any_memory_layout_is_read(self) -> None:
        """Inputs of any memory layout are read as what they hold"""

        def check(case: Case) -> None:
            mine, x = self.layer(case, case.weights(_SINGLE)), case.inputs(_SINGLE)
            strided = torch.stack([x, x + 1.0], -1)[..., 0]
            turned = x.transpose(0, 1).contiguous().transpose(0, 1)
            with torch.no_grad():
                expected = mine(x)
                assert torch.equal(expected, mine(strided)), "strided"
                assert torch.equal(expected, mine(turned)), "batch and time exchanged in memory"

        self.for_all(self.cases(), check)

    def test_empty_batches_and_times(self) -> None:
        """Batches and times of size 0 give empty outputs and gradients"""

        def check(drawn: tuple[Case, bool]) -> None:
            case, no_time = drawn
            case = replace(case, steps=0) if no_time else replace(case, batch=0)
            mine, x = self.layer(case, case.weights(_SINGLE)), case.inputs(_SINGLE).requires_grad_()
            out = mine(x)
            assert out.shape == x.shape, f"{tuple(out.shape)} for an input of {tuple(x.shape)}"

        self.for_all(st.tuples(self.cases(), st.booleans()), check)

    # --- CUDA

    def test_spikes_on_cuda_are_the_definitions(self) -> None:
        """On CUDA, spikes are the definition's in its float types"""
        self._needs_cuda()
        for dtype in self._types():
            self.for_all(self.cases(), partial(self._spikes, dtype=dtype, device="cuda"))

    def test_gradients_on_cuda_are_the_definitions(self) -> None:
        """On CUDA, gradients are the definition's in its float types"""
        self._needs_cuda()
        for dtype in self._types():
            self.for_all(self.cases(), partial(self._gradients, dtype=dtype, device="cuda"))

    def test_a_layer_moves_to_cuda_and_back(self) -> None:
        """A layer moves to CUDA and back, and computes as before"""
        self._needs_cuda()
        if "cpu" not in self.backend.devices:
            raise SkipTest(f"it declares {', '.join(self.backend.devices)} alone")

        def check(case: Case) -> None:
            weights = case.weights(_SINGLE)
            owner = nn.ModuleList([self.layer(case, weights), *([weights] if weights is not None else [])])
            with torch.no_grad():
                before = owner[0](case.inputs(_SINGLE))
                owner.to("cuda")[0](case.inputs(_SINGLE).to("cuda"))
                assert torch.equal(before, owner.to("cpu")[0](case.inputs(_SINGLE)))

        self.for_all(self.cases(), check)

    def _types(self) -> list[torch.dtype]:
        return [dtype for dtype in (_SINGLE, _DOUBLE) if _name(dtype) in self.backend.floats]

    def _needs(self, dtype: torch.dtype) -> None:
        if dtype not in self._types():
            raise SkipTest(f"it declares {', '.join(self.backend.floats)} alone")

    def _needs_cuda(self) -> None:
        if "cuda" not in self.backend.devices:
            raise SkipTest(f"it declares {', '.join(self.backend.devices)} alone")
        if not torch.cuda.is_available():
            raise SkipTest("no CUDA device here")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _margins(defined: Any, x: torch.Tensor) -> dict[str, torch.Tensor] | None:
    if not hasattr(defined, "margins"):
        return None
    with torch.no_grad():
        found: dict[str, torch.Tensor] = defined.margins(x)
    return found


def _first(margins: dict[str, torch.Tensor] | None) -> dict[str, torch.Tensor] | None:
    return None if margins is None else {name: value[:1] for name, value in margins.items()}


def _ramp(x: torch.Tensor) -> torch.Tensor:
    """Weights that differ at every element, of both signs."""
    made = torch.linspace(-1.0, 1.5, max(x.numel(), 1), dtype=x.dtype)[: x.numel()].reshape(x.shape)
    return made.to(x.device)


def _backward(
    call: Any, x: torch.Tensor, weights: nn.Module | None, layer: nn.Module | None = None
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Spikes, and the gradients of a weighed sum of them: of ``x``, the layer's parameters and the recurrent weights.

    Whatever the device, they are handed back on the processor.
    """
    given = x.clone().requires_grad_()
    owner: nn.Module = layer if layer is not None else call
    trained = {name: p for name, p in owner.named_parameters() if p.requires_grad}
    if weights is not None:
        trained |= {f"recurrent {name}": p for name, p in weights.named_parameters()}
    for parameter in trained.values():
        parameter.grad = None
    spikes = call(given)
    (spikes * _ramp(spikes)).sum().backward()
    found = {"x": given} | trained
    return spikes.detach().cpu(), {name: p.grad.cpu() for name, p in found.items() if p.grad is not None}
