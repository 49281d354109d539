"""DVS128 Gesture: the reader against tonic's, frames against tonic's transforms, and every way in which data can be wrong."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import pickle
import resource
import shutil
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from harness_dvsgesture import CLASSES, DEFAULTS, DVSGESTURE, TUTORIAL
from harness_dvsgesture.archives import unpack
from harness_dvsgesture.download import download
from harness_dvsgesture.files import OFFICIAL_MD5, OFFICIAL_URL, fetch, find
from harness_dvsgesture.layout import SPLITS
from harness_dvsgesture.reading import read
from harness_dvsgesture.source import source
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Registry
from harness.errors import DataError
from harness.events.encode import encode
from harness.events.prepare import open_split, prepare
from harness.experiment import Experiment
from harness.plan import make_plan
from harness.testing import DatasetSuite
from harness.testing.suite import run

SENSOR = (128, 128, 2)
EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("p", np.bool_), ("t", np.int64)])
LIGHTS = ("fluorescent", "fluorescent_led", "lab", "led", "natural")
# tonic believes a split from 100 files on.
ENOUGH = 100


def silent(stage, done, total):
    """A report that nobody reads."""


def columns(random, count=40, longest=2500.0, dtype=np.float64):
    """Events as the files hold them: x, y, p, t in ms."""
    events = np.empty((count, 4), dtype=dtype)
    events[:, :2] = random.integers(0, 128, (count, 2))
    events[:, 2] = random.integers(0, 2, count)
    events[:, 3] = np.sort(random.integers(0, int(longest * 1000), count) / 1000)
    return events


def sessions(first):
    return (
        (f"user{first + number // 5:02d}_{LIGHTS[number % 5]}", label) for number in range(50) for label in range(11)
    )


def lay(root, content, counts=None, archives=True):
    """tonic's layout below ``root``; ``content(split, number, label)`` writes a recording to a path."""
    for split, folder, first in (("train", "ibmGestureTrain", 1), ("test", "ibmGestureTest", 24)):
        count = (counts or {}).get(split, ENOUGH)
        for number, (session, label) in zip(range(count), sessions(first), strict=False):
            place = root / "DVSGesture" / folder / session
            place.mkdir(parents=True, exist_ok=True)
            content(split, number, label, place / f"{label}.npy")
        if archives:
            (root / "DVSGesture" / f"{folder}.tar.gz").touch()
    return root


def generated(split, number, label, path):
    random = np.random.default_rng([number, label, split == "test"])
    np.save(path, columns(random, dtype=[np.float64, np.float32, np.int32, np.uint32, np.int64][number % 5]))


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return lay(tmp_path_factory.mktemp("gestures"), generated)


@pytest.fixture
def copy(layout, tmp_path):
    """A copy that a test may change; of every file that it does not, the other's bytes."""
    shutil.copytree(layout, tmp_path / "copy", copy_function=os.link)
    return tmp_path / "copy"


@pytest.fixture(scope="module")
def clips(real_data):
    """The ten real clips as tonic hands them out: t in µs."""
    found = []
    for path in sorted((real_data / "dvs128-gesture").glob("*.npz")):
        with np.load(path) as arrays:
            events = np.empty(len(arrays["t"]), dtype=EVENT)
            for name in ("x", "y", "p", "t"):
                events[name] = arrays[name]
        found.append(events)
    return found


@pytest.fixture(scope="module")
def real(clips, tmp_path_factory):
    """The real clips as one session of each split, times in ms as in tonic's files, and small recordings after them."""
    root = tmp_path_factory.mktemp("real")
    for label, events in enumerate(clips):
        # As the archive was made: double precision, fractions of a millisecond.
        plain = np.stack([events["x"], events["y"], events["p"], events["t"] / 1000], axis=1)
        np.save(root / f"{label}.npy", plain)

    def content(split, number, label, path):
        if number < 10:
            os.link(root / f"{label}.npy", path)
        else:
            generated(split, number, label, path)

    return lay(root, content)


def written(path, array):
    """Replace a file, not the bytes that its links share."""
    path.unlink(missing_ok=True)
    np.save(path, array)


