"""The declared neurons, and their definition against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from harness_neurons import SURROGATES
from harness_neurons.reference import layer
from harness_neurons.surrogates import find

from harness import Registry
from harness.errors import UsageError


def choose(name, **given):
    return Registry.discover().find(name).component.choose(**given)


def spikes(name, current, **given):
    x = torch.tensor(current, dtype=torch.float64).reshape(1, -1, 1)
    return layer(choose(name, **given), (1,))(x).flatten().tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iaf", {"tau_syn": 1.0}),
        ("lif", {"tau_mem": 2.0, "tau_syn": 1.0, "norm_input": False}),
        ("alif", {"tau_mem": 2.0, "tau_syn": 1.0, "tau_adapt": 1.0, "adapt_scale": 1.8, "norm_input": False}),
    ],
)
def test_defaults_are_one_convention_for_all(name, expected):
    choice = choose(name)
    shared = {"threshold": 1.0, "v_min": 0.0, "spikes": "single", "surrogate_width": 0.5, "train_taus": False}
    assert {key: choice[key] for key in expected | shared} == expected | shared


def test_a_time_constant_must_be_positive():
    with pytest.raises(UsageError, match=r"lif\.tau_mem: 0 is not a finite number > 0 \(time steps\)"):
        choose("lif", tau_mem=0)


def test_iaf_integrates_and_subtracts():
    assert spikes("iaf", [0.4, 0.4, 0.4, 0.4, 0.4], tau_syn=None) == [0, 0, 1, 0, 1]


def test_iaf_filters_its_current():
    a = math.exp(-1)
    # i: a, then a², a³ of one unit of input; v sums to a + a² + a³ + ... < 0.59: no spike at 1, one at 0.5.
    assert spikes("iaf", [1, 0, 0, 0], threshold=1.0) == [0, 0, 0, 0]
    assert a < 0.5 < a + a**2
    assert spikes("iaf", [1, 0, 0, 0], threshold=0.5) == [0, 1, 0, 0]


def test_lif_leaks():
    # v after two inputs of 0.7 is 0.7 (1 + exp(-1/2)) = 1.12; without a leak 1.4.
    assert spikes("lif", [0.7, 0.7], tau_syn=None, threshold=1.2) == [0, 0]
    assert spikes("lif", [0.7, 0.7], tau_syn=None, threshold=1.1) == [0, 1]


def test_norm_input_scales_by_one_minus_decay():
    scale = 1 - math.exp(-0.5)
    assert spikes("lif", [1.0 / scale - 1e-9], tau_syn=None, norm_input=True) == [0]
    assert spikes("lif", [1.0 / scale + 1e-9], tau_syn=None, norm_input=True) == [1]


@pytest.mark.parametrize(("mode", "expected"), [("single", [1, 1, 1]), ("multi", [3, 0, 0]), ("max", [2, 1, 0])])
def test_how_many_spikes_a_step(mode, expected):
    assert spikes("iaf", [3.5, 0, 0], tau_syn=None, spikes=mode, max_spikes=2) == expected


def test_resets():
    assert spikes("iaf", [2.5, 0, 0], tau_syn=None, reset="subtract") == [1, 1, 0]
    assert spikes("iaf", [2.5, 0, 0], tau_syn=None, reset="value") == [1, 0, 0]
    assert spikes("iaf", [2.5, 0.5, 0], tau_syn=None, reset="value", reset_value=0.5) == [1, 1, 0]


def test_the_floor_holds_the_membrane():
    assert spikes("iaf", [-5, 1.0], tau_syn=None) == [0, 1]
    assert spikes("iaf", [-5, 1.0], tau_syn=None, v_min=-1.0) == [0, 0]
    assert spikes("iaf", [-5, 5.9], tau_syn=None, v_min=None) == [0, 0]


def test_alif_raises_its_threshold_after_a_spike():
    given = {"tau_syn": None, "adapt_scale": 2.0, "tau_mem": 1e9, "v_min": None}
    b = 1 - math.exp(-1)  # after one spike, with tau_adapt 1
    assert spikes("alif", [1.0, 1 + 2 * b - 1e-6], **given) == [1, 0]
    assert spikes("alif", [1.0, 1 + 2 * b + 1e-6], **given) == [1, 1]


def test_recurrent_weights_see_the_last_steps_spikes():
    feedback = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.constant_(feedback.weight, 1.0)
    made = layer(choose("iaf", tau_syn=None), (1,), feedback)
    with torch.no_grad():
        assert made(torch.tensor([1.0, 0, 0], dtype=torch.float64).reshape(1, 3, 1)).flatten().tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_is_what_flows_back(name):
    given = {"surrogate": name, "surrogate_width": 0.7, "surrogate_scale": 3.0, "tau_syn": None, "threshold": 1.3}
    x = torch.linspace(-2, 4, 101, dtype=torch.float64).reshape(1, 1, -1).requires_grad_()
    layer(choose("iaf", **given), (101,))(x).sum().backward()
    threshold = torch.tensor(1.3, dtype=torch.float64)
    expected = find(name)(x.detach(), threshold, 0.7) * 3.0
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "boxcar", "gaussian", "single-exponential"])
def test_a_surrogate_that_stands_for_a_step_integrates_to_one(name):
    v = torch.linspace(-20, 20, 400_001, dtype=torch.float64)
    area = torch.trapezoid(find(name)(v, torch.tensor(1.0, dtype=torch.float64), 0.5), v)
    assert float(area) == pytest.approx(2.0 if name == "single-exponential" else 1.0, rel=1e-3)
