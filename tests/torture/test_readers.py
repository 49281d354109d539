"""Some hundreds of damaged files through every reader; more of them with ``tox -e torture``."""

from __future__ import annotations

import pytest

from .command import scale
from .readers import torture_readers, torture_reuse


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_files_are_one_line_or_a_sound_value(tmp_path, seed):
    count = scale(5000, 300)
    report = torture_readers(tmp_path, count, seed)
    print(report)
    assert report.faults == []
    assert report.inputs == count
    assert report.refused > count // 2


def test_no_flipped_bit_is_reused(tmp_path):
    count = scale(5000, 300)
    report = torture_reuse(tmp_path, count)
    print(report)
    assert report.faults == []
    assert report.refused == count
