"""Events to frames, of SHD recordings from the file and of gestures from memory: ours against tonic's transforms as in the tutorial."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from harness_shd.source import source
from harness_synthetic.files import write_shd

from harness import Encoding
from harness.events.encode import encode, encode_bulk


def tutorial_transform(sensor_size=(700, 1, 1), factor=5, steps=70):
    """Crop, 1 ms frames, pad, sum by ten bins and five channels: what the tutorial does with tonic."""
    import tonic

    frames = tonic.transforms.Compose(
        [
            tonic.transforms.CropTime(max=700_000),
            tonic.transforms.ToFrame(sensor_size=sensor_size, time_window=1000),
        ]
    )

    def transform(events):
        dense = frames(events)
        padded = np.zeros((steps * 10, 1, sensor_size[0]), np.float32)
        length = min(len(dense), len(padded))
        padded[:length] = dense[:length]
        shape = (steps, 10, 1, sensor_size[0] // factor, factor)
        return padded.reshape(shape).sum(1).sum(-1)[:, 0, :]

    return transform


def test_frames_per_shd_recording(duel, tmp_path, benchmark):
    import tonic

    count = 96 if benchmark.enabled else 20
    write_shd(tmp_path, train=count, test=20, seed=0, noise=0.25)
    (tmp_path / "SHD" / "shd_train.h5.zip").touch()  # tonic asks for the archive beside the data
    theirs = tonic.datasets.SHD(str(tmp_path), train=True, transform=tutorial_transform())
    encoding = Encoding(crop=700, dt=10, factor=5)
    ours = source(tmp_path, "train")

    def harness():
        for begin in range(0, count, 32):
            encode_bulk(ours.bulk(begin, min(begin + 32, count)), encoding, (700, 1, 1))

    def with_tonic():
        for index in range(count):
            theirs[index]

    duel({"tonic": with_tonic, "harness": harness}, rounds=9, what=f"{count} SHD recordings, file to frames")


def gesture():
    """A real recording's 1.45 s repeated to a whole one's 7.25 s, or as many random events where there is none; tonic's fields."""
    root = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = root / "dvs128-gesture" / "05.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as clip:
            fields = {name: clip[name].astype(np.int64) for name in "xypt"}
    else:
        random = np.random.default_rng(0)
        fields = {name: random.integers(0, most, 120_000) for name, most in (("x", 128), ("y", 128), ("p", 2))}
        fields["t"] = np.sort(random.integers(0, 1_450_000, 120_000))
    events = np.zeros(5 * len(fields["t"]), dtype=[("x", np.int16), ("y", np.int16), ("p", bool), ("t", np.int64)])
    for name, values in fields.items():
        events[name] = np.tile(values, 5)
    events["t"] += np.repeat(np.arange(5) * 1_450_000, len(fields["t"]))
    return events, path.is_file()


def test_frames_per_gesture_recording(duel, benchmark):
    """1 s slices of 100 ms frames at half resolution."""
    import tonic

    events, real = gesture()
    sensor = (128, 128, 2)
    encoding = Encoding(crop=10_000, slice=1000, dt=100, factor=2)
    before = tonic.transforms.Compose(
        [tonic.transforms.CropTime(max=10_000_000), tonic.transforms.Downsample(spatial_factor=0.5)]
    )
    slicer = tonic.slicers.SliceByTime(time_window=1_000_000)
    to_frame = tonic.transforms.ToFrame(sensor_size=(64, 64, 2), time_window=100_000)

    def with_tonic():
        return [to_frame(part) for part in slicer.slice(before(events), None)[0]]

    def harness():
        return encode(events, encoding, sensor).frames

    # tonic's last bin is lost and its bins begin at the first event, so only the size of the work is the same.
    assert [len(part) for part in with_tonic()] == [9] * len(harness())
    what = f"a {'real' if real else 'random'} gesture of {len(events):,} events, memory to {len(harness())} slices"
    duel({"tonic": with_tonic, "harness": harness}, rounds=15, what=what)
