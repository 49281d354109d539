"""SHD: the bulk reader against tonic's, and every way in which the data can be wrong."""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import h5py
import harness_shd
import numpy as np
import pytest
from harness_shd.files import fetch, find
from harness_shd.source import source
from harness_synthetic.files import write_shd

from harness.errors import DataError


def silent(stage, done, total):
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """Generated recordings in SHD's own layout."""
    folder = tmp_path_factory.mktemp("shd")
    write_shd(folder, train=40, test=20, seed=3, noise=0.2)
    return folder


@pytest.fixture
def copy(layout, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(layout, folder)
    return folder


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory):
    """The real recordings, unpacked where tests may write, with the archives that tonic wants beside them."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "SHD").mkdir()
    for archive in (real_data / "heidelberg-spikes" / "SHD").glob("*.zip"):
        shutil.copy(archive, folder / "SHD")
    fetch(folder, silent)
    return folder


def against_tonic(root, split, count):
    import tonic

    ours, theirs = source(root, split), tonic.datasets.SHD(str(root), train=split == "train")
    assert len(ours) == len(theirs)
    bulk = ours.bulk(0, count)
    for index in range(count):
        events, label = theirs[index]
        mine, own_label = ours[index]
        assert own_label == label
        for name in ("t", "x", "p"):
            np.testing.assert_array_equal(mine[name], events[name])
        part = slice(bulk.offsets[index], bulk.offsets[index + 1])
        np.testing.assert_array_equal(bulk.t[part], events["t"])
        np.testing.assert_array_equal(bulk.x[part], events["x"])
    assert ours.groups == [str(speaker) for speaker in theirs.speaker]


def test_both_readers_equal_tonics_on_generated_files(copy):
    for split, count in (("train", 40), ("test", 20)):
        (copy / "SHD" / f"shd_{split}.h5.zip").touch()  # tonic asks for the archive beside the data
        against_tonic(copy, split, count)


def test_both_readers_equal_tonics_on_every_real_recording(real):
    against_tonic(real, "train", 1000)
    against_tonic(real, "test", 300)


def test_real_recordings_are_noted_as_unofficial(real):
    notes = source(real, "train").notes
    assert any("not the official archive" in note for note in notes)
    assert any("holds 1000 recordings; the official file holds 8156" in note for note in notes)


def test_generated_files_are_known_as_synthetic(layout):
    found = source(layout, "test")
    assert found.synthetic
    assert set(found.groups) == {"4", "5"}
    assert not set(found.groups) & set(source(layout, "train").groups)


def test_the_fingerprint_follows_the_events(layout, copy):
    assert source(layout, "train").fingerprint == source(copy, "train").fingerprint
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        units = file["spikes/units"][0]
        units[0] = (units[0] + 1) % 700
        file["spikes/units"][0] = units
    assert source(layout, "train").fingerprint != source(copy, "train").fingerprint


def test_the_fingerprint_follows_the_readers_code(layout, tmp_path, monkeypatch):
    """Frames that were read by other code are not found again."""
    monkeypatch.syspath_prepend(tmp_path)
    prints = {}
    for name, added in (("same_reader", ""), ("other_reader", "\n_ANOTHER = True\n")):
        shutil.copytree(Path(harness_shd.__file__).parent, tmp_path / name)
        with (tmp_path / name / "source.py").open("a") as file:
            file.write(added)
        prints[name] = importlib.import_module(f"{name}.source").source(layout, "train").fingerprint
    for module in [module for module in sys.modules if module.partition(".")[0] in prints]:
        del sys.modules[module]
    assert prints["same_reader"] == source(layout, "train").fingerprint
    assert prints["other_reader"] != source(layout, "train").fingerprint


def zipped(folder):
    for path in list((folder / "SHD").glob("*.h5")):
        with zipfile.ZipFile(f"{path}.zip", "w") as archive:
            archive.write(path, path.name)
        path.unlink()


def test_archives_are_unpacked_beside_themselves(copy):
    zipped(copy)
    fetch(copy, silent)
    assert find(copy, "train") == copy / "SHD" / "shd_train.h5"
    assert len(source(copy, "train")) == 40


@pytest.mark.parametrize("how", ["mode", "error"])
def test_archives_in_a_folder_that_cannot_be_written_are_unpacked_to_the_cache(copy, places, monkeypatch, how):
    zipped(copy)
    if how == "mode":
        (copy / "SHD").chmod(0o555)
    else:
        opened = Path.open

        def refused(path, mode="r", *arguments, **named):
            # The tests may run as root, whom no permission stops.
            if "w" in mode and path.parent == copy / "SHD":
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, mode, *arguments, **named)

        monkeypatch.setattr(Path, "open", refused)
    fetch(copy, silent)
    (copy / "SHD").chmod(0o755)
    assert (places / "cache") in find(copy, "train").parents
    assert len(source(copy, "test")) == 20


@pytest.mark.skipif(os.environ.get("HTTPS_PROXY") is not None, reason="a proxy may answer for the download")
def test_missing_data_is_one_line_with_three_ways_on(tmp_path, monkeypatch):
    def refused(*arguments, **named):
        raise OSError("no network here")

    monkeypatch.setattr("urllib.request.urlopen", refused)
    with pytest.raises(DataError) as error:
        fetch(tmp_path / "mistyped", silent)
    assert not list(tmp_path.iterdir())
    text = str(error.value)
    assert "\n" not in text
    for part in (
        str(tmp_path / "mistyped" / "SHD" / "shd_train.h5"),
        "place the archive",
        "--data DIR",
        "shd-synthetic",
        "no network",
    ):
        assert part in text


def test_what_is_missing_is_downloaded_whole_into_its_folder(copy, tmp_path, monkeypatch):
    from tonic.datasets import SHD

    zipped(copy)
    served = functools.partial(Quiet, directory=str(copy / "SHD"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(SHD, "base_url", f"http://127.0.0.1:{server.server_port}/")
        for split in ("train", "test"):
            found = hashlib.md5((copy / "SHD" / f"shd_{split}.h5.zip").read_bytes()).hexdigest()
            monkeypatch.setattr(SHD, f"{split}_md5", found)
        fetch(tmp_path / "new", silent)
        server.shutdown()
    names = [f"shd_{split}.h5{end}" for split in ("test", "train") for end in ("", ".zip")]
    assert sorted(path.name for path in (tmp_path / "new" / "SHD").iterdir()) == names
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["SHD"]
    assert len(source(tmp_path / "new", "train")) == 40


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder."""

    def log_message(self, *arguments):
        """Say nothing."""


