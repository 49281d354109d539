"""Fewer than five common seeds: what either side measured, or the largest noise reckoned with."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, ttest_ind

from harness.comparison.few import from_recordings, from_values, measures_noise


def values(old, new, *, higher=False, relative=True, reckoned=0.3):
    return from_values(old, new, higher_is_better=higher, relative=relative, confidence=0.99, reckoned_noise=reckoned)


def recordings(old, new, reckoned=0.15, **more):
    return from_recordings(old, new, confidence=0.99, reckoned_noise=reckoned, **more)


@pytest.mark.parametrize(("old", "new"), [(5, 1), (5, 2), (2, 2), (3, 4), (10, 1), (1, 3)])
@pytest.mark.parametrize("relative", [True, False])
def test_values_are_students_t_of_two_samples(old, new, relative):
    random = np.random.default_rng(old * 10 + new)
    first, second = random.normal(100, 10, old), random.normal(110, 10, new)
    found = values(first, second, relative=relative)
    known = ttest_ind(first, second, alternative="less")  # lower is better: a rise is a loss
    assert found.p_worse == pytest.approx(known.pvalue)
    assert found.degrees == old + new - 2
    assert found.effect == pytest.approx((first.mean() - second.mean()) / (first.mean() if relative else 1))


def test_accuracy_adds_what_recordings_leave_open():
    random = np.random.default_rng(1)
    old, new = random.random((5, 400)) < 0.7, random.random((2, 400)) < 0.6
    found = recordings(old, new)
    first, second = old.mean(1), new.mean(1)
    pooled = (4 * first.var(ddof=1) + second.var(ddof=1)) / 5
    gain = new.mean(0) - old.mean(0)
    of_recordings = (gain.var(ddof=1) * 399 + 2 / 2) / 400**2
    of_seeds = pooled * (1 / 5 + 1 / 2)
    assert found.error == pytest.approx(math.sqrt(of_seeds + of_recordings))
    bound = of_seeds * 5 / chi2.ppf(0.01, 5)
    assert found.degrees == pytest.approx((bound + of_recordings) ** 2 / (bound**2 / 5 + of_recordings**2 / 399))
    assert 5 < found.degrees < 404
    assert found.effect == pytest.approx(second.mean() - first.mean())
    assert found.basis == f"2 seeds against 5 (noise over seeds measured: {math.sqrt(pooled):.2g}) x 400 recordings"


def test_a_collapse_is_found_by_two_seeds_as_by_one():
    random = np.random.default_rng(3)
    for seeds in (1, 2, 3, 4):
        old, new = random.random((seeds, 300)) < 0.9, random.random((seeds, 300)) < 0.1
        found = recordings(old, new)
        assert found.p_worse < 0.01 / 20
    apart = recordings(np.ones((2, 40), bool), np.vstack([np.zeros(40), np.arange(40) < 20]).astype(bool))
    assert apart.degrees < 3  # seeds that differ by more than is reckoned with are judged by what they measure
    assert apart.p_worse > 0.01


def test_accuracies_that_agree_are_rounded_to_one_sample():
    old, new = np.ones((5, 100), bool), np.ones((1, 100), bool)
    new[0, :30] = False
    found = recordings(old, new)
    gain = new.mean(0) - old.mean(0)
    assert found.error**2 == pytest.approx(1.2 / 12 / 100**2 + (gain.var(ddof=1) * 99 + 2) / 100**2)


def test_slices_of_a_recording_are_no_recordings():
    random = np.random.default_rng(2)
    old, new = (np.repeat(random.random((seeds, 100)) < 0.7, 4, axis=1) for seeds in (5, 1))
    whole = recordings(old[:, ::4], new[:, ::4])
    found = recordings(old, new, recordings=np.repeat(np.arange(100), 4))
    assert found.error == pytest.approx(whole.error)
    assert found.basis.endswith("x 100 recordings (400 samples)")


@pytest.mark.parametrize(("old", "new"), [(1, 1), (2, 1)])
def test_too_few_seeds_are_held_to_the_largest_noise_reckoned_with(old, new):
    assert not measures_noise(old, new)
    found = values([100.0] * old, [140.0] * new)
    assert found.error == pytest.approx(0.3 * math.sqrt(1 / old + 1.4**2 / new))
    assert math.isinf(found.degrees)
    assert "not measured: up to 0.3 reckoned with" in found.basis
    bits = recordings(np.ones((old, 400), bool), np.zeros((new, 400), bool))
    assert bits.error == pytest.approx(0.15 * math.sqrt(1 / old + 1 / new), rel=1e-3)
    assert bits.p_worse < 0.01 / 20
    # What two seeds do measure counts where it is more.
    if old == 2:
        assert values([50.0, 150.0], [140.0]).error > found.error


@pytest.mark.parametrize(("old", "new"), [(5, 1), (2, 2), (3, 3)])
def test_values_that_all_agree_are_rounded_to_steps_and_one_step_is_no_find(old, new):
    found = values([5.0] * old, [6.0] * new)
    assert found.error == pytest.approx(0.2 / math.sqrt(12) * math.sqrt(1 / old + 1 / new))
    assert found.degrees == max(min(old, new) - 1, 1)
    assert found.p_worse > 0.01


def test_a_scale_of_zero_and_huge_values_stay_numbers():
    assert values([0.0], [0.0]).effect == 0.0
    assert math.isfinite(values([1e100, 2e100], [3e100, 1e100]).error)
    assert "since the old one is 0" in values([0.0, 0.0], [1.0, 2.0]).basis


def test_what_does_not_compare_is_refused():
    with pytest.raises(ValueError, match="one seed at least"):
        values([], [1.0])
    with pytest.raises(ValueError, match="finite"):
        values([1.0], [math.nan])
    with pytest.raises(ValueError, match="the same samples"):
        recordings(np.ones((5, 10), bool), np.ones((1, 11), bool))
    with pytest.raises(ValueError, match="two recordings"):
        recordings(np.ones((5, 1), bool), np.ones((1, 1), bool))
