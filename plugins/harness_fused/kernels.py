"""The compiled scans over time, forward and backward, for the processor.

A task is one recording and a few blocks of neurons (recurrent layers: all blocks). A task copies each step's rows into one
scratch array and computes there: rows of one array a constant distance apart need no run-time overlap checks, without which
LLVM does not vectorise. Every float operation of the forward scan is the definition's, in its order, without contraction, so that
spikes are equal to the last bit. What is compiled for: synaptic filter, adaptation, several spikes a step, recurrence,
gradients of time constants. The rest is a number at run time.

Everything compiled stands in this file: numba's disk cache notices a change of this file alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

BLOCK = 64
# Blocks a task computes side by side at most. A step's pieces of memory lie a whole layer apart: pieces of one block are too short
# for the processor to fetch ahead, and where that distance is near a power of two they drive one another out of its cache. More
# blocks than this would drive out their own scratch.
ABREAST = 4
# Widths are rounded up to this, so that the vectorised loop has no remainder.
_LANES = 16
# Steps whose gradients of time constants are added in the layer's float type before they join a sum in float64.
TOGETHER = 8

# Places in the array of settings.
ONE, ZERO, THRESHOLD, ADAPT_SCALE, RESET, FLOOR, MOST, SCALE, WIDTH = range(9)
_SETTINGS = 24
# Places of the constants that a surrogate takes, after those.
_C0 = 9

KINDS = (
    "single-exponential",
    "periodic-exponential",
    "sigmoid",
    "tanh",
    "boxcar",
    "heaviside",
    "gaussian",
    "multi-gaussian",
)
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": False}


@intrinsic
def _power_of_two(context: Any, shifted: Any) -> Any:
    """2**n of n + 1.5 * 2**(mantissa bits), by moving the low bits into the exponent."""
    bits, mantissa, bias = (32, 23, 127) if shifted == types.float32 else (64, 52, 1023)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(bits)
        moved = builder.shl(builder.bitcast(arguments[0], whole), ir.Constant(whole, mantissa))
        return builder.bitcast(builder.add(moved, ir.Constant(whole, bias << mantissa)), arguments[0].type)

    return shifted(shifted), generate


@intrinsic
def _at(context: Any, memory: Any, offset: Any) -> Any:
    """Pointer to the element at ``offset`` of a contiguous array or behind a pointer.

    Slices check and clip their bounds, and indices of arrays may count from the end: both cost more than a row's arithmetic.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = arguments[0]
        if isinstance(memory, types.Array):
            start = context.make_array(memory)(context, builder, start).data
        return builder.gep(start, [arguments[1]])

    return types.CPointer(memory.dtype)(memory, types.intp), generate