def test_nothing_is_downloaded_into_a_folder_that_nobody_may_write(tmp_path):
    (tmp_path / "data").mkdir(mode=0o555)
    with pytest.raises(DataError, match=r"could not be downloaded \(nobody may write below "):
        fetch(tmp_path / "data", silent)
    assert not list((tmp_path / "data").iterdir())


def test_where_not_even_the_cache_can_be_written_is_one_line(copy, places, monkeypatch):
    zipped(copy)
    (copy / "SHD").chmod(0o555)
    (places / "FILE").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(places / "FILE"))
    with pytest.raises(DataError, match=r"cannot be unpacked to .*: Not a directory; name a folder with HARN"):
        fetch(copy, silent)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_truncated_archive_is_named_and_leaves_nothing(copy, places, keep, sealed):
    zipped(copy)
    archive = copy / "SHD" / "shd_train.h5.zip"
    archive.write_bytes(archive.read_bytes()[:keep])
    if sealed:
        archive.parent.chmod(0o555)
    with pytest.raises(DataError, match=r"shd_train\.h5\.zip: damaged .*fetch it again"):
        fetch(copy, silent)
    assert sorted(path.name for path in archive.parent.iterdir()) == ["shd_test.h5.zip", "shd_train.h5.zip"]
    assert not list(places.glob("cache/*"))


def test_a_foreign_archive_is_named(copy):
    zipped(copy)
    with zipfile.ZipFile(copy / "SHD" / "shd_train.h5.zip", "w") as archive:
        archive.writestr("other.txt", "x")
    with pytest.raises(DataError, match=r"holds no shd_train\.h5"):
        fetch(copy, silent)


@pytest.mark.parametrize("keep", [0, 2000, 0.5])
def test_a_truncated_file_is_named(copy, keep):
    path = copy / "SHD" / "shd_train.h5"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(DataError, match=r"shd_train\.h5: not an SHD file, or a truncated one"):
        source(copy, "train")


@pytest.mark.parametrize("name", ["spikes/times", "spikes/units", "labels", "extra/speaker"])
def test_a_file_without_a_part_is_named(copy, name):
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        del file[name]
    with pytest.raises(DataError, match="not an SHD file"):
        source(copy, "train")


def test_parts_that_differ_in_number_are_named(copy):
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        labels = file["labels"][:-1]
        del file["labels"]
        file["labels"] = labels
    with pytest.raises(DataError, match=r"differ in number: \[39, 40\]"):
        source(copy, "train")


