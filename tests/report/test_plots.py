"""Plots: what is drawn, the same bytes again, nothing where there is nothing."""

from __future__ import annotations

import pytest
from made_records import figure, record, seeds

from harness.comparison.summary import summarise
from harness.report.plots import run_figures, write_plots
from harness.report.style import save, styled

GOOD = [
    *seeds("iaf", [0.50, 0.52, 0.54]),
    *seeds("lif", [0.40, 0.43, 0.41], data={"synthetic": True, "classes": ["a", "b", "c"]}),
]


def names(paths):
    return sorted(path.name for path in paths)


def test_every_figure_is_written_in_both_formats(tmp_path):
    paths = write_plots(GOOD, summarise(GOOD), tmp_path)
    assert names(paths) == sorted(
        f"toy-{name}.{kind}"
        for name in ("accuracy-against-cost", "learning-curves", "accuracy-by-class", "accuracy-confusion")
        for kind in ("svg", "png")
    )
    for path in paths:
        assert path.stat().st_size > 1000


def test_titles_say_dataset_version_and_that_it_is_synthetic(tmp_path):
    write_plots(GOOD, summarise(GOOD), tmp_path)
    for path in tmp_path.glob("*.svg"):
        assert "toy (synthetic) - snn-harness\u00a09.9" in path.read_text()
    text = (tmp_path / "toy-accuracy-against-cost.svg").read_text()
    for word in ("test accuracy (%)", "SynOps (operations/recording)", "iaf (n=3)", "lif (n=3)"):
        assert word in text


