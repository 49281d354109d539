"""Holding out validation recordings."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.events.splits import hold_out


@given(
    groups=st.lists(st.sampled_from("abcdef"), min_size=12, max_size=60),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 99),
)
def test_groups_are_never_on_both_sides(groups, share, seed):
    names = np.array(groups)
    labels = np.arange(len(names)) % 3
    train, held, how = hold_out(labels, names, np.arange(len(names)), share, seed)
    assert sorted([*train, *held]) == list(range(len(names)))
    if len(set(groups)) > 1:
        assert not set(names[train]) & set(names[held])
        assert len(train)
        assert len(held)
        assert "groups" in how


@given(slices=st.integers(1, 4), share=st.floats(0.1, 0.5), seed=st.integers(0, 99))
def test_without_groups_classes_are_held_out_alike_and_recordings_stay_whole(slices, share, seed):
    recordings = np.repeat(np.arange(40), slices)
    labels = recordings % 4
    train, held, _ = hold_out(labels, None, recordings, share, seed)
    assert not set(recordings[train]) & set(recordings[held])
    assert len(set(np.bincount(labels[held], minlength=4))) == 1
    assert len(train) + len(held) == len(labels)


def test_the_seed_alone_decides():
    labels, groups = np.arange(60) % 3, np.array(list("abcdef") * 10)
    first, second, other = (hold_out(labels, groups, np.arange(60), 0.3, seed) for seed in (1, 1, 2))
    assert first[1].tolist() == second[1].tolist() != other[1].tolist()


def test_no_share_holds_nothing_out():
    train, held, how = hold_out(np.zeros(5, int), None, np.arange(5), 0.0, 0)
    assert (len(train), len(held)) == (5, 0)
    assert "no validation" in how
