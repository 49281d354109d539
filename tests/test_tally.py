"""Counts of a tensor against plain sums, however it lies in memory and whatever it holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tally import Grouped, Tally


@st.composite
def tensors(draw, most=None):
    """Whole values (B, T, C, H, W) in any order of memory, and a mask or None."""
    shape = [draw(st.integers(1, size)) for size in (3, 19, 3, 4, 5)]
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    below = draw(st.sampled_from([2, 4, 256])) if most is None else most + 1
    order = draw(st.permutations([2, 3, 4]))
    lying = torch.randint(0, below, [shape[dimension] for dimension in (0, 1, *order)], generator=random).float()
    values = lying.permute(0, 1, *(2 + order.index(dimension) for dimension in (2, 3, 4)))
    mask = torch.rand(shape[:2], generator=random) < 0.7 if draw(st.booleans()) else None
    return values, mask


def plain(values, mask):
    """Events (B, T, N) in double precision, 0 where a step only pads."""
    flat = values.double().flatten(2)
    return (flat if mask is None else flat * mask[:, :, None]).numpy()


@given(tensors(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_order_of_memory_counts_alike(made, settled):
    values, mask = made
    expected = plain(values, mask)
    tally = Tally(values, mask)
    if settled:
        assert tally.settle()
        assert torch.equal(tally.values, values)
        assert tally.values.stride() == values.stride() or 1 in values.shape
    assert np.array_equal(tally.events, expected.sum(1))
    assert np.array_equal(tally.active, (expected > 0).sum(1))
    assert np.array_equal(tally.events_at, expected.sum(2))
    assert np.array_equal(tally.active_at, (expected > 0).sum(2))
    assert tally.real is None
    assert tally.real_at is None


@given(tensors(), st.sampled_from([7, 2**20]))
@settings(max_examples=60, deadline=None)
def test_weights_meet_their_own_elements(made, heaviest):
    values, mask = made
    expected = plain(values, mask)
    weights = np.random.default_rng(0).integers(0, heaviest, expected.shape[2]).astype(np.float64)
    if len(weights) == 1:
        weights = np.array([3.0])
    counts = np.ascontiguousarray(values.numpy().astype(np.uint8))
    for tally in (Tally(values, mask), Tally.of_counts(counts, mask)):
        events, active, real = tally.weighted(weights)
        assert np.array_equal(events, expected @ weights)
        assert np.array_equal(active, (expected > 0) @ weights)
        assert real is None


@given(st.lists(tensors(most=2), min_size=1, max_size=1), st.sampled_from([1, 3]), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_groups_add_up_over_batches_of_any_order(made, groups, threads):
    ((values, mask),) = made
    # The same recordings as ones, as they lie and laid out anew, and as counts; and in two observers that are merged.
    batches = [values.clamp(max=1), values.clamp(max=1).contiguous(), values]
    whose = np.arange(len(values)) % groups
    one, other = Grouped(groups), Grouped(groups)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for added, batch in zip((one, other, one), batches, strict=True):
            added.add(Tally(batch, mask), whose)
    finally:
        torch.set_num_threads(before)
    one.merge(other)
    expected = sum(plain(batch, mask) for batch in batches)
    active = sum((plain(batch, mask) > 0).sum((0, 1)) for batch in batches)
    by_group = np.stack([expected[whose == group].sum((0, 1)) for group in range(groups)])
    assert np.array_equal(one.events, by_group)
    assert np.array_equal(one.active, active)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_value_that_is_not_finite_is_an_error_but_where_a_step_only_pads(value):
    values = torch.zeros(2, 9, 5)
    values[1, 8, 4] = value
    with pytest.raises(ValueError, match="not finite"):
        _ = Tally(values).events
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[1, 8] = False
    assert Tally(values, mask).events.sum() == 0


def test_layers_of_more_elements_than_a_piece_and_more_work_than_a_thread():
    random = torch.Generator().manual_seed(0)
    values = (torch.rand(4, 9, 5, 90, 80, generator=random) < 0.3).float().to(memory_format=torch.channels_last_3d)
    tally = Tally(values)
    assert tally.settle()
    expected = plain(values, None)
    assert np.array_equal(tally.events, expected.sum(1))
    assert np.array_equal(tally.events_at, expected.sum(2))
    assert torch.equal(tally.values, values)
    weights = np.arange(expected.shape[2], dtype=np.float64)
    assert np.array_equal(Tally(values).weighted(weights)[0], expected @ weights)
