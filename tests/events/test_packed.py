"""Packed counts: the same numbers as in an array, found by the same indices, and nothing read outside what was stored."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.errors import DataError
from harness.events.packed import PackedFrames, Packer


def packed(counts, chunks=1):
    file = io.BytesIO()
    packer = Packer(file)
    for chunk in np.array_split(counts, chunks):
        packer.add(chunk)
    return PackedFrames(np.frombuffer(file.getvalue(), np.uint8), packer.starts, counts.shape, counts.dtype)


@st.composite
def dense(draw, least=0):
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=5, min_side=1, max_side=9))
    dtype, most = draw(st.sampled_from([(np.uint8, 255), (np.uint16, 65_535), (np.uint32, 100_000)]))
    counts = st.one_of(st.just(0), st.integers(0, most), st.sampled_from([254, 255]))
    return draw(arrays.arrays(dtype, (max(shape[0], least), *shape[1:]), elements=counts, fill=st.just(dtype(0))))


@given(counts=dense(), chunks=st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_what_was_packed_is_what_is_read(counts, chunks):
    found = packed(counts, chunks)
    whole = np.array(found)
    assert whole.dtype == counts.dtype
    np.testing.assert_array_equal(whole, counts)
    assert (found.shape, found.dtype, found.ndim, found.size) == (counts.shape, counts.dtype, counts.ndim, counts.size)
    assert (len(found), found.nbytes) == (len(counts), counts.nbytes)
    np.testing.assert_array_equal(list(found), list(counts))


@given(counts=dense(least=2), data=st.data())
@settings(max_examples=80, deadline=None)
def test_indices_find_what_they_find_in_an_array(counts, data):
    found = packed(counts)
    index = data.draw(
        st.one_of(
            arrays.basic_indices(counts.shape[:1], allow_ellipsis=False),
            arrays.integer_array_indices(counts.shape[:1]),
            arrays.arrays(bool, counts.shape[:1]),
        )
    )
    np.testing.assert_array_equal(found[index], counts[index], strict=True)
    rest = data.draw(st.one_of(st.integers(0, counts.shape[1] - 1), st.slices(counts.shape[1])))
    if not isinstance(index, tuple):
        np.testing.assert_array_equal(found[index, rest], counts[index, rest])
        np.testing.assert_array_equal(found.take_float32(index), counts[index].astype(np.float32), strict=True)


def test_an_index_that_is_not_there_is_an_error():
    found = packed(np.ones((3, 2, 2), np.uint8))
    for index in (3, -4, [0, 3]):
        with pytest.raises(IndexError, match="out of bounds"):
            found[index]
    for index in (([0, 1], [0, 1]), (..., 0), (0, ...), (None, 0)):
        with pytest.raises(IndexError, match="by sample"):
            found[index]
    with pytest.raises(ValueError, match="copied"):
        np.array(found, copy=False)


def test_sparse_counts_take_a_bit_a_cell_and_a_byte_an_active_one():
    counts = np.zeros((50, 10, 2, 64, 64), np.uint8)
    active = np.random.default_rng(0).random(counts.shape) < 0.2
    counts[active] = 5
    found = packed(counts)
    assert found.stored_bytes <= counts.size // 8 + active.sum() + 50 * 24 + 8


def test_a_sample_of_fewer_steps_is_0_from_there_on():
    file = io.BytesIO()
    packer = Packer(file)
    for steps in (1, 3, 2):
        packer.add(np.full((2, steps, 5), 7, np.uint8))
    found = PackedFrames(np.frombuffer(file.getvalue(), np.uint8), packer.starts, (6, 3, 5), np.uint8)
    assert (found[:] == 7).sum((1, 2)).tolist() == [5, 5, 15, 15, 10, 10]


@given(counts=dense(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_it_read_elsewhere(counts, data):
    file = io.BytesIO()
    packer = Packer(file)
    packer.add(counts)
    stored = np.frombuffer(file.getvalue(), np.uint8).copy()
    for _ in range(data.draw(st.integers(1, 8))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.sampled_from([0, 1, 127, 255]))
    found = PackedFrames(stored, packer.starts, counts.shape, counts.dtype)
    with contextlib.suppress(DataError):
        assert found[:].shape == counts.shape


@pytest.mark.parametrize("starts", [[0, 8], [0, 8, 8, 24], [8, 16, 24], [0, 12, 24], [0, 32, 24], [0, 16, 16]])
def test_starts_that_cannot_be_are_refused(starts):
    with pytest.raises(ValueError, match="starts"):
        PackedFrames(np.zeros(24, np.uint8), np.array(starts), (2, 1, 1), np.uint8)


def test_a_damaged_sample_is_named():
    counts = np.ones((3, 2, 4), np.uint8)
    file = io.BytesIO()
    packer = Packer(file)
    packer.add(counts)
    stored = np.frombuffer(file.getvalue(), np.uint8).copy()
    stored[packer.starts[1]] = 200
    found = PackedFrames(stored, packer.starts, counts.shape, np.uint8)
    np.testing.assert_array_equal(found[[0, 2]], counts[:2])
    with pytest.raises(DataError, match="sample 1 of the cached frames is damaged; 'harness cache clear' removes them"):
        found[:]
