"""Splits on their way to disk: in either form what was given, in memory that does not grow with the split."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.events.cache import Entry, open_split
from harness.events.packed import PackedFrames
from harness.events.writer import SplitWriter


def write(folder, chunks, **given):
    with SplitWriter(Entry(folder), "train", chunks[0].shape[2:], **given) as writer:
        first = 0
        for chunk in chunks:
            writer.add(chunk, np.arange(first, first + len(chunk)), np.full(len(chunk), chunk.shape[1]))
            first += len(chunk)
        writer.finish(labels=np.zeros(first, dtype=np.int64), groups=None, facts={})
    return open_split(folder, "train")


@st.composite
def chunked(draw):
    """Chunks of different steps and widths, as encoding gives them."""
    chunks = []
    for _ in range(draw(st.integers(1, 5))):
        shape = (draw(st.integers(0, 3)), draw(st.integers(0, 4)), 3, 2)
        dtype, most = draw(st.sampled_from([(np.uint8, 255), (np.uint16, 65_535), (np.uint32, 100_000)]))
        random = np.random.default_rng(draw(st.integers(0, 99)))
        chunks.append((random.integers(0, most, shape, endpoint=True) * (random.random(shape) < 0.4)).astype(dtype))
    return chunks


@given(chunks=chunked(), dense_bytes=st.sampled_from([0, 60, 200, 10**6]))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_what_is_opened(tmp_path_factory, chunks, dense_bytes):
    if not sum(map(len, chunks)):
        return
    opened = write(tmp_path_factory.mktemp("entry"), chunks, dense_bytes=dense_bytes)
    steps = max(chunk.shape[1] for chunk in chunks)
    whole = np.concatenate([np.pad(chunk, [(0, 0), (0, steps - chunk.shape[1]), (0, 0), (0, 0)]) for chunk in chunks])
    np.testing.assert_array_equal(np.array(opened.frames), whole, strict=True)
    assert isinstance(opened.frames, PackedFrames) == (whole.nbytes > dense_bytes)
    assert opened.lengths.tolist() == [chunk.shape[1] for chunk in chunks for _ in chunk]


@pytest.mark.parametrize("dense_bytes", [0, 10**6])
def test_what_is_not_finished_leaves_nothing(tmp_path, dense_bytes):
    with SplitWriter(Entry(tmp_path), "train", (3,), dense_bytes=dense_bytes) as writer:
        writer.add(np.ones((2, 2, 3), np.uint8), np.arange(2), None)
    assert list(tmp_path.iterdir()) == []


LARGE = """
import json, resource, sys
from pathlib import Path
import numpy as np
from harness.events.cache import Entry, open_split
from harness.events.writer import SplitWriter

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

chunk = np.zeros((50, 10, 2, 64, 64), np.uint8)
chunk[:, ::3, :, 20:40, 20:40] = 4
with SplitWriter(Entry(Path(sys.argv[1])), "train", (2, 64, 64)) as writer:
    writer.add(chunk, np.arange(50), None)
    before = peak()
    for number in range(1, 80):
        one = chunk
        if number == 70:
            one = chunk.astype(np.uint16)
            one[0, 0, 0, 0, 0] = 300
        writer.add(one, np.arange(50), None)
    writer.finish(labels=np.zeros(4000, np.int64), groups=None, facts={})
written = peak()
frames = open_split(Path(sys.argv[1]), "train").frames
for begin in range(0, 4000, 100):
    assert frames.take_float32(slice(begin, begin + 100)).max() == (300 if begin == 3500 else 4)
print(json.dumps({"write": written - before, "read": peak() - written, "dense": frames.nbytes, "disk": frames.stored_bytes}))
"""


def test_a_large_split_needs_little_memory_and_disk(tmp_path):
    """4,000 slices that would be 655 MB as an array, because of one count."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    taken = json.loads(done.stdout)
    assert taken["dense"] == 4000 * 81_920 * 2
    assert taken["disk"] < taken["dense"] // 8
    assert taken["write"] < 100 * 2**20
    # A batch of 100 in single precision is 33 MB; the file is mapped and may be resident too.
    assert taken["read"] < 100 * 2**20 + taken["disk"]
