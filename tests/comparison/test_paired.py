"""Pairs over seeds and recordings: what must hold whatever the numbers, and what must not be taken for a find."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from harness.comparison.evidence import MEASURED_FROM
from harness.comparison.paired import from_recordings, from_values

NOISES = st.sampled_from([0.0, 0.005, 0.02, 0.1])


@st.composite
def bits(draw, least=2):
    shape = draw(st.tuples(st.integers(1, 7), st.integers(least, 30)))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


@st.composite
def values(draw, least=1, most=9):
    count = draw(st.integers(least, most))
    number = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
    side = st.lists(number, min_size=count, max_size=count)
    return draw(side), draw(side)


def recordings(old, new, noise=0.02, **more):
    return from_recordings(old, new, confidence=0.99, seed_noise=noise, **more)


def figures(old, new, noise=0.1, *, higher=False, relative=True):
    return from_values(old, new, higher_is_better=higher, relative=relative, confidence=0.99, seed_noise=noise)


def sound(found):
    assert 0 <= found.p_worse <= 1
    assert 0 <= found.p_better <= 1
    assert found.low <= found.effect <= found.high
    assert all(math.isfinite(item) for item in (found.effect, found.error, found.low, found.high))
    assert found.error >= 0
    if found.identical:
        assert (found.effect, found.p_worse, found.p_better, found.low, found.high) == (0, 1, 1, 0, 0)


def alike(one, other):
    rounding = 1e-12 + 1e-9 * one.error  # sums in another order
    assert other.effect == pytest.approx(one.effect, rel=1e-6, abs=rounding)
    assert other.error == pytest.approx(one.error, rel=1e-6, abs=1e-12)
    assert other.p_worse == pytest.approx(one.p_worse, rel=1e-6, abs=1e-9)
    assert other.low == pytest.approx(one.low, rel=1e-6, abs=1e-9)


def mirrored(one, other):
    assert other.effect == pytest.approx(-one.effect, rel=1e-6, abs=1e-12 + 1e-9 * one.error)
    assert (other.p_worse, other.p_better) == (pytest.approx(one.p_better), pytest.approx(one.p_worse))
    assert (other.low, other.high) == (pytest.approx(-one.high), pytest.approx(-one.low))


@given(bits(), NOISES)
def test_accuracy_gains_are_the_difference_of_means_and_mirror(sides, noise):
    old, new = sides
    found = recordings(old, new, noise)
    sound(found)
    assert found.effect == pytest.approx(new.mean() - old.mean(), abs=1e-12)
    assert found.identical == np.array_equal(old, new)
    mirrored(found, recordings(new, old, noise))


@given(bits(), NOISES, st.randoms(use_true_random=False))
def test_neither_the_order_of_seeds_nor_of_recordings_counts(sides, noise, random):
    old, new = sides
    seeds, samples = list(range(old.shape[0])), list(range(old.shape[1]))
    random.shuffle(seeds)
    random.shuffle(samples)
    again = recordings(old[seeds][:, samples], new[seeds][:, samples], noise)
    alike(recordings(old, new, noise), again)


@given(bits(), NOISES, st.integers(1, 40))
def test_recordings_that_are_alike_on_both_sides_only_shrink_the_gain_and_its_error(sides, noise, count):
    old, new = sides
    padding = np.ones((old.shape[0], count), dtype=bool)
    found = recordings(old, new, noise)
    more = recordings(np.hstack([old, padding]), np.hstack([new, padding]), noise)
    share = old.shape[1] / (old.shape[1] + count)
    assert more.effect == pytest.approx(found.effect * share, abs=1e-12)
    # Recordings that vary less are known better; only what they all shared until now becomes a spread among them.
    if abs(found.effect) < 0.25:
        assert more.error <= found.error * 1.05 + abs(found.effect) * 0.5 + 1e-12


@given(bits(), NOISES)
def test_slices_of_one_recording_are_one_recording(sides, noise):
    old, new = sides
    names = np.arange(old.shape[1])
    alike(recordings(old, new, noise), recordings(old, new, noise, recordings=names[::-1]))
    thrice = recordings(np.repeat(old, 3, 1), np.repeat(new, 3, 1), noise, recordings=np.repeat(names, 3))
    alike(recordings(old, new, noise), thrice)


@given(bits(least=6), NOISES, st.data())
def test_unequally_many_slices_keep_the_difference_of_means(sides, noise, data):
    old, new = sides
    names = data.draw(arrays(int, old.shape[1], elements=st.integers(0, 4)))
    assume(len(set(names.tolist())) > 1)
    found = recordings(old, new, noise, recordings=names)
    sound(found)
    assert found.effect == pytest.approx(new.mean() - old.mean(), abs=1e-12)


def test_errors_are_those_of_the_two_way_layout():
    random = np.random.default_rng(3)
    old, new = random.random((6, 40)) < 0.7, random.random((6, 40)) < 0.6
    gain = new.astype(float) - old
    a, b = gain.shape
    seeds, items = gain.mean(1), gain.mean(0)
    ms_seeds = b * ((seeds - gain.mean()) ** 2).sum() / (a - 1)
    ms_items = a * ((items - gain.mean()) ** 2).sum() / (b - 1)
    rest = ((gain - seeds[:, None] - items + gain.mean()) ** 2).sum() / ((a - 1) * (b - 1))
    total = max(ms_seeds + ms_items - rest, ms_seeds, ms_items)
    found = recordings(old, new)
    assert found.error == pytest.approx(math.sqrt(total / (a * b)))
    assert found.degrees <= 1.5 * (a - 1)
    assert recordings(old[:4], new[:4], 0.0).degrees <= 3
    assert found.basis == "6 seeds x 40 recordings"


def test_few_seeds_lean_on_the_noise_that_is_assumed_and_say_so():
    random = np.random.default_rng(5)
    old = random.random((1, 500)) < 0.7
    new = old ^ (random.random((1, 500)) < 0.1)
    found = recordings(old, new)
    assert found.basis == "1 seed (noise over seeds assumed: 0.02) x 500 recordings"
    differing = int((old != new).sum())
    gain = (new.mean() - old.mean()) ** 2
    assert found.error**2 == pytest.approx(2 * 0.02**2 + (differing - 500 * gain + 2) / 500**2)
    assert math.isinf(found.degrees)
    assert recordings(old, new, 0.04).error > found.error
    apart = np.vstack([old, old]), np.vstack([~old, old])
    assert "above the 0.02 assumed" in recordings(*apart).basis
    assert recordings(*apart, 0.0).degrees <= 1  # nothing assumed, so two seeds know next to nothing


@pytest.mark.parametrize("seeds", range(1, 11))
def test_a_collapse_is_seen_with_however_many_seeds(seeds):
    random = np.random.default_rng(seeds)
    old, new = random.random((seeds, 300)) < 0.8, random.random((seeds, 300)) < 0.2
    assert recordings(old, new).p_worse < 0.01 / 20
    assert figures(random.normal(100, 5, seeds), random.normal(250, 5, seeds)).p_worse < 0.01 / 20


def test_few_differing_recordings_are_no_find_even_where_seeds_are_free_of_noise():
    old = np.ones((1, 500), dtype=bool)
    for lost in (1, 6):
        new = old.copy()
        new[0, :lost] = False
        exact = 0.5**lost  # McNemar's, where all that differ went wrong
        assert recordings(old, new, 0.0).p_worse > min(exact, 0.01)


@given(values(least=2))
def test_values_without_assumed_noise_are_the_paired_t_test(sides):
    old, new = sides
    gaps = np.subtract(new, old)
    assume(np.ptp(gaps) > 1e-6 * (1 + np.abs([old, new]).max()))
    found = figures(old, new, 0.0, higher=True, relative=False)
    sound(found)
    assert found.effect == pytest.approx(np.mean(new) - np.mean(old), rel=1e-9, abs=1e-6)
    for p, side in ((found.p_worse, "less"), (found.p_better, "greater")):
        assert p == pytest.approx(stats.ttest_rel(new, old, alternative=side).pvalue, rel=1e-4, abs=1e-9)


@given(values(least=MEASURED_FROM))
def test_from_five_seeds_on_nothing_is_assumed(sides):
    alike(figures(*sides, 0.0), figures(*sides, 5.0))


@given(values(), NOISES, st.booleans(), st.booleans())
def test_values_are_sound_and_direction_mirrors(sides, noise, higher, relative):
    old, new = sides
    found = figures(old, new, noise, higher=higher, relative=relative)
    sound(found)
    mirrored(found, figures(old, new, noise, higher=not higher, relative=relative))
    alike(found, figures(old[::-1], new[::-1], noise, higher=higher, relative=relative))
    if not relative:
        mirrored(found, figures(new, old, noise, higher=higher, relative=False))


@given(values(), NOISES, st.sampled_from([1e-9, 0.5, 3.0, 1e12]))
def test_a_share_has_no_unit(sides, noise, unit):
    old, new = sides
    assume(abs(np.mean(old)) > 1e-3 * np.abs(sides).max())  # else it is a share of what rounding left
    scaled = figures([value * unit for value in old], [value * unit for value in new], noise)
    alike(figures(old, new, noise), scaled)


def test_a_loss_is_a_share_of_the_old_mean_and_of_the_new_one_where_that_is_0():
    assert figures([10.0], [12.0]).effect == pytest.approx(-0.2)
    grown = figures([0.0] * 5, [3.0, 4.0, 5.0, 4.0, 4.0])
    assert grown.effect == pytest.approx(-1.0)
    assert "the old one is 0" in grown.basis
    assert figures([0.0, 0.0], [0.0, 0.0]).identical
    sound(figures([1.0, -1.0], [-1.0, 1.0]))


def test_differences_that_are_all_alike_are_taken_for_rounded():
    """Steps until a decision: two seeds that both went from 12 to 13 are no find, eight are."""
    assert figures([12, 12], [13, 13], 0.0).p_worse > 0.05
    assert figures([12] * 5, [13] * 5).p_worse == pytest.approx(stats.t.sf(math.sqrt(30), 4))
    assert figures([12] * 8, [13] * 8).p_worse < 0.001


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([], [], "one seed"),
        ([1.0], [1.0, 2.0], r"\(1,\) and \(2,\)"),
        ([1.0, math.nan], [1.0, 2.0], "old side"),
        ([1.0], [math.inf], "new side"),
    ],
)
def test_values_that_are_no_pairs_are_refused(old, new, said):
    with pytest.raises(ValueError, match=said):
        figures(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (np.ones((2, 3), bool), np.ones((3, 2), bool), r"\(2, 3\) and \(3, 2\)"),
        (np.ones((0, 3), bool), np.ones((0, 3), bool), "one of each"),
        (np.ones(3, bool), np.ones(3, bool), "seeds, samples"),
        (np.ones((1, 3)), np.ones((1, 3), bool), "old side must say right or wrong"),
        (np.ones((5, 1), bool), np.ones((5, 1), bool), "two recordings"),
    ],
)
def test_answers_that_are_no_pairs_are_refused(old, new, said):
    with pytest.raises(ValueError, match=said):
        recordings(old, new)


def test_other_mistakes_are_named():
    two = np.ones((1, 3), bool)
    with pytest.raises(ValueError, match="3 samples need as many recordings"):
        recordings(two, two, recordings=[1, 2])
    for noise in (-0.1, math.nan):
        with pytest.raises(ValueError, match="noise over seeds"):
            recordings(two, two, noise)
        with pytest.raises(ValueError, match="noise over seeds"):
            figures([1.0], [2.0], noise)
