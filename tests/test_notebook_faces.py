"""Notebooks: a line of Python gives what a command shows, and the page about it says what happens."""

from __future__ import annotations

import doctest
import html
import inspect
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made_baselines import baseline, configuration
from made_records import record
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
    assert set(shown.figures) >= {"toy-learning-curves", "toy-accuracy-against-cost"}


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


def words(shown):
    """What a cell shows, without figures, as a reader sees it."""
    return html.unescape(re.sub(r"<[^>]*>", "|", re.sub(r"<img[^>]*>", "", shown._repr_html_())))


def drawing_nothing(shown):
    return Display(shown.title, shown.data, shown.frames, notes=shown.notes, shown=shown.shown, write=shown.write)


GESTURES = {"dvsgesture-synthetic.train": 22, "dvsgesture-synthetic.test": 11, "dvsgesture-synthetic.duration": 1100}


@pytest.fixture(scope="module")
def camera():
    """One recording a split of an event camera, two encodings, and everything but figures."""
    return drawing_nothing(
        harness.inspect("dvsgesture-synthetic", GESTURES, limit=1, what_if={"dt": [50]}, recordings=np.int64(0))
    )


def test_a_cell_shows_what_inspect_prints_with_every_table_above_what_explains_it(camera):
    text = words(camera)
    expected = [
        "dvsgesture-synthetic (synthetic)",
        "128 x 128 pixels, 2 polarities (train=22",
        "encoding: 100 ms bins",
        "limited to 1 recordings a split",
        "|1 of 22|",
        "* least / median / most",
        "groups in both train and test: ",
        "recordings of each class",
        "|arm-roll|",
        "what if (both splits)",
        "|as inspected (dt=100 ms)|",
        "|dt=50 ms|",
        "shown: train recording 0",
    ]
    places = [text.index(part) for part in expected]
    assert places == sorted(places)
    classes = camera.frames["classes"]
    assert (len(classes), classes["train"].sum(), classes["test"].sum()) == (11, 1, 1)


def test_saving_what_an_event_camera_saw_gives_a_gif_and_a_player_too(camera, tmp_path):
    written = {path.name: path for path in camera.save(tmp_path)}
    assert set(written) >= {"splits.csv", "classes.csv", "encodings.csv", "events.gif", "player.html"}
    assert written["events.gif"].read_bytes()[:6] == b"GIF89a"
    assert all(path.stat().st_size > 0 for path in written.values())


