"""Figures of an inspection: what they show, that they are files of few and always the same bytes, and that odd data are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_inspections import channels, events, inspection, vision

from harness import Encoding
from harness.events.fields import bulk_of
from harness.report.event_images import in_cells, over_time, painted, pooled, summed
from harness.report.inspection_plots import (
    inspection_figures,
    plot_balance,
    plot_frames,
    plot_rasters,
    plot_sizes,
    plot_times,
    plot_what_if,
    write_inspection,
)
from harness.report.inspection_titles import used_ms
from harness.report.style import save, styled

EVIL = "<script>alert(1)</script> $x_1$ [b]\x1b[31m\n&amp;"
COMPARED = (
    ("as inspected (dt=10 ms)", Encoding(dt=10, crop=300, factor=5)),
    ("dt=5 ms", Encoding(dt=5, crop=300, factor=5)),
    ("dt=100 ms, factor=1", Encoding(dt=100, crop=300)),
)


def drawn(found):
    """Every figure by name, laid out: warnings are errors."""
    with styled():
        figures = dict(inspection_figures(found))
        for figure in figures.values():
            figure.draw_without_rendering()
    return figures


def words(figure):
    """All that is written in a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def images(figure):
    return [image.get_array() for axis in figure.axes for image in axis.get_images()]


def lines_at(axis):
    """Where upright lines stand, by their names."""
    return {line.get_label(): line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1}


def test_the_same_inspection_gives_the_same_files(tmp_path):
    found = vision(compared=[("a$_b$ <c>", Encoding(dt=50, slice=200, factor=2))], limit=4)
    found = replace(found, classes=(EVIL, "clap", "roll"), shown=found.shown[:1])
    first, second = write_inspection(found, tmp_path / "a"), write_inspection(found, tmp_path / "b")
    names = ("rasters", "times", "sizes", "balance", "frames", "what-if")
    assert [path.name for path in first] == [f"{name}.{kind}" for name in names for kind in ("svg", "png")]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    for path in first[::2]:
        assert b"<script" not in path.read_bytes()
        assert "made (synthetic), limited to 4 recordings a split" in path.read_text()
    assert "a$_b$ &lt;c&gt;" in first[-2].read_text()


def test_vector_files_of_many_events_stay_small(tmp_path):
    size = (128, 128, 2)
    recordings = [events(seed, 300_000, 6_000_000, size) for seed in range(4)]
    found = inspection(
        {"train": (recordings, [0, 1, 2, 3], None)}, size, "abcd", Encoding(dt=100, slice=1000, factor=2),
        shown=[("train", place) for place in range(4)],
    )  # fmt: skip
    with styled():
        vector, _ = save(plot_rasters(found), tmp_path, "rasters")
    assert vector.stat().st_size < 500_000


def test_every_figure_of_channels_says_what_it_shows():
    found = channels(compared=COMPARED)
    figures = drawn(found)
    for name, said in {
        "rasters": ("left\ntrain 0, speaker-2, 150 events", "channel", "time (ms)", "dashed: crop at 300 ms"),
        "times": ("events (% of the split a ms)", "events still to come (%)", "train (2,930 events)", "crop 300 ms"),
        "sizes": ("events a recording", "duration, to the last event (ms)", "recordings (% of the split)"),
        "balance": ("left", "speaker-10", "in every split", "2 of 4 in every split"),
        "frames": ("events a bin", "channel of the frames", "10 ms bins"),
        "what-if": ("dt=100 ms, factor=1", "3 steps x 70 channels", "events kept (%)", "bars: both splits"),
    }.items():
        for text in said:
            assert text in words(figures[name]), name


def test_times_of_splits_are_shares_with_their_percentiles():
    found = channels()
    density, later = plot_times(found).axes
    at = lines_at(density)
    for split, held in found.splits.items():
        times = held.times
        assert at[f"{split}: 99 % at {times.percentile_ms:.0f} ms"] == times.percentile_ms
        assert at[f"{split}: t_max {times.t_max_ms:.0f} ms"] == times.t_max_ms
    assert at["crop 300 ms"] == 300
    for drawn_of in density.patches:
        values, edges, _ = drawn_of.get_data()
        assert (values * np.diff(edges)).sum() == pytest.approx(100)
    held = found.splits["train"].times
    curve = next(line for line in later.lines if len(line.get_xdata()) > 2)
    place = list(curve.get_xdata()).index(300.0)
    assert curve.get_ydata()[place] == pytest.approx(100 * held.counts[300:].sum() / held.counts.sum())