def theirs(root, split):
    """tonic's own recordings by path below the split."""
    import tonic

    found = tonic.datasets.DVSGesture(str(root), train=split == "train")
    where = Path(found.location_on_system) / found.folder_name
    return {Path(path).relative_to(where).as_posix(): (found, index) for index, path in enumerate(found.data)}


def against_tonic(root, split, chosen):
    ours, tonics = source(root, split), theirs(root, split)
    paths = [ours.path(index).relative_to(ours.folder).as_posix() for index in range(len(ours))]
    assert set(paths) == set(tonics)
    assert len(paths) == len(tonics)
    for index in chosen:
        dataset, place = tonics[paths[index]]
        events, label = dataset[place]
        mine, own_label = ours[index]
        assert own_label == label == ours.labels[index]
        assert ours.groups[index] == f"user{dataset.users[place]:02d}"
        assert mine.dtype == events.dtype
        np.testing.assert_array_equal(mine, events)
        bulk = ours.bulk(index, index + 1)
        for name in ("t", "x", "y", "p"):
            np.testing.assert_array_equal(getattr(bulk, name), events[name])


@pytest.mark.parametrize("split", ["train", "test"])
def test_both_readers_equal_tonics_on_files_of_every_number_type(layout, split):
    against_tonic(layout, split, range(ENOUGH))


def test_both_readers_equal_tonics_on_every_real_clip(real):
    against_tonic(real, "train", range(11))
    against_tonic(real, "test", [9])


def test_the_test_set_comes_from_the_test_folder(layout):
    train, test = source(layout, "train"), source(layout, "test")
    assert train.folder.name == "ibmGestureTrain"
    assert test.folder.name == "ibmGestureTest"
    assert not set(train.groups) & set(test.groups)
    assert train.fingerprint != test.fingerprint


def test_recordings_stand_in_one_order_and_lightings_share_a_subject(layout):
    found = source(layout, "train")
    paths = [found.path(index) for index in range(len(found))]
    assert [path.parent.name for path in paths] == sorted(path.parent.name for path in paths)
    # By number, not by text: 10.npy is the last.
    assert found.labels[:11].tolist() == list(range(11))
    assert sorted(set(found.groups)) == ["user01", "user02"]


def test_labels_sensor_and_archives_are_tonics():
    from tonic.datasets import DVSGesture as Tonics

    spelt = [name.lower().replace("ccw", "counter-clockwise").replace(" cw", " clockwise") for name in Tonics.classes]
    assert [name.replace(" ", "-") for name in spelt] == list(CLASSES)
    assert Tonics.sensor_size == DVSGESTURE.sensor_size
    assert Tonics.dtype == EVENT
    assert {"train": Tonics.train_md5, "test": Tonics.test_md5} == OFFICIAL_MD5
    assert {"train": Tonics.train_url, "test": Tonics.test_url} == OFFICIAL_URL
    assert [f"{name}.tar.gz" for name in SPLITS.values()] == [Tonics.train_filename, Tonics.test_filename]


# Frames.


def tonic_frames(events):
    """The tutorial's transforms: slices of at most nine frames."""
    import tonic

    halved = tonic.transforms.Compose(
        [tonic.transforms.CropTime(max=10e6), tonic.transforms.Downsample(spatial_factor=0.5)]
    )(events.copy())
    slices = tonic.slicers.SliceByTime(time_window=1e6).slice(halved, 0)[0]
    return [tonic.transforms.ToFrame(sensor_size=(64, 64, 2), time_window=1e5)(part) for part in slices]


def same_frames(events):
    ours = encode(events, DVSGESTURE.encodings["tutorial"], SENSOR).frames
    expected = tonic_frames(events)
    assert ours.shape == (len(expected), 10, 2, 64, 64)
    for mine, frames in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(mine[: len(frames)], frames)
        assert not mine[len(frames) :].any()


