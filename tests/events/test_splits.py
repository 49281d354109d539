"""Holding out validation recordings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.events.splits import hold_out, split_warnings


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


def held_out(labels, groups=None, share=0.2, classes=("a", "b", "c"), seed=0):
    """The sentence on a split, what is held out, and the warnings, of one sample a recording."""
    labels = np.array(labels)
    groups = None if groups is None else np.array(groups)
    _, held, how = hold_out(labels, groups, np.arange(len(labels)), share, seed)
    return how, held, split_warnings(labels, groups, held, share, classes)


def test_one_recording_a_class_leaves_no_validation_and_says_so():
    how, held, (warning,) = held_out([0, 1, 2])
    assert how == "no validation split: the last epoch is used"
    assert len(held) == 0
    assert warning.startswith("validation of 20% was asked for, but every class has one training recording")


def test_a_share_of_zero_is_what_was_asked_for():
    how, _, warnings = held_out([0, 1, 2], share=0.0)
    assert (how, warnings) == ("no validation split: the last epoch is used", [])


def test_classes_too_small_for_a_share_are_counted_and_named():
    how, held, (share, missing) = held_out([0, 0, 1, 1, 2])
    assert how == "validation holds out 2 of 5 recordings, stratified by class"
    assert len(held) == 2
    assert share.startswith(
        "validation holds out 40% of the training samples where 20% were asked for (classes have few"
    )
    assert missing == "the validation part holds no sample of 1 classes: c; the epoch is chosen without them"


def test_a_share_that_is_kept_says_nothing_more():
    how, held, warnings = held_out([0, 1] * 20)
    assert how == "validation holds out 20% of the recordings of each class"
    assert (len(held), warnings) == (8, [])
    how, held, warnings = held_out([0, 1] * 20, [str(index // 4) for index in range(40)])
    assert how.startswith("validation holds out 2 of 10 groups: ")
    assert (len(held), warnings) == (8, [])


def test_a_group_far_larger_than_the_share_is_named_with_its_size():
    groups = ["large\x1b"] * 24 + ["b"] * 8 + ["c"] * 8
    found = [held_out([0, 1] * 20, groups, seed=seed) for seed in range(12)]
    large = [warnings for how, held, warnings in found if len(held) == 24]
    assert large
    assert all(
        warnings
        == [
            "validation holds out 60% of the training samples where 20% were asked for (group large\\x1b alone holds 60%): "
            "the network trains on 40% of them"
        ]
        for warnings in large
    )
    assert all(not warnings for _, held, warnings in found if len(held) == 8)


@pytest.mark.parametrize("seed", range(4))
def test_a_split_by_groups_names_classes_that_a_part_lacks(seed):
    """Two groups of one class each."""
    _, held, warnings = held_out([0] * 10 + [1] * 10, ["first"] * 10 + ["second"] * 10, share=0.5, seed=seed)
    trained, chosen = ("b", "a") if held[0] == 0 else ("a", "b")
    assert warnings == [
        f"the training part holds no sample of 1 classes: {chosen}; the network is never trained on them",
        f"the validation part holds no sample of 1 classes: {trained}; the epoch is chosen without them",
    ]


def test_one_group_for_all_is_no_validation_on_others():
    how, _, (warning,) = held_out([0, 1] * 20, ["only"] * 40)
    assert how == "validation holds out 20% of the recordings of each class"
    assert warning.startswith("all training recordings are of one group, only: validation shares it with training")