def test_sizes_are_shares_of_each_split():
    found = channels()
    alike = {
        name: replace(held, durations_ms=np.full(len(held.labels), 1450.0) - np.arange(len(held.labels)) / 100)
        for name, held in found.splits.items()
    }
    for shown in (found, replace(found, splits=alike)):
        figure = plot_sizes(shown)
        for axis in figure.axes:
            shares = [patch.get_data().values.sum() for patch in axis.patches]
            assert shares == pytest.approx([100.0] * 4)  # an outline and its filling, of two splits
            numbers = axis.xaxis.get_major_formatter().format_ticks(axis.get_xticks())
            assert len(set(numbers)) == len(numbers)
    assert "crop 300 ms, before all last events" in words(figure)
    assert "crop 300 ms" not in lines_at(figure.axes[1])


def test_bars_count_recordings_of_classes_and_of_speakers_in_the_order_of_their_numbers():
    figure = plot_balance(channels())
    by_class, by_speaker = figure.axes
    assert [bar.get_height() for bar in by_class.containers[0]] == [6, 6]
    assert [text.get_text() for text in by_speaker.get_xticklabels()] == [
        "speaker-2",
        "speaker-5",
        "speaker-6",
        "speaker-10",
    ]
    assert [bar.get_height() for bar in by_speaker.containers[0]] == [4, 4, 0, 4]
    assert [bar.get_height() for bar in by_speaker.containers[1]] == [2, 0, 2, 2]
    assert len(plot_balance(vision()).axes) == 1


def test_many_names_stay_apart():
    found = replace(channels(), classes=tuple(f"a class of some length {number}" for number in range(40)))
    with styled():
        figure = plot_balance(found)
        figure.draw_without_rendering()
    labels = figure.axes[0].get_xticklabels()
    assert len(labels) == 40
    assert min(np.diff(sorted(label.get_window_extent().x1 for label in labels))) > 8
    found = replace(found, classes=tuple(f"{number}" for number in range(100)))
    assert len(plot_balance(found).axes[0].get_xticklabels()) == 34


def test_frames_are_drawn_as_they_are_on_one_scale():
    found = channels()
    figure = plot_frames(found)
    below = [axis for axis in figure.axes if "frames" in axis.get_ylabel() or axis.get_xlabel() == "time (ms)"]
    assert [np.asarray(axis.get_images()[0].get_array()).T.tolist() for axis in below] == [
        item.frames[0].tolist() for item in found.shown
    ]
    assert len({axis.get_images()[0].norm.vmax for axis in below}) == 1


