"""Frames reach the device as they are, kept there whole or sent batch by batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import frames

from harness import feeding
from harness.feeding import Feed, real_steps


class Packed:
    """Frames that are unpacked when they are read."""

    def __init__(self, dense):
        self._dense = dense
        self.shape, self.dtype, self.nbytes = dense.shape, dense.dtype, 1

    def __len__(self):
        return len(self._dense)

    def __getitem__(self, which):
        return np.array(self._dense[which])

    def __array__(self, dtype=None, copy=None):
        return np.array(self._dense, dtype=dtype)


def mapped(array, folder):
    path = folder / "frames.bin"
    path.write_bytes(array.tobytes())
    return np.memmap(path, dtype=array.dtype, mode="r", shape=array.shape)


STORED = {"array": lambda array, folder: array, "mapped": mapped, "packed": lambda array, folder: Packed(array)}


@given(
    kind=st.sampled_from(sorted(STORED)),
    dtype=st.sampled_from([np.uint8, np.uint16, np.uint32]),
    chosen=st.lists(st.integers(0, 19), max_size=30) | st.integers(0, 19).map(lambda begin: list(range(begin, 20))),
    lengths=st.booleans(),
    keep=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_batch_is_what_was_stored(tmp_path_factory, kind, dtype, chosen, lengths, keep):
    most = np.iinfo(dtype).max if dtype != np.uint32 else 2**24  # float32 holds no more
    counts = np.random.default_rng(0).integers(0, most, (20, 3, 4), endpoint=True, dtype=dtype)
    source = frames(20, steps=3, channels=4, lengths=np.arange(20) % 3 + 1 if lengths else None)
    source = dataclasses.replace(source, frames=STORED[kind](counts, tmp_path_factory.mktemp("stored")))
    feed = Feed(source, keep=keep)
    assert feed.resident == (keep and dtype != np.uint32)
    indices = np.array(chosen, dtype=np.int64)
    for at_hand in (None, feed.counts(indices)):
        inputs, labels, mask = feed(indices, at_hand)
        assert inputs.dtype == torch.float32
        np.testing.assert_array_equal(inputs.numpy(), counts[indices].astype(np.float32))
        np.testing.assert_array_equal(labels.numpy(), source.labels[indices])
        expected = real_steps(source, indices)
        assert (mask is None and expected is None) if not lengths else torch.equal(mask, expected)
    np.testing.assert_array_equal(feed.counts(indices), counts[indices])


def test_what_does_not_fit_is_sent_batch_by_batch(monkeypatch):
    source = frames(20)
    monkeypatch.setattr(feeding, "_MOST_IN_MEMORY", source.frames.nbytes - 1)
    assert not Feed(source, keep=True).resident
    monkeypatch.setattr(feeding, "_MOST_IN_MEMORY", source.frames.nbytes)
    assert Feed(source, keep=True).resident


def test_packed_frames_are_kept_by_what_they_are_when_they_are_read(monkeypatch):
    source = frames(20)
    monkeypatch.setattr(feeding, "_MOST_IN_MEMORY", source.frames.nbytes - 1)
    assert not Feed(dataclasses.replace(source, frames=Packed(source.frames)), keep=True).resident


class Huge(Packed):
    def __init__(self, dense, error):
        super().__init__(dense)
        self._error = error

    def __array__(self, dtype=None, copy=None):
        raise self._error


def test_an_allocation_that_fails_falls_back_and_any_other_error_is_seen():
    source = frames(20)
    feed = Feed(dataclasses.replace(source, frames=Huge(source.frames, MemoryError("no more"))), keep=True)
    assert not feed.resident
    np.testing.assert_array_equal(feed(np.arange(3))[0].numpy(), source.frames[:3].astype(np.float32))
    with pytest.raises(OSError, match="gone"):
        Feed(dataclasses.replace(source, frames=Huge(source.frames, OSError("gone"))), keep=True)


def test_batches_can_be_made_in_inference_mode():
    with torch.inference_mode():
        assert Feed(frames(20), keep=True)(np.arange(4))[0].shape[0] == 4
