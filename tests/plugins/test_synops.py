"""SynOps of single layers by hand, and of networks whose layers are called in every way that networks call them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from harness_metrics.synops import SynOps
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import told, view
from torch import nn
from torch.nn.utils import parametrize, prune

from harness import LayerView
from harness.model import SpikingLayer
from harness.testing import measure


def synops(module, given, recurrent=None, mask=None):
    """Every figure of one batch through one weight layer."""
    observer = SynOps()
    modules, layers = {"w": module}, {"w": LayerView(module, given, given, False)}
    if recurrent is not None:
        modules["r"] = recurrent[0]
        layers["r"] = LayerView(recurrent[0], recurrent[1], recurrent[1], False)
    observer.start(nn.ModuleDict(modules), told(("w",), ("r",) if recurrent else ()))
    observer.batch(view(layers, torch.zeros(len(given), given.shape[1], 3), mask=mask))
    return {name: value.value for name, value in observer.result().items()}


def linear(weight):
    module = nn.Linear(len(weight[0]), len(weight), bias=False)
    module.weight.data = torch.tensor(weight)
    return module


def brute(weight, given):
    """Operations a recording, one event at a time."""
    total = active = multiply = 0
    for recording in given.tolist():
        for step in recording:
            for element, value in enumerate(step):
                fan_out = sum(row[element] != 0 for row in weight.tolist())
                whole = value == round(value)
                total += (abs(value) if whole else 1) * fan_out
                active += (value != 0) * fan_out
                multiply += (not whole) * fan_out
    return tuple(part / len(given) for part in (total, active, multiply, total - multiply))


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_synops_are_events_times_nonzero_outgoing_weights(seed, batch, steps, inputs, outputs):
    random = torch.Generator().manual_seed(seed)
    weight = torch.randint(-1, 2, (outputs, inputs), generator=random).float()
    given = torch.randint(-2, 4, (batch, steps, inputs), generator=random).float()
    given += 0.5 * (torch.rand(given.shape, generator=random) < 0.2)
    module = linear(weight.tolist())
    found = synops(module, given)
    names = ("synops", "synops_active", "multiply_accumulates", "accumulates")
    assert tuple(found[name] for name in names) == brute(weight, given)


def test_the_worked_example_of_the_documentation():
    """Two recordings, three inputs, two outputs, one weight pruned."""
    given = torch.tensor([[[1.0, 0, 2], [0, 1, 0]], [[0, 0, 0], [0, 0, 1]]])
    found = synops(linear([[0.5, 0.0, 0.1], [0.2, 0.3, 0.4]]), given)
    # Fan-outs 2, 1, 2: recording 0 has 1·2 + 2·2 + 1·1 = 7 operations, recording 1 has 2.
    assert (found["synops"], found["synops_active"]) == (4.5, 3.5)


def test_signed_events_do_not_cancel():
    assert synops(linear([[1.0, 1.0]]), torch.tensor([[[3.0, -2.0]]]))["synops"] == 5


def test_pruned_weights_are_not_counted():
    assert synops(linear([[0.0, 1.0], [0.0, 0.0]]), torch.ones(1, 1, 2))["synops"] == 1


def test_accumulate_or_multiply_is_decided_by_element_not_by_tensor():
    found = synops(linear([[1.0, 1.0]]), torch.tensor([[[1.0, 0.5], [1.0, 2.0]]]))
    assert (found["accumulates"], found["multiply_accumulates"]) == (4, 1)


def test_recurrent_weights_count_at_every_step_and_apart():
    spikes = torch.tensor([[[1.0, 0], [1, 1], [0, 1]]])
    found = synops(linear([[1.0, 1], [1, 1]]), torch.zeros(1, 3, 2), recurrent=(linear([[1.0, 1], [1, 1]]), spikes))
    assert (found["synops_recurrent"], found["synops_input"], found["synops"]) == (8, 0, 8)


def test_padded_steps_are_not_counted():
    mask = torch.tensor([[True, False]])
    assert synops(linear([[1.0]]), torch.ones(1, 2, 1), mask=mask)["synops"] == 1


def test_slices_of_one_recording_are_one_recording():
    observer = SynOps()
    module = linear([[1.0]])
    observer.start(nn.ModuleDict({"w": module}), told())
    for _ in range(2):
        observer.batch(
            view({"w": LayerView(module, torch.ones(1, 3, 1), torch.ones(1, 3, 1), False)}, torch.zeros(1, 3, 3))
        )
    assert observer.result()["synops"].value == 6


@pytest.mark.parametrize("module", [nn.Embedding(2, 2), nn.Bilinear(2, 2, 2)])
def test_a_layer_that_is_not_understood_is_an_error(module):
    with pytest.raises(TypeError, match=f"weight layer w is a {type(module).__name__}"):
        synops(module, torch.ones(1, 1, 2))


def test_a_weight_layer_that_was_not_seen_is_an_error():
    observer = SynOps()
    observer.start(nn.ModuleDict({"w": linear([[1.0]]), "hidden": linear([[1.0]])}), told(("w", "hidden")))
    with pytest.raises(ValueError, match=r"\['hidden'\] were not seen"):
        observer.batch(view({"w": LayerView(linear([[1.0]]), torch.ones(2, 3, 1), torch.ones(2, 3, 1), False)}))


class Net(nn.Module):
    """(B, T, ...) through modules that take no time axis: flattened into the batch, or a step at a time."""

    def __init__(self, *modules, stepwise=False):
        super().__init__()
        self.net, self.stepwise = nn.Sequential(*modules), stepwise

    def forward(self, x):
        if self.stepwise:
            return torch.stack([self.net(x[:, step]).flatten(1) for step in range(x.shape[1])], 1)
        return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2]).flatten(2)


def counts(*shape, seed=0, rate=0.7):
    return torch.poisson(torch.full(shape, rate), generator=torch.Generator().manual_seed(seed)).numpy()


def passing():
    return SpikingLayer(nn.Identity(), None)


def ones(module):
    nn.init.ones_(module.weight)
    return module


LAYERS = {
    "linear": (lambda: nn.Linear(4, 3), (4,)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 5)),
    "conv2d": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 5, 4)),
    "conv3d": (lambda: nn.Conv3d(2, 2, 2), (2, 3, 3, 3)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 3, 3)),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("steps", [1, 3])
def test_time_flattened_or_step_by_step_counts_the_same(kind, batch, steps):
    make, shape = LAYERS[kind]
    module, x = make(), counts(batch, steps, *shape)
    flat, stepped = (measure("synops", Net(module, stepwise=how), x, batch_size=2) for how in (False, True))
    assert flat["synops"].value > 0
    assert {n: v.to_json() for n, v in flat.items()} == {n: v.to_json() for n, v in stepped.items()}


def test_one_channel_of_one_recording_and_step_is_not_taken_for_a_batch():
    found = measure("synops", Net(ones(nn.Conv2d(1, 1, 3, padding=1))), counts(1, 1, 1, 3, 3, rate=9.0))
    again = measure("synops", Net(ones(nn.Conv2d(1, 1, 3, padding=1))), counts(2, 1, 1, 3, 3, rate=9.0), batch_size=1)
    assert found["synops"].value > 0
    assert again["synops"].value > 0


def test_a_linear_layer_over_places_counts_each():
    class Places(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = ones(nn.Linear(2, 5))

        def forward(self, x):
            return self.shared(x).flatten(2)

    x = counts(2, 3, 4, 2)
    assert measure("synops", Places(), x)["synops"].value == x.sum() * 5 / 2


def test_a_layer_that_is_called_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = ones(nn.Linear(3, 3, bias=False))
            self.spikes = passing()

        def forward(self, x):
            return self.shared(self.spikes(self.shared(x)))

    found = measure("synops", Twice(), [[[1, 0, 2]]])
    # 3 events on 3 weights; each of the 3 outputs is then 3 events on 3 weights.
    assert found["synops"].value == 9 + 27
    assert found["synops"].arrays["layers"] == {"shared": 36}


def test_input_is_what_reads_the_input_whatever_the_order_of_the_modules():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = ones(nn.Linear(2, 2, bias=False)), ones(nn.Linear(3, 2, bias=False))

        def forward(self, x):
            return self.last(self.first(x.flatten(2)))

    found = measure("synops", Backwards(), [[[1, 0, 2]]])
    assert (found["synops_input"].value, found["synops_hidden"].value) == (3 * 2, 6 * 2)


@pytest.mark.parametrize(
    "pool", [nn.AvgPool2d(2), nn.LPPool2d(1, 2), nn.AdaptiveAvgPool2d(2), nn.AvgPool2d(2, divisor_override=3)]
)
def test_a_pool_passes_events_on_and_scales_none(pool):
    x = counts(2, 3, 1, 4, 4)
    found = measure("synops", Net(pool, ones(nn.Conv2d(1, 5, 1, bias=False))), x)
    assert found["synops"].value == x.sum() * 5 / 2
    assert found["multiply_accumulates"].value == 0
    assert found["synops_input"].value == found["synops"].value


def test_averages_over_windows_of_unequal_size_are_undone_by_window():
    x = counts(1, 2, 1, 3, 3)
    whole = measure("synops", Net(nn.AvgPool2d(2, ceil_mode=True), ones(nn.Conv2d(1, 1, 1))), x)
    padded = measure(
        "synops", Net(nn.AvgPool2d(2, stride=1, padding=1, count_include_pad=False), ones(nn.Conv2d(1, 1, 1))), x
    )
    assert whole["synops"].value == x.sum()
    assert padded["synops"].value == 4 * x.sum()  # each element lies in four windows
    assert whole["multiply_accumulates"].value == padded["multiply_accumulates"].value == 0


def test_a_maximum_passes_the_most_events_of_its_window():
    found = measure("synops", Net(nn.MaxPool2d(2), ones(nn.Conv2d(1, 3, 1))), [[[[[1, 2], [0, 3]]]]])
    assert found["synops"].value == 9


def test_pools_in_a_row_are_undone_together():
    x = counts(2, 2, 1, 4, 4)
    found = measure("synops", Net(nn.AvgPool2d(2), nn.AvgPool2d(2), ones(nn.Conv2d(1, 2, 1))), x)
    assert found["synops"].value == x.sum() * 2 / 2


def test_averages_of_real_values_stay_real():
    class Halves(nn.Module):
        def forward(self, x):
            return x * 0.37

    found = measure("synops", Net(Halves(), nn.AvgPool2d(2), ones(nn.Conv2d(1, 1, 1))), [[[[[1, 0], [0, 0]]]]])
    assert (found["synops"].value, found["multiply_accumulates"].value) == (1, 1)


def test_bias_and_state_updates_are_counted_apart():
    model = nn.Sequential(nn.Linear(3, 4), passing(), nn.Linear(4, 2, bias=False), passing())
    found = measure("synops", model, counts(2, 5, 3), lengths=[5, 2])
    assert found["bias_additions"].value == 4 * (5 + 2) / 2
    assert found["neuron_updates"].value == (4 + 2) * (5 + 2) / 2


@pytest.mark.parametrize(
    ("modules", "additions"),
    [
        ((nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), passing(), nn.Linear(4, 2, bias=False)), 4),
        ((nn.Linear(3, 4), nn.BatchNorm1d(4), passing(), nn.Linear(4, 2, bias=False)), 4),  # one bias takes both up
        ((nn.Linear(3, 4, bias=False), passing(), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False)), 2),
        ((nn.BatchNorm1d(3), nn.Linear(3, 4, bias=False), passing(), nn.Linear(4, 2)), 4 + 2),
    ],
    ids=["behind weights", "behind a bias", "behind neurons", "before all"],
)
@pytest.mark.parametrize("stepwise", [False, True])
def test_the_shift_of_a_batch_normalisation_is_a_bias_of_the_weights_it_is_folded_into(modules, additions, stepwise):
    found = measure("synops", Net(*modules, stepwise=stepwise).eval(), counts(2, 5, 3))
    assert found["bias_additions"].value == additions * 5


def test_operations_a_second_are_over_real_time():
    found = measure("synops", ones(nn.Linear(1, 1, bias=False)), [[[1], [1], [0], [0]]], dt_ms=5.0, lengths=[2])
    assert found["synops_per_second"].value == 2 / 0.010


def test_classes_and_steps_add_up():
    x, labels = counts(6, 4, 5), [0, 1, 1, 2, 2, 2]
    found = measure("synops", nn.Linear(5, 4), x, labels, batch_size=4)["synops"]
    per_class = found.arrays["per_class"]
    assert sum(found.arrays["per_step"]) == pytest.approx(found.value, rel=1e-12)
    assert sum(
        mean * number for mean, number in zip(per_class, (1, 2, 3, 0), strict=False) if number
    ) / 6 == pytest.approx(found.value)
    assert per_class[3] is None


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (nn.LayerNorm(3), "LayerNorm"),
        (nn.GRU(3, 2, batch_first=True), "GRU"),
        (nn.PReLU(3), "PReLU"),
    ],
)
def test_whatever_else_has_weights_is_an_error_never_a_silent_zero(module, named):
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.odd = module

        def forward(self, x):
            return torch.zeros(*x.shape[:2], 2)

    with pytest.raises(TypeError, match=f"weight layer odd is a {named}"):
        measure("synops", Around(), counts(1, 2, 3))


def test_a_linear_layer_that_computes_something_else_is_an_error():
    class Absolute(nn.Linear):
        def forward(self, x):
            return nn.functional.linear(x, self.weight.abs())

    with pytest.raises(TypeError, match="Absolute"):
        measure("synops", nn.Sequential(Absolute(3, 2)), counts(1, 2, 3))


def test_pruned_and_parametrised_weights_are_found():
    pruned, made = ones(nn.Linear(4, 2, bias=False)), ones(nn.Linear(4, 2, bias=False))
    prune.l1_unstructured(pruned, "weight", amount=4)

    class Half(nn.Module):
        def forward(self, weight):
            return torch.cat([weight[:, :2], torch.zeros_like(weight[:, 2:])], 1)

    parametrize.register_parametrization(made, "weight", Half())
    x = [[[1, 1, 1, 1]]]
    assert measure("synops", nn.Sequential(pruned), x)["synops"].value == 4
    assert measure("synops", nn.Sequential(made), x)["synops"].value == 4


def test_batch_normalisation_is_folded_into_the_weights_before_it():
    model = Net(ones(nn.Conv2d(1, 2, 1)), nn.BatchNorm2d(2), passing(), nn.Flatten(), ones(nn.Linear(8, 3)))
    x = counts(2, 3, 1, 2, 2)
    assert measure("synops", model, x)["synops"].arrays["layers"]["net.0"] == x.sum() * 2 / 2


def test_values_that_are_not_finite_are_an_error():
    class Broken(nn.Module):
        def forward(self, x):
            return x / 0

    with pytest.raises(ValueError, match="not finite"):
        measure("synops", nn.Sequential(Broken(), nn.Linear(3, 2)), counts(1, 2, 3))


@pytest.mark.parametrize("size", [2**24 - 1, 2**24 + 1, 2**30])
def test_sums_beyond_single_precision_are_exact(size):
    given = torch.full((1, 3, 1), float(size), dtype=torch.float64)
    weight = linear([[1.0], [1.0], [1.0]]).double()
    assert synops(weight, given)["synops"] == 9 * size
    many = torch.full((1, 1, 300), 60_001.0)
    assert synops(linear([[1.0] * 299 + [0.0]]), many)["synops"] == 299 * 60_001


@given(st.integers(0, 2**31), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_compiled_pass_counts_what_plain_torch_counts(seed, real, masked):
    from harness.tally import Tally

    random = torch.Generator().manual_seed(seed)
    values = torch.randint(-3, 4, (3, 5, 7), generator=random).float()
    if real:
        values[torch.rand(values.shape, generator=random) < 0.1] += 0.25
    mask = torch.rand((3, 5), generator=random) < 0.7 if masked else None
    weights = torch.randint(0, 5, (7,), generator=random).double().numpy()
    quick, plain = Tally(values, mask), Tally(values.double(), mask)  # the compiled pass takes single precision alone
    for name in ("events", "active", "events_at", "active_at", "real", "real_at"):
        one, other = getattr(quick, name), getattr(plain, name)
        assert (one is None and other is None) or np.array_equal(one, other), name
    for one, other in zip(quick.weighted(weights), plain.weighted(weights), strict=True):
        assert (one is None and other is None) or np.array_equal(one, other)


# -- networks that call their layers as they like --------------------------------------------------------------------


class Around(nn.Module):
    """A network whose forward pass is a function of its parts and the input."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


