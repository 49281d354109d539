"""What torch's operations make of the origins of their operands.

An operation that is not listed makes computed values of all it is given: averages that go into it are changed, and constants that
go into it beside what depends on the input may be weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F

from .origins import COMPUTED, CONSTANT, SIGN, WHOLE, ZERO, Origin, merged
from .pools import adaptive_sizes, window_sizes
from .shadow import Labels, Shadow, collapsed, spread


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Sums over products: what has weights, by whatever name, is made of these.
PRODUCTS = _words(
    """
    mm addmm bmm baddbmm addbmm mv addmv dot vdot inner addr outer ger linear matmul tensordot einsum bilinear _trilinear
    chain_matmul convolution _convolution convolution_overrideable conv1d conv2d conv3d conv_transpose1d conv_transpose2d
    conv_transpose3d conv_tbc _convolution_mode mkldnn_convolution cudnn_convolution cudnn_convolution_transpose
    cudnn_convolution_relu cudnn_convolution_add_relu miopen_convolution miopen_depthwise_convolution thnn_conv2d
    _slow_conv2d_forward slow_conv3d slow_conv_dilated2d slow_conv_transpose2d _conv_depthwise2d conv_depthwise3d
    _addmm_activation _int_mm _sparse_mm embedding _embedding_bag embedding_bag lstm gru rnn_tanh rnn_relu lstm_cell
    gru_cell rnn_tanh_cell rnn_relu_cell _thnn_fused_lstm_cell _thnn_fused_gru_cell mkldnn_rnn_layer _cudnn_rnn miopen_rnn
    mkldnn_linear _mkldnn_linear scaled_dot_product_attention _scaled_dot_product_flash_attention
    _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_efficient_attention _scaled_dot_product_attention_math
    _native_multi_head_attention _transformer_encoder_layer_fwd multi_head_attention_forward _cdist_forward cross
    linalg_vecdot kron
    """
)

# Python goes on as the values say.
DECISIONS = _words(
    """
    _local_scalar_dense is_nonzero equal allclose nonzero nonzero_static unique unique_dim _unique2 item
    """
)

_NEW = _words(
    """
    zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros new_ones new_empty new_full
    new_empty_strided
    """
)
_FILLS = _words(
    """
    fill zero normal uniform random exponential log_normal cauchy geometric
    """
)
_SIGNS = _words(
    """
    gt ge lt le eq ne greater less greater_equal less_equal not_equal logical_and logical_or logical_not logical_xor isnan
    isinf isfinite isposinf isneginf signbit sign sgn heaviside bernoulli any all isclose bitwise_and bitwise_or bitwise_not
    bitwise_xor
    """
)
_WHOLES = _words(
    """
    floor ceil round trunc fix floor_divide argmax argmin count_nonzero argsort bucketize searchsorted
    """
)
# Of a value alone, and a multiple of it.
_KEEPS = _words(
    """
    relu abs neg positive absolute negative conj real lift_fresh nan_to_num
    """
)
# Which arguments are moved, the first where nothing else is said; the others tell where to.
_MOVES: dict[str, tuple[int, ...]] = dict.fromkeys(
    _words(
        """
    clone contiguous stack cat concat hstack vstack dstack index index_select gather take take_along_dim masked_select
    constant_pad_nd pad reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
    replication_pad3d _pad_circular roll flip fliplr flipud rot90 repeat repeat_interleave tile im2col pixel_shuffle
    pixel_unshuffle channel_shuffle native_channel_shuffle tril triu upsample_nearest1d upsample_nearest2d
    upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d diag_embed block_diag
    view_copy expand_copy permute_copy transpose_copy t_copy slice_copy select_copy unsqueeze_copy squeeze_copy unfold_copy
    detach_copy as_strided_copy alias_copy diagonal_copy narrow_copy unbind_copy split_copy split_with_sizes_copy
    _reshape_copy movedim meshgrid dropout feature_dropout resolve_conj resolve_neg
    """
    ),
    (0,),
) | {
    "where": (1, 2),
    "masked_fill": (0, 2),
    "index_put": (0, 2),
    "_index_put_impl": (0, 2),
    "_unsafe_index_put": (0, 2),
    "index_copy": (0, 3),
    "index_fill": (0, 3),
    "masked_scatter": (0, 2),
    "scatter": (0, 3),
    "copy": (0, 1),
    "select_scatter": (0, 1),
    "slice_scatter": (0, 1),
    "diagonal_scatter": (0, 1),
    "as_strided_scatter": (0, 1),
}
_LARGEST = _words(
    """
    amax amin max min aminmax median nanmedian mode kthvalue topk sort
    """
)
_OF_TWO = frozenset(["maximum", "minimum", "fmax", "fmin"])
_SUMS = frozenset(["sum", "nansum"])
# Constants in these shift, scale or bound, and are no weights that an event meets.
_ELEMENTWISE = _words(
    """
    pow lerp atan2 fmod remainder hypot copysign logaddexp logaddexp2 clamp clamp_min clamp_max addcdiv xlogy float_power
    native_batch_norm cudnn_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit batch_norm
    _batch_norm_impl_index miopen_batch_norm
    """
)


@dataclass
class Call:
    """One operation: what it was given and what it has put out."""

    operation: Any
    name: str
    args: tuple[Any, ...]
    named: dict[str, Any]
    out: Any
    shadow: Shadow
    where: str
    describe: Callable[[torch.Tensor], str]
    findings: list[str]

    @property
    def how(self) -> str:
        """The operation in words."""
        return f"{self.name} in {self.where}" if self.where else self.name

    def labels(self, value: Any) -> Labels:
        """The labels of an operand, which may be a number."""
        if isinstance(value, torch.Tensor):
            return self.shadow.labels(value)
        if isinstance(value, (bool, int, float)):
            return self.shadow.zero if value == 0 else self.shadow.number(_number(value))
        return self.shadow.constant

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.named.get(name, default)

    @property
    def first(self) -> torch.Tensor:
        """The tensor that most operations are about."""
        found = self.args[0] if self.args else next(iter(self.named.values()))
        tensor: torch.Tensor = found[0] if isinstance(found, (list, tuple)) else found
        return tensor


def tensors(values: Any) -> list[torch.Tensor]:
    """The tensors among arguments or outputs, in order."""
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in tensors(value)]
    return []


def labels_after(call: Call) -> Labels | Sequence[Labels] | None:
    """Labels of what ``call`` puts out, one for each tensor or one for all; None where that depends on no operand."""
    name = call.name
    if name in _NEW:
        return None
    if name in _FILLS:
        value = call.args[1] if name == "fill" else 0 if name == "zero" else None
        return call.labels(value)
    if name in PRODUCTS:
        return call.shadow.number(COMPUTED)
    if name in _SIGNS:
        return call.shadow.number(SIGN)
    if name in _WHOLES or (name in ("div", "divide") and call.named.get("rounding_mode") is not None):
        return call.shadow.number(WHOLE)
    if name in _MOVES:
        return _moved(call, _MOVES[name])
    for names, rule in _RULES:
        if name in names:
            return rule(call)
    return _unknown(call)


def _moved(call: Call, places: tuple[int, ...]) -> Labels | Sequence[Labels]:
    """The same movement of labels."""
    moved = [call.args[place] for place in places if place < len(call.args)]
    sources = [each for value in moved for each in (value if isinstance(value, (list, tuple)) else [value])]
    labels = [call.labels(value) for value in sources]
    alike = all(isinstance(one, int) and one == labels[0] for one in labels)
    adds_value = call.name in ("constant_pad_nd", "tril", "triu", "im2col", "diag_embed", "block_diag", "pad")
    if alike and not adds_value:
        return labels[0]
    # A padded zero is nothing whatever it is multiplied with.
    nothing = call.name == "constant_pad_nd" and not call.argument(2, "value", 0)
    if alike and nothing and isinstance(labels[0], int):
        return labels[0]
    deciding = [value for place, value in enumerate(call.args) if place not in places]
    if any(call.shadow.follows(tensor) for tensor in tensors(deciding)):
        # Which elements are taken depends on values, so where averages then lie is no matter of structure.
        for one in labels:
            for origin in call.shadow.origins(one):
                if origin.averaged or origin.changed:
                    return call.shadow.number(origin.spoiled(f"selected by values in {call.how}"))

    def given(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [given(each) for each in value]
        if isinstance(value, torch.Tensor):
            return spread(call.shadow.labels(value), value.shape)
        found = call.labels(value)
        return float(found) if isinstance(found, int) else found

    args = [given(value) if place in places else value for place, value in enumerate(call.args)]
    named = {
        name: value
        for name, value in call.named.items()
        if name not in ("dtype", "layout", "device", "pin_memory", "out")
    }
    if call.name == "constant_pad_nd":
        args = [*args[:2], float(given(call.argument(2, "value", 0)))]
    if call.name == "copy":
        return spread(call.shadow.labels(call.args[1]), call.args[1].shape).expand(call.args[0].shape)
    args = [value.cpu() if isinstance(value, torch.Tensor) else _on_processor(value) for value in args]
    operation = getattr(torch.ops.aten, call.name)
    if hasattr(operation, call.operation._overloadname or "default"):
        operation = getattr(operation, call.operation._overloadname or "default")
    made = operation(*args, **{name: _on_processor(value) for name, value in named.items()})
    return [collapsed(tensor) for tensor in tensors(made)]


def _on_processor(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, (list, tuple)):
        return [_on_processor(each) for each in value]
    return value


def _converted(call: Call) -> Labels:
    dtype = call.named.get("dtype") or call.first.dtype
    labels = call.labels(call.first)
    if dtype == torch.bool:
        return call.shadow.number(SIGN)
    if not dtype.is_floating_point and call.first.dtype.is_floating_point:
        return call.shadow.map([labels], lambda parts: parts[0] if parts[0].whole and not parts[0].pool else WHOLE)
    return labels


def _kept(call: Call) -> Labels:
    return call.labels(call.first)


def _bounded(call: Call) -> Labels:
    """Bounds at 0 keep an average; others keep whole numbers whole."""
    low, high = call.argument(1, "min"), call.argument(2, "max")
    if call.name == "clamp_max":
        low, high = None, call.argument(1, "max")
    elif call.name == "hardtanh":
        low, high = call.argument(1, "min_val", -1), call.argument(2, "max_val", 1)
    elif call.name == "threshold":
        low = call.argument(2, "value") if call.argument(1, "threshold") == call.argument(2, "value") else math.nan
        high = None
    bounds = [value for value in (low, high) if value is not None]
    if any(isinstance(value, torch.Tensor) for value in bounds):
        return _unknown(call)
    whole = all(value == round(value) for value in bounds if math.isfinite(value)) and not any(map(math.isnan, bounds))

    def rule(parts: list[Origin]) -> Origin:
        one = parts[0]
        if all(value == 0 for value in bounds) or one.changed:
            return one
        if one.averaged:
            return one.spoiled(f"changed by {call.how}")
        return replace(one, sign=False) if one.whole and whole else replace(COMPUTED, gain=one.gain)

    return call.shadow.map([call.labels(call.first)], rule)


def _power(call: Call) -> Labels:
    exponent = call.argument(1, "exponent")
    if isinstance(exponent, torch.Tensor) or not isinstance(exponent, (int, float)):
        return _unknown(call)
    if exponent == 1:
        return call.labels(call.first)
    integer = exponent == round(exponent) and exponent > 0

    def rule(parts: list[Origin]) -> Origin:
        one = parts[0]
        if one.averaged or one.changed:
            return one.spoiled(f"changed by {call.how}")
        return WHOLE if one.whole and integer and not one.constant else COMPUTED

    return call.shadow.map([call.labels(call.first)], rule)


def _added(call: Call) -> Labels:
    one, other = call.args[:2]
    factor = call.named.get("alpha", call.args[2] if len(call.args) > 2 else 1)
    labels = [call.labels(one), call.labels(other)]

    def rule(parts: list[Origin]) -> Origin:
        scaled = parts[1].scaled(factor, f"average by {call.how}")
        return (
            merged([parts[0], scaled], f"added to something else by {call.how}", added=True)
            if (parts[0] != scaled)
            else parts[0].times(2)
        )

    return call.shadow.map(labels, rule)


def _multiplied(call: Call) -> Labels:
    one, other = call.args[:2]
    divides = call.name in ("div", "divide", "true_divide")
    factor = _single(other, call)
    if factor is not None:
        return _times(call, call.labels(one), 1 / factor if divides and factor else factor)
    factor = _single(one, call)
    if factor is not None and not divides:
        return _times(call, call.labels(other), factor)
    constants = [value for value in (one, other) if isinstance(value, torch.Tensor) and not call.shadow.follows(value)]
    if constants and not (divides and constants[0] is one):
        return _times_constants(call, other if constants[0] is one else one, constants[0])

    def rule(parts: list[Origin]) -> Origin:
        mine, its = parts
        if "zero" in (mine.source, its.source):
            return ZERO
        if its.sign and not divides:
            return mine if not mine.constant or its.constant else COMPUTED
        if mine.sign and not divides:
            return its if not its.constant or mine.constant else COMPUTED
        for part in (mine, its):
            if part.averaged or part.changed:
                return part.spoiled(f"multiplied by something that depends on the input by {call.how}")
        return WHOLE if mine.whole and its.whole and not divides else COMPUTED

    return call.shadow.map([call.labels(one), call.labels(other)], rule)


def _times(call: Call, labels: Labels, factor: float) -> Labels:
    return call.shadow.map([labels], lambda parts: parts[0].scaled(factor, call.how))


def _times_constants(call: Call, values: torch.Tensor, constant: torch.Tensor) -> Labels:
    """Element by element with a constant tensor: a mask, a gain or weights."""
    name = call.describe(constant)
    labels = call.labels(values)
    constant = constant.float()
    mask = bool(((constant == 0) | (constant.abs() == 1)).all())
    events = any(origin.events for origin in call.shadow.origins(labels))
    if math.prod(tensors(call.out)[0].shape) > values.numel() or (events and not mask):
        call.findings.append(f"what depends on the input is multiplied with {name} by {call.how}")
    if mask:
        return call.shadow.map(
            [labels, call.shadow.labels(constant)], lambda parts: ZERO if parts[1].source == "zero" else parts[0]
        )

    def rule(parts: list[Origin]) -> Origin:
        one = parts[0]
        if one.averaged or one.changed:
            return replace(one.spoiled(f"multiplied by {name} in {call.where or 'the network'}"), gain=name)
        return replace(COMPUTED, gain=name)

    return call.shadow.map([labels], rule)


def _summed(call: Call) -> Labels:
    """Sums over dimensions."""
    values = call.first
    out = tensors(call.out)[0]
    number = values.numel() // max(out.numel(), 1)
    _find_gains(call)
    how = f"added to something else by {call.how}"

    def rule(parts: list[Origin]) -> Origin:
        return parts[0].times(number) if len(parts) == 1 else merged(parts, how, added=False).times(number)

    return call.shadow.windows(call.labels(values), _over(call), rule)


def _running(call: Call) -> Labels:
    """Running sums along a dimension."""
    _find_gains(call)
    parts = call.shadow.origins(call.labels(call.first))
    origin = merged(parts, f"added to something else by {call.how}", added=False)
    return call.shadow.number(replace(origin, summands=1, sign=False))


def _meant(call: Call) -> Labels:
    values = call.first
    number = values.numel() // max(tensors(call.out)[0].numel(), 1)
    _find_gains(call)

    def rule(parts: list[Origin]) -> Origin:
        found = merged(parts, f"averaged with something else by {call.how}", added=False)
        return found.averaged_over(number, f"average by {call.how}")

    return call.shadow.windows(call.labels(values), _over(call), rule)


def _largest(call: Call) -> Labels | Sequence[Labels]:
    values = call.first
    labels = call.labels(values)
    second = call.args[1] if len(call.args) > 1 else None
    if isinstance(second, torch.Tensor):
        return _largest_of_two(call)
    index = call.shadow.number(WHOLE)
    how = f"compared with something else by {call.how}"
    if isinstance(labels, int):
        return [labels, index] if isinstance(call.out, (tuple, list)) else labels
    origin = merged(call.shadow.origins(labels), how, added=False)
    one = call.shadow.number(origin)
    return [one, index] if isinstance(call.out, (tuple, list)) else one


def _largest_of_two(call: Call) -> Labels:
    how = f"compared with something else by {call.how}"
    return call.shadow.map(
        [call.labels(call.args[0]), call.labels(call.args[1])], lambda parts: merged(parts, how, added=False)
    )


def _over(call: Call) -> Callable[[torch.Tensor], torch.Tensor]:
    """The maximum over the dimensions that a reduction goes over."""
    dims = call.argument(1, "dim")
    keep = bool(call.argument(2, "keepdim", False))
    if dims is None or dims == []:
        return lambda x: x.amax()
    return lambda x: x.amax(dims, keepdim=keep)


def _pooled(call: Call) -> Labels:
    """Average pools, with or without a module."""
    values, out = call.first, tensors(call.out)[0]
    adaptive = "adaptive" in call.name
    space = int(call.name[-2])
    given, made = tuple(values.shape[-space:]), tuple(out.shape[-space:])
    _find_gains(call)
    if adaptive:
        sizes = adaptive_sizes(given, made)
    else:
        names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
        kernel, stride, padding, ceil, padded, divisor = (
            call.argument(place, name, default)
            for place, (name, default) in enumerate(zip(names, (None, (), 0, False, True, None), strict=True), start=1)
        )
        sizes = window_sizes(given, made, kernel, stride, padding, padded, divisor)

    def largest(x: torch.Tensor) -> torch.Tensor:
        if adaptive:
            pool = getattr(F, f"adaptive_max_pool{space}d")
            found: torch.Tensor = pool(x, made)
        else:
            pool = getattr(F, f"max_pool{space}d")
            found = pool(x, kernel, stride or None, padding, ceil_mode=ceil)
        return found

    pool = f"average pool {call.where or call.name}"
    how = f"averaged with something else by {call.how}"
    inside = call.shadow.windows(call.labels(values), largest, lambda parts: merged(parts, how, added=False))
    made_of = {
        float(number): call.shadow.number(Origin("constant", divisor=float(number))) for number in sizes.unique()
    }
    divided = torch.full(made, 0.0)
    for number, label in made_of.items():
        divided[sizes == number] = label
    by: Labels = next(iter(made_of.values())) if len(made_of) == 1 else divided.expand(out.shape)
    return call.shadow.map([inside, by], lambda parts: parts[0].averaged_over(parts[1].divisor, pool))


def _maximum_pooled(call: Call) -> Labels | Sequence[Labels]:
    labels = call.labels(call.first)
    several = isinstance(call.out, (tuple, list))
    if not isinstance(labels, int):
        origin = merged(call.shadow.origins(labels), f"compared with something else by {call.how}", added=False)
        labels = call.shadow.number(origin)
    return [labels, call.shadow.number(WHOLE)] if several else labels


def _find_gains(call: Call) -> None:
    """A sum of what was multiplied by a constant tensor is a product with weights."""
    for origin in call.shadow.origins(call.labels(call.first)):
        if origin.gain:
            call.findings.append(
                f"what depends on the input is multiplied with {origin.gain}, and the products are added by {call.how}"
            )


def _multiplied_and_added(call: Call) -> Labels:
    """addcmul: the first plus a product."""
    constants = [value for value in call.args[1:3] if not call.shadow.follows(value) and value.numel() > 1]
    others = [value for value in call.args[1:3] if call.shadow.follows(value)]
    for constant in constants:
        if others and any(origin.events for origin in call.shadow.origins(call.labels(others[0]))):
            call.findings.append(
                f"what depends on the input is multiplied with {call.describe(constant)} by {call.how}"
            )
    return _unknown(call, elementwise=True)


def _unknown(call: Call, *, elementwise: bool = False) -> Labels:
    operands = [*tensors(call.args), *tensors(call.named)]
    if not (elementwise or call.name in _ELEMENTWISE):
        for constant in operands:
            if not call.shadow.follows(constant) and constant.numel() > 1 and constant.is_floating_point():
                call.findings.append(f"what depends on the input meets {call.describe(constant)} in {call.how}")
                break
    for operand in operands:
        if call.shadow.follows(operand):
            for origin in call.shadow.origins(call.labels(operand)):
                if origin.averaged or origin.changed:
                    return call.shadow.number(origin.spoiled(f"changed by {call.how}"))
    return call.shadow.number(COMPUTED)


def _single(value: Any, call: Call) -> float | None:
    """A constant factor for all elements, or None."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not call.shadow.follows(value):
        return float(value.reshape(()))
    return None


