"""Some hundreds of damaged files through every reader; more of them with ``tox -e torture``."""

from __future__ import annotations

import pytest

from .readers import torture_readers, torture_reuse


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_files_are_one_line_or_a_sound_value(tmp_path, seed):
    report = torture_readers(tmp_path, 400, seed)
    assert report.faults == []
    assert report.inputs == 400
    assert report.refused > 200


def test_no_flipped_bit_is_reused(tmp_path):
    report = torture_reuse(tmp_path, 400)
    assert report.faults == []
    assert report.refused == 400