def test_what_is_written_into_after_it_was_read_counts_as_it_was_read():
    def run(net, x):
        x = x.clone()
        made = net.spikes(net.first(x))
        x += made  # after the first layer has read it
        net.seen = made.clone()
        made *= 0  # after the spiking layer has put it out
        return net.last(x)

    net = Around(run, first=ones(nn.Linear(3, 3, bias=False)), spikes=passing(), last=ones(nn.Linear(3, 2, bias=False)))
    x = [[[1, 0, 2]]] * 3
    found = measure("synops", net, x, batch_size=2)["synops"].arrays["layers"]
    assert found == {"first": 3 * 3, "last": (3 + 9) * 2}
    assert measure("firing-rate", net, x, batch_size=2)["firing_rate"].value == 3.0


@pytest.mark.parametrize(
    "between",
    [nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Identity()],
    ids=lambda module: type(module).__name__,
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels-last"])
def test_averages_that_reach_a_layer_as_a_copy_are_still_events(between, layout):
    x = counts(2, 3, 2, 4, 4)
    weights = nn.Linear(8, 3) if isinstance(between, nn.Flatten) else nn.Conv2d(2, 3, 1)
    flat = Net(nn.AvgPool2d(2), between, ones(weights))
    net = Around(
        lambda net, x: (
            net.flat.net(x.flatten(0, 1).contiguous(memory_format=layout)).unflatten(0, x.shape[:2]).flatten(2)
        ),
        flat=flat,
    )
    found = measure("synops", net, x)
    assert found["synops"].value == x.sum() * 3 / 2
    assert found["multiply_accumulates"].value == 0


def test_averages_that_are_padded_on_the_way_are_still_events():
    x = counts(2, 3, 1, 4, 4)
    found = measure("synops", Net(nn.AvgPool2d(2), nn.ZeroPad2d(1), ones(nn.Conv2d(1, 2, 1))), x)
    assert (found["synops"].value, found["multiply_accumulates"].value) == (x.sum() * 2 / 2, 0)


def test_averages_that_were_changed_on_the_way_are_an_error_not_a_guess():
    net = Net(nn.AvgPool2d(2), nn.BatchNorm2d(1), ones(nn.Conv2d(1, 2, 1)))
    with pytest.raises(
        TypeError, match=r"average pool net\.0 puts out is changed before it reaches a layer, .* in net\.1"
    ):
        measure("synops", net, counts(2, 3, 1, 4, 4))


def test_real_input_beside_averages_that_are_known_is_no_guess():
    net = Net(
        Scaled(), ones(nn.Conv2d(1, 2, 1)), SpikingLayer(Rounded(), None), nn.AvgPool2d(2), ones(nn.Conv2d(2, 1, 1))
    )
    found = measure("synops", net, counts(2, 3, 1, 4, 4))
    of_layer = found["synops"].arrays["layers"]
    assert found["multiply_accumulates"].value == of_layer["net.1"] > 0
    assert found["accumulates"].value == of_layer["net.4"] > 0


class Scaled(nn.Module):
    def forward(self, x):
        return x * 0.37


class Rounded(nn.Module):
    def forward(self, x):
        return torch.round(3 * x)


@pytest.mark.parametrize("stepwise", [False, True])
def test_values_that_are_alike_by_chance_are_not_taken_for_one_another(stepwise):
    """Everything passes its one event on: the input, the first spikes and both pools hold the same."""
    before = Net(
        nn.MaxPool2d(1), ones(nn.Conv2d(1, 1, 1)), passing(), nn.MaxPool2d(1), nn.Flatten(), ones(nn.Linear(1, 3))
    )
    before.stepwise = stepwise
    nn.init.zeros_(before.net[1].bias)
    found = measure("synops", before, [[[[[1]]], [[[0]]]]])
    assert (found["synops_input"].value, found["synops_hidden"].value) == (1, 3)


def test_real_values_are_told_under_the_table():
    net = Around(lambda net, x: net.last(x * 0.5), last=ones(nn.Linear(4, 3)))
    # Halves of 1 are real values on 3 weights each, halves of 2 one event each.
    found = measure("synops", net, [[[1, 0, 2, 2]]])
    assert (found["multiply_accumulates"].value, found["accumulates"].value) == (3, 6)
    assert found["synops"].note == "holds multiply-accumulates: last receives values that are not whole"
    assert measure("synops", ones(nn.Linear(2, 3)), [[[1, 0]]])["synops"].note == ""


def test_a_transposed_convolution_may_choose_its_size_at_every_call():
    made = ones(nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1, bias=False))
    net = Around(
        lambda net, x: torch.cat([net.made(x[0], output_size=[size]) for size in (3, 4)], 2)[None].flatten(2), made=made
    )
    # Two inputs at 0 and 2 of an output of 3 or 4: two weights reach inside at each end, the fourth place adds one.
    assert measure("synops", net, [[[[1, 1]]]])["synops"].value == 4 + 5