@intrinsic
def _copy(context: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy ``count`` elements from one pointer to another of its type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = context.get_abi_sizeof(context.get_data_type(source.dtype))
        to, of, count = arguments
        whole = ir.Constant(count.type, BLOCK)
        # A length known to the compiler becomes plain vector moves; a call costs as much as the row's arithmetic.
        with builder.if_else(builder.icmp_signed("==", count, whole), likely=True) as (full, part):
            with full:
                cgutils.raw_memcpy(builder, to, of, whole, size)
            with part:
                cgutils.raw_memcpy(builder, to, of, count, size)
        return context.get_dummy_value()

    return types.void(target, source, types.intp), generate


def _exp(y: Any) -> Any:
    """exp(y) for y <= 0; 0 where it would be subnormal, NaN for NaN."""
    raise NotImplementedError


def _typed(kind: Any) -> dict[str, Any]:
    """Constants of the exponential: lowest argument, rounding shift, log2(e), ln 2 in two parts, Taylor coefficients."""
    single = kind is np.float32
    # ln 2 in two parts, the first with zeros enough behind it that its product with a whole number is exact.
    high = float(np.float32(0.693359375)) if single else 6.93147180369123816490e-01
    low = math.log(2) - high if single else 1.90821492927058770002e-10
    return {
        "lowest": kind(-87.0 if single else -708.0),
        "shift": kind(1.5 * 2.0 ** (23 if single else 52)),
        "log2e": kind(1 / math.log(2)),
        "high": kind(high),
        "low": kind(low),
        "taylor": tuple(kind(1 / math.factorial(k)) for k in range(6 if single else 12, -1, -1)),
        "zero": kind(0),
    }


_32, _64 = _typed(np.float32), _typed(np.float64)
_LOWEST32, _SHIFT32, _LOG2E32, _HIGH32, _LOW32, _ZERO32 = (
    _32[name] for name in ("lowest", "shift", "log2e", "high", "low", "zero")
)
_LOWEST64, _SHIFT64, _LOG2E64, _HIGH64, _LOW64, _ZERO64 = (
    _64[name] for name in ("lowest", "shift", "log2e", "high", "low", "zero")
)
_A6, _A5, _A4, _A3, _A2, _A1, _A0 = _32["taylor"]
_B12, _B11, _B10, _B9, _B8, _B7, _B6, _B5, _B4, _B3, _B2, _B1, _B0 = _64["taylor"]


@overload(_exp, jit_options={"error_model": "numpy", "fastmath": False})
def _exp_by_type(y: Any) -> Any:
    def single(y: Any) -> Any:
        clamped = _LOWEST32 if y < _LOWEST32 else y
        shifted = clamped * _LOG2E32 + _SHIFT32
        n = shifted - _SHIFT32
        r = (clamped - n * _HIGH32) - n * _LOW32
        p = (((((_A6 * r + _A5) * r + _A4) * r + _A3) * r + _A2) * r + _A1) * r + _A0
        return _ZERO32 if y < _LOWEST32 else p * _power_of_two(shifted)

    def double(y: Any) -> Any:
        clamped = _LOWEST64 if y < _LOWEST64 else y
        shifted = clamped * _LOG2E64 + _SHIFT64
        n = shifted - _SHIFT64
        r = (clamped - n * _HIGH64) - n * _LOW64
        p = ((((_B12 * r + _B11) * r + _B10) * r + _B9) * r + _B8) * r + _B7
        p = ((((((p * r + _B6) * r + _B5) * r + _B4) * r + _B3) * r + _B2) * r + _B1) * r + _B0
        return _ZERO64 if y < _LOWEST64 else p * _power_of_two(shifted)

    return single if y == types.float32 else double


def settings_of(values: dict[str, Any], kind: int, dtype: Any) -> Any:
    """The array of settings that the kernels read; ``values`` by declared parameter."""
    width = values["surrogate_width"]
    given = np.zeros(_SETTINGS, np.float64)
    given[ONE] = 1
    given[THRESHOLD] = values["threshold"]
    given[ADAPT_SCALE] = values.get("adapt_scale", 0.0)
    given[RESET] = values["reset_value"]
    given[FLOOR] = 0.0 if values["v_min"] is None else values["v_min"]
    given[MOST] = values["max_spikes"] if values["spikes"] == "max" else np.inf
    given[SCALE] = values["surrogate_scale"]
    given[WIDTH] = width

    def density(deviation: float) -> float:
        return 1 / (deviation * math.sqrt(2 * math.pi))

    constants = {
        "periodic-exponential": (1 / width, 0.5, 2.0),
        "sigmoid": (1 / width,),
        "tanh": (2 / width, 2 / width),
        "boxcar": (1 / (2 * width),),
        "gaussian": (1 / (2 * width**2), density(width)),
        "multi-gaussian": (
            1 / (2 * width**2),
            1.15 * density(width),
            1 / (2 * (6 * width) ** 2),
            0.15 * density(6 * width),
        ),
    }.get(KINDS[kind], ())
    given[_C0 : _C0 + len(constants)] = constants
    return given.astype(dtype)


@njit(**_OPTIONS)
def _slopes(potentials, thresholds, slopes, width, kind, adaptive, p):  # type: ignore[no-untyped-def]
    """Surrogate derivative times its scale for one row of potentials and thresholds."""
    one, zero, scale, w = p[ONE], p[ZERO], p[SCALE], p[WIDTH]
    c0, c1, c2, c3 = p[_C0], p[_C0 + 1], p[_C0 + 2], p[_C0 + 3]
    if kind == 0 and not adaptive:
        inverse = one / (p[THRESHOLD] * w)
        for n in range(width):
            slopes[n] = _exp(-abs(potentials[n] - p[THRESHOLD]) * inverse) * inverse * scale
    elif kind == 0:
        for n in range(width):
            th = thresholds[n]
            inverse = one / (th * w)
            slopes[n] = _exp(-abs(potentials[n] - th) * inverse) * inverse * scale
    elif kind == 1:
        for n in range(width):
            v, th = potentials[n], thresholds[n]
            normalised = v / th - c1
            periodic = th * (c2 * (normalised - np.floor(normalised)) - one)
            distance = v - th if v < th else periodic
            slopes[n] = _exp(-abs(distance) * c0) * scale
    elif kind == 2 or kind == 3:
        for n in range(width):
            e = _exp(-abs(potentials[n] - thresholds[n]) * c0)
            slopes[n] = e / ((one + e) * (one + e)) * c0 * scale
    elif kind == 4:
        for n in range(width):
            near = abs(potentials[n] - thresholds[n]) <= w
            slopes[n] = c0 * scale if near else zero
    elif kind == 5:
        for n in range(width):
            th = thresholds[n]
            slopes[n] = scale / th if potentials[n] >= th - w else zero
    elif kind == 6:
        for n in range(width):
            d = potentials[n] - thresholds[n]
            slopes[n] = _exp(-(d * d) * c0) * c1 * scale
    else:
        for n in range(width):
            d = potentials[n] - thresholds[n]
            up, down = d - w, d + w
            sides = _exp(-(up * up) * c2) + _exp(-(down * down) * c2)
            slopes[n] = (_exp(-(d * d) * c0) * c1 - sides * c3) * scale


@njit(**_OPTIONS)
def _senders(found, spikes, neurons):  # type: ignore[no-untyped-def]
    """Write the indices of the neurons that fired (or are NaN) to ``found``; how many."""
    count = 0
    for j in range(neurons):
        if spikes[j] != 0:
            found[count] = j
            count += 1
    return count


@njit(**_OPTIONS)
def _receive(here, to, room, spikes, found, senders, into, bias, n0, count, width, zero):  # type: ignore[no-untyped-def]
    """Add what the last step's spikes send to one block of receivers to row ``to``; the next two rows of ``room`` are used."""
    neurons = into.shape[0]
    for n in range(width):
        here[room + n] = zero
    if bias.shape[0] > 0:
        _copy(_at(here, room), _at(bias, n0), count)
    for item in range(senders):
        j = found[item]
        spike = spikes[j]
        _copy(_at(here, room + BLOCK), _at(into, j * neurons + n0), count)
        for n in range(width):
            here[room + n] += spike * here[room + BLOCK + n]
    for n in range(width):
        here[to + n] += here[room + n]


@njit(**_OPTIONS)
def _send_back(back, gradients, weights, zero):  # type: ignore[no-untyped-def]
    """Gradients of the spikes that were sent: the received currents' gradients through the weights, receivers in order."""
    neurons = weights.shape[0]
    sent = _at(back, 0)
    for n in range(back.shape[0]):
        sent[n] = zero
    for n in range(neurons):
        g = gradients[n]
        row = _at(weights, n * neurons)
        for j in range(neurons):
            sent[j] += g * row[j]


@cache
def forward_kernel(filtered: bool, adaptive: bool, multi: bool, recurrent: bool) -> Callable[..., None]:
    """The forward scan.

    x, out, potentials (B, T, N); decays (3, N) of current, membrane and adaptation; start and end (3, B, N) hold i, v, b; start
    has B = 0 for zero state, and a fourth plane for the spikes before the first step; potentials has B = 0 where no gradient is
    wanted; into (N, N) maps a sender's row to receivers. ``own`` blocks a task, all of them with recurrent weights.
    """
    X, I, V, B, VP, S, A_SYN, A_MEM, A_ADAPT, C_I, C_V = (row * BLOCK for row in range(11))  # noqa: E741
    rows = 11 * BLOCK

    @njit(**_OPTIONS)
    def forward(x, decays, p, start, into, bias, normed, floored, valued, own, first, last, out, potentials, end):  # type: ignore[no-untyped-def]
        steps, neurons = x.shape[1], x.shape[2]
        blocks = (neurons + BLOCK - 1) // BLOCK
        one, zero = p[ONE], p[ZERO]
        base, adapt_scale, reset, floor, most = p[THRESHOLD], p[ADAPT_SCALE], p[RESET], p[FLOOR], p[MOST]
        pieces = (blocks + own - 1) // own
        keeps, starts, ends = potentials.shape[0] > 0, start.shape[1] > 0, end.shape[1] > 0
        hears = start.shape[0] > 3
        plane = x.shape[0] * neurons
        scratch = np.empty(own * rows, x.dtype)
        found = np.empty(neurons if recurrent else 0, np.int64)
        for task in range(first, last):
            recording = task // pieces
            block0 = task % pieces * own
            blocks_here = min(own, blocks - block0)
            for k in range(blocks_here):
                here, n0 = _at(scratch, k * rows), (block0 + k) * BLOCK
                count = min(BLOCK, neurons - n0)
                width = (count + _LANES - 1) // _LANES * _LANES
                # Zero everywhere, so that lanes beyond the last neuron compute with harmless numbers.
                for n in range(rows):
                    here[n] = zero
                _copy(_at(here, A_SYN), _at(decays, n0), count)
                _copy(_at(here, A_MEM), _at(decays, neurons + n0), count)
                _copy(_at(here, A_ADAPT), _at(decays, 2 * neurons + n0), count)
                for n in range(width):
                    factor = one - here[A_MEM + n] if normed else one
                    here[C_I + n] = factor if adaptive else one
                    here[C_V + n] = one if adaptive else factor
                if starts:
                    state = recording * neurons + n0
                    _copy(_at(here, I), _at(start, state), count)
                    _copy(_at(here, V), _at(start, plane + state), count)
                    _copy(_at(here, B), _at(start, 2 * plane + state), count)
            for t in range(steps):
                senders, before = 0, _at(out, 0)
                if recurrent and t > 0:
                    before = _at(out, (recording * steps + t - 1) * neurons)
                    senders = _senders(found, before, neurons)
                elif recurrent and hears:
                    before = _at(start, 3 * plane + recording * neurons)
                    senders = _senders(found, before, neurons)
                for k in range(blocks_here):
                    here, n0 = _at(scratch, k * rows), (block0 + k) * BLOCK
                    count = min(BLOCK, neurons - n0)
                    width = (count + _LANES - 1) // _LANES * _LANES
                    now = (recording * steps + t) * neurons + n0
                    _copy(_at(here, X), _at(x, now), count)
                    if recurrent and (t > 0 or hears):
                        _receive(here, X, VP, before, found, senders, into, bias, n0, count, width, zero)
                    for n in range(width):
                        i = here[X + n]
                        if filtered:
                            i = here[A_SYN + n] * (here[I + n] + i)
                        if adaptive:
                            i = here[C_I + n] * i
                            v = here[A_MEM + n] * here[V + n] + i
                            b = here[B + n]
                            th = base + adapt_scale * b
                        else:
                            v = here[A_MEM + n] * here[V + n] + here[C_V + n] * i
                            th = base
                        if multi:
                            s = np.trunc(v / th) if v > zero else zero
                            s = most if s > most else s
                        else:
                            s = one if v - th >= zero else zero
                        here[I + n] = i
                        here[VP + n] = v
                        here[S + n] = s
                        v = (reset if s > zero else v) if valued else v - s * th
                        if adaptive:
                            a = here[A_ADAPT + n]
                            here[B + n] = a * b + (one - a) * s
                        if floored:
                            above = v - floor
                            v = (zero if above <= zero else above) + floor
                        here[V + n] = v
                    _copy(_at(out, now), _at(here, S), count)
                    if keeps:
                        _copy(_at(potentials, now), _at(here, VP), count)
            if ends:
                for k in range(blocks_here):
                    here, n0 = _at(scratch, k * rows), (block0 + k) * BLOCK
                    count = min(BLOCK, neurons - n0)
                    state = recording * neurons + n0
                    _copy(_at(end, state), _at(here, I), count)
                    _copy(_at(end, plane + state), _at(here, V), count)
                    _copy(_at(end, 2 * plane + state), _at(here, B), count)

    compiled: Callable[..., None] = forward
    return compiled


@cache
def backward_kernel(filtered: bool, adaptive: bool, taus: bool, recurrent: bool) -> Callable[..., None]:
    """The scan back through time.

    g_out, out, potentials, x, g_x (B, T, N); g_end (3, B, N) and g_start, as many planes as start, each with B = 0 where there is
    none; weights (N, N) as torch holds them, into its transpose; sums (3, B, N) in float64 takes the gradients of the decays by
    recording. ``own`` as in the forward scan.
    """
    # The last three stand together, in the order of the decays.
    G, S, VP, TH, SLOPE, ROOM, DI, DV, DB, A_SYN, A_MEM, A_ADAPT, C_I, C_V, Q, VB, B0, D_SYN, D_MEM, D_ADAPT = (
        row * BLOCK for row in range(20)
    )
    rows = 20 * BLOCK

    @njit(**_OPTIONS)
    def backward(  # type: ignore[no-untyped-def]
        g_out, g_end, out, potentials, x, decays, p, kind, start, weights, into, bias,
        normed, floored, valued, own, first, last, g_x, g_start, sums,
    ):  # fmt: skip
        steps, neurons = out.shape[1], out.shape[2]
        blocks = (neurons + BLOCK - 1) // BLOCK
        one, zero = p[ONE], p[ZERO]
        base, adapt_scale, reset, floor = p[THRESHOLD], p[ADAPT_SCALE], p[RESET], p[FLOOR]
        pieces = (blocks + own - 1) // own
        starts, ends, moves_start = start.shape[1] > 0, g_end.shape[1] > 0, g_start.shape[1] > 0
        hears = start.shape[0] > 3
        plane = out.shape[0] * neurons
        scratch = np.empty(own * rows, out.dtype)
        added = np.empty(own * 3 * BLOCK if taus else 0, np.float64)
        # What the scan back needs of the scan forward: b before every step, and i + received of every step.
        adapted = np.empty(own * steps * BLOCK if adaptive else 0, out.dtype)
        currents = np.empty(own * steps * BLOCK if taus else 0, out.dtype)
        back = np.empty(own * BLOCK if recurrent else 0, out.dtype)
        found = np.empty(neurons if recurrent else 0, np.int64)
        for task in range(first, last):
            recording = task // pieces
            block0 = task % pieces * own
            blocks_here = min(own, blocks - block0)
            for k in range(blocks_here):
                here, n0 = _at(scratch, k * rows), (block0 + k) * BLOCK
                count = min(BLOCK, neurons - n0)
                width = (count + _LANES - 1) // _LANES * _LANES
                state = recording * neurons + n0
                for n in range(rows):
                    here[n] = zero
                _copy(_at(here, A_SYN), _at(decays, n0), count)
                _copy(_at(here, A_MEM), _at(decays, neurons + n0), count)
                _copy(_at(here, A_ADAPT), _at(decays, 2 * neurons + n0), count)
                for n in range(width):
                    factor = one - here[A_MEM + n] if normed else one
                    here[C_I + n] = factor if adaptive else one
                    here[C_V + n] = one if adaptive else factor
                    here[TH + n] = base
                if ends:
                    _copy(_at(here, DI), _at(g_end, state), count)
                    _copy(_at(here, DV), _at(g_end, plane + state), count)
                    _copy(_at(here, DB), _at(g_end, 2 * plane + state), count)
                if adaptive:
                    if starts:
                        _copy(_at(here, B0), _at(start, 2 * plane + state), count)
                    for t in range(steps):
                        _copy(_at(adapted, (k * steps + t) * BLOCK), _at(here, B0), width)
                        _copy(_at(here, S), _at(out, (recording * steps + t) * neurons + n0), count)
                        for n in range(width):
                            a = here[A_ADAPT + n]
                            here[B0 + n] = a * here[B0 + n] + (one - a) * here[S + n]
                if taus:
                    sum_here = _at(added, k * 3 * BLOCK)
                    for n in range(3 * BLOCK):
                        sum_here[n] = 0.0
                    if starts:
                        _copy(_at(here, Q), _at(start, state), count)
                    for t in range(steps):
                        _copy(_at(here, VB), _at(x, (recording * steps + t) * neurons + n0), count)
                        if recurrent and (t > 0 or hears):
                            before = _at(start, 3 * plane + recording * neurons)
                            if t > 0:
                                before = _at(out, (recording * steps + t - 1) * neurons)
                            senders = _senders(found, before, neurons)
                            _receive(here, VB, SLOPE, before, found, senders, into, bias, n0, count, width, zero)
                        if filtered:
                            for n in range(width):
                                q = here[Q + n] + here[VB + n]
                                here[Q + n] = here[C_I + n] * (here[A_SYN + n] * q)
                                here[VB + n] = q
                        _copy(_at(currents, (k * steps + t) * BLOCK), _at(here, VB), width)
                if steps > 0:
                    last_row = (recording * steps + steps - 1) * neurons + n0
                    _copy(_at(here, VP), _at(potentials, last_row), count)
                    _copy(_at(here, S), _at(out, last_row), count)
            for back_step in range(steps):
                t = steps - 1 - back_step
                if recurrent and back_step > 0:
                    _send_back(back, _at(g_x, (recording * steps + t + 1) * neurons), weights, zero)
                for k in range(blocks_here):
                    here, n0 = _at(scratch, k * rows), (block0 + k) * BLOCK
                    count = min(BLOCK, neurons - n0)
                    width = (count + _LANES - 1) // _LANES * _LANES
                    now = (recording * steps + t) * neurons + n0
                    _copy(_at(here, G), _at(g_out, now), count)
                    if recurrent and back_step > 0:
                        _copy(_at(here, ROOM), _at(back, k * BLOCK), count)
                        for n in range(width):
                            here[G + n] += here[ROOM + n]
                    if adaptive:
                        _copy(_at(here, B0), _at(adapted, (k * steps + t) * BLOCK), width)
                        for n in range(width):
                            here[TH + n] = base + adapt_scale * here[B0 + n]
                    if taus:
                        _copy(_at(here, Q), _at(currents, (k * steps + t) * BLOCK), width)
                    _slopes(_at(here, VP), _at(here, TH), _at(here, SLOPE), width, kind, adaptive, p)
                    for n in range(width):
                        s, th, v = here[S + n], here[TH + n], here[VP + n]
                        g_v = here[DV + n]
                        g_s = here[G + n]
                        if floored:
                            after = (reset if s > zero else v) if valued else v - s * th
                            g_v = zero if after - floor <= zero else g_v
                        g_th = zero
                        if valued:
                            g_v = zero if s > zero else g_v
                        else:
                            g_s = g_s - th * g_v
                            g_th = -(s * g_v)
                        if adaptive:
                            a = here[A_ADAPT + n]
                            g_b = here[DB + n]
                            g_s = g_s + (one - a) * g_b
                            if taus:
                                here[D_ADAPT + n] += (here[B0 + n] - s) * g_b
                            here[DB + n] = a * g_b + adapt_scale * g_th
                        g_v = g_v + g_s * here[SLOPE + n]
                        here[DV + n] = here[A_MEM + n] * g_v
                        here[VB + n] = g_v
                        g_i = here[DI + n] + (g_v if adaptive else here[C_V + n] * g_v)
                        if taus:
                            i = here[A_SYN + n] * here[Q + n]
                            moved = i * g_i if adaptive else i * g_v
                            here[D_MEM + n] += -moved if normed else zero
                        if adaptive:
                            g_i = here[C_I + n] * g_i
                        if taus:
                            here[D_SYN + n] += here[Q + n] * g_i
                        g_i = here[A_SYN + n] * g_i
                        # Without a filter the current lasts one step: only the state handed on has a gradient of its own.
                        here[DI + n] = g_i if filtered else zero
                        here[G + n] = g_i
                    _copy(_at(g_x, now), _at(here, G), count)
                    if t > 0:
                        _copy(_at(here, VP), _at(potentials, now - neurons), count)
                        _copy(_at(here, S), _at(out, now - neurons), count)
                    if taus:
                        # v after the step before, from what was kept of it.
                        if t > 0:
                            if adaptive:
                                _copy(_at(here, B0), _at(adapted, (k * steps + t - 1) * BLOCK), width)
                                for n in range(width):
                                    here[TH + n] = base + adapt_scale * here[B0 + n]
                            for n in range(width):
                                s, v = here[S + n], here[VP + n]
                                v = (reset if s > zero else v) if valued else v - s * here[TH + n]
                                if floored:
                                    above = v - floor
                                    v = (zero if above <= zero else above) + floor
                                here[D_MEM + n] += v * here[VB + n]
                        elif starts:
                            _copy(_at(here, SLOPE), _at(start, plane + recording * neurons + n0), count)
                            for n in range(width):
                                here[D_MEM + n] += here[SLOPE + n] * here[VB + n]
                        if t % TOGETHER == 0:
                            sum_here = _at(added, k * 3 * BLOCK)
                            for n in range(3 * BLOCK):
                                sum_here[n] += here[D_SYN + n]
                                here[D_SYN + n] = zero
            if recurrent and hears and moves_start and steps > 0:
                _send_back(back, _at(g_x, recording * steps * neurons), weights, zero)
                _copy(_at(g_start, 3 * plane + recording * neurons), _at(back, 0), neurons)
            for k in range(blocks_here):
                here, n0 = _at(scratch, k * rows), (block0 + k) * BLOCK
                count = min(BLOCK, neurons - n0)
                state = recording * neurons + n0
                if moves_start:
                    _copy(_at(g_start, state), _at(here, DI), count)
                    _copy(_at(g_start, plane + state), _at(here, DV), count)
                    _copy(_at(g_start, 2 * plane + state), _at(here, DB), count)
                if taus:
                    for row in range(3):
                        _copy(_at(sums, row * plane + state), _at(added, (k * 3 + row) * BLOCK), count)

    compiled: Callable[..., None] = backward
    return compiled


@njit(**_OPTIONS)
def recurrent_gradient(g_x, out, start, first, last, to_weights, to_bias):  # type: ignore[no-untyped-def]
    """Gradients of recurrent weights, transposed (sender, receiver), and bias, for receivers first to last, in float64.

    Recordings and steps are added in order, so that the sum does not depend on the number of threads.
    """
    steps, neurons = out.shape[1], out.shape[2]
    found = np.empty(neurons, np.int64)
    bias = _at(to_bias, 0)
    for recording in range(out.shape[0]):
        for t in range(0 if start.shape[0] > 3 else 1, steps):
            now = (recording * steps + t) * neurons
            before = _at(start, (3 * start.shape[1] + recording) * neurons)
            if t > 0:
                before = _at(out, now - neurons)
            senders = _senders(found, before, neurons)
            gradients = _at(g_x, now)
            for n in range(first, last):
                bias[n] += gradients[n]
            for item in range(senders):
                row = _at(to_weights, found[item] * neurons)
                spike = np.float64(before[found[item]])
                for n in range(first, last):
                    row[n] += spike * gradients[n]


# numba readies itself at the first call, in 0.4 s; here, so that processes forked after this import find it done.
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
