"""SynOps of random networks against a counter that visits every event and every non-zero weight."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from agreement import brute
from agreement.models import ByFunction, Moved, Neurons, Timed, whole_weights
from harness_metrics.synops import SynOps
from hypothesis import given, settings
from hypothesis import strategies as st
from sinabs.layers import SumPool2d
from torch import nn

from harness import Registry
from harness.evaluation import run_batches
from harness.events.frames import Frames
from harness.model import SpikingLayer, context
from harness.testing import measure

# torch says once a process that it copies for even kernels.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

REGISTRY = Registry.discover()
CONVOLUTIONS = dict(enumerate(brute.CONVOLUTIONS, start=1))
TRANSPOSED = dict(enumerate(brute.TRANSPOSED, start=1))
AVERAGES = dict(enumerate(brute.AVERAGES, start=1))
SUMS = dict(enumerate(brute.SUMS, start=1))
MAXIMA = dict(enumerate(brute.MAXIMA, start=1))
ADAPTIVE = dict(enumerate(brute.ADAPTIVE, start=1))


def settings_of(draw, size, transposed):
    """Kernel, stride, padding and dilation along one axis, such that an output of at most 6 elements is left."""
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding, dilation = draw(st.integers(0, 2)), draw(st.integers(1, 2))
    reach = dilation * (kernel - 1) + 1
    made = (size - 1) * stride - 2 * padding + reach if transposed else (size + 2 * padding - reach) // stride + 1
    return (kernel, stride, padding, dilation) if 1 <= made <= 6 else (1, 1, 0, 1)


@st.composite
def convolutions(draw, shape):
    """A convolution of any kind that takes ``shape``."""
    channels, *sizes = shape
    space = len(sizes)
    transposed = draw(st.booleans())
    groups = draw(st.sampled_from([number for number in (1, 2, 3) if channels % number == 0]))
    outputs = groups * draw(st.integers(1, 2))
    axes = [settings_of(draw, size, transposed) for size in sizes]
    kernel, stride, padding, dilation = zip(*axes, strict=True)
    more = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": draw(st.booleans())}
    if transposed:
        most = [max(one, other) - 1 for one, other in zip(stride, dilation, strict=True)]
        more["output_padding"] = tuple(draw(st.integers(0, number)) for number in most)
        return TRANSPOSED[space](channels, outputs, kernel, **more)
    modes = ["zeros"] * 3
    if all(pad < size for pad, size in zip(padding, sizes, strict=True)):
        modes += ["circular", "replicate", "reflect"]
    more["padding_mode"] = draw(st.sampled_from(modes))
    reached = [by * (size - 1) // 2 for by, size in zip(dilation, kernel, strict=True)]
    if draw(st.booleans()) and all(reach < size for reach, size in zip(reached, sizes, strict=True)):
        more |= {"padding": "same", "stride": 1}
    return CONVOLUTIONS[space](channels, outputs, kernel, **more)


@st.composite
def pools(draw, shape):
    """No pool, one of any kind, or two in a row whose windows are all of one size."""
    sizes = shape[1:]
    space = len(sizes)
    kind = draw(st.sampled_from(["none", "none", "sum", "average", "maximum", "adaptive", "two"]))
    kernel = tuple(draw(st.integers(1, min(size, 3))) for size in sizes)
    stride = tuple(draw(st.integers(1, size)) for size in kernel)
    if kind == "sum":
        whole = kernel if space > 1 else kernel[0]
        made = SumPool2d(kernel, stride) if space == 2 and draw(st.booleans()) else SUMS[space](1, whole, stride)
        return [made]
    if kind == "average":
        padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
        return [AVERAGES[space](kernel, stride, padding, draw(st.booleans()), draw(st.booleans()))]
    if kind == "maximum":
        return [MAXIMA[space](kernel, stride)]
    if kind == "adaptive":
        return [ADAPTIVE[space](tuple(draw(st.integers(1, size)) for size in sizes))]
    if kind == "two" and min(sizes) >= 4:
        other = draw(st.sampled_from([AVERAGES, MAXIMA]))[space](2, 1)
        return [AVERAGES[space](2, 2), other] if draw(st.booleans()) else [other, AVERAGES[space](2, 1)]
    return []


@st.composite
def moved_pools(draw, shape):
    """The same, by a module or by a function, and with what they put out moved about."""
    layers = []
    for pool in draw(pools(shape)):
        plain = isinstance(pool, (*brute.AVERAGES, *brute.MAXIMA, *brute.ADAPTIVE))
        layers.append(ByFunction(pool) if plain and draw(st.booleans()) else pool)
    ways = draw(st.lists(st.sampled_from(Moved.WAYS), max_size=2))
    return layers + [Moved(way) for way in ways]


@st.composite
def networks(draw):
    """A network that ends in a linear layer, and the shape of one step of its input."""
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    space = draw(st.sampled_from([0, 1, 2, 2, 3]))
    shape = (draw(st.integers(1, 3)), *(draw(st.integers(1, 3 if space == 3 else 5)) for _ in range(space)))
    signed = draw(st.booleans())
    layers, at = [], shape
    for _ in range(draw(st.integers(0, 2))):
        layers += draw(moved_pools(at)) if space else []
        with torch.no_grad():
            at = tuple(nn.Sequential(*layers)(torch.zeros(1, *shape)).shape[1:])
        made = draw(convolutions(at)) if space else nn.Linear(at[0], draw(st.integers(1, 4)), bias=draw(st.booleans()))
        layers += [whole_weights(made, random), SpikingLayer(Neurons(-2 if signed else 0, 3), None)]
        with torch.no_grad():
            at = tuple(nn.Sequential(*layers)(torch.zeros(1, *shape)).shape[1:])
    if space:
        layers += [*draw(moved_pools(at)), nn.Flatten()]
    with torch.no_grad():
        elements = nn.Sequential(*layers)(torch.zeros(1, *shape)).shape[1]
    layers += [whole_weights(nn.Linear(elements, 3), random), SpikingLayer(Neurons(0, 3), None)]
    return nn.Sequential(*layers), shape


@st.composite
def inputs(draw, shape):
    """Counts (recordings, steps, ...): silent, sparse, or many of one element."""
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    rate = draw(st.sampled_from([0.0, 0.1, 0.5, 1.5]))
    x = random.poisson(rate, (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *shape))
    if draw(st.booleans()):
        x.flat[draw(st.integers(0, x.size - 1))] = 255
    return x.astype(np.uint8)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_event_on_every_weight_is_counted_once(data):
    net, shape = data.draw(networks())
    x = data.draw(inputs(shape))
    lengths = data.draw(st.none() | st.lists(st.integers(1, x.shape[1]), min_size=len(x), max_size=len(x)))
    with torch.no_grad():
        by_recording = [
            brute.count(net, torch.from_numpy(one[: None if lengths is None else lengths[number]]).float())
            for number, one in enumerate(x)
        ]
    names = list(by_recording[0])
    layers = {name: sum(found[name][0] for found in by_recording) for name in names}
    active = sum(found[name][1] for found in by_recording for name in names)
    labels = [number % 3 for number in range(len(x))]
    model = Timed(net, data.draw(st.booleans()))
    found = measure("synops", model, x, labels, classes=3, lengths=lengths, registry=REGISTRY)
    assert found["synops"].arrays["layers"] == {f"net.{name}": layers[name] / len(x) for name in names}
    total = sum(layers.values())
    assert found["synops"].value == found["accumulates"].value == total / len(x)
    assert (found["multiply_accumulates"].value, found["synops_recurrent"].value) == (0, 0)
    assert found["synops_active"].value == active / len(x)
    assert found["synops_input"].value == layers[names[0]] / len(x)
    assert found["synops_hidden"].value == (total - layers[names[0]]) / len(x)
    by_class = [sum(sum(ops for ops, _ in one.values()) for one in by_recording[label::3]) for label in range(3)]
    assert found["synops"].arrays["per_class"] == [
        operations / len(x[label::3]) if len(x[label::3]) else None for label, operations in enumerate(by_class)
    ]


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_neither_batches_nor_order_nor_merged_halves_change_a_digit(data):
    net, shape = data.draw(networks())
    x = data.draw(inputs(shape))
    model, labels = Timed(net, data.draw(st.booleans())), np.arange(len(x)) % 3
    lengths = np.array([data.draw(st.integers(1, x.shape[1])) for _ in x])
    order = np.array(data.draw(st.permutations(range(len(x)))))
    split = data.draw(st.integers(0, len(x)))
    frames = Frames(x, labels, np.arange(len(x)), None, lengths)
    told = context(model, classes=["0", "1", "2"], split="test", phase="after", dt_ms=10.0, batch_size=1, device="cpu")

    def observed(indices, size):
        observer = SynOps()
        observer.start(model, told)
        run_batches(model, frames, indices, batch_size=size, needs=frozenset({"spikes", "inputs"}), see=observer.batch)
        return observer

    def figures(observer):
        return {name: value.to_json() for name, value in observer.result().items()}

    whole = figures(observed(np.arange(len(x)), len(x)))
    for size in range(1, len(x) + 1):
        assert figures(observed(order, size)) == whole
    first, second = observed(order[:split], 2), observed(order[split:], 1)
    first.merge(second)
    assert figures(first) == whole


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_the_counter_of_these_tests_meets_the_weights_that_compute_the_layer(data):
    """Sums of what it says an event meets are what torch computes."""
    space = data.draw(st.integers(1, 3))
    shape = (data.draw(st.integers(1, 3)), *(data.draw(st.integers(1, 4)) for _ in range(space)))
    random = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    layer = whole_weights(data.draw(convolutions(shape)), random)
    layer.bias = None
    x = torch.randint(-1, 3, shape, generator=random).float()
    with torch.no_grad():
        expected = layer(x[None])[0]
    made = torch.zeros_like(expected)
    for place in product(*map(range, shape)):
        for to, weight in brute.synapses(layer, place, shape, tuple(expected.shape)):
            made[to] += weight * x[place]
    assert torch.equal(made, expected)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("inside", [False, True])
def test_recurrent_weights_by_event(steps, inside):
    """Every spike meets its outgoing recurrent weights once, whether the module that feeds back is the weight or holds it."""

    class Loop(nn.Module):
        def __init__(self, back):
            super().__init__()
            self.back = (back,)

        def forward(self, x):
            spikes, fed_back = [], torch.zeros_like(x[:, 0])
            for step in range(x.shape[1]):
                spikes.append(Neurons(0, 3)(x[:, step] + fed_back))
                fed_back = self.back[0](spikes[-1])
            return torch.stack(spikes, 1)

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            random = torch.Generator().manual_seed(3)
            self.weight = whole_weights(nn.Linear(4, 5, bias=False), random)
            self.back = whole_weights(nn.Linear(5, 5, bias=False), random)
            if inside:
                self.back = nn.Sequential(nn.Flatten(), self.back)
            self.spikes = SpikingLayer(Loop(self.back), self.back)

        def forward(self, x):
            return self.spikes(self.weight(x))

    model = Recurrent()
    x = np.random.default_rng(0).poisson(0.8, (3, steps, 4))
    with torch.no_grad():
        spikes = model(torch.from_numpy(x).float())
        back = model.back[1] if inside else model.back
        expected = sum(brute.count_layer(back, step, (5,))[0] for one in spikes for step in one)
    found = measure("synops", model, x, registry=REGISTRY)
    assert expected > 0
    assert found["synops_recurrent"].value == expected / 3
    assert found["synops"].value == (found["synops_input"].value * 3 + expected) / 3
