"""Parameters: text to value, bounds, and errors that say what is expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Parameter
from harness.errors import UsageError
from harness.parameters import resolve

TAU = Parameter(name="tau", default=2.0, kind="float", above=0, unit="time steps", optional=True, summary="a tau")
HIDDEN = Parameter(name="hidden", default=(64, 64), kind="ints", minimum=1, summary="sizes")
SPIKES = Parameter(name="spikes", default="single", kind="str", choices=("single", "multi"), summary="spikes")
FLAG = Parameter(name="flag", default=False, kind="bool", summary="a flag")
COUNT = Parameter(name="count", default=1, kind="int", minimum=0, maximum=10, summary="a count")


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_a_float_survives_its_text(value):
    assert TAU.parse(repr(value)) == value


@given(st.lists(st.integers(min_value=1, max_value=9999), min_size=1))
def test_a_list_survives_its_text(values):
    assert HIDDEN.parse("[" + ",".join(map(str, values)) + "]") == tuple(values)


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [(TAU, "none", None), (FLAG, "on", True), (FLAG, "False", False), (COUNT, "10", 10), (SPIKES, "multi", "multi")],
)
def test_text_becomes_a_value(parameter, text, value):
    assert parameter.parse(text) == value
    assert type(parameter.parse(text)) is type(value)


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        (TAU, "0", "a finite number > 0"),
        (TAU, "nan", "a finite number"),
        (TAU, "inf", "a finite number"),
        (TAU, "fast", "a finite number"),
        (HIDDEN, "[0]", "a list of whole numbers"),
        (HIDDEN, "64,x", "a list of whole numbers"),
        (SPIKES, "mutli", "did you mean 'multi'"),
        (FLAG, "1", "true or false"),
        (COUNT, "11", "<= 10"),
        (COUNT, "1.5", "a whole number"),
        (COUNT, "none", "a whole number"),
    ],
)
def test_a_wrong_value_says_what_is_expected(parameter, text, expected):
    with pytest.raises(UsageError, match=expected.replace("(", r"\(")):
        parameter.parse(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "3", None, 2.5])
def test_an_int_refuses_what_is_not_one(value):
    with pytest.raises(UsageError):
        COUNT.check(value)


def test_resolving_names_the_owner_and_the_nearest_parameter():
    assert resolve("lif", [TAU, COUNT], {"tau": 5}) == {"tau": 5.0, "count": 1}
    with pytest.raises(UsageError, match=r"lif has no parameter 'taus' \(did you mean 'tau'"):
        resolve("lif", [TAU], {"taus": 5})
    with pytest.raises(UsageError, match=r"lif\.tau: -1 is not"):
        resolve("lif", [TAU], {"tau": -1})
