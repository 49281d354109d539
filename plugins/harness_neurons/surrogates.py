"""Surrogate derivatives of the spike function, at membrane potential v and threshold th; ``w`` is the width.

Every one is multiplied by the scale. The exponentials, heaviside and the Gaussians are as in sinabs 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

Surrogate = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


@dataclass(frozen=True)
class Formula:
    """A surrogate as one would write it in Python, of v, th and w; ``smooth`` is the function with that ``derivative``.

    ``normal(x, m, s)`` is the normal density of mean m and standard deviation s, ``cumulative`` its integral.
    """

    derivative: str
    smooth: str
    source: str


_FORMULAS = {
    "single-exponential": Formula(
        "exp(-abs(v - th) / (w * th)) / (w * th)",
        "where(v < th, exp((v - th) / (w * th)), 2 - exp((th - v) / (w * th)))",
        "Shrestha and Orchard, NeurIPS 2018",
    ),
    "periodic-exponential": Formula(
        "exp(-abs(where(v < th, v - th, 2 * (v - th * floor(v / th + 0.5)))) / w)",
        "",
        "Weidel and Sheik 2021, arXiv 2111.01456",
    ),
    "sigmoid": Formula(
        "exp(-(v - th) / w) / (w * (1 + exp(-(v - th) / w))**2)",
        "1 / (1 + exp(-(v - th) / w))",
        "the logistic function, which rises from 0 to 1",
    ),
    "tanh": Formula(
        "(1 - tanh((v - th) / w)**2) / (2 * w)",
        "(1 + tanh((v - th) / w)) / 2",
        "the hyperbolic tangent, scaled to rise from 0 to 1",
    ),
    "boxcar": Formula(
        "where(abs(v - th) <= w, 1 / (2 * w), 0)",
        "clip((v - th) / (2 * w) + 0.5, 0, 1)",
        "a straight line, cut off at 0 and 1",
    ),
    "heaviside": Formula(
        "where(v >= th - w, 1 / th, 0)",
        "maximum(0, (v - th + w) / th)",
        "sinabs 3.1; it has no upper bound",
    ),
    "gaussian": Formula("normal(v - th, 0, w)", "cumulative(v - th, 0, w)", "sinabs 3.1"),
    "multi-gaussian": Formula(
        "1.15 * normal(v - th, 0, w) - 0.15 * normal(v - th, w, 6 * w) - 0.15 * normal(v - th, -w, 6 * w)",
        "1.15 * cumulative(v - th, 0, w) - 0.15 * cumulative(v - th, w, 6 * w) - 0.15 * cumulative(v - th, -w, 6 * w)",
        "Yin, Corradi and Bohte 2021, bioRxiv 2021.03.22.436372",
    ),
}


def _gaussian(x: torch.Tensor, mean: float, deviation: float) -> torch.Tensor:
    return torch.exp(-((x - mean) ** 2) / (2 * deviation**2)) / (deviation * math.sqrt(2 * math.pi))


def single_exponential(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    return torch.exp(-torch.abs(v - th) / (th * w)) / (th * w)


def periodic_exponential(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """exp(-d / w), d the distance to the threshold below it, twice that to its nearest multiple above"""
    normalised = v / th - 0.5
    periodic = th * (2 * (normalised - torch.floor(normalised)) - 1)
    return torch.exp(-torch.abs(torch.where(v < th, v - th, periodic)) / w)


def sigmoid(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    y = (v - th) / w
    return torch.sigmoid(y) * torch.sigmoid(-y) / w  # 1 - s would cancel far above the threshold


def tanh(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    return torch.cosh((v - th) / w) ** -2 / (2 * w)  # the same, without its cancellation far from the threshold


def boxcar(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    return (torch.abs(v - th) <= w).to(v.dtype) / (2 * w)


def heaviside(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    return (v >= th - w).to(v.dtype) / th


def gaussian(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    return _gaussian(v - th, 0.0, w)


def multi_gaussian(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    x = v - th
    return 1.15 * _gaussian(x, 0.0, w) - 0.15 * _gaussian(x, w, 6 * w) - 0.15 * _gaussian(x, -w, 6 * w)


def find(name: str) -> Surrogate:
    """The surrogate declared as ``name``."""
    found: Surrogate = globals()[name.replace("-", "_")]
    return found


def formula(name: str) -> Formula:
    """What the surrogate declared as ``name`` is."""
    return _FORMULAS[name]