def test_the_tutorials_frames_equal_tonics_on_every_real_clip(real):
    found = source(real, "train")
    for index in range(10):
        same_frames(found[index][0])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 127),
            st.integers(0, 127),
            st.booleans(),
            # In ms: anywhere, and beside the edges of bins, slices and the crop.
            st.one_of(st.integers(0, 12_000_000).map(lambda t: t / 1000), st.integers(0, 120).map(lambda k: k * 100.0)),
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_the_tutorials_frames_equal_tonics_on_any_file(tmp_path_factory, rows, every):
    # tonic fails on a slice without an event, so that events fill each; and on none that the crop leaves.
    fill = [(64, 64, True, 500.0 + 1000 * k) for k in range(every + 1)]
    limit = fill[-1][3] + 100
    rows = (
        [(x, y, p, t % limit) for x, y, p, t in rows] + fill + [(1, 1, False, 900.0 + 1000 * k) for k in range(every)]
    )
    path = tmp_path_factory.getbasetemp() / "any.npy"
    np.save(path, np.array(sorted(rows, key=lambda row: row[3]), dtype=np.float64))
    recording = read([path])
    events = np.empty(len(recording.t), dtype=EVENT)
    for name in EVENT.names:
        events[name] = getattr(recording, name)
    try:
        tonic_frames(events)
    except IndexError:
        return
    same_frames(events)


def test_the_default_frames_hold_every_event_of_whole_slices(real, tmp_path):
    summary = prepare(
        DVSGESTURE,
        DVSGESTURE.choose(),
        DVSGESTURE.encodings["default"],
        data=real,
        cache=tmp_path / "cache",
        limit=None,
        report=silent,
    )
    train = summary["splits"]["train"]
    frames = open_split(Path(summary["path"]), "train")
    assert train["recordings"] == ENOUGH
    assert frames.frames.shape == (train["samples"], 10, 2, 64, 64)
    # Clips of 1.45 s: one slice of 1 s each, and a rest that is counted.
    assert frames.recordings[:10].tolist() == list(range(10))
    ours = source(real, "train")
    for index in (0, 9):
        t = ours.bulk(index, index + 1).t
        assert int(frames.frames[index].sum(dtype=np.int64)) == int((t < 1_000_000).sum())
    assert summary["steps"] == 10
    assert summary["shape"] == [2, 64, 64]
    assert any(
        "is partial: it holds 100 recordings; the official archive holds 1077" in note for note in summary["notes"]
    )
    assert any("ibmGestureTest.tar.gz is not the official archive" in note for note in summary["notes"])


# The conformance kit, on generated files and on real clips.


def checked(root):
    class Dvsgesture(DatasetSuite):
        name = "dvsgesture"
        examples = 12
        data = root

    outcomes = list(run(Dvsgesture()))
    assert [item.detail for item in outcomes if item.status != "passed"] == []
    assert len(outcomes) > 5


def test_generated_files_pass_the_conformance_kit(layout):
    checked(layout)


def test_real_clips_pass_the_conformance_kit(real):
    checked(real)


# What is chosen where nothing is said.


def planned(*plugins, **given):
    registry = Registry.discover()
    plan = make_plan(Experiment(plugins=("dvsgesture", "mlp", *plugins), **given), registry)
    return plan.trials[0].specification


def test_neurons_share_a_floor_and_the_tutorials_settings_are_its_gesture_networks():
    for neuron in ("iaf", "lif", "alif"):
        assert planned(neuron).neuron["v_min"] == -1.0
    assert DEFAULTS["network"] == "conv"
    tutorial = planned("iaf", recipe="tutorial")
    for path, value in TUTORIAL.items():
        owner, _, name = path.partition(".")
        assert getattr(tutorial, "recipe" if owner == "recipe" else "neuron")[name] == value
    assert tutorial.neuron["v_min"] == -1.0