def test_bins_finer_than_dots_lose_no_event():
    size, encoding = (700, 1, 1), Encoding(dt=0.1, crop=700)
    recording = events(1, 500, 650_000, size)
    found = inspection(
        {"train": ([recording], [0], None)}, size, ("a",), encoding, shown=[("train", 0)],
        compared=[("dt=0.1 ms", encoding), ("dt=100 ms", Encoding(dt=100, crop=700, factor=5))],
    )  # fmt: skip
    said = "a dot: the largest of 24 steps x 3 channels"
    for figure in (plot_frames(found), plot_what_if(found)):
        assert words(figure).count(said) == 1
        image = next(image for axis in figure.axes for image in axis.get_images() if image.get_array().ndim == 2)
        dots = np.zeros((234, 292), bool)
        dots[recording["x"] // 3, recording["t"] // 2400] = True
        np.testing.assert_array_equal(np.asarray(image.get_array()) > 0, dots)
        assert image.axes.get_xlim() == (0, 700)
        assert image.axes.get_ylim() == (0, 700)


def test_large_sensors_are_drawn_with_all_their_events():
    size, encoding = (640, 480, 2), Encoding(dt=100, crop=200)
    made = events(1, 40, 190_000, size)
    found = inspection({"train": ([made], [0], None)}, size, ("a",), encoding, shown=[("train", 0)])
    figure = plot_frames(found)
    assert "a pixel: the largest of 4 x 4" in words(figure)
    inked = [(image < 255).any(axis=2).sum() for image in images(figure) if image.shape == (120, 160, 3)]
    first = made[made["t"] < 100_000]
    assert inked[0] == len({(x // 4, y // 4) for x, y in zip(first["x"], first["y"], strict=True)})


def test_a_camera_s_frames_are_a_picture_a_step():
    found = vision()
    figure = plot_frames(found)
    assert len([image for image in images(figure) if image.shape == (12, 16, 3)]) == 2 * 2 * 4
    for said in ("wave\ntrain 0\nsample 2 of 2", "150-200 ms", "ON events a bin", "no whole sample"):
        assert said in words(figure)
    first_is_short = replace(found, shown=(found.shown[2], found.shown[0]))
    assert "150-200 ms" in words(plot_frames(first_is_short))


def test_a_slice_is_used_to_its_last_microsecond():
    found = replace(vision(), encoding=Encoding(dt=0.1, slice=0.1))
    made = bulk_of(events(0, 50, 300, (32, 24, 2)))
    made.t[-1] = 299
    assert used_ms(found, replace(found.shown[0], events=made)) is None
    made.t[-1] = 300
    assert used_ms(found, replace(found.shown[0], events=made)) == 0.3


def test_what_is_left_out_is_grey_from_where_the_encoding_stops():
    found = replace(vision(), encoding=Encoding(dt=50, crop=500, slice=200, factor=2))
    figure = plot_rasters(found)
    greys = [axis.patches[0].get_x() for axis in figure.axes if axis.patches]
    assert greys == [400, 400, 0] * 2  # x and y of two recordings; the third makes no sample
    assert "dashed: crop at 500 ms, grey: in no frame" in " ".join(words(figure).split())
    with_tonic = replace(vision(), encoding=Encoding(dt=50, slice=200, factor=2, tonic_window=50))
    assert not any(axis.patches for axis in plot_rasters(with_tonic).axes)


def test_what_lies_in_no_frame_is_grey_above_and_below_alike_and_lines_part_samples():
    found = channels()
    figure = plot_frames(replace(found, encoding=Encoding(dt=10, slice=150, crop=300, factor=5)))
    assert not any(axis.patches for axis in figure.axes)  # 300 ms are all that is shown
    assert "orange" not in words(figure)
    size, encoding = (70, 1, 1), Encoding(dt=10, slice=100, factor=5)
    made = [events(k, 100, 250_000 + 100_000 * k, size) for k in range(2)]
    found = inspection({"train": (made, [0, 1], None)}, size, "ab", encoding, compared=[("dt=10 ms", encoding)])
    figure = plot_frames(found)
    assert [axis.patches[0].get_x() for axis in figure.axes if axis.patches] == [200, 300] * 2
    assert "grey: in no frame; orange line: a sample ends" in words(figure)
    assert [sorted(line.get_xdata()[0] for line in axis.lines) for axis in figure.axes[2:4]] == [[100], [100, 200]]
    assert "orange line: a sample ends" in words(plot_what_if(found))
    cut = Encoding(dt=10, slice=300, factor=5)
    figure = plot_frames(inspection({"train": (made, [0, 1], None)}, size, "ab", cut))
    assert [axis.patches[0].get_x() for axis in figure.axes if axis.patches] == [0, 300, 0, 300]
    assert {axis.get_xlim() for axis in figure.axes[:4]} == {figure.axes[0].get_xlim()}
    assert "no whole sample" in words(figure)


def test_pictures_of_compared_encodings_are_of_the_same_times():
    size = (16, 12, 2)
    encodings = [Encoding(dt=dt, slice=slice) for dt, slice in ((100, 1000), (20, 1000), (500, 1000), (50, 400))]
    found = inspection(
        {"train": ([events(1, 2000, 1_200_000, size)], [0], None)}, size, ("a",), encodings[0], shown=[("train", 0)],
        compared=[(f"dt={item.dt:g} ms", item) for item in encodings],
    )  # fmt: skip
    figure = plot_what_if(found)
    axis = figure.axes[0]
    columns: dict[int, list[str]] = {}
    for text in axis.texts:
        if text.get_text().endswith(" ms") and "-" in text.get_text():
            columns.setdefault(round(text.get_position()[0]), []).append(text.get_text())
    assert [sorted(captions) for captions in columns.values()] == [
        ["0-100 ms", "0-20 ms", "0-50 ms", "0-500 ms"],
        ["200-220 ms", "200-250 ms", "200-300 ms"],
        ["400-420 ms", "400-500 ms"],
        ["500-1000 ms", "600-620 ms", "600-700 ms"],
        ["800-820 ms", "800-900 ms"],
    ]
    assert "the steps at every 200 ms, those between are not drawn" in words(figure)


def test_compared_encodings_share_a_scale_and_have_their_figures_as_bars():
    found = channels(compared=COMPARED)
    figure = plot_what_if(found)
    pictures = [axis for axis in figure.axes if axis.get_images()]
    assert [np.asarray(axis.get_images()[0].get_array()).shape for axis in pictures[:3]] == [
        (14, 30),
        (14, 60),
        (70, 3),
    ]
    bars = {axis.get_xlabel(): [bar.get_width() for bar in axis.patches] for axis in figure.axes if axis.containers}
    kept = found.compared[0].losses
    assert bars["events kept (%)"] == pytest.approx([100 * kept.kept / kept.events] * 3)
    for what, name, factor in (
        ("cells not 0 (%)", "density", 100),
        ("of these above 1 (%)", "share_several", 100),
        ("mean count of these", "mean", 1),
        ("size of a sample (kB)", "bytes_a_sample", 1e-3),
    ):
        assert bars[what] == pytest.approx([factor * getattr(item, name) for item in found.compared]), what
    with pytest.raises(ValueError, match="no encodings were compared"):
        plot_what_if(channels())
    assert "what-if" not in dict(inspection_figures(channels()))


def many_compared():
    encodings = [
        Encoding(dt=dt, slice=200, factor=2, polarity=kept) for dt in (50, 20, 200) for kept in ("keep", "merge")
    ]
    return vision(compared=[(f"dt={item.dt:g} ms, polarity={item.polarity}", item) for item in encodings])


def without_events():
    size, nothing = (70, 1, 1), [events(0, 0, 1, (70, 1, 1))] * 2
    return inspection(
        {"train": (nothing, [0, 1], None), "test": ([], [], None)},
        size,
        ("a", "b"),
        Encoding(dt=10),
        compared=[("dt=10 ms", Encoding(dt=10))],
    )


def odd():
    found = channels()
    train = found.splits["train"]
    unnamed = replace(found.splits["test"], groups=None)
    labels = np.where(train.labels == 0, 0, 7)  # a label that no class names
    shown = tuple(replace(item, label=7, group=EVIL) for item in found.shown)
    return replace(found, splits={"train": replace(train, labels=labels), "test": unnamed}, shown=shown)


def two_polarities_of_channels():
    size, encoding = (32, 1, 2), Encoding(dt=10, crop=200)
    made = [events(seed, 400, 300_000, size) for seed in range(2)]
    return inspection(
        {"train": (made, [0, 1], np.array(list("ab")))},
        size,
        ("a", "b"),
        encoding,
        shown=[("train", k) for k in range(2)],
        compared=[("dt=10 ms", encoding)],
    )


def no_whole_slice():
    size, encoding = (32, 24, 1), Encoding(dt=100, slice=1000)
    return inspection(
        {"train": ([events(0, 900, 400_000, size)] * 2, [0, 0], None)},
        size,
        ("only",),
        encoding,
        compared=[("slice=1000 ms", encoding)],
    )


@pytest.mark.parametrize("make", [many_compared, without_events, odd, two_polarities_of_channels, no_whole_slice])
def test_odd_data_are_drawn(make):
    figures = drawn(make())
    assert len(figures) == 6 or make is odd
    assert "nan" not in " ".join(map(words, figures.values()))


def test_nothing_shown_leaves_the_figures_of_splits():
    found = replace(channels(), shown=())
    assert [name for name, _ in inspection_figures(found)] == ["times", "sizes", "balance"]


SENSORS = st.tuples(st.integers(1, 300), st.integers(2, 300), st.integers(1, 2))


@settings(max_examples=40, deadline=None)
@given(SENSORS, st.integers(0, 200), st.integers(1, 140), st.integers(1, 50))
def test_no_event_is_lost_in_an_image(size, count, most, columns):
    bulk = bulk_of(events(1, count, 10_000, size))
    by_place = summed(bulk, size, most)
    assert by_place.sum() == count
    assert max(by_place.shape[1:]) <= most
    for along in ("x", "y"):
        by_time = over_time(bulk, size, along, 10_000, most, columns)
        assert by_time.sum() == count
        assert by_time.shape[0] == size[2]
        assert by_time.shape[2] == columns
    cells, (rows, wide) = in_cells(bulk, size, most)
    assert (np.bincount(cells // 2, minlength=rows * wide).reshape(rows, wide) == by_place.sum(axis=0)).all()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 9), st.integers(1, 9))
def test_a_dot_is_the_largest_of_the_cells_that_it_joins(rows, columns, tall, wide):
    counts = np.random.default_rng(0).integers(0, 9, (2, rows, columns))
    made = pooled(counts, (tall, wide))
    for row, column in np.ndindex(made.shape[1:]):
        block = counts[:, row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        assert made[:, row, column].tolist() == block.max(axis=(1, 2)).tolist()
    assert made.shape == (2, -(-rows // tall), -(-columns // wide))


@given(st.integers(1, 20), st.integers(1, 20), st.floats(1, 20))
def test_more_events_are_never_lighter(on, off, largest):
    pixels = np.array([[[0, 0, off, off]], [[0, on, 0, on]]])
    white, blue, orange, both = painted(pixels, largest, 0.2)[0].astype(int)
    assert white.tolist() == [255, 255, 255]
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    assert (both <= np.minimum(blue, orange)).all()
    assert (painted(pixels + 1, largest) <= painted(pixels, largest)).all()
