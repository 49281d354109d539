"""Folders: what cannot be written is one line, and what is not used leaves nothing."""

from __future__ import annotations

import os
import re

import pytest

from harness.errors import UsageError
from harness.places import cache_folder, cache_named, check_writable, kept_if_used, kernels_environment, sealed


def test_a_folder_is_made_and_tried_and_nothing_of_that_stays_in_it(tmp_path):
    check_writable(tmp_path / "a" / "b", "--cache")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize(
    ("place", "why"), [("FILE", "it is no folder"), ("FILE/x", "Not a directory"), ("x" * 300, "File name too long")]
)
def test_what_cannot_be_written_is_one_line(tmp_path, place, why):
    (tmp_path / "FILE").touch()
    wanted = f"{tmp_path / place}: cannot be written: {why}; name a folder with --cache"
    with pytest.raises(UsageError, match=f"^{re.escape(wanted)}$"):
        check_writable(tmp_path / place, "--cache")


def interrupted():
    raise KeyboardInterrupt


def test_folders_stay_only_with_something_in_them(tmp_path):
    (tmp_path / "mine").mkdir()
    with kept_if_used(tmp_path / "mine" / "b" / "c"):
        assert (tmp_path / "mine" / "b" / "c").is_dir()
    assert list((tmp_path / "mine").iterdir()) == []
    for folder in (tmp_path / "mine", tmp_path / "other"):
        with pytest.raises(KeyboardInterrupt), kept_if_used(folder):
            interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with kept_if_used(tmp_path / "a" / "b" / "c"):
        (tmp_path / "a" / "file").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_what_nobody_may_write_is_sealed_with_all_that_would_be_below(tmp_path):
    (tmp_path / "data").mkdir(mode=0o555)
    assert sealed(tmp_path / "data")
    assert sealed(tmp_path / "data" / "below" / "it")
    assert not sealed(tmp_path / "other")


@pytest.mark.parametrize("before", [None, "before"])
def test_the_cache_is_named_inside_alone(tmp_path, monkeypatch, before):
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    if before:
        monkeypatch.setenv("HARNESS_CACHE", before)
    with cache_named(tmp_path / "other"):
        assert cache_folder() == tmp_path / "other"
    with pytest.raises(KeyboardInterrupt), cache_named(tmp_path / "other"):
        interrupted()
    with cache_named(None):
        assert os.environ.get("HARNESS_CACHE") == before


def test_kernels_go_to_the_cache_where_their_source_lies_in_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    nowhere = tmp_path / "nowhere"
    assert kernels_environment(tmp_path / "cache", beside=nowhere) == {"NUMBA_CACHE_DIR": f"{tmp_path}/cache/kernels"}
    assert kernels_environment(tmp_path / "cache", beside=tmp_path) == {}
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    assert kernels_environment(tmp_path / "cache", beside=nowhere) == {}