def test_a_dry_run_and_a_missing_data_set_on_the_command_line(layout, tmp_path):
    def harness(*arguments):
        # Nothing answers at that port, so that no download can begin.
        nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        return subprocess.run(
            [sys.executable, "-m", "harness", "run", "--plugins", "dvsgesture,iaf,mlp", *arguments],
            cwd=tmp_path,
            env={**os.environ, **nowhere},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    dry = harness("--data", str(layout), "--limit", "4", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "dvsgesture" in dry.stdout
    missing = harness("--data", str(tmp_path / "none"), "--limit", "4", "--no-timing", "--no-plots")
    assert missing.returncode == 4, missing.stdout + missing.stderr
    assert "dvsgesture-synthetic" in missing.stderr
    assert "Traceback" not in missing.stderr


# Archives.


def packed(root, split="ibmGestureTrain"):
    """The split as the archive that tonic downloads, its folder gone."""
    folder = root / "DVSGesture" / split
    archive = folder.with_name(f"{split}.tar.gz")
    archive.unlink(missing_ok=True)
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(folder, split)
    shutil.rmtree(folder)
    return archive


def test_an_archive_is_unpacked_beside_itself(layout, copy):
    packed(copy)
    fetch(copy, silent)
    assert find(copy, "train") == copy / "DVSGesture" / "ibmGestureTrain"
    assert source(copy, "train").fingerprint == source(layout, "train").fingerprint
    assert not list((copy / "DVSGesture").glob(".*"))


@pytest.mark.parametrize("how", ["mode", "error"])
def test_an_archive_in_a_folder_that_cannot_be_written_is_unpacked_to_the_cache(copy, places, monkeypatch, how):
    packed(copy)
    if how == "mode":
        (copy / "DVSGesture").chmod(0o555)
    else:
        made = Path.mkdir

        def refused(path, *arguments, **named):
            # The tests may run as root, whom no permission stops.
            if path.parent == copy / "DVSGesture":
                raise PermissionError(13, "Permission denied", str(path))
            return made(path, *arguments, **named)

        monkeypatch.setattr(Path, "mkdir", refused)
    fetch(copy, silent)
    (copy / "DVSGesture").chmod(0o755)
    assert places / "cache" in find(copy, "train").parents
    assert len(source(copy, "train")) == ENOUGH


@pytest.mark.parametrize("keep", [0, 100, 0.5, -3])
def test_a_truncated_archive_is_named_and_leaves_nothing(copy, keep):
    archive = packed(copy)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(DataError, match=r"ibmGestureTrain\.tar\.gz: damaged .*remove it and fetch it again"):
        fetch(copy, silent)
    assert sorted(path.name for path in (copy / "DVSGesture").iterdir()) == [
        "ibmGestureTest",
        "ibmGestureTest.tar.gz",
        "ibmGestureTrain.tar.gz",
    ]


def member(tar, name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content))


def test_an_archive_writes_recordings_and_nothing_else(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, columns(np.random.default_rng(0)))
    content, inside = buffer.getvalue(), "ibmGestureTrain/user01_led"
    (tmp_path / "DVSGesture").mkdir()
    archive = tmp_path / "DVSGesture" / "ibmGestureTrain.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("../outside.npy", "/tmp/outside.npy", f"{inside}/../../../0.npy", "ibmGestureTrain/run.py"):
            member(tar, name, content)
        member(tar, f"{inside}/1.npy", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        member(tar, f"{inside}/2.npy", type=tarfile.LNKTYPE, linkname="/etc/passwd")
        member(tar, f"{inside}/3.npy", type=tarfile.FIFOTYPE)
        member(tar, f"./{inside}/4.npy", content, mode=0o6777)
        member(tar, f"../../{inside}/5.npy", content)
    (tmp_path / "DVSGesture" / "ibmGestureTest.tar.gz").write_bytes(archive.read_bytes())
    with pytest.raises(DataError, match=r"ibmGestureTest\.tar\.gz: holds no ibmGestureTest/userNN_LIGHT/LABEL\.npy"):
        fetch(tmp_path, silent)
    found = sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.suffix in (".npy", ".py"))
    folder = tmp_path / "DVSGesture" / inside
    assert found == [folder / "4.npy", folder / "5.npy"]
    assert not (folder / "4.npy").stat().st_mode & 0o6111
    assert source(tmp_path, "train").labels.tolist() == [4, 5]


def together(work):
    """What each of two threads reports that call ``work(report)`` at once."""
    said, barrier = ([], []), threading.Barrier(2)

    def start(stages):
        barrier.wait()
        work(lambda stage, done, total: stages.append(stage))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(start, said))
    return said


def test_of_two_at_once_one_unpacks_and_what_a_killed_one_left_is_removed(layout, copy):
    packed(copy)
    stale = copy / "DVSGesture" / ".ibmGestureTrain.0123abcd.tmp"
    (stale / "user01_led").mkdir(parents=True)
    said = together(lambda report: fetch(copy, report))
    assert [any("unpacking" in stage for stage in stages) for stages in said].count(True) == 1
    assert source(copy, "train").fingerprint == source(layout, "train").fingerprint
    assert not list((copy / "DVSGesture").glob(".*"))


