"""Notebooks: a line of Python gives what a command shows, and the page about it says what happens."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_runs import EVIL, good, hostile, made_run, timings

import harness
from harness.errors import UsageError
from harness.notebook.display import Display

ROOT = Path(__file__).resolve().parent.parent
TAUS = {"neuron.tau_syn": 10, "neuron.tau_mem": 20}


def test_the_page_about_notebooks_says_what_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RESULTS", "CACHE", "DATA"):
        monkeypatch.setenv(f"HARNESS_{name}", str(tmp_path / name.lower()))
    done = doctest.testfile(
        str(ROOT / "docs" / "notebooks.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert done.attempted > 20
    assert not done.failed


def test_neurons_give_a_row_a_configuration_and_one_a_step():
    shown = harness.neurons(["iaf", "alif"], TAUS, backend=["definition", "sinabs"], steps=50, dt=2)
    assert list(shown.frame["neuron"]) == ["iaf", "iaf", "alif", "alif"]
    assert set(shown.frame["differing_steps"]) == {0}
    steps = shown.frames["steps"]
    assert len(steps) == 4 * 50
    counted = steps.groupby(["neuron", "backend"], sort=False)["output"].sum()
    assert list(counted) == list(shown.frame["spikes"])
    assert steps.loc[steps["neuron"] == "iaf", "b"].isna().all()
    assert steps.loc[steps["neuron"] == "alif", "b"].notna().all()
    assert set(np.diff(steps["time_ms"][:50])) == {2.0}


def test_what_is_silent_says_what_to_try():
    shown = harness.neurons("lif", steps=10, weight=0)
    assert "no neuron fired" in shown.notes[0]
    assert shown.frame["first"].isna().all()


def test_surrogates_take_one_width_or_several():
    shown = harness.surrogates("tanh", width=[0.25, 0.5])
    assert list(shown.frame["width"]) == [0.25, 0.5]
    points = shown.frames["points"]
    assert list(points.groupby("width")["derivative"].max()) == pytest.approx(list(shown.frame["peak"]))
    assert len(harness.surrogates("tanh", width=1).frame) == 1


def test_a_run_on_disk_gives_its_figures_and_trials(tmp_path):
    run = made_run(tmp_path, good(), timings=timings(*good()[::3]))
    shown = harness.figures("2026", results=tmp_path)
    accuracy = shown.frame.query("figure == 'accuracy' and split == 'test'")
    assert list(accuracy["mean"]) == pytest.approx([0.52, 0.4133333])
    assert len(shown.frames["trials"]) == 6
    assert set(harness.figures(run.path, phase="timing").frame["phase"]) == {"timing"}
    written = shown.save(tmp_path / "saved")
    assert {path.name for path in written} >= {"figures.csv", "trials.csv", "toy-learning-curves.png"}


def test_a_data_frame_of_a_run_stands_for_it(tmp_path):
    run = made_run(tmp_path, good())
    frame = harness.load(run.path)
    assert len(harness.figures(frame).frames["trials"]) == len(frame)
    with pytest.raises(UsageError, match="does not say which run"):
        harness.figures(type(frame)())


def test_a_cell_shows_text_of_strangers_as_text(tmp_path):
    run = made_run(tmp_path, hostile(EVIL))
    shown = harness.figures(run.path)
    page = shown._repr_html_()
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "data:image/png;base64," in page


def test_figures_are_drawn_at_the_first_look_and_show_themselves():
    def draw():
        from matplotlib.figure import Figure

        drawn.append("drawn")
        yield "a<b>", Figure()

    drawn = []
    shown = Display("t", None, {"rows": harness.neurons("iaf", steps=5).frame}, draw)
    assert repr(shown) == "<Display of t: rows 1 x 7>"
    assert drawn == []
    figure = shown.figures["a<b>"]
    assert figure._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"
    assert 'alt="a&lt;b&gt;"' in shown._repr_html_()
    assert drawn == ["drawn"]


def test_neither_pyplot_nor_the_users_settings_are_touched():
    code = (
        "import matplotlib, harness\n"
        "matplotlib.rcParams['font.size'] = 33\n"
        "before = matplotlib.rcParams.copy()\n"
        "shown = harness.surrogates('tanh')\n"
        "page = shown._repr_html_()\n"
        "import sys\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "matplotlib.rcParams['font.size'] = 7\n"
        "assert harness.surrogates('tanh')._repr_html_() == page\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda folder: harness.neurons("lfi"), "did you mean 'lif'"),
        (lambda folder: harness.neurons(["lif"], {"lif.tau_mem": [2, -1]}), "lif.tau_mem: -1"),
        (lambda folder: harness.neurons(input="fused"), "not a dataset"),
        (lambda folder: harness.neurons(steps=0), "steps 0"),
        (lambda folder: harness.neurons(rate=1.5), "rate 1.5"),
        (lambda folder: harness.neurons(seed=-1), "seed -1"),
        (lambda folder: harness.neurons(weight=float("inf")), "weight inf"),
        (lambda folder: harness.neurons(backend="lif"), "not a backend"),
        (lambda folder: harness.surrogates("tahn"), "did you mean 'tanh'"),
        (lambda folder: harness.surrogates(width=[1, float("nan")]), "width nan"),
        (lambda folder: harness.surrogates(width=[1, 2, 3, 4, 5]), "5 widths"),
        (lambda folder: harness.inspect("lif"), "not a dataset"),
        (lambda folder: harness.figures("nothing", results=folder), "no run 'nothing'"),
        (lambda folder: harness.figures(made_run(folder, good()).path, phase="befor"), "did you mean 'before'"),
        (lambda folder: harness.surrogates("tanh").save(folder / "file"), "cannot be written"),
    ],
)
def test_mistakes_are_one_line(tmp_path, ask, message):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UsageError, match=message) as raised:
        ask(tmp_path)
    assert "\n" not in str(raised.value)
