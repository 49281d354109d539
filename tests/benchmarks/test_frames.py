"""Events to frames for one SHD recording, from the file: ours against tonic's transforms as in the tutorial."""

from __future__ import annotations

import numpy as np
from harness_shd.source import source
from harness_synthetic.files import write_shd

from harness import Encoding
from harness.events.encode import encode_bulk


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