def test_a_folder_that_holds_something_else_is_left_alone(copy):
    packed(copy)
    folder = copy / "DVSGesture" / "ibmGestureTrain"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="holds no recordings and is not empty; move it away"):
        fetch(copy, silent)
    assert (folder / "mine.txt").read_text() == "mine"


def test_the_checksum_is_remembered_and_follows_the_file(copy, places):
    archive = copy / "DVSGesture" / "ibmGestureTrain.tar.gz"
    archive.unlink()
    archive.write_bytes(b"one")
    stages = []
    for _ in range(2):
        fetch(copy, lambda stage, done, total: stages.append(stage))
    assert sum("checking ibmGestureTrain.tar.gz" in stage for stage in stages) == 1
    assert any(hashlib.md5(b"one").hexdigest() in note for note in source(copy, "train").notes)
    archive.write_bytes(b"three")
    assert any(hashlib.md5(b"three").hexdigest() in note for note in source(copy, "train").notes)


# The network.


class Server(http.server.ThreadingHTTPServer):
    """One file under /; under /cut a part of what it promises."""

    def __init__(self, content):
        self.content = content
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[:100] if self.path == "/cut" else self.server.content)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def served(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers = []

    def start(content):
        server = Server(content)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_is_missing_is_downloaded_checked_and_unpacked(layout, copy, served, monkeypatch):
    archive = packed(copy)
    content = archive.read_bytes()
    archive.unlink()
    monkeypatch.setitem(OFFICIAL_URL, "train", f"{served(content)}/")
    monkeypatch.setitem(OFFICIAL_MD5, "train", hashlib.md5(content).hexdigest())
    stages = set()
    fetch(copy, lambda stage, done, total: stages.add(stage))
    assert stages >= {"downloading ibmGestureTrain.tar.gz (MB)", "unpacking ibmGestureTrain.tar.gz (MB)"}
    found = source(copy, "train")
    assert found.fingerprint == source(layout, "train").fingerprint
    assert not any("not the official archive" in note for note in found.notes)


@pytest.mark.parametrize(
    ("path", "reason"), [("/", "sent something else: md5"), ("/cut", "the connection ended after 100 of 5000 bytes")]
)
def test_what_is_not_what_was_asked_for_is_not_kept(tmp_path, served, path, reason):
    for target in (tmp_path / "a.tar.gz", tmp_path / "new" / "folder" / "a.tar.gz"):
        with pytest.raises(ValueError, match=reason):
            download(f"{served(b'x' * 5000)}{path}", target, "0" * 32, silent)
    assert not list(tmp_path.iterdir())


def test_nothing_is_downloaded_into_a_folder_that_nobody_may_write(tmp_path):
    (tmp_path / "data").mkdir(mode=0o555)
    with pytest.raises(DataError, match=r"could not be downloaded \(nobody may write below "):
        fetch(tmp_path / "data", silent)
    assert not list((tmp_path / "data").iterdir())


def test_of_two_at_once_one_downloads_and_what_a_killed_one_left_is_no_part_of_it(tmp_path, served):
    content = b"x" * 3_000_000
    url, target = served(content), tmp_path / "a.tar.gz"
    (tmp_path / ".a.tar.gz.part").write_bytes(b"left")
    said = together(lambda report: download(f"{url}/", target, hashlib.md5(content).hexdigest(), report))
    assert sum(any("downloading" in stage for stage in stages) for stages in said) == 1
    assert target.read_bytes() == content
    assert list(tmp_path.iterdir()) == [target]


def test_missing_data_is_one_line_with_three_ways_on(tmp_path, monkeypatch):
    monkeypatch.setitem(OFFICIAL_URL, "train", "http://127.0.0.1:9/files/38022171")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DataError) as error:
        fetch(tmp_path / "mistyped", silent)
    assert not list(tmp_path.iterdir())
    text = str(error.value)
    assert "\n" not in text
    for part in (
        f"looked for {tmp_path / 'mistyped' / 'DVSGesture' / 'ibmGestureTrain'} and .tar.gz",
        "Connection refused",
        "place ibmGestureTrain.tar.gz from http://127.0.0.1:9/files/38022171 there",
        "--data DIR",
        "dvsgesture-synthetic",
    ):
        assert part in text


