"""Recordings cut into slices, from the command line: what the table says, and what a comparison takes for independent."""

from __future__ import annotations

import json

import numpy as np
from small_job import UNTIMED


def test_slices_and_recordings_are_told_apart(fresh):
    done = fresh("run", "--plugins", "shd-synthetic,iaf,lif", "-o", "encoding.slice=200", *UNTIMED)
    assert done.returncode == 0, done.stderr
    (folder,) = fresh.runs()
    table = (folder / "table.md").read_text()
    for words in ("test accuracy (slices) ↑", "test accuracy by recording ↑", "every slice is one sample"):
        assert words in table
    assert "majority" not in table
    assert "accuracy by recording, majority" in (folder / "figures.md").read_text()
    path = next((folder / "trials").glob("*.json"))
    rows = json.loads(path.read_text())["outcome"]["metrics"]
    (row,) = [
        row for row in rows if (row["name"], row["phase"], row["split"]) == ("accuracy_by_recording", "after", "test")
    ]
    with np.load(path.with_suffix(".npz")) as stored:
        counts, labels, owners = (stored[f"test/{name}"] for name in ("counts", "labels", "recordings"))
    right = [counts[owners == owner].sum(0).argmax() == labels[owners == owner][0] for owner in np.unique(owners)]
    assert len(owners) > len(right)
    assert row["value"] == np.mean(right)
    compared = fresh("compare", "latest:iaf", "latest:lif").stdout
    assert f"{len(right)} recordings ({len(owners)} samples)" in " ".join(compared.split())
