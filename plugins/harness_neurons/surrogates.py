"""Surrogate derivatives of the spike function, at membrane potential v and threshold th.

``w`` is the width; every one is multiplied by the scale. Sources: single-exponential Shrestha and Orchard 2018;
periodic-exponential Weidel and Sheik 2021 (arXiv 2111.01456); multi-gaussian Yin, Corradi, Bohte 2021; the exponentials,
heaviside and the Gaussians are as in sinabs 3.1; sigmoid and tanh are derivatives of functions that rise from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

Surrogate = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def _gaussian(x: torch.Tensor, mean: float, deviation: float) -> torch.Tensor:
    return torch.exp(-((x - mean) ** 2) / (2 * deviation**2)) / (deviation * math.sqrt(2 * math.pi))


def single_exponential(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """exp(-|v - th| / (w th)) / (w th)"""
    return torch.exp(-torch.abs(v - th) / (th * w)) / (th * w)


def periodic_exponential(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """exp(-d / w), d the distance to the threshold below it and to the nearest multiple of it above"""
    normalised = v / th - 0.5
    periodic = th * (2 * (normalised - torch.floor(normalised)) - 1)
    return torch.exp(-torch.abs(torch.where(v < th, v - th, periodic)) / w)


def sigmoid(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """s (1 - s) / w with s the logistic function of (v - th) / w"""
    y = (v - th) / w
    return torch.sigmoid(y) * torch.sigmoid(-y) / w  # 1 - s would cancel far above the threshold


def tanh(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """(1 - tanh²((v - th) / w)) / (2 w)"""
    return torch.cosh((v - th) / w) ** -2 / (2 * w)  # the same, without its cancellation far from the threshold


def boxcar(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """1 / (2 w) within w of the threshold, else 0"""
    return (torch.abs(v - th) <= w).to(v.dtype) / (2 * w)


def heaviside(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """1 / th from w below the threshold upwards, without an upper bound"""
    return (v >= th - w).to(v.dtype) / th


def gaussian(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """normal density of v - th with standard deviation w"""
    return _gaussian(v - th, 0.0, w)


def multi_gaussian(v: torch.Tensor, th: torch.Tensor, w: float) -> torch.Tensor:
    """1.15 N(0, w) - 0.15 N(w, 6 w) - 0.15 N(-w, 6 w) at v - th"""
    x = v - th
    return 1.15 * _gaussian(x, 0.0, w) - 0.15 * _gaussian(x, w, 6 * w) - 0.15 * _gaussian(x, -w, 6 * w)


def find(name: str) -> Surrogate:
    """The surrogate declared as ``name``."""
    found: Surrogate = globals()[name.replace("-", "_")]
    return found