def _number(value: float) -> Origin:
    return replace(CONSTANT, whole=math.isfinite(value) and value == round(value), sign=abs(value) == 1)


_RULES: tuple[tuple[frozenset[str], Callable[[Call], Labels | Sequence[Labels]]], ...] = (
    (frozenset({"_to_copy", "to", "type_as"}), _converted),
    (_KEEPS, _kept),
    (frozenset({"clamp", "clamp_min", "clamp_max", "hardtanh", "threshold"}), _bounded),
    (frozenset({"pow", "float_power"}), _power),
    (frozenset({"add", "sub", "subtract", "rsub", "_add_relu"}), _added),
    (frozenset({"mul", "multiply", "div", "divide", "true_divide"}), _multiplied),
    (frozenset({"addcmul"}), _multiplied_and_added),
    (_SUMS, _summed),
    (frozenset({"cumsum"}), _running),
    (frozenset({"mean", "nanmean"}), _meant),
    (_LARGEST, _largest),
    (_OF_TWO, _largest_of_two),
    (
        _words(
            """
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d
    _adaptive_avg_pool3d mkldnn_adaptive_avg_pool2d
    """
        ),
        _pooled,
    ),
    (
        _words(
            """
    max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d fractional_max_pool3d
    mkldnn_max_pool2d mkldnn_max_pool3d
    """
        ),
        _maximum_pooled,
    ),
)
