"""The bootstrap of log-ratios: the same draws again, mirrored sides, and no more certainty than the blocks give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.comparison.ratios import FEWEST, fewest_blocks, from_log_ratios

ratios = st.lists(st.floats(-1, 1), min_size=FEWEST, max_size=30)


def found(values, *, resamples=400, **more):
    return from_log_ratios(values, confidence=0.99, resamples=resamples, **more)


@given(ratios, st.integers(0, 3), st.booleans())
def test_evidence_is_sound_repeats_and_mirrors(values, seed, grouped):
    clusters = [index // 4 for index in range(len(values))] if grouped else None
    one = found(values, seed=seed, clusters=clusters)
    assert one == found(values, seed=seed, clusters=clusters)
    assert one.effect == pytest.approx(1 - math.exp(np.median(values)), abs=1e-12)
    assert one.low <= one.effect <= one.high
    assert 0 < one.p_worse <= 1
    assert 0 < one.p_better <= 1
    assert one.identical == (not any(values))
    other = found([-value for value in values], seed=seed, clusters=clusters)
    assert (other.p_worse, other.p_better) == (one.p_better, one.p_worse)
    assert 1 - other.effect == pytest.approx(1 / (1 - one.effect))


@given(ratios)
def test_it_knows_no_more_than_how_many_blocks_there_were(values):
    one = found(values)
    losses = sum(value > 0 for value in values)
    if not one.identical:
        assert one.p_worse >= stats.binom.sf(losses - 1, len(values), 0.5) - 1e-12
        assert one.p_worse >= 1 / 401


@settings(max_examples=30)
@given(st.lists(st.floats(-0.05, 0.2), min_size=20, max_size=20), st.permutations(range(5)))
def test_neither_names_nor_order_of_launches_count_beyond_the_bootstraps_noise(values, order):
    names = [index // 4 for index in range(20)]
    one = found(values, clusters=names, resamples=4000)
    renamed = found(values, clusters=[f"launch {order[name]}" for name in names], resamples=4000)
    assert renamed == one
    moved = [index for name in order for index in range(20) if names[index] == name]
    other = found([values[i] for i in moved], clusters=[names[i] for i in moved], resamples=4000)
    assert other.p_worse == pytest.approx(one.p_worse, abs=0.05)
    assert other.effect == one.effect


def test_a_slowdown_is_a_loss():
    random = np.random.default_rng(0)
    slow = found(random.normal(math.log(1.2), 0.03, 20).tolist(), resamples=10_000)
    assert slow.effect == pytest.approx(-0.2, abs=0.03)
    assert slow.p_worse == pytest.approx(1 / 10_001)
    assert slow.high < 0
    assert slow.basis == "20 blocks"


def test_launches_that_disagree_are_less_certain_than_blocks_that_do():
    offsets = np.repeat([0.08, 0.07, 0.06, -0.02], 5) + np.random.default_rng(1).normal(0, 0.01, 20)
    names = np.repeat(range(4), 5).tolist()
    blind, told = found(offsets, resamples=10_000), found(offsets, resamples=10_000, clusters=names)
    assert told.p_worse > blind.p_worse
    assert told.basis == "20 blocks in 4 launches"


def test_launches_may_have_unequally_many_blocks():
    names = [0] * 3 + [1] * 7 + [2]
    assert found([0.1] * 11, clusters=names).effect == pytest.approx(1 - math.exp(0.1))


def test_blocks_must_be_as_many_as_the_confidence_needs():
    assert fewest_blocks(0.99) == FEWEST == 8
    assert fewest_blocks(0.999) == 10
    assert found([0.5] * 8).p_worse <= 0.01
    with pytest.raises(ValueError, match="needs 8 blocks at least, not 7"):
        found([0.1] * 7)
    with pytest.raises(ValueError, match="needs 10 blocks"):
        from_log_ratios([0.1] * 9, confidence=0.999)


def test_what_is_no_log_ratio_is_refused():
    with pytest.raises(ValueError, match="finite"):
        found([0.1] * 8 + [math.nan])
    with pytest.raises(ValueError, match="9 blocks need as many clusters, not 2"):
        found([0.1] * 9, clusters=[1, 2])
    with pytest.raises(ValueError, match="one resample"):
        found([0.1] * 9, resamples=0)
