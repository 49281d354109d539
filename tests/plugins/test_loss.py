"""Loss: the same to the last bit in batches of any size and order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from harness_metrics.loss import Loss
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import told, view


def loss(outputs, labels, parts, classes, merge_at=0):
    """The loss of the batches that ``parts`` name; those from ``merge_at`` on come from another observer."""
    first, second = Loss(), Loss()
    for observer in (first, second):
        observer.start(torch.nn.Identity(), told(classes=classes))
    for number, part in enumerate(parts):
        observer = second if merge_at and number >= merge_at else first
        observer.batch(view(outputs=outputs[part], labels=labels[part]))
    first.merge(second)
    return first.result()["loss"].value


@given(st.integers(0, 2**31), st.sampled_from([2, 3, 10, 20, 37]), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_no_batch_size_and_no_order_changes_a_bit(seed, classes, transposed, data):
    random = np.random.default_rng(seed)
    size = data.draw(st.integers(1, 40))
    outputs = torch.from_numpy(random.poisson(0.7, (size, 5, classes)).astype(np.float32))
    labels = torch.from_numpy(random.integers(0, classes, size))
    if transposed:
        outputs = outputs.transpose(0, 2).contiguous().transpose(0, 2)
    whole = loss(outputs, labels, [np.arange(size)], classes)
    expected = torch.nn.functional.cross_entropy(outputs.sum(1).double(), labels).item()
    assert whole == pytest.approx(expected, rel=1e-12)
    order = random.permutation(size)
    for step in {1, 2, 3, 7, size}:
        parts = [order[begin : begin + step] for begin in range(0, size, step)]
        assert loss(outputs, labels, parts, classes) == whole
        assert loss(outputs, labels, parts, classes, merge_at=1) == whole


def test_sums_are_rounded_once():
    """Ten thousand small losses after a large one: adding them one by one would lose digits of each."""
    outputs = torch.zeros(10_001, 1, 2)
    outputs[:, 0, 0] = 20.0
    labels = torch.zeros(10_001, dtype=torch.int64)
    labels[0] = 1
    forwards, backwards = np.arange(10_001), np.arange(10_001)[::-1].copy()
    one = loss(outputs, labels, [forwards[k : k + 1000] for k in range(0, 10_001, 1000)], 2)
    assert one == loss(outputs, labels, [backwards], 2)
    assert one == pytest.approx((20 + np.log1p(np.exp(-20.0)) * 10_001) / 10_001, rel=1e-15)
