"""Single neurons and surrogates: what is shown is what definitions and backends compute."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.derivatives import surrogates
from harness.dynamics import constant_current, neuron_dynamics, random_train, refuse_foreign, stimulus
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
        (["lfi"], {}, [], "there are: alif, iaf, lif"),
        (["fused"], {}, [], "not a neuron"),
        (["lif"], {}, ["nope"], "no backend is named 'nope'; there are: definition, "),
        (["lif"], {"encoding.dt": ["5"]}, [], "concerns a dataset"),
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


@pytest.mark.parametrize(
    ("kind", "counts", "weight"),
    [("random", [23, 18, 16], 0.1), ("constant", [14, 9, 8], 0.008)],
)
def test_the_smallest_weight_is_kept_where_all_fire(registry, kind, counts, weight, tmp_path):
    shown = neuron_dynamics(registry, stimulus(registry, kind, data=tmp_path), ["iaf", "lif", "alif"], TAUS)
    assert [trace.rates(None)["spikes"] for trace in shown.traces] == counts
    assert shown.stimulus.weight == weight
    assert "chosen" not in shown.stimulus.title


@settings(deadline=None, max_examples=10, derandomize=True)
@given(kind=st.sampled_from(["random", "constant"]), threshold=st.floats(0.01, 50), seed=st.integers(0, 99))
def test_a_weight_is_chosen_at_which_all_fire(kind, threshold, seed, tmp_path_factory):
    registry = Registry.discover()
    received = stimulus(registry, kind, steps=80, rate=0.2, seed=seed, data=tmp_path_factory.getbasetemp())
    shown = neuron_dynamics(registry, received, [], {"neuron.threshold": [threshold]})
    assert all(trace.spikes.sum() >= 3 for trace in shown.traces)
    assert not shown.remarks()
    given = shown.stimulus.weight
    smaller = [weight for weight in received.ladder if weight < given][-1:]
    for weight in smaller:
        less = neuron_dynamics(registry, received.weighed(weight, ""), [], {"neuron.threshold": [threshold]})
        assert any(trace.spikes.sum() < 3 for trace in less.traces)


@pytest.mark.parametrize(
    ("names", "given", "changed", "said"),
    [
        (
            ["iaf"],
            {"weight": 0.001},
            {},
            "no spike of iaf (membrane up to 0.0145, threshold 1); try a larger weight, or",
        ),
        (["alif"], {"weight": 0.1}, {"alif.norm_input": ["true"]}, "longer alif.tau_syn"),
        (
            ["lif"],
            {"kind": "constant", "weight": 0.3, "steps": 2},
            {},
            "more steps, or longer lif.tau_mem, lif.tau_syn",
        ),
        (["iaf", "lif"], {"weight": 0.5}, {}, "no spike of lif (membrane up to 0.454, threshold 1)"),
        (["lif"], {"weight": -1.0}, {}, "nowhere above 0 at weight -1"),
        (["lif"], {"rate": 0.0}, {}, "try a higher rate"),
        (["lif"], {"steps": 1}, {}, "more steps"),
    ],
)
def test_silence_is_explained_by_what_the_neurons_have(registry, names, given, changed, said, tmp_path):
    shown = neuron_dynamics(registry, stimulus(registry, **given, data=tmp_path), names, changed)
    (remark,) = shown.remarks()
    assert said in remark
    assert "iaf.tau_mem" not in remark
    assert "alif.tau_mem" not in remark


@pytest.mark.parametrize("weight", [1e300, -1e300, float("nan"), float("inf"), 1e38])
def test_what_float32_cannot_hold_is_refused(registry, weight):
    with pytest.raises(UsageError, match="float32"):
        neuron_dynamics(registry, constant_current(50, weight), ["iaf"])


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("constant", "rate", "rate: concerns random input alone, and the input is constant"),
        ("random", "channel", "a dataset alone"),
        ("shd-synthetic", "steps", "generated input alone"),
        ("shd-synthetic", "dt", "set encoding.dt"),
    ],
)
def test_arguments_that_say_nothing_of_the_input_are_refused(kind, name, message):
    with pytest.raises(UsageError, match=message):
        refuse_foreign(kind, ["weight", "names", name])


def test_a_recording_is_shown_by_its_busiest_channel(registry, tmp_path):
    own = {"encoding.dt": ["20"], "encoding.slice": ["100"], "lif.tau_mem": ["5"]}
    received = stimulus(registry, "shd-synthetic", data=tmp_path, settings=own)
    assert received.name.startswith("shd-synthetic test recording 0, slice 1 of 7, busiest channel ")
    assert (len(received.given), received.dt_ms) == (5, 20)
    channel = int(received.name.rpartition(" ")[2])
    same = stimulus(registry, "shd-synthetic", data=tmp_path, settings=own, channel=channel)
    assert np.array_equal(same.given, received.given)
    other = stimulus(registry, "shd-synthetic", data=tmp_path, settings=own, channel=0)
    assert other.given.sum() <= received.given.sum()
    assert len(neuron_dynamics(registry, received, ["lif"], own).traces) == 1
    with pytest.raises(UsageError, match="no dataset is named 'nope'; there are: random, constant, "):
        stimulus(registry, "nope", data=tmp_path)
    with pytest.raises(UsageError, match="one value"):
        stimulus(registry, "shd-synthetic", data=tmp_path, settings={"encoding.dt": ["20", "10"]})


def test_every_surrogate_that_is_declared_is_measured(registry):
    found = {item.name: item for item in surrogates(registry)}
    assert {"sigmoid", "tanh"} <= set(found)
    for item in found.values():
        assert np.array_equal(item.spikes, item.v >= item.threshold)


@pytest.mark.parametrize("width", [1e-9, 0.01, 0.1, 0.5, 1.0, 1e9])
def test_numbers_of_a_surrogate_scale_with_its_width(registry, width):
    found = {item.name: item for item in surrogates(registry, ["boxcar", "sigmoid"], [width])}
    boxcar, sigmoid = found["boxcar"], found["sigmoid"]
    assert boxcar.area == pytest.approx(1, rel=1e-3)
    assert boxcar.half_width == pytest.approx(2 * width, rel=1e-3)
    assert sigmoid.area == pytest.approx(np.tanh(2), rel=1e-3)
    assert sigmoid.half_width == pytest.approx(2 * np.log(3 + 2 * np.sqrt(2)) * width, rel=1e-3)
    assert np.interp(sigmoid.threshold, sigmoid.v, sigmoid.smooth) == pytest.approx(0.5, abs=1e-3)


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
            np.testing.assert_allclose(item.smooth, smooth, atol=1e-4, err_msg=item.name)


def test_unknown_surrogates_and_neurons_are_named(registry):
    with pytest.raises(UsageError, match="did you mean 'sigmoid'"):
        surrogates(registry, ["sigmod"])
    with pytest.raises(UsageError, match="not a neuron"):
        surrogates(registry, neuron="fused")
