"""The scan over time on CUDA devices, in Triton: one program a recording and block of neurons, states in registers.

Neurons lie innermost, so that loads and stores of a step are coalesced. Operations and their order are the definition's, and
callers forbid contraction, as on processors. Recurrence is not inside: its layers come step by step.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
import triton.language as tl

from .scan import Gradients, Scan, no_second_derivative

_BLOCK = 128
_ROOT_TWO_PI = tl.constexpr((2 * math.pi) ** 0.5)
# Contraction of a product and a sum would round otherwise than the definition.
_LAUNCH: dict[str, Any] = {"enable_fp_fusion": False, "num_warps": 4}


@triton.jit
def _density(d, deviation):  # type: ignore[no-untyped-def]
    """Normal density."""
    return tl.exp(-(d * d) / (2.0 * deviation * deviation)) / (deviation * _ROOT_TWO_PI)


@triton.jit
def _slope(v, th, w, KIND: tl.constexpr):  # type: ignore[no-untyped-def]
    """The surrogate's derivative."""
    d = v - th
    if KIND == 0:
        slope = tl.exp(-tl.abs(d) / (th * w)) / (th * w)
    elif KIND == 1:
        normalised = v / th - 0.5
        periodic = th * (2.0 * (normalised - tl.floor(normalised)) - 1.0)
        slope = tl.exp(-tl.abs(tl.where(v < th, d, periodic)) / w)
    elif KIND == 2:
        e = tl.exp(-tl.abs(d) / w)
        slope = e / ((1.0 + e) * (1.0 + e)) / w
    elif KIND == 3:
        e = tl.exp(-2.0 * tl.abs(d) / w)
        slope = e / ((1.0 + e) * (1.0 + e)) * 2.0 / w
    elif KIND == 4:
        slope = tl.where(tl.abs(d) <= w, 1.0, 0.0) / (2.0 * w)
    elif KIND == 5:
        slope = tl.where(v >= th - w, 1.0, 0.0) / th
    elif KIND == 6:
        slope = _density(d, w)
    else:
        slope = 1.15 * _density(d, w) - 0.15 * (_density(d - w, 6.0 * w) + _density(d + w, 6.0 * w))
    return slope


@triton.jit
def _reset(v, s, th, p, VALUED: tl.constexpr):  # type: ignore[no-untyped-def]
    """The membrane after a spike."""
    return tl.where(s > 0.0, tl.load(p + 2), v) if VALUED else v - s * th


@triton.jit
def _held(v, p, FLOORED: tl.constexpr):  # type: ignore[no-untyped-def]
    """The membrane above its floor."""
    if FLOORED:
        floor = tl.load(p + 3)
        above = v - floor
        v = tl.where(above <= 0.0, 0.0, above) + floor
    return v