def test_a_recording_with_more_times_than_units_is_named(copy):
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        file["spikes/times"][7] = file["spikes/times"][7][:-1]
    with pytest.raises(DataError, match="more times than units, or fewer"):
        source(copy, "train").bulk(0, 10)


def test_an_edit_that_the_fingerprint_does_not_see_is_a_file_that_was_written_again(copy):
    path = copy / "SHD" / "shd_train.h5"
    first = source(copy, "train").modified
    assert source(copy, "train").modified == first
    os.utime(path, ns=(0, 0))
    assert source(copy, "train").modified != first


# What HDF5 refuses, and why.


def test_a_file_that_another_process_writes_is_not_called_damaged(copy):
    path = copy / "SHD" / "shd_train.h5"
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import h5py; file = h5py.File({str(path)!r}, 'r+'); print('open', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout.readline() == "open\n"
    try:
        with pytest.raises(DataError) as raised:
            source(copy, "train")
    finally:
        writer.communicate("\n")
    text = str(raised.value)
    assert text.startswith(f"{path}: another process has it open for writing; ")
    assert "fetch it again" not in text
    assert len(source(copy, "train")) == 40


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "[Errno 13] Unable to open file (error message = 'Permission denied')"), "Permission denied"),
        (IsADirectoryError(21, "Unable to open file (Is a directory)"), "Is a directory"),
        (OSError(24, "Unable to open file"), "Too many open files"),
        (OSError(37, "Unable to open file (unable to lock file, errno = 37)"), "set HDF5_USE_FILE_LOCKING=FALSE"),
        (OSError("Unable to open file (file is already open for write (may use <h5clear file> to clear file "
                 "consistency flags))"), "clear its flags with h5clear"),
    ],
)  # fmt: skip
def test_what_the_system_refuses_is_said_and_nothing_is_to_be_fetched_again(copy, monkeypatch, error, message):
    def refused(*arguments):
        raise error

    monkeypatch.setattr("h5py.File", refused)
    with pytest.raises(DataError) as raised:
        source(copy, "train")
    assert message in str(raised.value)
    assert "fetch it again" not in str(raised.value)
    assert "\n" not in str(raised.value)


# Times and units that are something else.


def rewritten(folder, change, times="f2", units="u2"):
    """The training file with (times, units) of every recording changed, and stored as these types."""
    with h5py.File(folder / "SHD" / "shd_train.h5", "r+") as file:
        pairs = [
            change(np.asarray(t, dtype="f8"), u)
            for t, u in zip(file["spikes/times"], file["spikes/units"], strict=True)
        ]
        for place, (name, kind) in enumerate((("times", times), ("units", units))):
            del file[f"spikes/{name}"]
            made = file.create_dataset(f"spikes/{name}", (len(pairs),), h5py.vlen_dtype(np.dtype(kind)))
            for index, pair in enumerate(pairs):
                made[index] = pair[place].astype(kind)


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_seconds_of_any_float_are_read(copy, layout, kind):
    rewritten(copy, lambda t, u: (t, u), times=kind, units="i8")
    ours, theirs = source(copy, "train").bulk(0, 40), source(layout, "train").bulk(0, 40)
    np.testing.assert_array_equal(ours.t, theirs.t)
    np.testing.assert_array_equal(ours.x, theirs.x)


