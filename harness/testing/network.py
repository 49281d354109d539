"""Checks of a network: shapes, parameters, seeds, and that recordings and time keep apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, cast
from unittest import SkipTest

import torch
from hypothesis import reject
from torch import nn

from ..components import Choice, Network, load_reference
from ..errors import HandledError
from ..model import SpikingLayer, recurrent_layers, spiking_layers, weight_layers
from ..state import carried_state
from .suite import Suite
from .values import choices

_SHAPES = ((12,), (2, 16, 16), (2, 34, 34))
_CLASSES = 4


class _Soft(nn.Module):
    """A smooth stand-in for a neuron that calls its recurrent weights; it keeps (batch, time, *shape)."""

    def __init__(self, recurrent: nn.Module | None) -> None:
        super().__init__()
        self._recurrent = (recurrent,)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        feed = self._recurrent[0]
        outputs: list[torch.Tensor] = []
        for step in range(x.shape[1]):
            fed_back = feed(outputs[-1]) if feed is not None and outputs else 0.0
            outputs.append(torch.sigmoid(x[:, step] + fed_back))
        return torch.stack(outputs, 1)


class NetworkSuite(Suite):
    """A network maps (batch, time, *input) to (batch, time, classes) with every value that it declares."""

    kind: ClassVar[str] = "network"
    examples: int = 25

    def build(self, shape: tuple[int, ...], choice: Choice | None = None, seed: int = 0) -> nn.Module | None:
        """The network on stand-in neurons, or None where it does not take inputs of this shape."""
        network = cast(Network, self.component)

        def spiking_layer(shape: Any, recurrent: nn.Module | None = None) -> SpikingLayer:
            whole = isinstance(shape, tuple) and all(isinstance(size, int) for size in shape)
            assert whole, f"a layer of shape {shape!r}"
            return SpikingLayer(_Soft(recurrent), recurrent)

        values = (choice or network.choose()).values
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                made: nn.Module = load_reference(network.build)(shape, _CLASSES, spiking_layer, **values)
            except HandledError:
                return None
        return made

    def _built(self, choice: Choice | None = None) -> Iterator[tuple[tuple[int, ...], nn.Module]]:
        taken = [(shape, made) for shape in _SHAPES if (made := self.build(shape, choice)) is not None]
        if not taken and choice is not None:
            reject()  # other values may fit
        if not taken:
            raise SkipTest(f"it takes none of {', '.join(map(str, _SHAPES))}")
        yield from taken

    def test_shapes_with_every_value_declared(self) -> None:
        """(batch, time, *input) becomes (batch, time, classes), with every value that it declares"""

        def check(choice: Choice) -> None:
            for shape, model in self._built(choice):
                for batch, time in ((1, 1), (3, 2), (2, 5)):
                    out = model(torch.ones(batch, time, *shape))
                    expected = (batch, time, _CLASSES)
                    assert out.shape == expected, f"{choice.to_json()} on {shape}: {tuple(out.shape)}, not {expected}"

        self.for_all(choices(self.component), check)

    def test_presets_build(self) -> None:
        """Every preset builds"""
        for name, values in self.component.presets.items():
            choice = self.component.choose(**values)
            for shape in _SHAPES:
                model = self.build(shape, choice)
                assert model is None or model(torch.ones(1, 1, *shape)).shape == (1, 1, _CLASSES), name

    def test_every_weight_is_found_and_trained(self) -> None:
        """Spiking and weight layers are found, and a gradient reaches every weight"""

        def check(choice: Choice) -> None:
            for shape, model in self._built(choice):
                assert spiking_layers(model), "no spiking layer was made"
                weights, recurrent = weight_layers(model), recurrent_layers(model)
                last = [module for name, module in weights.items() if name not in recurrent][-1]
                assert cast(torch.Tensor, last.weight).shape[0] == _CLASSES, (
                    "the last weight layer has another size than classes"
                )
                called = [layer.recurrent for layer in spiking_layers(model).values() if layer.recurrent is not None]
                owned = {id(module) for module in model.modules()}
                assert all(id(module) in owned for module in called), "recurrent weights are not part of the network"
                random = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
                model(random).square().sum().backward()
                for name, parameter in model.named_parameters():
                    assert parameter.grad is not None, f"no gradient reaches {name}"

        self.for_all(choices(self.component), check)

    def test_seeds_decide_weights(self) -> None:
        """The same seed gives the same weights under the same names, another seed others"""
        for shape, model in self._built():
            same, other = self.build(shape), self.build(shape, seed=1)
            assert same is not None
            assert other is not None
            mine, again, others = model.state_dict(), same.state_dict(), other.state_dict()
            assert list(mine) == list(again) == list(others), "names differ"
            assert all(torch.equal(mine[name], again[name]) for name in mine), "the same seed gave other weights"
            assert any(not torch.equal(mine[name], others[name]) for name in mine), "another seed gave the same weights"

    def test_recordings_and_later_steps_keep_apart(self) -> None:
        """An output depends on its own recording and on no later step"""
        for shape, model in self._built():
            model.eval()
            x = torch.rand(3, 4, *shape, generator=torch.Generator().manual_seed(1))
            with torch.no_grad():
                out = model(x)
                torch.testing.assert_close(model(x[:1]), out[:1], msg="a recording alone gives another output")
                changed = x.clone()
                changed[:, -1] += 1.0
                torch.testing.assert_close(model(changed)[:, :-1], out[:, :-1], msg="a step sees a later one")

    def test_no_state_is_carried(self) -> None:
        """A forward pass begins anew, whatever was computed before"""
        for shape, model in self._built():
            model.eval()
            carried = carried_state(model, torch.rand(2, 4, *shape, generator=torch.Generator().manual_seed(2)))
            assert not carried, f"a pass goes on from what the one before it left in {', '.join(carried)}"
