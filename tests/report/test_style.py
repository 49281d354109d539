"""The one look: other libraries' remarks do not reach the user, and warnings that say something do."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import warnings

import pytest

from harness.report.style import save, styled

DRAWING = """
import sys
from pathlib import Path
from harness.report.style import save, styled
with styled():
    from matplotlib.figure import Figure
    figure = Figure()
    figure.subplots().set_title("\\u6570\\u5b57 \\u0645")
    save(figure, Path(sys.argv[1]), "drawn")
"""


def test_neither_a_home_that_cannot_be_written_nor_a_name_in_another_script_is_remarked_on(tmp_path):
    (tmp_path / "FILE").touch()
    kept = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR" and not name.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-c", DRAWING, str(tmp_path)],
        env={**kept, "HOME": str(tmp_path / "FILE" / "home"), "PYTHONWARNINGS": "always"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout + done.stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FILE", "drawn.png", "drawn.svg"]


def test_other_warnings_pass_and_filters_are_as_before(tmp_path):
    from matplotlib.figure import Figure

    before = list(warnings.filters)
    with styled():
        save(Figure(), tmp_path, "drawn")
        with pytest.warns(UserWarning, match="something else"):
            warnings.warn("something else", UserWarning, stacklevel=1)
    assert warnings.filters == before


def test_a_figure_that_does_not_fit_leaves_no_half(tmp_path):
    from matplotlib.figure import Figure

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with styled():
        figure = Figure()
        figure.subplots().plot([1, 2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                save(figure, tmp_path, "drawn")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
