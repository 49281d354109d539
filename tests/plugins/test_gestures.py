"""The generated twin of DVS128 Gesture: repeatable, camera-like, in tonic's layout, and a matter of order in time."""

from __future__ import annotations

import numpy as np
import pytest
from harness_dvsgesture.source import source as gesture_source
from harness_synthetic import DVSGESTURE_SYNTHETIC
from harness_synthetic.gesture_files import write_gestures
from harness_synthetic.gestures import CLASSES, Recordings, session
from harness_synthetic.motions import MOTIONS, Draw
from harness_synthetic.sensor import COLUMNS, STEP, Pixels, stray, unpack, watch
from harness_synthetic.subjects import LIGHTINGS, SUBJECTS
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Encoding
from harness.errors import DataError, UsageError
from harness.events.encode import encode

SENSOR = (128, 128, 2)
WINDOW = Encoding(crop=10000, slice=1000, dt=100, factor=2)


def short(split="train", count=66, seed=0, duration=150.0, noise=1.0):
    return Recordings(split, count, seed, duration, noise)


@given(st.integers(0, 65), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_any_recording_is_the_same_alone_in_bulk_and_in_a_larger_split(index, count):
    stop = min(index + count, 66)
    bulk = short().bulk(index, stop)
    for place, number in enumerate(range(index, stop)):
        part = slice(bulk.offsets[place], bulk.offsets[place + 1])
        events, label = short(count=200)[number]
        assert label == number % CLASSES
        for name in ("t", "x", "y", "p"):
            np.testing.assert_array_equal(events[name], getattr(bulk, name)[part])


@given(st.integers(0, 65), st.sampled_from(["train", "test"]), st.integers(0, 3), st.floats(100, 400), st.floats(0, 5))
@settings(max_examples=30, deadline=None)
def test_events_are_sorted_on_the_sensor_and_of_the_length_asked_for(index, split, seed, duration, noise):
    events, _ = Recordings(split, 66, seed, duration, noise)[index]
    assert (np.diff(events["t"]) >= 0).all()
    assert events["t"][0] >= 0
    assert events["t"][-1] < 1100 * duration
    assert min(events["x"].min(), events["y"].min()) >= 0
    assert max(events["x"].max(), events["y"].max()) < 128
    # No pixel fires twice in one microsecond with one polarity.
    assert len(np.unique(events)) == len(events)


def test_an_index_beyond_the_end_is_refused():
    with pytest.raises(IndexError):
        short()[66]
    with pytest.raises(IndexError):
        short()[-1]


def test_a_recording_of_two_seconds_gives_two_whole_windows():
    events = Recordings("train", 22, 0, 2000, 1.0)
    for index in (0, 3, 9):
        encoded = encode(events[index][0], WINDOW, SENSOR)
        assert encoded.frames.shape == (2, 10, 2, 64, 64)
        assert encoded.dropped["incomplete_slices"] == 1


def test_subjects_of_the_test_set_are_never_trained_on():
    train, test = short(count=1265), short("test", 330)
    assert not set(train.groups) & set(test.groups)
    assert set(train.groups) == {f"user{number:02d}" for number in range(1, 24)}
    assert set(test.groups) == {f"user{number:02d}" for number in range(24, 30)}
    assert set(np.bincount(train.labels)) == {115}
    assert set(train.lightings) == {"fluorescent", "fluorescent_led", "lab", "led", "natural"}
    # By default every subject of either split is seen.
    values = DVSGESTURE_SYNTHETIC.choose().values
    assert len(set(short(count=values["train"]).groups)) == 23
    assert len(set(short("test", values["test"]).groups)) == 6


@pytest.mark.parametrize("split", ["train", "test"])
def test_no_subject_is_recorded_twice_under_one_lighting(split):
    pairs = len(SUBJECTS[split]) * len(LIGHTINGS)
    sessions = [session(split, number) for number in range(pairs)]
    assert len(set(sessions)) == pairs
    assert session(split, pairs) == sessions[0]


def test_every_parameter_changes_events_and_fingerprint():
    one = short()
    for other in (short(seed=1), short(noise=0.5), short(duration=160.0), short("test")):
        assert other.fingerprint != one.fingerprint
        assert not np.array_equal(other[0][0], one[0][0])
    assert short().fingerprint == one.fingerprint
    assert one.synthetic
    assert "generated" in one.notes[0]


@pytest.mark.parametrize("given", [{"duration": 7001}, {"duration": 99}, {"noise": -1}, {"train": 21}, {"test": 0}])
def test_parameters_out_of_range_are_refused(given):
    with pytest.raises(UsageError, match=f"dvsgesture-synthetic.{next(iter(given))}"):
        DVSGESTURE_SYNTHETIC.choose(**given)


def statistics(t, x, y, p):
    """Events a second, share of ON events, and share of cells of 100 ms that hold any, at 64 x 64 x 2."""
    steps = int(t[-1] // 100_000)
    cells = ((t // 100_000 * 2 + p) * 64 + y // 2) * 64 + x // 2
    filled = np.bincount(cells[t < steps * 100_000], minlength=steps * 8192) > 0
    return len(t) / t[-1] * 1e6, p.mean(), filled.mean()


def test_events_are_as_many_and_as_dense_as_a_cameras(real_data):
    real = []
    for path in sorted((real_data / "dvs128-gesture").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            real.append(statistics(*(file[name].astype(np.int64) for name in ("t", "x", "y", "p"))))
    generated = Recordings("train", 44, 0, 500, 1.0)
    made = [
        statistics(*(generated[index][0][name].astype(np.int64) for name in ("t", "x", "y", "p")))
        for index in range(44)
    ]
    for ratio in np.median(made, 0) / np.median(real, 0):
        assert 0.4 < ratio < 2.5


@given(st.integers(0, 2**32 - 1), st.sampled_from([(3, 4), (5, 6)]))
@settings(max_examples=25, deadline=None)
def test_a_circle_the_other_way_is_the_same_circle_run_backwards(seed, pair):
    seconds = np.arange(300) * STEP / 1e6
    one, other = (MOTIONS[label](Draw(np.random.default_rng(seed), seconds, 1.0, 1.0)) for label in pair)
    arm = 0 if pair == (3, 4) else 1
    assert one.moving == other.moving == (arm == 0, arm == 1)
    np.testing.assert_allclose(one.hands[arm], other.hands[arm, ::-1], atol=1e-12)


def turning(frames):
    """How far the centre of the busiest cells turns, over each sample (steps, polarities, height, width)."""
    busy = frames.sum(2, dtype=np.float64)
    busy = np.maximum(busy - busy.mean(1, keepdims=True), 0)
    down, right = np.mgrid[: busy.shape[2], : busy.shape[3]]
    total = busy.sum((2, 3)) + 1e-9
    x, y = ((busy * place).sum((2, 3)) / total for place in (right, down))
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    return (x[:, :-1] * y[:, 1:] - y[:, :-1] * x[:, 1:]).sum(1)


def test_counts_alone_do_not_tell_directions_apart_and_order_in_time_does():
    samples = {}
    for split, count in (("train", 440), ("test", 330)):
        recordings = Recordings(split, count, 0, 1000, 1.0)
        chosen = [index for index in range(count) if recordings.labels[index] in (3, 4)]
        encoding = Encoding(crop=1000, slice=1000, dt=100, factor=8)
        frames = np.concatenate([encode(recordings[index][0], encoding, SENSOR).frames for index in chosen])
        samples[split] = frames, np.array([recordings.labels[index] == 3 for index in chosen])
    (x, y), (held, wanted) = samples["train"], samples["test"]
    counts, unseen = (np.sqrt(part.sum(1).reshape(len(part), -1)) for part in (x, held))
    mean, scale = counts.mean(0), counts.std(0) + 1e-3
    counts, unseen = (counts - mean) / scale, (unseen - mean) / scale
    gram = counts @ counts.T
    ridge = np.linalg.solve(gram + 100 * np.eye(len(gram)), np.where(y, 1.0, -1.0))
    nearest = [((unseen - counts[y == which].mean(0)) ** 2).sum(1) for which in (False, True)]
    for guess in ((unseen @ counts.T @ ridge) > 0, nearest[1] < nearest[0]):
        assert 0.3 < (guess == wanted).mean() < 0.7
    # Clockwise for the subject is counter-clockwise for the camera, whose rows count downwards.
    assert ((turning(held) < 0) == wanted).mean() > 0.95


def flat(background=0.0, on=0.1, off=0.1):
    return Pixels(*(np.full((128, 128), value, dtype=np.float32) for value in (background, on, off)))


def moving(steps, tone, first=20.0, speed=1.0):
    """A bar of 12 pixels that moves right."""
    scene = np.zeros((steps, 1, COLUMNS), dtype=np.float32)
    place = first + speed * np.arange(steps)
    scene[:, 0, 0] = scene[:, 0, 2] = place
    scene[:, 0, 1], scene[:, 0, 3] = 40, 80
    scene[:, 0, 4] = scene[:, 0, 5] = 6
    scene[:, 0, 6] = tone
    return scene


@pytest.mark.parametrize(("tone", "first"), [(0.55, 1), (-0.55, 0)])
def test_a_passing_bar_fires_a_pixel_once_a_threshold_on_its_way_in_and_out(tone, first):
    duration = 59 * STEP
    t, x, y, p = unpack(watch(moving(60, tone), np.ones(1, dtype=bool), flat(), duration, 0))
    here = (x == 50) & (y == 60)
    assert p[here].tolist() == [first] * 5 + [1 - first] * 5
    # Half covered when the edge, 6 pixels ahead of the bar's middle, has come from 26 to 50.
    assert abs(t[here][:5].mean() - 24 * STEP) < STEP
    assert 0 <= t.min() <= t.max() < duration


def test_what_stands_still_fires_nothing_and_thresholds_are_each_pixels_own():
    still = moving(20, 0.5, speed=0.0)
    assert not len(watch(still, np.ones(1, dtype=bool), flat(), 20 * STEP, 0))
    pixels = flat()
    pixels.on[60, 50] = 0.3
    _, x, y, p = unpack(watch(moving(60, 0.55), np.ones(1, dtype=bool), pixels, 59 * STEP, 0))
    assert ((x == 50) & (y == 60) & (p == 1)).sum() == 1
    assert ((x == 51) & (y == 60) & (p == 1)).sum() == 5


@pytest.mark.parametrize("refractory", [500, 3000])
def test_no_pixel_fires_again_before_its_refractory_time_is_over(refractory):
    t, x, y, _ = unpack(watch(moving(60, 0.9, speed=2.0), np.ones(1, dtype=bool), flat(), 59 * STEP, refractory))
    order = np.lexsort((t, x, y))
    pixel = (y.astype(np.int64) * 128 + x)[order]
    waits = np.diff(t[order])[np.diff(pixel) == 0]
    assert waits.min() >= refractory
    assert len(t) < len(watch(moving(60, 0.9, speed=2.0), np.ones(1, dtype=bool), flat(), 59 * STEP, 0))


def test_slow_capsules_are_looked_at_less_often_and_end_where_quick_ones_do():
    scene = moving(64, 0.55, speed=0.1)
    quick, slow = (unpack(watch(scene, np.full(1, flag), flat(), 63 * STEP, 0)) for flag in (True, False))
    assert sorted(zip(*quick[1:], strict=True)) == sorted(zip(*slow[1:], strict=True))


def test_stray_events_come_at_each_pixels_rate_and_with_the_lamps():
    rates = np.zeros((128, 128))
    rates[5, 7], rates[100, 20] = 3000.0, 1000.0
    t, x, y, p = unpack(stray(np.random.default_rng(0), rates, 2_000_000, 100.0, 0.9))
    assert set(zip(x.tolist(), y.tolist(), strict=True)) == {(7, 5), (20, 100)}
    assert abs((y == 5).sum() - 6000) < 400
    assert 0.45 < p.mean() < 0.55
    assert 0 <= t.min() <= t.max() < 2_000_000
    beat = np.abs(np.exp(2j * np.pi * 100 * t / 1e6).mean())
    assert beat > 0.3
    assert not len(stray(np.random.default_rng(0), np.zeros((128, 128)), 2_000_000, 0.0, 0.0))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small twin in tonic's layout, and the recordings that it was made from."""
    folder = tmp_path_factory.mktemp("twin")
    given = {"seed": 3, "duration": 100.0, "noise": 1.0}
    paths = write_gestures(folder, train=110, test=100, **given)
    return folder, paths, {split: short(split, n, **given) for split, n in (("train", 110), ("test", 100))}


@pytest.mark.parametrize("split", ["train", "test"])
def test_tonic_reads_the_files_and_finds_every_event(written, split):
    from tonic.datasets import DVSGesture

    folder, _, made = written
    read = DVSGesture(str(folder), train=split == "train")
    assert len(read) == len(made[split])
    places = {
        (int(made[split].groups[index][4:]), made[split].lightings[index], made[split].labels[index]): index
        for index in range(len(made[split]))
    }
    assert len(places) == len(read)
    for number in range(0, len(read), 9):
        events, label = read[number]
        expected, _ = made[split][places[read.users[number], read.lighting[number], label]]
        for name in ("t", "x", "y", "p"):
            np.testing.assert_array_equal(events[name], expected[name])


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_real_datasets_reader_finds_every_event_and_says_that_they_are_synthetic(written, split):
    folder, _, made = written
    read = gesture_source(folder, split)
    assert read.synthetic
    assert any("synthetic" in note for note in read.notes)
    assert not any("official" in note for note in read.notes)
    assert sorted(zip(read.groups, read.labels, strict=True)) == sorted(
        zip(made[split].groups, made[split].labels, strict=True)
    )
    # In both, sessions stand in one order: each subject has one here.
    order = sorted(range(len(read)), key=lambda index: (made[split].groups[index], made[split].lightings[index]))
    for place in range(0, len(read), 9):
        np.testing.assert_array_equal(read[place][0], made[split][order[place]][0])


@given(st.lists(st.integers(0, 7_700_000), min_size=1, max_size=50))
@settings(max_examples=100)
def test_milliseconds_on_disk_keep_every_microsecond(times):
    from harness_synthetic.gesture_files import columns

    events = np.zeros(len(times), dtype=[("t", np.int64), ("x", np.uint8), ("y", np.uint8), ("p", np.uint8)])
    events["t"] = times
    table = columns(events)
    table[:, 3] *= 1000  # as tonic does, in the file's own precision
    assert table[:, 3].astype(np.int64).tolist() == times


def test_the_layout_says_that_it_is_synthetic_and_is_never_replaced(written):
    folder, paths, _ = written
    assert [path.name for path in paths] == ["ibmGestureTrain", "ibmGestureTest"]
    assert "generated" in (folder / "DVSGesture" / "SYNTHETIC").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["DVSGesture"]
    before = (folder / "DVSGesture" / "ibmGestureTrain" / "user01_fluorescent" / "0.npy").read_bytes()
    with pytest.raises(DataError, match="exists; choose another folder"):
        write_gestures(folder, train=100, test=100, seed=0, duration=100.0, noise=1.0)
    assert (folder / "DVSGesture" / "ibmGestureTrain" / "user01_fluorescent" / "0.npy").read_bytes() == before


def test_nothing_is_left_where_writing_ends_early(tmp_path):
    def stop(text, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gestures(tmp_path, train=100, test=100, seed=0, duration=100.0, noise=1.0, report=stop)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="at most 1265"):
        write_gestures(tmp_path, train=1266, test=100, seed=0, duration=100.0, noise=1.0)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        write_gestures(tmp_path / "file", train=100, test=100, seed=0, duration=100.0, noise=1.0)


def test_the_command_writes_what_it_is_asked_for_and_refuses_what_cannot_be(tmp_path):
    from click.testing import CliRunner
    from harness_synthetic.commands import data

    def call(*words):
        return CliRunner().invoke(data, ["synthesize", *words])

    where = str(tmp_path / "made")
    done = call("dvsgesture", where, "--train", "100", "--test", "100", "--duration", "100")
    assert done.exit_code == 0, done.output
    assert done.output.count("synthetic") == 2
    again = call("dvsgesture", where)
    assert isinstance(again.exception, DataError)
    for wrong in (("--train", "99"), ("--test", "331"), ("--duration", "8000"), ("--noise", "-1")):
        refused = call("dvsgesture", str(tmp_path / "other"), *wrong)
        assert refused.exit_code == 2
        assert wrong[0] in refused.output
    assert not (tmp_path / "other").exists()