@pytest.mark.parametrize(
    ("change", "kinds", "message"),
    [
        (lambda t, u: (t * 1e3, u), ("f4", "u2"), r"recording 0 has a spike at \d+.* s; .* are times in ms or µs"),
        (lambda t, u: (t * 1e6, u), ("f8", "u2"), r"recording 0 has a spike at .* s; .* are times in ms or µs"),
        (lambda t, u: (t * 1e9, u), ("f2", "u2"), r"has a spike at inf s"),
        (lambda t, u: (t * np.nan, u), ("f2", "u2"), r"has a spike at nan s"),
        (lambda t, u: (t * 1e3, u), ("i4", "u2"), "spikes/times holds int32, and SHD's times are seconds"),
        (lambda t, u: (u, t), ("u2", "f2"), "times holds uint16 and spikes/units float16: they are swapped"),
        (lambda t, u: (u, t), ("f4", "f4"), "spikes/units holds float32, .* are they swapped with times"),
        (lambda t, u: (u, t), ("f2", "u2"), r"has a spike at \d+ s; .* swapped with units"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_times_in_another_unit_or_in_the_place_of_units_are_refused(copy, change, kinds, message):
    rewritten(copy, change, *kinds)
    with pytest.raises(DataError, match=message) as raised:
        source(copy, "train").bulk(0, 40)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("labels", [np.zeros(40, "f4"), np.zeros((40, 20), "u1"), np.array([b"one"] * 40)])
def test_labels_of_another_kind_are_refused(copy, labels):
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        del file["labels"]
        file["labels"] = labels
    with pytest.raises(
        DataError,
        match=r"h5: labels (are .*, not a whole number a recording|is uint8 .*, not a list with an entry per)",
    ):
        source(copy, "train")


def test_spikes_that_are_no_lists_are_refused(copy):
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        del file["spikes/times"]
        file["spikes/times"] = np.zeros((40, 100))
    with pytest.raises(DataError, match=r"spikes/times is float64 \(40, 100\), not a list with an entry per recording"):
        source(copy, "train")


def test_an_encrypted_archive_is_one_line(copy):
    zipped(copy)
    archive = copy / "SHD" / "shd_train.h5.zip"
    content = bytearray(archive.read_bytes())
    # The flag of encryption, in the local header and in the central directory.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"shd_train\.h5\.zip: cannot be unpacked \(.*encrypted.*unpack it by hand"):
        fetch(copy, silent)


def _external(file, outside):
    file["labels"] = h5py.ExternalLink(str(outside), "labels")


def _soft(file, outside):
    file["elsewhere"] = h5py.ExternalLink(str(outside), "/")
    file["labels"] = h5py.SoftLink("/elsewhere/labels")


def _virtual(file, outside):
    layout = h5py.VirtualLayout(shape=(40,), dtype="i8")
    layout[:] = h5py.VirtualSource(str(outside), "labels", shape=(40,))
    file.create_virtual_dataset("labels", layout)


def _stored_outside(file, outside):
    file.create_dataset("labels", shape=(40,), dtype="i8", external=[(str(outside), 0, h5py.h5f.UNLIMITED)])


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (_external, r"labels is a link to '.*outside\.h5', which is not followed"),
        (_soft, "labels is a link to '/elsewhere/labels', which is not followed"),
        (_virtual, "labels is a virtual dataset, which is not followed"),
        (_stored_outside, "labels is stored in other files, which is not followed"),
    ],
)
def test_nothing_is_read_from_files_that_an_hdf5_file_points_to(copy, tmp_path, link, message):
    outside = tmp_path / "outside.h5"
    shutil.copy(copy / "SHD" / "shd_train.h5", outside)
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        del file["labels"]
        link(file, outside)
    with pytest.raises(DataError, match=message) as error:
        source(copy, "train")
    assert "\n" not in str(error.value)


def test_a_group_behind_a_link_is_not_entered(copy, tmp_path):
    outside = tmp_path / "outside.h5"
    shutil.copy(copy / "SHD" / "shd_train.h5", outside)
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        del file["spikes"]
        file["spikes"] = h5py.ExternalLink(str(outside), "spikes")
    with pytest.raises(DataError, match="spikes is a link to"):
        source(copy, "train")


def test_a_header_that_promises_more_recordings_than_there_can_be_takes_no_memory(copy):
    with h5py.File(copy / "SHD" / "shd_train.h5", "r+") as file:
        del file["labels"]
        file.create_dataset("labels", shape=(10**12,), dtype="i8", chunks=(1024,))
    with pytest.raises(DataError, match=r"labels is int64 \(1000000000000,\), not a list with an entry per recording"):
        source(copy, "train")


def test_a_pipe_in_the_place_of_data_is_one_line_and_no_wait(copy):
    (copy / "SHD" / "shd_train.h5").unlink()
    os.mkfifo(copy / "SHD" / "shd_train.h5")
    with pytest.raises(DataError, match=r"shd_train\.h5: a named pipe, not a file"):
        source(copy, "train")


def _bomb(archive):
    archive.writestr("shd_train.h5", bytes(64 << 20), compress_type=zipfile.ZIP_DEFLATED)


def _link(archive):
    info = zipfile.ZipInfo("shd_train.h5")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, "/etc/passwd")


def _encrypted(archive):
    archive.writestr("shd_train.h5", b"secret")
    archive.infolist()[0].flag_bits |= 1


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (_bomb, "'shd_train.h5' would unpack to 67,108,864 bytes, far more than the official file"),
        (_link, "'shd_train.h5' is a link or a folder, not a file"),
        (_encrypted, "cannot be unpacked .*encrypted"),
    ],
)
def test_what_an_archive_may_unpack_to_is_bounded(copy, fill, message):
    zipped(copy)
    archive = copy / "SHD" / "shd_train.h5.zip"
    with zipfile.ZipFile(archive, "w") as made:
        fill(made)
    with pytest.raises(DataError, match=message):
        fetch(copy, silent)
    assert not (copy / "SHD" / "shd_train.h5").exists()
