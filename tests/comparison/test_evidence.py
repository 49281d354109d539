"""Quantiles, tails, Holm's rule, and what a check could have seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.comparison.evidence import equal, estimated, holm, quantile, tail

probability = st.floats(0, 1)


def by_definition(values):
    """Holm's adjusted p of one hypothesis: the largest, over it and all smaller p, of p times how many are not smaller."""
    ordered = sorted(range(len(values)), key=lambda index: values[index])
    return [
        max(min(1.0, values[ordered[k]] * (len(values) - k)) for k in range(ordered.index(index) + 1))
        for index in range(len(values))
    ]


@given(st.lists(probability, max_size=12))
def test_holm_is_its_definition(values):
    found = holm(values)
    assert found == by_definition(values)
    assert all(p <= adjusted <= 1 for p, adjusted in zip(values, found, strict=True))


@given(st.lists(probability, min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.3]))
def test_holm_rejects_what_stepping_down_rejects(values, level):
    left = sorted(values)
    rejected = 0
    while rejected < len(left) and min(1.0, left[rejected] * (len(left) - rejected)) <= level:
        rejected += 1
    assert sum(value <= level for value in holm(values)) == rejected


@given(st.floats(-8, 8), st.one_of(st.just(math.inf), st.floats(1, 500)))
def test_tails_are_those_of_t(value, degrees):
    law = stats.norm if math.isinf(degrees) else stats.t(degrees)
    assert tail(value, degrees) == pytest.approx(law.sf(value), rel=1e-6, abs=1e-14)
    assert tail(quantile(0.99, degrees), degrees) == pytest.approx(0.01, rel=1e-6)


def test_no_error_leaves_no_doubt():
    loss = estimated(-0.2, 0.0, 4.0, confidence=0.99, basis="")
    assert (loss.p_worse, loss.p_better, loss.low, loss.high) == (0.0, 1.0, -0.2, -0.2)
    assert loss.detectable(0.05, 0.01) == 0.05
    assert (equal("").p_worse, equal("").p_better, equal("").identical) == (1.0, 1.0, True)


@pytest.mark.parametrize("numbers", [(math.nan, 1.0), (0.0, math.inf)])
def test_what_is_not_finite_is_no_evidence(numbers):
    with pytest.raises(ValueError, match="finite"):
        estimated(*numbers, 3.0, confidence=0.99, basis="")


@pytest.mark.parametrize(("margin", "degrees"), [(0.0, math.inf), (0.03, 4.0), (0.2, 9.0)])
def test_a_detectable_loss_is_found_in_80_of_100_cases(margin, degrees):
    random = np.random.default_rng(0)
    known = estimated(0.0, 0.02, degrees, confidence=0.99, basis="")
    loss = known.detectable(margin, 0.01)
    found = 0
    for _ in range(4000):
        spread = 1.0 if math.isinf(degrees) else math.sqrt(random.chisquare(degrees) / degrees)
        drawn = estimated(random.normal(-loss, 0.02), 0.02 * spread, degrees, confidence=0.99, basis="")
        found += drawn.p_worse <= 0.01 and -drawn.effect > margin
    assert found / 4000 == pytest.approx(0.8, abs=0.05)
