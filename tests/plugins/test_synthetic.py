"""The generated twin: repeatable, SHD-like, and neither trivial nor hopeless."""

from __future__ import annotations

import numpy as np
import pytest
from harness_synthetic.files import write_shd
from harness_synthetic.formants import UNSEEN, Recordings

from harness import Encoding
from harness.errors import DataError
from harness.events.encode import encode_bulk


@pytest.fixture(scope="module")
def train():
    return Recordings("train", 400, 0, 0.25)


@pytest.fixture(scope="module")
def test():
    return Recordings("test", 200, 0, 0.25)


def test_any_recording_is_the_same_alone_and_in_bulk(train):
    bulk = train.bulk(10, 14)
    for index in range(10, 14):
        part = slice(bulk.offsets[index - 10], bulk.offsets[index - 9])
        events, _ = train[index]
        np.testing.assert_array_equal(events["t"], bulk.t[part])
        np.testing.assert_array_equal(events["x"], bulk.x[part])
    np.testing.assert_array_equal(train[3][0], Recordings("train", 5, 0, 0.25)[3][0])


def test_events_are_sorted_and_on_the_sensor(train):
    bulk = train.bulk(0, 100)
    assert bulk.t.min() >= 0
    assert bulk.x.min() >= 0
    assert bulk.x.max() < 700
    for begin, end in zip(bulk.offsets, bulk.offsets[1:], strict=False):
        assert (np.diff(bulk.t[begin:end]) >= 0).all()


def test_sizes_are_like_shds(train):
    bulk = train.bulk(0, 400)
    counts = np.diff(bulk.offsets)
    ends = bulk.t[bulk.offsets[1:] - 1] / 1e6
    assert 5500 < counts.mean() < 8500
    assert 0.25 < ends.min() < ends.max() < 1.45


def test_classes_are_even_and_two_speakers_are_unseen(train, test):
    assert set(np.bincount(train.labels)) == {20}
    assert set(np.bincount(test.labels)) == {10}
    assert set(test.groups) == set(UNSEEN)
    assert len(set(train.groups)) == 10
    assert not set(train.groups) & set(UNSEEN)


def test_seed_and_noise_change_events_and_fingerprint(train):
    for other in (
        Recordings("train", 400, 1, 0.25),
        Recordings("train", 400, 0, 0.1),
        Recordings("test", 400, 0, 0.25),
    ):
        assert other.fingerprint != train.fingerprint
        assert not np.array_equal(other[0][0], train[0][0])
    assert Recordings("train", 400, 0, 0.25).fingerprint == train.fingerprint


def score(train, test, bins):
    """Test accuracy of a ridge classifier on square roots of counts in ``bins`` time bins."""
    encoding = Encoding(crop=700, dt=700 / bins, factor=20)
    x, y = (
        np.sqrt(encode_bulk(item.bulk(0, len(item)), encoding, (700, 1, 1)).frames.reshape(len(item), -1))
        for item in (train, test)
    )
    mean, scale = x.mean(0), x.std(0) + 1e-6
    x, y = (x - mean) / scale, (y - mean) / scale
    targets = np.eye(20)[train.labels]
    weights = np.linalg.solve(x.T @ x + 100 * np.eye(x.shape[1]), x.T @ (targets - targets.mean(0)))
    return float((np.argmax(y @ weights, 1) == np.array(test.labels)).mean())


def test_time_matters_and_the_task_is_neither_trivial_nor_hopeless(train, test):
    counts_alone, over_time = score(train, test, 1), score(train, test, 7)
    assert 0.1 < counts_alone < 0.4
    assert 0.35 < over_time < 0.75
    assert over_time > counts_alone + 0.1


def test_a_file_that_is_there_is_not_replaced(tmp_path):
    write_shd(tmp_path, train=20, test=20, seed=0, noise=0.2)
    with pytest.raises(DataError, match="exists; choose another folder"):
        write_shd(tmp_path, train=20, test=20, seed=0, noise=0.2)