def test_the_same_records_give_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        write_plots(GOOD, summarise(GOOD), tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_datasets_have_figures_of_their_own():
    found = planned([record(dataset="one"), record(dataset="two")])
    assert {name.split("-")[0] for name in found} == {"one", "two"}


@pytest.mark.parametrize("records", [[], [record(status="failed")]])
def test_nothing_to_draw_is_no_file_and_no_error(tmp_path, records):
    assert write_plots(records, summarise(records), tmp_path) == []


def test_hostile_names_are_text(tmp_path):
    records = [record("$x_{<script>&", dataset="../$d")]
    paths = write_plots(records, summarise(records), tmp_path)
    assert all(path.parent == tmp_path for path in paths)
    for path in tmp_path.glob("*.svg"):
        assert "<script>" not in path.read_text()


def test_many_rows_are_drawn(tmp_path):
    records = [record("lif", values={"tau_mem": float(tau)}, test=0.3 + tau / 50) for tau in range(1, 13)]
    assert write_plots(records, summarise(records), tmp_path)


def test_classes_of_another_number_are_another_plot(tmp_path):
    other = record(values={"tau_mem": 3.0})
    other.data["classes"] = ["yes", "no"]
    other.outcome["metrics"][0]["arrays"] = {"per_class": [0.5, 1.0]}
    records = [record(), other]
    write_plots(records, summarise(records), tmp_path)
    for name, classes in (("toy-accuracy-by-class", "abc"), ("toy-accuracy-by-class-2", ("yes", "no"))):
        text = (tmp_path / f"{name}.svg").read_text()
        assert all(f">{item}<" in text for item in classes)


def test_untrained_trials_have_no_curves():
    untrained = record()
    untrained.outcome["curves"] = {}
    assert "toy-learning-curves" in planned([record()])
    assert "toy-learning-curves" not in planned([untrained])


# -- what metrics hand over -------------------------------------------------------------------------------------------


def curve(x, y, **labels):
    return {"x": x, "y": y, "x_title": "time", "x_unit": "ms", "y_title": "accuracy", "y_unit": "fraction", **labels}


def histogram(counts, edges=(0.0, 0.1, 0.2, 0.3), **labels):
    titles = {"title": "firing rate", "unit": "spikes/step", "what": "neurons"}
    return {"edges": list(edges), "counts": list(counts), **titles, **labels}


def with_figure(one, name, role="detail", **more):
    one.outcome["metrics"].append(figure(name, 1.0, role, **more))
    return one


def drawn(tmp_path, records, timings=None):
    """The text of every SVG by its name, without those that each run has: only what is asked for takes time."""
    usual = ("accuracy-against-cost", "learning-curves", "accuracy-by-class", "accuracy-confusion")
    with styled():
        for name, made in run_figures(records, summarise(records, timings), timings):
            if not name.endswith(usual):
                save(made, tmp_path, name)
    return {path.stem: path.read_text() for path in tmp_path.glob("*.svg")}


def planned(records):
    """The names of all that there is to draw."""
    with styled():
        return [name for name, _ in run_figures(records, summarise(records))]


def lines(monkeypatch):
    """What every line, band and outline is drawn from, by the method that draws it."""
    from matplotlib.axes import Axes

    seen = {"plot": [], "fill_between": [], "stairs": []}
    for name, calls in seen.items():
        real = getattr(Axes, name)

        def spy(axis, *given, real=real, calls=calls, **more):
            calls.append([list(item) if isinstance(item, (list, range)) else item for item in given])
            return real(axis, *given, **more)

        monkeypatch.setattr(Axes, name, spy)
    return seen


def test_curves_of_a_figure_stand_beside_each_other_with_units(tmp_path):
    records = [
        with_figure(record(neuron), "under_noise", title="under noise", curves={
            "accuracy": curve([0.0, 0.5], [0.6, None], x_title="events dropped", x_unit="fraction"),
            "synops": curve([0.0, 0.5], [9.0, 5.0], y_title="SynOps", y_unit="operations"),
        })
        for neuron in ("iaf", "lif")
    ]  # fmt: skip
    found = drawn(tmp_path, records)
    assert list(found) == ["toy-under-noise"]
    for word in (
        "events dropped (%)",
        "accuracy (%)",
        "SynOps (operations)",
        "time (ms)",
        "iaf (n=1)",
        ">under noise<",
    ):
        assert word in found["toy-under-noise"]
    assert (tmp_path / "toy-under-noise.png").exists()


def test_seeds_that_share_x_are_a_mean_with_the_range_as_band_and_a_gap_where_one_has_no_value(tmp_path, monkeypatch):
    given = ([0.2, 0.4, 0.5], [0.4, None, 0.7])
    records = [
        with_figure(one, "any", title="any", curves={"c": curve([1, 2, 3], y)})
        for one, y in zip(seeds("lif", [0.5, 0.6]), given, strict=True)
    ]
    seen = lines(monkeypatch)
    assert "bands: range over seeds" in drawn(tmp_path, records)["toy-any"]
    (mean,) = [y for x, y in (call for call in seen["plot"] if len(call) == 2) if x == [1, 2, 3]]
    assert mean == pytest.approx([30, float("nan"), 60], nan_ok=True)
    (band,) = [call for call in seen["fill_between"] if call[0] == [1, 2, 3]]
    assert band[1] == pytest.approx([20, float("nan"), 50], nan_ok=True)
    assert band[2] == pytest.approx([40, float("nan"), 70], nan_ok=True)


def test_seeds_of_different_x_have_a_line_each_and_one_name(tmp_path):
    records = [
        with_figure(one, "any", title="any", curves={"c": curve([1, 2 + one.seed], [0.1, 0.2])})
        for one in seeds("lif", [0.5, 0.6])
    ]
    text = drawn(tmp_path, records)["toy-any"]
    assert "one line a seed" in text
    assert text.count("lif (n=2)") == 1


def test_curves_of_one_name_and_different_units_share_no_panel(tmp_path):
    records = [
        with_figure(record("iaf"), "any", curves={"c": curve([1, 2], [0.1, 0.2])}),
        with_figure(record("lif"), "any", curves={"c": curve([1, 2], [3, 4], y_title="loss", y_unit="nat")}),
    ]
    text = drawn(tmp_path, records)["toy-any"]
    assert "accuracy (%)" in text
    assert "loss (nat)" in text


def test_curves_come_from_the_timing_phase_too_but_not_from_other_splits_or_phases(tmp_path):
    curves = {"c": curve([1, 2], [0.1, 0.2])}
    one = with_figure(with_figure(record(), "a", split="train", curves=curves), "b", phase="before", curves=curves)
    timed = figure("batch_latency", 1.0, "detail", phase="timing", title="latency", curves=curves)
    timings = {"rounds": 1, "threads": 1, "rows": {one.row: {"metrics": [timed]}}}
    assert list(drawn(tmp_path, [one], timings)) == ["toy-batch-latency"]


def test_histograms_show_shares_of_all_with_seeds_added_up(tmp_path, monkeypatch):
    records = [
        with_figure(one, "rates", title="firing rate", histograms={
            "all": histogram([one.seed, 1, 2]), "layer_1": histogram([0, 0, 4]),
        })
        for one in seeds("lif", [0.5, 0.6])
    ]  # fmt: skip
    seen = lines(monkeypatch)
    text = drawn(tmp_path, records)["toy-rates"]
    for word in ("neurons (%)", "firing rate (spikes/step)", ">all<", ">layer_1<", "lif (n=2)"):
        assert word in text
    assert [call[0] for call in seen["stairs"]] == [pytest.approx([100 / 7, 200 / 7, 400 / 7]), [0, 0, 100]]


def test_uneven_bins_are_equally_wide_with_their_edges_written_below(tmp_path, monkeypatch):
    one = with_figure(record(), "rates", histograms={
        "all": histogram([1, 1, 1], [0, 0.001, 0.01, 1], unit="fraction", title="share"),
    })  # fmt: skip
    seen = lines(monkeypatch)
    text = drawn(tmp_path, [one])["toy-rates"]
    assert seen["stairs"][0][1] == [0, 1, 2, 3]
    for word in (">0.1<", ">1<", ">100<", "share (%)"):
        assert word in text


def test_the_ends_of_an_axis_that_nothing_reaches_are_left_out_alike_in_all_panels(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    limits = []
    real = Axes.set_xlim
    monkeypatch.setattr(
        Axes, "set_xlim", lambda axis, *given, **more: limits.append(given) or real(axis, *given, **more)
    )
    even = [number / 10 for number in range(11)]
    one = with_figure(record(), "rates", histograms={
        "all": histogram([1, 1] + [0] * 8, even), "layer": histogram([0, 0, 0, 5] + [0] * 6, even),
    })  # fmt: skip
    drawn(tmp_path, [one])
    assert [given for given in limits if len(given) == 2 and given[1] < 1] == [pytest.approx((-0.016, 0.416))] * 2


def test_many_panels_go_on_below(tmp_path):
    one = with_figure(record(), "rates", histograms={f"layer {number}": histogram([1, 2, 3]) for number in range(6)})
    text = drawn(tmp_path, [one])["toy-rates"]
    assert all(f">layer {number}<" in text for number in range(6))
    assert text.count(">neurons (%)<") == 2


def test_plots_whose_names_come_to_the_same_letters_all_stay():
    both = {"curves": {"c": curve([1, 2], [0.1, 0.2])}, "histograms": {"h": histogram([1, 2, 3])}}
    one = with_figure(with_figure(record(), "a_b", **both), "a b", curves=both["curves"])
    one = with_figure(one, "learning_curves", curves=both["curves"])
    found = planned([one])
    assert len(found) == len(set(found))
    assert {name.removeprefix("toy-") for name in found} >= {
        "a-b",
        "a-b-2",
        "a-b-histogram",
        "learning-curves",
        "learning-curves-2",
    }


def test_what_cannot_be_drawn_is_left_out(tmp_path):
    one = with_figure(
        record(), "any",
        curves={"short": curve([1, 2], [0.1]), "empty": curve([], [])},
        histograms={"none": histogram([0, 0, 0]), "short": histogram([1])},
    )  # fmt: skip
    gap = with_figure(record("iaf"), "gap", curves={"c": curve([1, 2], [None, None])})
    assert "toy-any" not in drawn(tmp_path, [one, gap])


def test_drawings_are_the_same_bytes_again_and_hostile_text_is_text(tmp_path):
    hostile = "$x_{<script>&[red]|"
    more = {
        "curves": {hostile: curve([1, 2], [0.1, 0.2], x_title=hostile, y_title=hostile, y_unit=hostile)},
        "histograms": {hostile: histogram([1, 2, 3], title=hostile, what=hostile), "all": histogram([1, 2, 3])},
    }
    records = [with_figure(one, f"../{hostile}", title=hostile, **more) for one in seeds("lif", [0.5, 0.6])]
    for folder in ("a", "b"):
        drawn(tmp_path / folder, records)
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {"toy-x-script-red.svg", "toy-x-script-red-histogram.png"} <= set(names(written))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
        assert path.suffix == ".png" or "<script>" not in path.read_text()
    assert len(written) == 2 * len(list((tmp_path / "a").iterdir()))


def test_drawings_that_are_none_are_left_out():
    one = record()
    curves = {
        "bare": {"x": [0, 1], "y": [1, "two"]},
        "odd": "text",
        "short": {"x": [0], "y": []},
        "huge": {"x": [1e300], "y": [1]},
    }
    bins = {"none": {"edges": [0, 1], "counts": [None]}, "words": {"edges": "ab", "counts": [1]}}
    one.outcome["metrics"] += [figure("drawn", 1.0, curves=curves), figure("counted", 1.0, histograms=bins)]
    written = planned([one])
    assert "toy-drawn" in written
    assert not any("counted" in name for name in written)
