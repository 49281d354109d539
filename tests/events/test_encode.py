"""Events to frames, against a counter that visits every event, and against tonic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Bulk, Encoding
from harness.errors import DataError, UsageError
from harness.events.encode import encode, encode_bulk, sample_shape
from harness.events.fields import bulk_of, join
from harness.events.reading import portions

EVENT = np.dtype([("t", np.int64), ("x", np.int64), ("y", np.int64), ("p", np.int64)])


def make(rows):
    events = np.array(sorted(rows), dtype=EVENT) if rows else np.zeros(0, dtype=EVENT)
    return events


def brute(events, encoding, sensor):
    """Frames and dropped events, one event at a time."""
    _, height, polarities = sensor
    dt, f = encoding.microseconds(encoding.dt), encoding.factor
    crop = None if encoding.crop is None else encoding.microseconds(encoding.crop)
    window = None if encoding.slice is None else encoding.microseconds(encoding.slice)
    end = min(max(events["t"], default=-1) + 1, crop if crop is not None else 2**62)
    if window:
        slices, steps = end // window, window // dt
    else:
        slices, steps = 1, crop // dt if crop is not None else -(-end // dt)
    frames = np.zeros((slices, steps, *sample_shape(encoding, sensor)), dtype=np.int64)
    kept = 0
    for t, x, y, p in events.tolist():
        if crop is not None and t >= crop:
            continue
        index, inside = divmod(t, window) if window else (0, t)
        if index >= slices:
            continue
        channel = 0 if encoding.polarity == "merge" or polarities == 1 else p
        place = (x // f,) if height == 1 and polarities == 1 else (channel, y // f, x // f)
        frames[(index, inside // dt, *place)] += 1
        kept += 1
    return frames, kept


encodings = st.sampled_from(
    [
        Encoding(crop=10, dt=1),
        Encoding(crop=10, dt=2, factor=2),
        Encoding(crop=10, slice=4, dt=2, factor=4, polarity="merge"),
        Encoding(slice=3, dt=0.5),
        Encoding(dt=3, polarity="merge"),
    ]
)


@st.composite
def recordings(draw, sensor, most=60):
    width, height, polarities = sensor
    row = st.tuples(
        # Times on and beside the edges of bins, slices and the crop.
        st.one_of(
            st.integers(0, 14_000),
            st.integers(0, 28).map(lambda k: k * 500),
            st.integers(1, 28).map(lambda k: k * 500 - 1),
        ),
        st.integers(0, width - 1),
        st.integers(0, height - 1),
        st.integers(0, polarities - 1),
    )
    return make(draw(st.lists(row, max_size=most)))


@pytest.mark.parametrize("sensor", [(8, 1, 1), (8, 4, 2), (8, 4, 1)])
@given(data=st.data(), encoding=encodings)
@settings(max_examples=60, deadline=None)
def test_every_event_is_counted_where_it_belongs(sensor, data, encoding):
    events = data.draw(recordings(sensor))
    encoded = encode(events, encoding, sensor)
    frames, kept = brute(events, encoding, sensor)
    np.testing.assert_array_equal(encoded.frames, frames)
    assert kept + encoded.dropped["cropped"] + encoded.dropped["incomplete"] == len(events)


@given(data=st.data(), encoding=encodings)
@settings(max_examples=40, deadline=None)
def test_many_at_once_are_each_as_alone(data, encoding):
    sensor = (8, 4, 2)
    several = data.draw(st.lists(recordings(sensor, most=20), min_size=1, max_size=5))
    together = np.concatenate(several)
    bulk = Bulk(
        t=together["t"],
        x=together["x"].astype(np.uint16),
        y=together["y"],
        p=together["p"],
        offsets=np.cumsum([0, *map(len, several)]),
    )
    encoded = encode_bulk(bulk, encoding, sensor)
    for index, events in enumerate(several):
        alone = encode(events, encoding, sensor).frames
        own = encoded.frames[encoded.recordings == index]
        np.testing.assert_array_equal(own[:, : alone.shape[1]], alone)
        assert not own[:, alone.shape[1] :].any()
        if encoded.lengths is not None:
            assert encoded.lengths[index] == alone.shape[1]


@given(
    data=st.data(),
    encoding=encodings | st.just(Encoding(crop=10, slice=4, dt=2, tonic_window=1)),
    most=st.sampled_from([1, 50, 400, 10**6]),
)
@settings(max_examples=60, deadline=None)
def test_parts_hold_no_more_counts_than_asked_for_and_give_the_same_frames(data, encoding, most):
    sensor = (8, 4, 2)
    several = data.draw(st.lists(recordings(sensor, most=20), min_size=1, max_size=6))
    bulk, names = join([bulk_of(one) for one in several]), 10 + np.arange(len(several))
    whole = encode_bulk(bulk, encoding, sensor)
    seen, samples = [], 0
    for numbers, part in portions(names, bulk, encoding, sensor, most):
        found = encode_bulk(part, encoding, sensor)
        assert len(numbers) == 1 or found.frames.size <= most
        own = whole.frames[np.isin(names[whole.recordings], numbers)]
        np.testing.assert_array_equal(found.frames, own[:, : found.frames.shape[1]])
        assert not own[:, found.frames.shape[1] :].any()
        seen += numbers.tolist()
        samples += len(found.frames)
    assert seen == names.tolist()
    assert samples == len(whole.frames)


@given(data=st.data(), encoding=encodings, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_order_of_events_decides_nothing(data, encoding, seed):
    sensor = (8, 4, 2)
    events = data.draw(recordings(sensor))
    mixed = encode(np.random.default_rng(seed).permutation(events), encoding, sensor)
    whole = encode(events, encoding, sensor)
    np.testing.assert_array_equal(mixed.frames, whole.frames)
    assert mixed.dropped == whole.dropped


@pytest.mark.parametrize(
    "kinds", ["u1 u1 u1 i8", "i2 i2 ? i8", "u2 u2 u1 u4", ">i2 >u2 i1 >i8", "f4 f8 i8 f8", "i4 u8 i2 i4"]
)
def test_fields_of_any_kind_are_counted_alike(kinds):
    random = np.random.default_rng(0)
    plain = make([(t, x, y, p) for t, x, y, p in random.integers(0, (9000, 8, 4, 2), (500, 4)).tolist()])
    given = np.zeros(500, dtype=list(zip("xypt", kinds.split(), strict=True)))
    for name in "xypt":
        given[name] = plain[name]
    encoding = Encoding(crop=10, slice=2, dt=0.5, factor=2)
    np.testing.assert_array_equal(encode(given, encoding, (8, 4, 2)).frames, encode(plain, encoding, (8, 4, 2)).frames)
    given["x"][123] = 8
    with pytest.raises(DataError, match="recording 0: an event at x = 8"):
        encode(given, encoding, (8, 4, 2))


@given(
    counts=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 1100)), max_size=8),
    x=st.sampled_from(["u1", "i8"]),
)
@settings(max_examples=30, deadline=None)
def test_large_counts_are_exact_wherever_they_are(counts, x):
    cells = np.concatenate([[place] * count for place, count in counts] or [[]]).astype(int)
    events = np.zeros(len(cells), dtype=[("t", "i8"), ("x", x)])
    events["t"], events["x"] = cells // 5 * 1000, cells % 5
    frames = encode(events[np.argsort(events["t"], kind="stable")], Encoding(crop=2, dt=1), (5, 1, 1)).frames
    np.testing.assert_array_equal(frames.ravel(), np.bincount(cells, minlength=10))


@pytest.mark.parametrize("encoding", [Encoding(dt=1), Encoding(slice=2, dt=1), Encoding(slice=2, dt=1, tonic_window=1)])
@pytest.mark.parametrize("late", [2**50, 2**63 - 1])
def test_a_time_that_was_misread_takes_no_memory(encoding, late):
    with pytest.raises(DataError, match=r"recording 0: with an event .* s from its start, frames would take \d+ GiB"):
        encode(make([(0, 0, 0, 0), (late, 0, 0, 0)]), encoding, (8, 4, 2))


@pytest.mark.parametrize(("count", "dtype"), [(255, np.uint8), (256, np.uint16), (70_000, np.uint32)])
def test_counts_are_promoted_never_saturated(count, dtype):
    events = make([(5, 3, 0, 0)] * count)
    encoded = encode(events, Encoding(crop=1, dt=1), (8, 1, 1))
    assert encoded.frames.dtype == dtype
    assert encoded.frames[0, 0, 3] == count


def test_what_the_crop_leaves_out_widens_nothing():
    events = make([(5, 3, 0, 0)] + [(2000, 3, 0, 0)] * 300)
    encoded = encode(events, Encoding(crop=1, dt=1), (8, 1, 1))
    assert encoded.frames.dtype == np.uint8
    assert encoded.dropped["cropped"] == 300


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, 8, 0, 0), "x = 8"),
        ((0, -1, 0, 0), "x = -1"),
        ((0, 0, 4, 0), "y = 4"),
        ((0, 0, 0, 2), "p = 2"),
        ((-1, 0, 0, 0), "t = -1"),
    ],
)
def test_an_event_that_cannot_be_is_named(row, message):
    with pytest.raises(DataError, match=f"recording 0: an event at {message}"):
        encode(make([row]), Encoding(crop=1, dt=1), (8, 4, 2))


def test_a_recording_is_called_by_its_number():
    bulk = Bulk(t=np.array([1, 2]), x=np.array([0, 9]), offsets=np.array([0, 1, 2]))
    with pytest.raises(DataError, match="recording 40: an event at x = 9"):
        encode_bulk(bulk, Encoding(crop=1, dt=1), (8, 1, 1), np.array([7, 40]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"offsets": np.array([0, 10**9])},
        {"offsets": np.array([0, 3, 1, 4])},
        {"offsets": np.array([1, 4])},
        {"offsets": np.array([-5, 4])},
        {"x": np.zeros(3, np.uint16)},
        {"p": np.zeros(5, bool)},
    ],
)
def test_a_bulk_reader_that_errs_is_named_and_reads_nothing_elsewhere(wrong):
    right = {"t": np.arange(4), "x": np.zeros(4, np.uint16), "offsets": np.array([0, 4])}
    with pytest.raises(DataError, match="the bulk reader's arrays differ in length, or its offsets"):
        encode_bulk(Bulk(**{**right, **wrong}), Encoding(crop=1, dt=1), (8, 1, 1))


def test_recordings_that_fit_no_memory_are_told_from_many_that_do_not_together(monkeypatch):
    monkeypatch.setattr("harness.events.encode._MOST", 1000)
    one = make([(9_000, 0, 0, 0)])
    with pytest.raises(DataError, match="recordings 0 to 9: frames of all of them would take"):
        encode_bulk(join([bulk_of(one)] * 10), Encoding(dt=1, polarity="merge"), (8, 4, 2))
    with pytest.raises(DataError, match=r"recording 1: with an event 0\.900501 s from its start"):
        encode_bulk(join([bulk_of(one), bulk_of(make([(900_500, 0, 0, 0)]))]), Encoding(dt=1), (8, 4, 2))


def test_a_sensor_too_wide_is_refused():
    with pytest.raises(UsageError, match="wider than the 65,536"):
        sample_shape(Encoding(crop=1, dt=1), (70_000, 1, 1))


def test_a_factor_that_does_not_divide_is_named():
    with pytest.raises(UsageError, match="factor: 3 does not divide the sensor of 8 x 1"):
        sample_shape(Encoding(crop=1, dt=1, factor=3), (8, 1, 1))


@pytest.mark.parametrize(
    "wrong", [{"dt": 0.0001}, {"dt": 3, "crop": 10}, {"dt": 0}, {"tonic_window": 0.7, "dt": 1, "crop": 10}]
)
def test_an_encoding_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(UsageError, match="encoding"):
        Encoding(**wrong)


def tonic_frames(events, crop_ms, steps, per_step):
    """The tutorial's transforms at window 1 ms: crop, ToFrame, pad to the crop, sum bins and channels by 5."""
    import tonic

    sensor = (700, 1, 1)
    cropped = tonic.transforms.CropTime(max=crop_ms * 1000)(events)
    frames = tonic.transforms.ToFrame(sensor_size=sensor, time_window=1000)(cropped.copy())[:, 0]
    padded = np.zeros((steps * per_step, 700), dtype=np.int64)
    length = min(len(frames), len(padded))
    padded[:length] = frames[:length]
    return padded.reshape(steps, per_step, 140, 5).sum((1, 3))