def test_steps_are_not_taken_for_places():
    """Two steps, and a layer over two places, called step by step: only one step is real."""
    shared = ones(nn.Linear(3, 2))

    def run(net, x):
        return torch.cat([net.spikes(net.shared(x[:, step]).flatten(1)[:, None]) for step in range(2)], 1)

    net = Around(run, shared=shared, spikes=passing())
    x = [[[[0, 0, 0], [1, 1, 1]], [[0, 0, 0], [5, 5, 5]]]]
    found = measure("synops", net, x, lengths=[1])
    assert (found["synops"].value, found["synops"].arrays["per_step"]) == (3 * 2, [6.0, 0.0])
    assert found["neuron_updates"].value == 4
    assert measure("firing-rate", net, x)["firing_rate"].arrays["layers"].keys() == {"spikes"}


def test_recurrent_weights_that_a_backend_keeps_to_itself_are_found():
    class Backend(nn.Module):
        def __init__(self, recurrent):
            super().__init__()
            self.recurrent = recurrent

        def forward(self, x):
            return x

    weights = ones(nn.Linear(2, 2, bias=False))
    found = measure("synops", nn.Sequential(SpikingLayer(Backend(weights), weights)), [[[1, 0], [1, 1]]])
    assert (found["synops"].value, found["synops_recurrent"].value) == (6, 6)
    with pytest.raises(TypeError, match="recurrent weights of 0 belong to no module"):
        measure("synops", nn.Sequential(SpikingLayer(nn.Identity(), weights)), [[[1, 0]]])


def test_a_layer_that_is_called_by_keyword_is_seen():
    net = Around(lambda net, x: net.layer(input=x), layer=ones(nn.Linear(3, 2)))
    assert measure("synops", net, [[[1, 0, 2]]])["synops"].value == 6
