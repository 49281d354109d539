"""The convolutional network: its shapes and settings, the same on every backend, and what metrics count of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from agreement import brute
from agreement.models import Neurons, whole_weights
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from samples import specification
from torch import nn

from harness import Registry
from harness.components import load_reference
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.events.frames import Frames
from harness.initialisation import initialise
from harness.model import SpikingLayer, build, pooling_layers, spiking_layers, weight_layers
from harness.testing import measure

REGISTRY = Registry.discover()
CONV = REGISTRY.find("conv").component


def made(shape=(2, 64, 64), classes=11, layer=lambda shape: nn.Identity(), seed=0, **values):
    """The network on a stand-in for neurons, by default none."""
    torch.manual_seed(seed)
    return load_reference(CONV.build)(
        shape,
        classes,
        lambda shape, recurrent=None: SpikingLayer(layer(shape), recurrent),
        **CONV.choose(**values).values,
    )


def images(count=3, steps=4, shape=(2, 20, 18), seed=0, rate=0.3):
    return np.random.default_rng(seed).poisson(rate, (count, steps, *shape)).astype(np.uint8)


def counts(**given):
    return torch.from_numpy(images(**given)).float()


def conv_specification(neuron="iaf", network=None, **training):
    """A specification with the network conv."""
    return replace(specification(neuron, **training), network=CONV.choose(**(network or {})))


def recordings(count=24, shape=(2, 20, 18), classes=4, lengths=None):
    """Frames in which a class is a bright quarter of the picture."""
    labels = np.arange(count) % classes
    frames = images(count, 5, shape, rate=0.05)
    height, width = shape[1] // 2, shape[2] // 2
    for index, label in enumerate(labels):
        y, x = (label // 2) * height, (label % 2) * width
        frames[index, :, :, y : y + height, x : x + width] += images(1, 5, (shape[0], height, width), index, 0.8)[0]
    return Frames(frames, labels, np.arange(count), None, lengths)


@st.composite
def parameters(draw):
    some = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
    return {
        "channels": draw(st.lists(st.integers(1, 5), max_size=3).map(tuple)),
        "kernel": draw(some),
        "stride": draw(some),
        "padding": draw(st.lists(st.integers(0, 2), min_size=1, max_size=2).map(tuple)),
        "pool": draw(st.sampled_from(["sum", "average", "max", "none"])),
        "pool_size": draw(some),
        "dense": draw(st.lists(st.integers(1, 6), max_size=2).map(tuple)),
        "batch_norm": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0.0, 0.5])),
    }


def taken(shape, values, **more):
    """The network, or another example where its map is too small."""
    try:
        return made(shape, **values, **more)
    except UsageError:
        reject()


def test_the_default_is_the_tutorials_network():
    model = made()
    kernels = {name: tuple(module.weight.shape) for name, module in weight_layers(model).items()}
    assert kernels == {
        "conv1": (8, 2, 5, 5),
        "conv2": (16, 8, 3, 3),
        "conv3": (32, 16, 3, 3),
        "conv4": (64, 32, 3, 3),
        "conv5": (11, 64, 3, 3),
    }
    assert all(module.bias is None for module in weight_layers(model).values())
    assert list(spiking_layers(model)) == [f"spikes{number}" for number in range(1, 6)]
    assert list(pooling_layers(model)) == [f"pool{number}" for number in range(1, 5)]
    shapes = {}
    for name, module in spiking_layers(model).items():
        module.register_forward_hook(lambda module, given, out, name=name: shapes.update({name: tuple(out.shape)}))
    assert model(torch.ones(2, 3, 2, 64, 64)).shape == (2, 3, 11)
    assert shapes == {
        "spikes1": (2, 3, 8, 62, 62),
        "spikes2": (2, 3, 16, 31, 31),
        "spikes3": (2, 3, 32, 15, 15),
        "spikes4": (2, 3, 64, 7, 7),
        "spikes5": (2, 3, 11, 1, 1),
    }


def test_it_computes_what_the_same_layers_compute_one_by_one():
    """Whole weights, so that no order of adding rounds."""
    random = torch.Generator().manual_seed(0)
    model = made((2, 20, 18), 4, lambda shape: Neurons(0, 3), channels=(3, 4), pool_size=(2,))
    for module in weight_layers(model).values():
        whole_weights(module, random)
    x = counts()
    h = x.flatten(0, 1)
    for number in (1, 2):
        h = nn.functional.conv2d(h, getattr(model, f"conv{number}").weight, padding=1)
        h = 4 * nn.functional.avg_pool2d(Neurons(0, 3)(h), 2)
    h = Neurons(0, 3)(h.flatten(1) @ model.conv3.weight.flatten(1).t())
    assert h.sum() > 0
    assert torch.equal(model(x), h.unflatten(0, (3, 4)))


@given(parameters(), st.sampled_from([(2, 20, 18), (1, 9, 9), (3, 1, 1)]))
@settings(max_examples=40, deadline=None)
def test_any_parameters_give_an_output_a_class_and_gradients_everywhere(values, shape):
    model = taken(shape, values, classes=5, layer=lambda shape: nn.Sigmoid())
    for batch, steps in ((2, 3), (1, 1)):
        out = model(torch.rand(batch, steps, *shape))
        assert out.shape == (batch, steps, 5)
    model(torch.rand(2, 3, *shape)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    for number, wanted in enumerate(values["channels"], start=1):
        conv = getattr(model, f"conv{number}")
        assert conv.out_channels == wanted
        for name, found in (("kernel", conv.kernel_size), ("stride", conv.stride), ("padding", conv.padding)):
            declared = values[name][min(number, len(values[name])) - 1]
            assert found == (declared, declared)
        assert (conv.bias is not None) == (values["bias"] and not values["batch_norm"])


@pytest.mark.parametrize("side", [32, 64, 100, 128])
def test_other_sizes_need_no_other_parameters(side):
    assert made((2, side, side))(torch.ones(1, 1, 2, side, side)).shape == (1, 1, 11)


def test_values_beyond_the_last_convolution_are_not_used_and_the_last_goes_on():
    model = made(channels=(4, 4, 4), kernel=(5, 3), padding=(2, 1, 0, 7))
    assert [getattr(model, f"conv{n}").kernel_size[0] for n in (1, 2, 3)] == [5, 3, 3]
    assert [getattr(model, f"conv{n}").padding[0] for n in (1, 2, 3)] == [2, 1, 0]
    assert made(channels=(4,)).conv1.kernel_size == (5, 5)


@pytest.mark.parametrize(
    ("shape", "values", "said"),
    [
        ((140,), {}, r"conv takes frames of \(channels, height, width\), not of \(140,\): take the network mlp"),
        ((2, 16, 16), {}, r"conv: 16x16 -> conv1 14x14 -> .* -> conv4 1x1 is too small for pool4 with windows of 2x2"),
        ((2, 64, 3), {"padding": (0,)}, r"conv: 64x3 is too small for conv1 with windows of 5x5"),
        ((2, 64, 64), {"kernel": ()}, r"conv\.kernel is empty"),
        ((2, 64, 64), {"pool_size": ()}, r"conv\.pool_size is empty"),
    ],
)
def test_what_does_not_fit_is_one_line(shape, values, said):
    with pytest.raises(UsageError, match=said) as caught:
        made(shape, **values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [{"channels": (0,)}, {"pool": "median"}, {"dropout": 1.0}, {"stride": (0,)}])
def test_values_that_mean_nothing_are_refused(values):
    with pytest.raises(UsageError, match=rf"conv\.{next(iter(values))}"):
        CONV.choose(**values)


@given(parameters(), st.sampled_from(["iaf", "lif", "alif"]), st.sampled_from([(2, 14, 11), (1, 9, 9), (3, 1, 1)]))
@settings(max_examples=25, deadline=None)
def test_backends_spike_alike_to_the_bit_and_learn_alike(values, neuron, shape):
    """Whatever memory order a backend hands on; dropout draws the same on each."""
    chosen = REGISTRY.find(neuron).component.choose(v_min=-1.0)
    x = counts(shape=shape, rate=1.0)
    found = []
    for backend in ("harness_neurons.reference:layer", "harness_fused.layer:layer", "harness_sinabs.layers:layer"):
        make = load_reference(backend)
        model = taken(shape, values, classes=3, layer=lambda shape, make=make: make(chosen, shape))
        with torch.no_grad():
            for module in weight_layers(model).values():
                module.weight.mul_(2.0)
        torch.manual_seed(1)
        out = model(x)
        (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum().backward()
        found.append((out.detach(), {name: parameter.grad for name, parameter in model.named_parameters()}))
    largest = max(float(gradient.abs().max()) for gradient in found[0][1].values() if gradient is not None)
    for out, gradients in found[1:]:
        assert torch.equal(out, found[0][0])
        for name, expected in found[0][1].items():
            if expected is None:
                continue
            # Weights that a batch normalisation scales back may have no gradient but rounding.
            scale = max(float(expected.abs().max()), 1e-2, 1e-3 * largest)
            torch.testing.assert_close(gradients[name] / scale, expected / scale, rtol=1e-3, atol=1e-3, msg=name)


@pytest.mark.parametrize("neuron", ["lif", "alif"])
@pytest.mark.parametrize("taus", ["layer", "neuron"])
def test_the_order_in_memory_changes_neither_spikes_nor_gradients(neuron, taus):
    """Channels last, as convolutions hand them over, and one after another; trained time constants too."""
    chosen = REGISTRY.find(neuron).component.choose(train_taus=True, taus=taus)
    fused = load_reference("harness_fused.layer:layer")(chosen, (5, 7, 9))
    x = 2 * torch.randn(3, 6, 5, 7, 9, generator=torch.Generator().manual_seed(0))
    found = []
    for order in (x, x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)):
        fused.zero_grad()
        read = order.detach().requires_grad_()
        out = fused(read)
        (out * x).sum().backward()
        found.append([out.detach(), read.grad, *(parameter.grad.clone() for parameter in fused.parameters())])
    assert found[0][0].sum() > 0
    assert torch.equal(found[0][0], found[1][0])
    for mine, theirs in zip(found[0][1:], found[1][1:], strict=True):
        torch.testing.assert_close(mine, theirs)


def test_dropout_takes_a_unit_from_a_recording_for_its_whole_length_and_in_training_alone():
    model = made((1, 8, 8), 3, channels=(4,), dropout=0.5, pool="none")
    x = torch.ones(2, 6, 4, 6, 6)
    torch.manual_seed(0)
    out = model.dropout1(x)
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert not torch.equal(out[0], out[1])
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert 0.3 < float((out == 0).float().mean()) < 0.7
    torch.manual_seed(0)
    assert torch.equal(model.dropout1(x), out)
    assert model.eval().dropout1(x) is x


def test_no_dropout_behind_the_output():
    model = made((2, 20, 18), 3, channels=(4,), dense=(5,), dropout=0.5)
    assert [name for name, _ in model.named_children() if name.startswith("dropout")] == ["dropout1", "dropout2"]


def test_batch_norm_is_over_recordings_steps_and_places_together():
    model = made((2, 20, 18), 3, channels=(4,), batch_norm=True, bias=True)
    x, seen = counts(rate=1.0), []
    model.norm1.register_forward_hook(lambda module, given, out: seen.append((given[0], out)))
    model(x)
    before, after = (tensor.detach() for tensor in seen[0])
    assert before.shape == (12, 4, 18, 16)
    torch.testing.assert_close(after.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(after.var((0, 2, 3), correction=0), torch.ones(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(model.norm1.running_mean, 0.1 * before.mean((0, 2, 3)))
    assert model.conv1.bias is None
    # In evaluation what a recording gives depends on no other.
    model.eval()
    torch.testing.assert_close(model(x)[:1], model(x[:1]))


@pytest.mark.parametrize("neuron", ["iaf", "lif"])
@pytest.mark.parametrize("values", [{}, {"batch_norm": True, "dropout": 0.5}, {"batch_norm": True, "dense": (12,)}])
def test_every_layer_starts_at_the_stated_rate_in_evaluation(neuron, values):
    spec = conv_specification(neuron, {"channels": (4, 6), **values})
    given = recordings(48)
    model = build(REGISTRY, spec, (2, 20, 18), 4)
    assert initialise(model, REGISTRY, spec, given, np.arange(48), 0) == []
    rates = {}
    for name, layer in spiking_layers(model).items():
        layer.register_forward_hook(lambda module, x, out, name=name: rates.update({name: float(out.mean())}))
    with torch.no_grad():
        model.eval()(torch.from_numpy(given.frames).float())
    assert rates == {name: pytest.approx(0.05, rel=0.1) for name in rates}
    if values.get("batch_norm"):
        # A normalisation would undo a scale of the weights before it.
        assert float(model.conv2.weight.detach().std()) == pytest.approx(model.conv2.weight[0].numel() ** -0.5, rel=0.1)


@pytest.mark.parametrize("neuron", ["iaf", "alif"])
def test_large_layers_start_at_the_stated_rate_too(monkeypatch, neuron):
    """Recordings of unlike rates, of which the search at first sees a few."""
    monkeypatch.setattr("harness.initialisation._AT_ONCE", 2**13)
    spec = conv_specification(neuron, {"channels": (4, 6)})
    given = recordings(96)
    given.frames[::3] //= 2
    model = build(REGISTRY, spec, (2, 20, 18), 4)
    assert initialise(model, REGISTRY, spec, given, np.arange(96), 0) == []
    rates = {}
    for name, layer in spiking_layers(model).items():
        layer.register_forward_hook(lambda module, x, out, name=name: rates.update({name: float(out.mean())}))
    with torch.no_grad():
        model(torch.from_numpy(given.frames).float())
    assert rates == {name: pytest.approx(0.05, rel=0.03) for name in rates}


def test_weights_and_statistics_come_back_and_evaluate_the_same():
    spec = conv_specification("iaf", {"channels": (4,), "batch_norm": True})
    given = recordings()
    model, other = (build(REGISTRY, spec, (2, 20, 18), 4) for _ in range(2))
    initialise(model, REGISTRY, spec, given, np.arange(24), 0)
    model.train()(torch.from_numpy(given.frames).float())
    state = {name: torch.from_numpy(value.numpy().copy()) for name, value in model.state_dict().items()}
    assert "norm1.running_var" in state
    other.load_state_dict(state, strict=True)
    mine, theirs = (evaluate(item, given, batch_size=size) for item, size in ((model, 24), (other, 24)))
    assert np.array_equal(mine.counts, theirs.counts)
    assert mine.counts.sum() > 0


@given(parameters(), st.data())
@settings(max_examples=25, deadline=None)
def test_synops_are_every_event_on_every_weight(values, data):
    """Pools, strides, edges, dropout and normalisation included, against a counter that visits events one by one."""
    shape = data.draw(st.sampled_from([(2, 6, 5), (1, 5, 5)]))
    model = taken(shape, values, classes=3, layer=lambda shape: Neurons(0, 3)).eval()
    random = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    for name, module in weight_layers(model).items():
        if not name.startswith("norm"):
            whole_weights(module, random)
    x = images(2, 2, shape, seed=data.draw(st.integers(0, 99)), rate=data.draw(st.sampled_from([0.0, 0.5])))
    lengths = data.draw(st.sampled_from([None, [2, 1]]))
    with torch.no_grad():
        by_recording = [
            brute.count(model, torch.from_numpy(one[: lengths[number] if lengths else 2]).float())
            for number, one in enumerate(x)
        ]
    expected = {name: sum(found[name][0] for found in by_recording) / 2 for name in by_recording[0]}
    for size in (2, 1):
        found = measure("synops", model, x, [0, 1], classes=3, lengths=lengths, registry=REGISTRY, batch_size=size)
        assert found["synops"].arrays["layers"] == expected
        assert found["synops_input"].value == expected[next(iter(expected))]
        assert found["multiply_accumulates"].value == 0


def test_the_fully_connected_network_takes_images_as_they_are():
    mlp = REGISTRY.find("mlp").component
    built = load_reference(mlp.build)((2, 6, 5), 3, lambda shape, recurrent=None: nn.Identity(), **mlp.choose().values)
    assert built(counts(shape=(2, 6, 5))).shape == (3, 4, 3)
