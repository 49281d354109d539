"""Places that every test may use: no test touches the user's own cache or results, none reaches the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before test modules are imported, and for the processes that they start: a user's own wishes decide no test.
for name in ("FORCE_COLOR", "HARNESS_PLUGINS"):
    os.environ.pop(name, None)
# How fast a busy machine draws examples says nothing of the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Data, cache and results below the test's own folder."""
    for name in ("DATA", "CACHE", "RESULTS"):
        monkeypatch.setenv(f"HARNESS_{name}", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture(scope="session")
def real_data():
    """The folder of real recordings, or a skip that says why."""
    folder = Path(os.environ.get("HARNESS_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real recordings: {folder} is absent (set HARNESS_TEST_DATA)")
    return folder
