"""Random layers and inputs: what a backend is compared with its definition on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import nn

from ..components import Backend, Choice, Neuron
from .values import brief, choices

SHAPES = ((1,), (5,), (17,), (70,), (2, 3, 2), ())


@dataclass(frozen=True)
class Case:
    """A neuron's layer of ``shape``, and inputs (batch, steps, *shape): normal, times ``drive``, ``density`` of them not 0."""

    neuron: Choice
    described: str
    shape: tuple[int, ...]
    batch: int
    steps: int
    drive: float
    density: float
    feedback: bool
    bias: bool
    seed: int
    backend: Choice

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.backend.values.items())
        feeds = "recurrent with bias, " if self.feedback and self.bias else "recurrent, " if self.feedback else ""
        return (
            f"{self.described} {feeds}{self.batch}x{self.steps}x{self.shape}, drive {self.drive:g}, density {self.density:g}, "
            f"seed {self.seed}{'; ' if options else ''}{options}"
        )

    def inputs(self, dtype: torch.dtype) -> torch.Tensor:
        """The same single-precision numbers in any float type."""
        generator = torch.Generator().manual_seed(self.seed)
        size = (self.batch, self.steps, *self.shape)
        x = torch.randn(size, generator=generator) * self.drive
        return (x * (torch.rand(size, generator=generator) < self.density)).to(dtype)

    def weights(self, dtype: torch.dtype) -> nn.Linear | None:
        """Recurrent weights, or None."""
        if not self.feedback:
            return None
        size = self.shape[0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            made = nn.Linear(size, size, bias=self.bias)
        return made.to(dtype)


@st.composite
def cases(
    draw: st.DrawFn,
    neurons: list[Neuron],
    backend: Backend | None = None,
    *,
    least: int = 1,
    trained: bool | None = None,
) -> Case:
    """Cases of any of ``neurons``: silent, sparse, dense and saturated inputs; sizes from ``least``, 0 to 16 steps or more."""
    neuron = draw(st.sampled_from(neurons))
    fixed = {} if trained is None else {"train_taus": trained}
    chosen = draw(choices(neuron, **fixed))
    shape = draw(st.sampled_from(SHAPES))
    feedback = draw(st.booleans()) if len(shape) == 1 else False
    return Case(
        neuron=chosen,
        described=brief(chosen, neuron),
        shape=shape,
        batch=draw(st.integers(least, 3)),
        steps=draw(st.sampled_from([least, 1, 2, 7, 16])),
        drive=draw(st.sampled_from([1.0, 0.3, 3.0, 30.0])),
        density=draw(st.sampled_from([1.0, 0.2, 0.0])),
        feedback=feedback,
        bias=draw(st.booleans()) if feedback else False,
        seed=draw(st.integers(0, 2**20)),
        backend=draw(choices(backend)) if backend is not None else Choice("backend", "", {}),
    )
