"""The declared neurons."""

from __future__ import annotations

import pytest

from harness import Registry
from harness.errors import UsageError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iaf", {"tau_syn": 1.0}),
        ("lif", {"tau_mem": 2.0, "tau_syn": 1.0, "norm_input": False}),
        ("alif", {"tau_mem": 2.0, "tau_syn": 1.0, "tau_adapt": 1.0, "adapt_scale": 1.8, "norm_input": False}),
    ],
)
def test_defaults_are_one_convention_for_all(name, expected):
    choice = Registry.discover().find(name).component.choose()
    shared = {"threshold": 1.0, "v_min": 0.0, "spikes": "single", "surrogate_width": 0.5, "train_taus": False}
    assert {key: choice[key] for key in expected | shared} == expected | shared


def test_a_time_constant_must_be_positive():
    with pytest.raises(UsageError, match=r"lif\.tau_mem: 0 is not a finite number > 0 \(time steps\)"):
        Registry.discover().find("lif").component.choose(tau_mem=0)