# What lies there may be partial, foreign or damaged.


def test_a_part_is_read_and_noted(tmp_path):
    lay(tmp_path, generated, {"train": 3, "test": 264}, archives=False)
    fetch(tmp_path, silent)
    assert source(tmp_path, "train").notes == [
        "ibmGestureTrain is partial: it holds 3 recordings; the official archive holds 1077"
    ]
    assert source(tmp_path, "test").notes == []


def test_files_of_other_names_are_left_out_and_noted(copy):
    folder = copy / "DVSGesture" / "ibmGestureTrain"
    written(folder / "0.npy", columns(np.random.default_rng(0)))
    (folder / "other").mkdir()
    written(folder / "other" / "0.npy", columns(np.random.default_rng(0)))
    (folder / "user01_led" / "._0.npy").write_bytes(b"not an array")
    (folder / "readme.txt").write_text("text")
    found = source(copy, "train")
    assert len(found) == ENOUGH
    assert any("3 files are not named userNN_LIGHT/LABEL.npy" in note for note in found.notes)


def test_labels_counted_from_one_are_refused(copy):
    folder = copy / "DVSGesture" / "ibmGestureTrain" / "user01_led"
    (folder / "0.npy").rename(folder / "11.npy")
    with pytest.raises(DataError, match=r"user01_led/11\.npy: label 11; files are named 0\.npy to 10\.npy"):
        source(copy, "train")


def test_generated_recordings_in_this_layout_are_known_as_synthetic(copy):
    (copy / "DVSGesture" / "SYNTHETIC").write_text("generated")
    found = source(copy, "train")
    assert found.synthetic
    assert found.notes == ["ibmGestureTrain holds synthetic recordings"]


@pytest.mark.parametrize("size", [50, 5000])
def test_the_fingerprint_follows_names_and_content_and_nothing_else(tmp_path, size):
    def content(split, number, label, path):
        np.save(path, columns(np.random.default_rng(number), size))

    def fingerprint():
        return source(tmp_path, "train").fingerprint

    lay(tmp_path, content, {"train": 12, "test": 1})
    folder, first = tmp_path / "DVSGesture" / "ibmGestureTrain", fingerprint()
    path = folder / "user01_fluorescent" / "7.npy"
    os.utime(path, (0, 0))
    assert fingerprint() == first
    array = np.load(path)
    for row in (0, -1):
        changed = array.copy()
        changed[row, 0] = (changed[row, 0] + 1) % 128
        written(path, changed)
        assert fingerprint() != first
    written(path, array)
    assert fingerprint() == first
    path.rename(folder / "user01_fluorescent_led" / "7.npy")
    assert fingerprint() != first


class Hostile:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def spoil(path, how):
    events = columns(np.random.default_rng(0), 100)
    if how == "truncated":
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-8])
    elif how == "empty":
        path.unlink()
        path.touch()
    elif how == "pickled":
        path.unlink()
        path.write_bytes(pickle.dumps(Hostile(path.with_name("executed"))))
    elif how == "objects":
        path.unlink()
        np.save(path, np.array([Hostile(path.with_name("executed"))], dtype=object), allow_pickle=True)
    elif how == "archive":
        path.unlink()
        with path.open("wb") as file:
            np.savez(file, events)
    elif how == "vast":
        path.unlink()
        header = str({"descr": "<f8", "fortran_order": False, "shape": (10**15, 4)}).encode().ljust(117) + b"\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    elif how == "folder":
        path.unlink()
        path.mkdir()
    elif how in ("columns", "text"):
        written(path, events[:, :3] if how == "columns" else events.astype(str))
    else:
        name, value = how
        events[50, "xypt".index(name)] = value
        written(path, events)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("truncated", "not a recording, or a truncated one"),
        ("empty", "not a recording, or a truncated one"),
        ("pickled", "not a recording, or a truncated one"),
        ("objects", "not a recording, or a truncated one"),
        ("vast", "not a recording, or a truncated one"),
        ("archive", "an archive of arrays, not a recording"),
        ("folder", "a folder, not a file"),
        ("columns", r"holds float64 \(100, 3\), not x, y, p, t"),
        ("text", r"holds <U32 \(100, 4\), not x, y, p, t"),
        (("x", 128), "an event has x = 128.0, which is not from 0 to 127"),
        (("y", -1), "an event has y = -1.0"),
        (("p", 2), "an event has p = 2.0, which is not from 0 to 1"),
        (("t", np.nan), "an event has t = nan"),
        (("t", 1_450_000), "an event has t = 1450000.0, .* ms; is it in another unit"),
    ],
)
def test_a_file_that_is_no_recording_is_named_in_one_line_and_never_executed(copy, how, message):
    path = copy / "DVSGesture" / "ibmGestureTrain" / "user01_lab" / "4.npy"
    spoil(path, how)
    found = source(copy, "train")
    index = next(index for index in range(len(found)) if found.path(index) == path)
    for attempt in (lambda: found[index], lambda: found.bulk(0, ENOUGH)):
        with pytest.raises(DataError, match=message) as error:
            attempt()
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)
    assert not path.with_name("executed").exists()


