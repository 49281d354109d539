"""Single neurons and surrogates: what is shown is what definitions and backends compute."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.derivatives import surrogates
from harness.dynamics import constant_current, neuron_dynamics, random_train
from harness.errors import UsageError
from harness.registry import Registry

TAUS = {"neuron.tau_syn": ["10"], "neuron.tau_mem": ["20"], "alif.tau_adapt": ["30"]}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def test_a_random_train_is_the_one_that_numpys_seed_draws():
    drawn = np.random.RandomState(30).random_sample((10, 200)) > 0.9
    train = random_train(0.1, 200, 30, 0.1)
    assert np.array_equal(train.raster, drawn)
    assert np.array_equal(train.values > 0, drawn[3])


def test_leak_and_adaptation_lower_the_rate(registry):
    shown = neuron_dynamics(registry, random_train(0.1, 200, 30, 0.1), ["iaf", "lif", "alif"], TAUS)
    counts = [trace.rates(1.0)["spikes"] for trace in shown.traces]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 3
    adapting = shown.traces[2]
    assert adapting.threshold[0] == 1
    assert adapting.threshold.max() > 1
    assert shown.traces[0].rates(2.0)["hz"] == pytest.approx(counts[0] / 200 * 500)


@settings(deadline=None, max_examples=10, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0, 1), neuron=st.sampled_from(["iaf", "lif", "alif"]))
def test_backends_lie_on_the_definition(seed, rate, neuron):
    stimulus = random_train(rate, 30, seed, 0.31)
    own = {path: values for path, values in TAUS.items() if neuron == "alif" or path == "neuron.tau_syn"}
    shown = neuron_dynamics(Registry.discover(), stimulus, [neuron], own, ["definition", "fused"])
    first, second = shown.traces
    assert second.differs(first) == (0, None)
    for name, values in first.states.items():
        np.testing.assert_allclose(second.states[name], values, rtol=1e-4, atol=1e-5)


def test_a_sweep_is_a_configuration_a_value(registry):
    shown = neuron_dynamics(registry, constant_current(50, 0.3), ["lif"], {"lif.tau_mem": ["5", "20"]})
    assert list(shown.by_label()) == ["lif tau_mem=5", "lif tau_mem=20"]


@pytest.mark.parametrize(
    ("names", "given", "backends", "message"),
    [
        (["lfi"], {}, [], "did you mean 'lif'"),
        (["fused"], {}, [], "not a neuron"),
        (["lif"], {"lif.tau": ["1"]}, [], "no parameter 'tau'"),
        (["lif"], {"iaf.tau_syn": ["1"]}, [], "no neuron shown has it"),
        (["lif"], {"lif.tau_mem": ["-1"]}, [], "lif.tau_mem"),
        (["lif"], {"lif.tau_mem": [str(n) for n in range(1, 14)]}, [], "13 configurations"),
        (["lif"], {"lif.surrogate": ["tanh"]}, ["sinabs"], "no surrogate tanh"),
    ],
)
def test_what_cannot_be_shown_says_why(registry, names, given, backends, message):
    with pytest.raises(UsageError, match=message):
        neuron_dynamics(registry, constant_current(5, 0.1), names, given, backends)


def test_every_surrogate_that_is_declared_is_measured(registry):
    found = {item.name: item for item in surrogates(registry)}
    assert {"sigmoid", "tanh"} <= set(found)
    for item in found.values():
        assert np.array_equal(item.spikes, item.v >= item.threshold)


@pytest.mark.parametrize("width", [0.2, 0.5])
def test_derivatives_are_those_of_the_functions_they_are_named_after(registry, width):
    found = {item.name: item for item in surrogates(registry, ["sigmoid", "tanh"], [width], neuron="lif")}
    y = (found["tanh"].v - 1) / width
    np.testing.assert_allclose(found["tanh"].derivative, (1 - np.tanh(y) ** 2) / (2 * width), atol=1e-12)
    # From the left edge on, where the function has risen a little already.
    risen = 1 / (1 + np.exp(-y))
    np.testing.assert_allclose(found["sigmoid"].smooth, risen - risen[0], atol=1e-4)


@pytest.mark.parametrize("width", [0.3, 1.0])
def test_formulas_are_those_of_what_is_computed(registry, width):
    from scipy.stats import norm

    words = {name: getattr(np, name) for name in ("abs", "clip", "exp", "floor", "maximum", "tanh", "where")}
    words |= {"normal": norm.pdf, "cumulative": norm.cdf}
    shown = surrogates(registry, widths=[width])
    assert all(item.formulas["derivative"] and item.formulas["source"] for item in shown)
    for item in shown:
        own = words | {"v": item.v, "th": item.threshold, "w": width}
        told = eval(item.formulas["derivative"], {"__builtins__": {}}, own)
        np.testing.assert_allclose(item.derivative, told, rtol=1e-9, atol=1e-12, err_msg=item.name)
        if item.formulas["smooth"]:
            smooth = eval(item.formulas["smooth"], {"__builtins__": {}}, own)
            # A jump lies anywhere between two points.
            np.testing.assert_allclose(item.smooth, smooth - smooth[0], atol=3e-3, err_msg=item.name)


def test_unknown_surrogates_and_neurons_are_named(registry):
    with pytest.raises(UsageError, match="did you mean 'sigmoid'"):
        surrogates(registry, ["sigmod"])
    with pytest.raises(UsageError, match="not a neuron"):
        surrogates(registry, neuron="fused")
