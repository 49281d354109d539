"""The layer that the backend hands to the harness."""

from __future__ import annotations

from typing import Any, ClassVar

import sinabs.activation as activation
import torch
from torch import nn

from harness import Choice

from . import refuses
from .scan import Filter, Membrane, Surrogate, too_large

_TAUS = ("tau_syn", "tau_mem")
_BUILD = "pip install --no-build-isolation --no-cache-dir --no-deps --force-reinstall sinabs-exodus"
_NO_LIMIT = -1  # as the kernel reads it: the largest unsigned number


class ExodusLayer(nn.Module):
    """(batch, time, *shape) in and out, computed in float32 on a CUDA device; every call starts from zero state."""

    devices: ClassVar[tuple[str, ...]] = ("cuda",)

    def __init__(self, neuron: Choice, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.neuron = neuron
        self.shape = tuple(shape)
        self._surrogate = _surrogate(neuron)
        for name in _TAUS:
            value = neuron.values.get(name)
            size = self.shape if neuron["taus"] == "neuron" else ()
            tau = None if value is None else nn.Parameter(torch.full(size, value), requires_grad=neuron["train_taus"])
            self.register_parameter(name, tau)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes, in the float type of ``x``; raises ``TypeError`` for float64 and ``RuntimeError`` off CUDA devices."""
        return self._scanned(x)[0]

    def trace(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Spikes, and ``i_syn`` and ``v_mem`` after every step, each (batch, time, *shape)."""
        spikes, i_syn, potentials = self._scanned(x)
        return spikes, {"i_syn": i_syn, "v_mem": potentials - self.neuron["threshold"] * spikes}

    def _scanned(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Spikes, synaptic current, and potential before the reset."""
        self._check(x)
        if not x.numel():
            return x.clone(), x.clone(), x.clone()
        neuron, kernels = self.neuron, self._kernels()
        # A row a neuron of every recording, as the kernels want it: time innermost.
        rows = x.float().movedim(1, -1).reshape(-1, x.shape[1]).contiguous()
        current = rows
        if self.tau_syn is not None:
            decay = self._decays(self.tau_syn, x)
            current = Filter.apply(decay.unsqueeze(1) * rows, decay, kernels)
        decay = rows.new_ones(len(rows)) if self.tau_mem is None else self._decays(self.tau_mem, x)
        received = (1 - decay).unsqueeze(1) * current if neuron.values.get("norm_input") else current
        spikes, potentials = Membrane.apply(
            received, decay, neuron["threshold"], neuron["v_min"], _most(neuron), self._surrogate, kernels
        )
        return self._shaped(spikes, x), self._shaped(current, x), self._shaped(potentials, x)

    @staticmethod
    def _kernels() -> Any:
        """The compiled module, which needs torch to be loaded before it."""
        try:
            import exodus_cuda
        except ImportError as error:
            reason = str(error).splitlines()[0]
            raise RuntimeError(f"sinabs-exodus was not built for this torch ({reason}); {_BUILD}") from error
        return exodus_cuda

    def _check(self, x: torch.Tensor) -> None:
        if x.device.type not in self.devices:
            raise RuntimeError(f"the backend exodus computes on CUDA devices, not on {x.device}; use fused or sinabs")
        if x.is_cuda and torch.cuda.current_stream(x.device) != torch.cuda.default_stream(x.device):
            # Its kernels do not wait for any other stream, nor any other for them.
            raise RuntimeError("EXODUS computes on CUDA's default stream alone; leave torch.cuda.stream, or use fused")
        if x.dtype == torch.float64:
            raise TypeError("the backend exodus computes in float32, not in float64; use fused")
        if x.dim() < 2 or tuple(x.shape[2:]) != self.shape:
            raise ValueError(f"expected (batch, time, *{self.shape}), got {tuple(x.shape)}")
        steps = x.shape[1]
        rows = x.numel() // max(steps, 1)
        if too_large(rows, steps):
            raise ValueError(
                f"EXODUS cannot compute {rows:,} neurons (batch {x.shape[0]:,} x {rows // x.shape[0]:,}) over {steps} steps at once; "
                "take another batch size, or fused"
            )

    @staticmethod
    def _decays(tau: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """exp(-1 / tau), one a row."""
        return torch.exp(-1 / tau.float()).expand(x.shape[0], *x.shape[2:]).reshape(-1).contiguous()

    @staticmethod
    def _shaped(rows: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return rows.reshape(x.shape[0], *x.shape[2:], x.shape[1]).movedim(-1, 1).to(x.dtype)


def _most(neuron: Choice) -> int:
    """Most spikes a step, a 32-bit number."""
    return {"single": 1, "multi": _NO_LIMIT}.get(neuron["spikes"], min(neuron.values["max_spikes"], 2**31 - 1))


def _surrogate(neuron: Choice) -> Surrogate:
    width, scale = neuron["surrogate_width"], neuron["surrogate_scale"]
    made = {
        "single-exponential": lambda: activation.SingleExponential(grad_width=width, grad_scale=scale),
        "periodic-exponential": lambda: activation.PeriodicExponential(grad_width=width, grad_scale=scale),
        "heaviside": lambda: activation.Heaviside(window=width),
        "gaussian": lambda: activation.Gaussian(sigma=width, grad_scale=scale),
        "multi-gaussian": lambda: activation.MultiGaussian(sigma=width, grad_scale=scale),
    }
    found: Surrogate = made[neuron["surrogate"]]()
    return found


def layer(neuron: Choice, shape: tuple[int, ...], recurrent: nn.Module | None = None) -> ExodusLayer:
    """The layer of ``neuron``; raises ``ValueError`` for what :func:`harness_exodus.refuses` refuses on any device."""
    reason = refuses(neuron, recurrent is not None, "cuda")
    if reason:
        raise ValueError(reason)
    return ExodusLayer(neuron, shape)