@given(
    st.integers(0, 300),
    st.sampled_from([np.float16, np.float32, np.float64, np.int16, np.uint16, ">f8"]),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_any_array_of_events_is_read_in_order_and_without_overflow(tmp_path_factory, count, dtype, fortran):
    random = np.random.default_rng(count)
    events = columns(random, count, 2000)[random.permutation(count)]
    events[:, 3] = np.floor(events[:, 3])
    path = tmp_path_factory.getbasetemp() / "one.npy"
    np.save(path, np.array(events, dtype=dtype, order="F" if fortran else "C"))
    found = read([path])
    # Half precision holds whole numbers up to 2,048, and sixteen bits no 100,000: times are scaled in a wide type.
    order = np.argsort(events[:, 3], kind="stable")
    for place, name in enumerate("xyp"):
        np.testing.assert_array_equal(getattr(found, name), events[order, place])
    np.testing.assert_array_equal(found.t, events[order, 3] * 1000)


def test_more_files_than_a_process_may_open_are_read_at_once(tmp_path):
    path = tmp_path / "0.npy"
    np.save(path, columns(np.random.default_rng(0), 3))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        assert len(read([path] * 300).t) == 900
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_recording_without_events_is_a_recording(copy):
    written(copy / "DVSGesture" / "ibmGestureTrain" / "user01_fluorescent" / "0.npy", np.zeros((0, 4)))
    events, label = source(copy, "train")[0]
    assert (len(events), label) == (0, 0)


def test_an_edit_that_the_fingerprint_does_not_see_is_a_file_that_was_written_again(tmp_path):
    def content(split, number, label, path):
        np.save(path, columns(np.random.default_rng(number), 50))

    lay(tmp_path, content, {"train": 12, "test": 1})
    first = source(tmp_path, "train").modified
    assert source(tmp_path, "train").modified == first
    os.utime(tmp_path / "DVSGesture" / "ibmGestureTrain" / "user01_fluorescent" / "7.npy", (0, 0))
    assert source(tmp_path, "train").modified != first


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("ibmGestureTrain/user01_led/0.npy", 96 << 20, "unpacks to far more than recordings do"),
        ("anything", 96 << 20, "unpacks to far more than recordings do"),
        ("anything", 3 << 30, "holds more, or larger files, than recordings"),
    ],
)
def test_what_an_archive_may_unpack_to_is_bounded(tmp_path, monkeypatch, name, size, message):
    monkeypatch.setattr("harness_dvsgesture.archives._UNCHECKED", 1 << 20)
    archive, target = tmp_path / "ibmGestureTrain.tar.gz", tmp_path / "ibmGestureTrain"
    with gzip.open(archive, "wb") as packed:
        info = tarfile.TarInfo(name)
        info.size = size
        packed.write(info.tobuf())
        packed.write(bytes(min(size, 8 << 20)))
    with pytest.raises(DataError, match=message):
        unpack(archive, target, silent)
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_a_pipe_in_the_place_of_an_archive_or_a_recording_is_one_line_and_no_wait(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="pipe: a named pipe, not a file"):
        unpack(pipe, tmp_path / "ibmGestureTrain", silent)
    with pytest.raises(DataError, match="pipe: a named pipe, not a file"):
        read([pipe])