@given(
    st.lists(
        st.tuples(st.one_of(st.integers(0, 60_000), st.integers(0, 60).map(lambda k: k * 1000)), st.integers(0, 699)),
        min_size=1,
        max_size=200,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_tutorials_encoding_equals_tonic(rows):
    events = np.array(sorted((t, x, 0) for t, x in rows), dtype=[("t", int), ("x", int), ("p", int)])
    encoding = Encoding(crop=50, dt=10, factor=5, tonic_window=1)
    if not (events["t"] <= 50_000).any():
        return  # tonic fails on a recording without events
    ours = encode(events, encoding, (700, 1, 1)).frames[0]
    np.testing.assert_array_equal(ours, tonic_frames(events, 50, 5, 10))


@pytest.mark.parametrize("window", [None, 100])
def test_an_incomplete_last_slice_is_dropped_and_counted(window):
    events = np.array([(0, 1), (999_999, 2), (1_000_000, 3), (1_450_000, 4)], dtype=[("t", np.int64), ("x", np.int64)])
    found = encode(events, Encoding(slice=1000, dt=100, tonic_window=window), (700, 1, 1))
    assert len(found.frames) == 1
    assert found.dropped["incomplete_slices"] == 1


def test_the_tutorials_encoding_equals_tonic_on_real_clips(real_data):
    """A gesture clip in 1 s slices of 100 ms frames, at half resolution, both polarities."""
    import tonic

    for path in sorted((real_data / "dvs128-gesture").glob("*.npz"))[:3]:
        with np.load(path, allow_pickle=False) as clip:
            events = np.zeros(len(clip["t"]), dtype=[("x", int), ("y", int), ("p", int), ("t", int)])
            for name in ("x", "y", "p", "t"):
                events[name] = clip[name]
        ours = encode(events, Encoding(slice=1000, dt=100, factor=2, tonic_window=100), (128, 128, 2))
        halved = events.copy()
        halved["x"] //= 2
        halved["y"] //= 2
        slices = tonic.slicers.SliceByTime(time_window=1e6).slice(halved, 0)[0]
        to_frame = tonic.transforms.ToFrame(sensor_size=(64, 64, 2), time_window=1e5)
        assert len(slices) == len(ours.frames)
        for mine, theirs in zip(ours.frames, slices, strict=True):
            frames = to_frame(theirs)
            np.testing.assert_array_equal(mine[: len(frames)], frames)
            assert not mine[len(frames) :].any()
