"""Accuracy where recordings are cut into slices: by slice and by recording, against a count written out at length."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from harness_metrics.accuracy import Accuracy
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import told
from torch import nn

from harness import View
from harness.testing import measure

BOTH = {"accuracy", "accuracy_by_recording", "accuracy_by_recording_majority"}


def seen(counts, labels, recordings):
    """One batch of samples (B, C) that each last a step."""
    return View(
        outputs=torch.tensor(counts, dtype=torch.float32).reshape(len(labels), 1, -1),
        labels=torch.tensor(labels),
        recordings=torch.tensor(recordings),
    )


def observed(views, classes=3):
    observer = Accuracy()
    observer.start(nn.Identity(), told(classes=classes))
    for view in views:
        observer.batch(view)
    return observer


def figures(*batches, classes=3):
    return observed([seen(*batch) for batch in batches], classes).result()


def first_best(values):
    return max(range(len(values)), key=lambda index: (values[index], -index))


def at_length(counts, label_of, recordings):
    """Shares of recordings that are right by summed spikes and by majority."""
    summed, majority = [], []
    for recording in sorted(set(recordings)):
        mine = [row for row, owner in zip(counts, recordings, strict=True) if owner == recording]
        total = [sum(column) for column in zip(*mine, strict=True)]
        votes = Counter(first_best(row) for row in mine)
        leading = [k for k in range(len(total)) if votes[k] == max(votes.values())]
        summed.append(first_best(total) == label_of[recording])
        majority.append(max(leading, key=lambda k, total=total: (total[k], -k)) == label_of[recording])
    return np.mean(summed), np.mean(majority)


SAMPLES = st.lists(st.tuples(st.integers(0, 4), st.tuples(*[st.integers(0, 3)] * 3)), min_size=1, max_size=14)


@given(SAMPLES, st.lists(st.integers(0, 2), min_size=5, max_size=5), st.integers(1, 6), st.randoms())
@settings(deadline=None)
def test_recordings_are_judged_by_all_of_their_slices_however_batches_cut_them(samples, label_of, size, random):
    samples = list(samples)
    random.shuffle(samples)
    recordings, counts = [owner for owner, _ in samples], [row for _, row in samples]
    views = [
        seen(
            counts[at : at + size],
            [label_of[owner] for owner in recordings[at : at + size]],
            recordings[at : at + size],
        )
        for at in range(0, len(samples), size)
    ]
    found = observed(views).result()
    right = np.mean([first_best(row) == label_of[owner] for owner, row in samples])
    assert found["accuracy"].value == pytest.approx(right)
    if len(set(recordings)) == len(recordings):
        assert set(found) == {"accuracy"}
        return
    summed, majority = at_length(counts, label_of, recordings)
    assert set(found) == BOTH
    assert found["accuracy_by_recording"].value == pytest.approx(summed)
    assert found["accuracy_by_recording_majority"].value == pytest.approx(majority)
    assert np.sum(found["accuracy_by_recording"].arrays["confusion"]) == len(set(recordings))
    first, second = observed(views[::2]), observed(views[1::2])
    second.merge(first)
    assert {n: v.to_json() for n, v in second.result().items()} == {n: v.to_json() for n, v in found.items()}


def test_spikes_decide_the_sum_slices_the_majority_and_spikes_again_where_votes_are_equal():
    one_loud_slice = ([[0, 9, 0], [2, 0, 0], [2, 0, 0]], [0, 0, 0], [7, 7, 7])
    found = figures(one_loud_slice)
    assert (found["accuracy_by_recording"].value, found["accuracy_by_recording_majority"].value) == (0.0, 1.0)
    a_vote_each = ([[0, 5, 0], [2, 0, 0]], [1, 1], [3, 3])
    assert figures(a_vote_each)["accuracy_by_recording_majority"].value == 1.0
    equal_in_both = ([[0, 2, 0], [2, 0, 0]], [0, 0], [3, 3])
    found = figures(equal_in_both)
    assert (found["accuracy_by_recording"].value, found["accuracy_by_recording_majority"].value) == (1.0, 1.0)
    # Class 2 has the most spikes of all, but no slice for it.
    outvoted = ([[3, 0, 2], [0, 3, 2]], [0, 0], [3, 3])
    found = figures(outvoted)
    assert (found["accuracy_by_recording"].value, found["accuracy_by_recording_majority"].value) == (0.0, 1.0)


def test_a_reader_sees_which_is_which_only_where_there_are_slices():
    sliced = figures(([[1, 0, 0], [1, 0, 0]], [0, 0], [4, 4]))
    assert [value.title for value in sliced.values()] == [
        "accuracy (slices)",
        "accuracy by recording",
        "accuracy by recording, majority",
    ]
    assert [value.role for value in sliced.values()] == ["quality", "quality", "detail"]
    assert all(value.note and value.kind == "seeded" and value.unit == "fraction" for value in sliced.values())
    whole = figures(([[1, 0, 0], [1, 0, 0]], [0, 0], [4, 5]))
    assert [(name, value.title, value.note) for name, value in whole.items()] == [("accuracy", "accuracy", "")]
    assert figures()["accuracy"].reason == "no samples"


def test_arrays_by_recording_count_recordings():
    found = figures(([[1, 0, 0], [0, 1, 0]], [1, 1], [9, 2]), ([[0, 3, 0], [0, 0, 1]], [1, 2], [9, 5]))
    assert found["accuracy"].arrays["confusion"] == [[0, 0, 0], [1, 2, 0], [0, 0, 1]]
    assert found["accuracy_by_recording"].arrays == {
        "confusion": [[0, 0, 0], [0, 2, 0], [0, 0, 1]],
        "per_class": [None, 1.0, 1.0],
    }
    assert found["accuracy_by_recording_majority"].arrays == {}


def test_numbers_written_by_hand_are_a_recording_each():
    found = measure("accuracy", nn.Identity(), [[[1, 0]], [[0, 1]]], labels=[0, 0])
    assert {name: value.value for name, value in found.items()} == {"accuracy": 0.5}