def test_a_cell_shows_a_comparison_as_the_command_prints_it(tmp_path):
    paths = [tmp_path / f"{name}.json" for name in ("first", "second")]
    for path in paths:
        path.write_text(baseline(configuration([[1, 0, 1]]), name=path.stem).to_text())
    shown = harness.compare(str(paths[0]), paths[1])
    text = words(shown)
    parts = ["second against first", "|configuration|", "|toy lif|", "= same [1]", "[1] identical", "compared: second"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "detectable" not in text  # a column of the frame
    assert "detectable" in shown.frame


def test_an_interrupt_stores_what_finished_and_ends_the_loop_around_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background shell has it ignored
        "import harness\n"
        "small = {'shd-synthetic.train': 40, 'shd-synthetic.test': 20, 'mlp.hidden': [[8]]}\n"
        "for epochs in (1, 2):\n"
        "    harness.run('shd-synthetic,iaf', small, seeds=30, jobs=1, epochs=epochs, quiet=True, timing=False, plots=False)\n"
        "    print('went on')\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("results/2*/trials/*.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no trial has ended"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode not in (0, 2)
    assert "went on" not in out
    named = re.search(
        r"KeyboardInterrupt: harness.run was interrupted; what had finished is stored: harness.load\('(.*)'\)", error
    )
    statuses = harness.load(named[1])["status"].value_counts()
    assert statuses["ok"] >= 1
    assert statuses["interrupted"] >= 1


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


def test_neither_pyplot_nor_the_users_settings_are_touched(tmp_path):
    run = made_run(tmp_path, [record("iaf"), record("lif")])
    code = (
        "import matplotlib, harness\n"
        "matplotlib.rcParams['font.size'] = 33\n"
        "before = matplotlib.rcParams.copy()\n"
        f"page = harness.figures({str(run.path)!r})._repr_html_()\n"
        "assert 'data:image/png' in page\n"
        "import sys\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "matplotlib.rcParams['font.size'] = 7\n"
        f"assert harness.figures({str(run.path)!r})._repr_html_() == page\n"
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
        (
            lambda folder: harness.surrogates("tanh").save(folder / "file"),
            "file: cannot be written: it is no folder; name",
        ),
        (lambda folder: harness.neurons("lif", {"lif.tau_mem": []}), "lif.tau_mem: no value is named"),
        (lambda folder: harness.run("shd-synthetic,lif", {"lif.tau_mem": []}), "lif.tau_mem: no value is named"),
        (lambda folder: harness.run("shd-synthetic,lif", {"lif.tau_mem": np.ones(0)}), "lif.tau_mem: no value"),
        (lambda folder: harness.inspect("shd-synthetic", {"encoding.dt": []}), "encoding.dt: no value is named"),
        (lambda folder: harness.run([]), "plugins: nothing to run"),
        (lambda folder: harness.run(toml(folder, "seeds = 2")), "plugins: nothing to run"),
        (lambda folder: harness.run("shd-synthetic,lif", epoch=1), "no such argument .did you mean 'epochs'"),
        (lambda folder: harness.neurons(rate=0.5, input="constant"), "rate: concerns random input alone"),
        (lambda folder: harness.load(folder / "nothing"), "no run"),
        (lambda folder: harness.inspect("shd-synthetic", recording=3), "^recording: .* .did you mean 'recordings'"),
        (
            lambda folder: harness.inspect("shd-synthetic", output="x"),
            r"^output: .*what is returned has save\(folder\)",
        ),
        (lambda folder: harness.inspect("shd-synthetic", no_plots=True), "^no_plots: .*when somebody looks"),
        (
            lambda folder: harness.inspect(),
            "^harness.inspect: missing a required argument: 'dataset'; it has: dataset,",
        ),
        (lambda folder: harness.inspect("shd-synthetic", {}, 3), "^harness.inspect: too many positional arguments"),
        (lambda folder: harness.surrogates(widths=1), "^widths: .*did you mean 'width'"),
        (lambda folder: harness.neurons(weights=3), "^weights: .*did you mean 'weight'"),
        (lambda folder: harness.compare("a"), "^harness.compare: missing a required argument: 'second'"),
        (lambda folder: harness.compare("a", "b", figure="accuracy"), "^figure: .*did you mean 'figures'"),
        (lambda folder: harness.figures("latest", phases="before"), "^phases: .*did you mean 'phase'"),
        (lambda folder: harness.load("latest", result=folder), "^result: .*did you mean 'results'"),
        (lambda folder: harness.run(), "^harness.run: missing a required argument: 'plugins'"),
        (lambda folder: harness.neurons("lif", {"lif": {"tau_mem": 5}}), r'^settings: .*write \{"lif.tau_mem": 5\}$'),
        (
            lambda folder: harness.run("shd-synthetic,lif", {"lif": {"tau_mem": [5, 6]}}),
            r'\{"lif.tau_mem": \[5, 6\]\}$',
        ),
        (lambda folder: harness.neurons("lif", {"lif": {"a\nb": 5}}), r'write \{"lif.PARAMETER": VALUE\}$'),
        (lambda folder: harness.neurons("lif", {"lif": {}}), r'write \{"lif.PARAMETER": VALUE\}$'),
        (
            lambda folder: harness.inspect("shd-synthetic", what_if={"encoding": {"dt": 5}}),
            r'^what_if: .*"encoding.dt": 5',
        ),
    ],
)
def test_mistakes_are_one_line(tmp_path, ask, message):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UsageError, match=message) as raised:
        ask(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("empty", [[], (), "", np.ones(0)], ids=["list", "tuple", "text", "array"])
def test_an_empty_list_does_not_silently_stand_for_everything(empty):
    for argument in ("names", "backend"):
        with pytest.raises(UsageError, match=f"^{argument}: none is named; name one, or leave {argument} out$"):
            harness.neurons(**{argument: empty})


@pytest.mark.parametrize(
    ("ask", "argument"),
    [
        (lambda: harness.surrogates(width=[]), "width"),
        (lambda: harness.surrogates([]), "names"),
        (lambda: harness.inspect("shd-synthetic", recordings=[]), "recordings"),
        (lambda: harness.inspect("shd-synthetic", classes=[]), "classes"),
        (lambda: harness.compare("a", "b", figures=[]), "figures"),
        (lambda: harness.figures(phase=[]), "phase"),
        (lambda: harness.figures([]), "runs"),
    ],
)
def test_every_list_that_may_be_left_out_is_refused_empty(ask, argument):
    with pytest.raises(UsageError, match=f"^{argument}: none is named"):
        ask()


def test_the_functions_keep_their_signatures_and_their_help():
    assert all(function.__doc__ for function in (harness.run, harness.load, harness.inspect, harness.neurons))
    assert list(inspect.signature(harness.load).parameters) == ["run", "results"]
    assert inspect.signature(harness.neurons).parameters["steps"].default == 200


def toml(folder, text):
    path = folder / "experiment.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (harness.neurons, {"train": "3", "steps": 10.5, "weight": "a", "seed": True, "settings": "lif.tau_mem=5"}),
        (
            harness.neurons,
            {"names": 3, "input": None, "rate": "a", "dt": [1], "split": 1, "recording": 0.5, "channel": "a"},
        ),
        (harness.neurons, {"backend": 3, "data": 3, "plugin_files": 3}),
        (harness.surrogates, {"width": [0.1, "a"], "names": {}, "neuron": 3}),
        (harness.inspect, {"limit": 2.5, "recordings": 1.5, "what_if": "dt=5", "classes": 3, "settings": []}),
        (harness.inspect, {"dataset": ["shd-synthetic"], "split": 3, "percentile": "a", "recipe": 3, "data": 3}),
        (harness.compare, {"first": 3, "figures": 3, "confidence": "a", "results": 3}),
        (harness.figures, {"phase": 3, "results": 3}),
        (harness.load, {"run": 3, "results": 3}),
        (
            harness.run,
            {"plugins": 5, "seeds": 2.5, "epochs": 1.5, "limit": "a", "recipe": 3, "quiet": 1, "settings": 3},
        ),
        (harness.run, {"threads": "2", "jobs": 0.5, "time_limit": "a", "results": 3, "gate": {}, "device": None}),
        (harness.run, {"report_inflation": "no", "plugin_files": 3, "timing": 0}),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(tmp_path, function, arguments):
    good = {
        harness.inspect: {"dataset": "shd-synthetic"},
        harness.compare: {"first": "a", "second": "b"},
        harness.run: {"plugins": "shd-synthetic,lif"},
    }.get(function, {})
    for name, value in arguments.items():
        with pytest.raises(UsageError, match=rf"^{name}: .* is (not|no) ") as raised:
            function(**{**good, name: value})
        assert "\n" not in str(raised.value)


def test_a_range_and_an_array_are_sweeps_as_a_list_is():
    for values in ([2, 3], range(2, 4), np.arange(2, 4), list(np.float32([2, 3]))):
        shown = harness.neurons("lif", {"lif.tau_mem": values}, steps=np.int64(5), weight=np.float32(1))
        assert list(shown.frame["neuron"].str.removesuffix(".0")) == ["lif tau_mem=2", "lif tau_mem=3"]
    small = {"shd-synthetic.train": np.int64(20), "shd-synthetic.test": 20}
    for what_if in ({"dt": (5, 20)}, {"encoding.dt": np.float32([5, 20])}):
        assert len(harness.inspect("shd-synthetic", small, what_if=what_if).frames["encodings"]) == 3


def test_seeds_and_numbers_may_be_numpy_s():
    with pytest.raises(UsageError, match=r"lif\.tau_mem: -1"):
        harness.run("shd-synthetic,lif", {"lif.tau_mem": -1}, seeds=np.arange(3), epochs=np.int64(1))
    assert list(harness.surrogates("tanh", width=np.float32([0.25, 0.5])).frame["width"]) == [0.25, 0.5]


def test_runs_may_stand_in_a_list(tmp_path):
    runs = [made_run(tmp_path, [record(name)], name) for name in ("iaf", "lif")]
    assert len(harness.figures([harness.load(runs[0].path), runs[1].path]).frames["trials"]) == 2


def test_what_is_saved_is_the_same_before_and_after_a_look(tmp_path):
    written = []
    shown = harness.surrogates("tanh")
    for name in ("before", "after"):
        written.append([path.read_bytes() for path in shown.save(tmp_path / name)])
        shown._repr_html_()
    assert written[0] == written[1]