@triton.jit
def forward_kernel(
    x, decays, p, start, out, potentials, currents, adapted, end, steps, neurons, plane,
    STARTS: tl.constexpr, ENDS: tl.constexpr, KEEPS: tl.constexpr, TAUS: tl.constexpr,
    FILTERED: tl.constexpr, ADAPTIVE: tl.constexpr, MULTI: tl.constexpr,
    NORMED: tl.constexpr, FLOORED: tl.constexpr, VALUED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip # type: ignore[no-untyped-def]
    """Spikes (B, T, N); p holds threshold, adapt_scale, reset, floor, most spikes, scale and width of the surrogate."""
    recording = tl.program_id(0).to(tl.int64)
    n = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    real = n < neurons
    state = recording * neurons + n
    a_syn = tl.load(decays + n, mask=real, other=0.0)
    a_mem = tl.load(decays + neurons + n, mask=real, other=0.0)
    a_adapt = tl.load(decays + 2 * neurons + n, mask=real, other=0.0)
    base, adapt_scale, most = tl.load(p), tl.load(p + 1), tl.load(p + 4)
    i, v, b = a_syn * 0.0, a_syn * 0.0, a_syn * 0.0
    if STARTS:
        i = tl.load(start + state, mask=real, other=0.0)
        v = tl.load(start + plane + state, mask=real, other=0.0)
        b = tl.load(start + 2 * plane + state, mask=real, other=0.0)
    for t in range(steps):
        now = (recording * steps + t) * neurons + n
        received = tl.load(x + now, mask=real, other=0.0)
        if FILTERED:
            q = i + received
            if TAUS:
                tl.store(currents + now, q, mask=real)
            i = a_syn * q
        else:
            i = received
        if ADAPTIVE:
            if NORMED:
                i = (1.0 - a_mem) * i
            v = a_mem * v + i
            if KEEPS:
                tl.store(adapted + now, b, mask=real)
            th = base + adapt_scale * b
        else:
            v = a_mem * v + (1.0 - a_mem) * i if NORMED else a_mem * v + i
            th = tl.broadcast_to(base, (BLOCK,))
        if MULTI:
            # Division is rounded as IEEE has it in double precision, and in single only by that name.
            s = v / th if v.dtype == tl.float64 else tl.div_rn(v, th)
            s = tl.where(v > 0.0, tl.floor(s), 0.0)
            s = tl.where(s > most, most, s)
        else:
            s = tl.where(v - th >= 0.0, a_syn * 0.0 + 1.0, 0.0)
        tl.store(out + now, s, mask=real)
        if KEEPS:
            tl.store(potentials + now, v, mask=real)
        v = _held(_reset(v, s, th, p, VALUED), p, FLOORED)
        if ADAPTIVE:
            b = a_adapt * b + (1.0 - a_adapt) * s
    if ENDS:
        tl.store(end + state, i, mask=real)
        tl.store(end + plane + state, v, mask=real)
        tl.store(end + 2 * plane + state, b, mask=real)


@triton.jit
def backward_kernel(
    g_out, g_end, out, potentials, currents, adapted, decays, p, start, g_x, g_start, sums, steps, neurons, plane,
    STARTS: tl.constexpr, ENDS: tl.constexpr, MOVES: tl.constexpr, TAUS: tl.constexpr,
    FILTERED: tl.constexpr, ADAPTIVE: tl.constexpr,
    NORMED: tl.constexpr, FLOORED: tl.constexpr, VALUED: tl.constexpr, KIND: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip # type: ignore[no-untyped-def]
    """Back through time; currents holds i + received before the filter (the input itself without one), sums (3, B, N) float64."""
    recording = tl.program_id(0).to(tl.int64)
    n = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    real = n < neurons
    state = recording * neurons + n
    a_syn = tl.load(decays + n, mask=real, other=0.0)
    a_mem = tl.load(decays + neurons + n, mask=real, other=0.0)
    a_adapt = tl.load(decays + 2 * neurons + n, mask=real, other=0.0)
    base, adapt_scale = tl.load(p), tl.load(p + 1)
    scale, width = tl.load(p + 5), tl.load(p + 6)
    g_i, g_v, g_b = a_syn * 0.0, a_syn * 0.0, a_syn * 0.0
    if ENDS:
        g_i = tl.load(g_end + state, mask=real, other=0.0)
        g_v = tl.load(g_end + plane + state, mask=real, other=0.0)
        g_b = tl.load(g_end + 2 * plane + state, mask=real, other=0.0)
    d_syn, d_mem, d_adapt = (a_syn * 0.0).to(tl.float64), (a_syn * 0.0).to(tl.float64), (a_syn * 0.0).to(tl.float64)
    for back in range(steps):
        t = steps - 1 - back
        now = (recording * steps + t) * neurons + n
        s = tl.load(out + now, mask=real, other=0.0)
        v = tl.load(potentials + now, mask=real, other=0.0)
        g_s = tl.load(g_out + now, mask=real, other=0.0)
        th = tl.broadcast_to(base, (BLOCK,))
        b = a_syn * 0.0
        if ADAPTIVE:
            b = tl.load(adapted + now, mask=real, other=0.0)
            th = base + adapt_scale * b
        slope = _slope(v, th, width, KIND) * scale
        if FLOORED:
            g_v = tl.where(_reset(v, s, th, p, VALUED) - tl.load(p + 3) <= 0.0, 0.0, g_v)
        g_th = g_v * 0.0
        if VALUED:
            g_v = tl.where(s > 0.0, 0.0, g_v)
        else:
            g_s = g_s - th * g_v
            g_th = -(s * g_v)
        if ADAPTIVE:
            g_s = g_s + (1.0 - a_adapt) * g_b
            if TAUS:
                d_adapt += ((b - s) * g_b).to(tl.float64)
            g_b = a_adapt * g_b + adapt_scale * g_th
        g_v = g_v + g_s * slope
        if TAUS:
            before = a_syn * 0.0
            if t > 0:
                earlier = now - neurons
                s_before = tl.load(out + earlier, mask=real, other=0.0)
                v_before = tl.load(potentials + earlier, mask=real, other=0.0)
                th_before = tl.broadcast_to(base, (BLOCK,))
                if ADAPTIVE:
                    th_before = base + adapt_scale * tl.load(adapted + earlier, mask=real, other=0.0)
                before = _held(_reset(v_before, s_before, th_before, p, VALUED), p, FLOORED)
            elif STARTS:
                before = tl.load(start + plane + state, mask=real, other=0.0)
            d_mem += (before * g_v).to(tl.float64)
            q = tl.load(currents + now, mask=real, other=0.0)
        passed = g_v
        if NORMED and not ADAPTIVE:
            passed = (1.0 - a_mem) * g_v
        g_i = g_i + passed
        if TAUS and NORMED:
            filtered = a_syn * q
            if ADAPTIVE:
                d_mem += -(filtered * g_i).to(tl.float64)
            else:
                d_mem += -(filtered * g_v).to(tl.float64)
        if NORMED and ADAPTIVE:
            g_i = (1.0 - a_mem) * g_i
        if TAUS and FILTERED:
            d_syn += (q * g_i).to(tl.float64)
        g_i = a_syn * g_i
        tl.store(g_x + now, g_i, mask=real)
        if not FILTERED:
            g_i = g_i * 0.0
        g_v = a_mem * g_v
    if MOVES:
        tl.store(g_start + state, g_i, mask=real)
        tl.store(g_start + plane + state, g_v, mask=real)
        tl.store(g_start + 2 * plane + state, g_b, mask=real)
    if TAUS:
        tl.store(sums + state, d_syn, mask=real)
        tl.store(sums + plane + state, d_mem, mask=real)
        tl.store(sums + 2 * plane + state, d_adapt, mask=real)


def settings_of(scan: Scan, like: torch.Tensor) -> torch.Tensor:
    """The numbers that the kernels read, on the device of ``like``."""
    neuron = scan.neuron
    most = neuron["max_spikes"] if neuron["spikes"] == "max" else float("inf")
    floor = 0.0 if neuron["v_min"] is None else neuron["v_min"]
    given = (neuron["threshold"], neuron.values.get("adapt_scale", 0.0), neuron["reset_value"], floor, most)
    return like.new_tensor((*given, neuron["surrogate_scale"], neuron["surrogate_width"]))


def block_of(neurons: int) -> int:
    """Neurons a program: a power of two."""
    return min(_BLOCK, triton.next_power_of_2(max(neurons, 1)))


class TritonScan(torch.autograd.Function):
    """x (B, T, N), decays (3, 1 or N), start (3, B, N) to spikes (B, T, N) and end (3, B, N); as ``FusedScan``, without weights."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        decays: torch.Tensor,
        weight: None,
        bias: None,
        start: torch.Tensor | None,
        scan: Scan,
        wants_end: bool,
        keep: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        given = x.contiguous()
        recordings, steps, neurons = given.shape
        wide = decays.detach().expand(3, neurons).contiguous()
        taus = keep and ctx.needs_input_grad[1]
        out = torch.empty_like(given)
        nothing = given.new_empty(0)
        potentials = torch.empty_like(given) if keep else nothing
        currents = (torch.empty_like(given) if scan.filtered else given) if taus else nothing
        adapted = torch.empty_like(given) if keep and scan.adaptive else nothing
        end = given.new_zeros((3, recordings, neurons) if wants_end else (3, 0, 0))
        settings = settings_of(scan, given)
        normed, floored, valued = scan.flags()
        block = block_of(neurons)
        # Triton launches on the current device.
        with torch.cuda.device_of(given):
            forward_kernel[(recordings, triton.cdiv(neurons, block))](
                given, wide, settings, nothing if start is None else start.contiguous(), out, potentials, currents, adapted, end,
                steps, neurons, recordings * neurons,
                STARTS=start is not None, ENDS=wants_end, KEEPS=keep, TAUS=taus,
                FILTERED=scan.filtered, ADAPTIVE=scan.adaptive, MULTI=scan.neuron["spikes"] != "single",
                NORMED=normed, FLOORED=floored, VALUED=valued, BLOCK=block, **_LAUNCH,
            )  # fmt: skip
        if keep:
            ctx.save_for_backward(out, potentials, currents, adapted, decays, wide, start, settings)
            ctx.scan, ctx.taus = scan, taus
            ctx.set_materialize_grads(False)
        return out, end

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        out = ctx.saved_tensors[0]
        with torch.no_grad():
            computed = _backward(ctx, *gradients)
        return (*no_second_derivative(out, gradients, computed), None, None, None)


def _backward(ctx: Any, g_out: torch.Tensor | None, g_end: torch.Tensor | None) -> Gradients:
    out, potentials, currents, adapted, decays, wide, start, settings = ctx.saved_tensors
    scan: Scan = ctx.scan
    recordings, steps, neurons = out.shape
    moves_start = ctx.needs_input_grad[4]
    nothing = out.new_empty(0)
    g_x = torch.empty_like(out)
    g_start = out.new_zeros(3, recordings, neurons) if moves_start else nothing
    sums = out.new_zeros((3, recordings, neurons), dtype=torch.float64) if ctx.taus else nothing.double()
    ends = g_end is not None and g_end.numel() > 0
    normed, floored, valued = scan.flags()
    block = block_of(neurons)
    with torch.cuda.device_of(out):
        backward_kernel[(recordings, triton.cdiv(neurons, block))](
            torch.zeros_like(out) if g_out is None else g_out.contiguous(),
            g_end.contiguous() if g_end is not None and ends else nothing,
            out.detach(), potentials, currents, adapted, wide, settings, nothing if start is None else start.contiguous(),
            g_x, g_start, sums, steps, neurons, recordings * neurons,
            STARTS=start is not None, ENDS=ends, MOVES=moves_start, TAUS=ctx.taus,
            FILTERED=scan.filtered, ADAPTIVE=scan.adaptive,
            NORMED=normed, FLOORED=floored, VALUED=valued, KIND=scan.kind, BLOCK=block, **_LAUNCH,
        )  # fmt: skip
    g_decays = None
    if ctx.taus:
        per_neuron = sums.sum(1)
        summed = per_neuron if decays.shape[1] == neurons else per_neuron.sum(1, keepdim=True)
        g_decays = summed.to(decays.dtype)
    return g_x if ctx.needs_input_grad[0] else None, g_decays, None, None, g_start if moves_start else None
