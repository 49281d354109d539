"""Figures of neurons and surrogates: the same data give the same bytes, and names are text."""

from dataclasses import replace

from harness.derivatives import surrogates
from harness.dynamics import Dynamics, neuron_dynamics, random_train
from harness.registry import Registry
from harness.report.dynamics_plots import plot_dynamics, write_dynamics
from harness.report.style import styled
from harness.report.surrogate_plots import write_surrogates


def test_the_same_neurons_give_the_same_files(tmp_path):
    shown = neuron_dynamics(Registry.discover(), random_train(0.3, 40, 1, 0.5), ["lif"])
    odd = Dynamics(stimulus=shown.stimulus, traces=tuple(replace(item, label="a$_b$ [c]") for item in shown.traces))
    first, second = write_dynamics(odd, tmp_path / "a"), write_dynamics(odd, tmp_path / "b")
    assert [path.name for path in first] == ["neurons.svg", "neurons.png", "raster.svg", "raster.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    text = first[0].read_text()
    assert "a$_b$ [c]" in text
    assert "time step" in text


def test_a_backend_without_states_is_named_by_its_output(tmp_path):
    shown = neuron_dynamics(Registry.discover(), random_train(0.3, 40, 1, 0.5, dt_ms=2.0), ["lif"])
    bare = Dynamics(stimulus=shown.stimulus, traces=(replace(shown.traces[0], states={}, backend="other"),))
    text = write_dynamics(bare, tmp_path)[0].read_text()
    assert "other (output alone)" in text
    assert "time (ms)" in text
    assert "membrane" not in text


def test_many_configurations_stand_in_lines_of_four():
    shown = neuron_dynamics(Registry.discover(), random_train(0.3, 40, 1, 0.5), ["lif"], {"lif.tau_mem": range(1, 7)})
    with styled():
        figure = plot_dynamics(shown)
    places = {axis.get_title(): axis.get_subplotspec() for axis in figure.axes if axis.get_title()}
    assert [place.colspan.start for place in places.values()] == [0, 1, 2, 3, 0, 1]
    assert len({place.rowspan.start for place in places.values()}) == 2


def test_several_spikes_a_step_are_as_high_as_their_count(tmp_path):
    shown = neuron_dynamics(Registry.discover(), random_train(0.3, 40, 1, 9.0), ["lif"], {"lif.spikes": ["multi"]})
    most = shown.traces[0].spikes.max()
    assert most > 1
    with styled():
        axis = plot_dynamics(shown).axes[0]
    assert axis.get_ylabel() == "spikes"
    assert max(segment[1][1] for segment in axis.collections[0].get_segments()) == most


def test_surrogates_are_drawn_with_their_widths(tmp_path):
    shown = surrogates(Registry.discover(), ["tanh", "boxcar"], [0.25, 0.5])
    text = write_surrogates(shown, tmp_path)[0].read_text()
    assert all(word in text for word in ("tanh", "boxcar", "smooth function", "width 0.25", "width 0.5"))
