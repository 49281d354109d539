"""The conformance kit: what is sound passes, and each fault is found by the check that is there for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import strategies as st
from torch import nn

from harness import Registry
from harness.cli.main import main
from harness.errors import DataError
from harness.events.prepare import prepare
from harness.testing import SUITES, BackendSuite, DatasetSuite, MetricSuite, NetworkSuite, run
from harness.testing.rules import decided_by_rounding, reach, spikes_differ, values_differ

PLUGIN = Path(__file__).with_name("faulty.py")


@pytest.fixture(scope="module")
def registry():
    return Registry.discover(files=[PLUGIN])


def failures(registry, kind, name, examples):
    suite = kind()
    suite.name, suite.registry, suite.examples = name, registry, examples
    return {outcome.check: outcome for outcome in run(suite) if outcome.status == "failed"}


def test_the_definition_as_a_backend_passes_every_check(registry):
    assert failures(registry, BackendSuite, "exact", 40) == {}


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("leaking", "test_a_call_leaves_nothing_behind"),
        ("early", "test_spikes_are_the_definitions"),
        ("steep", "test_gradients_are_the_definitions"),
        ("overwriting", "test_a_call_leaves_nothing_behind"),
        ("training", "test_training_and_evaluation_compute_the_same"),
        ("mixing", "test_recordings_do_not_touch_each_other"),
        ("forgetful", "test_a_stream_in_pieces_is_one_pass"),
        ("once", "test_a_second_derivative_is_right_or_an_error"),
        ("apart", "test_a_deep_copy_is_apart"),
        ("unmoved", "test_state_dict_goes_round"),
    ],
)
def test_a_fault_is_found(registry, name, check):
    suite = BackendSuite()
    suite.name, suite.registry, suite.examples = name, registry, 60
    with pytest.raises(AssertionError) as raised:
        getattr(suite, check)()
    assert any(note.startswith("on ") for note in raised.value.__notes__)


def test_a_metric_that_needs_states_is_shown_them(registry):
    assert failures(registry, MetricSuite, "potential", 10) == {}


def test_a_metric_that_reads_what_it_did_not_ask_for_is_found(registry):
    found = failures(registry, MetricSuite, "greedy", 5)
    assert "a metric that needs 'layers' sees it" in found["test_figures_say_what_they_are"].detail


def test_a_metric_that_depends_on_batches_is_found(registry):
    found = failures(registry, MetricSuite, "batch-mean", 10)
    assert "test_batches_of_any_size_and_order_give_the_same_figures" in found


# What the kit finds of a dataset and what a run refuses or warns of, in the same words.


@pytest.fixture(scope="module")
def faulty_data():
    return Registry.discover(files=[Path(__file__).parent / "faulty_data.py"])


def prepared(registry, name, folder):
    """What a run notes of a dataset, or refuses it for."""
    made = registry.find(name).component
    try:
        summary = prepare(
            made,
            made.choose(),
            made.encodings["default"],
            data=folder,
            cache=folder,
            limit=None,
            report=lambda *_: None,
        )
    except DataError as error:
        return str(error)
    return " ".join([*summary["notes"], *summary.get("warnings", ())])


def test_a_sound_dataset_passes_and_is_encoded_without_a_note(faulty_data, tmp_path):
    assert failures(faulty_data, DatasetSuite, "data-sound", 8) == {}
    assert prepared(faulty_data, "data-sound", tmp_path) == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seconds", "is not at a whole number of microseconds"),
        ("milliseconds", "half of its recordings lie within one bin of 10 ms"),
        ("late", "events lie after encoding.crop = 100 ms"),
        ("polarity", "rename polarity to p"),
        ("merged", "the sensor has one polarity, and events have p = 0 and p = 1"),
        ("fractions", "recording 7: an event at x = nan"),
        ("columns", "an array (100, 4) of float64 without fields"),
        ("text", "that of recording 0 is 'b'"),
        ("labels", "labels differ: 1, and its labels say 0"),
        ("readers", "the readers differ in t"),
    ],
)
def test_the_kit_and_a_run_find_the_same_faults_of_a_dataset(faulty_data, tmp_path, name, message):
    found = failures(faulty_data, DatasetSuite, f"data-{name}", 8)
    assert any(message in outcome.detail for outcome in found.values()), found
    said = prepared(faulty_data, f"data-{name}", tmp_path)
    others = {"readers": "source[index] and bulk() give other events", "labels": "come with another label than"}
    assert others.get(name, message) in said


def test_a_network_that_carries_state_is_found():
    class Carrying(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("before", torch.zeros(1))

        def forward(self, x):
            out = x.flatten(2)[..., :4] + self.before
            self.before = out.mean()[None]
            return out

    class Suite(NetworkSuite):
        def build(self, shape, choice=None, seed=0):
            return Carrying()

    with pytest.raises(AssertionError, match="goes on from what the one before it left in before"):
        Suite().test_no_state_is_carried()


def test_there_is_a_suite_for_every_kind_of_component():
    assert set(SUITES) == {entry.component.kind for entry in Registry.discover().components()}


def test_a_suite_says_when_it_is_given_another_kind():
    suite = BackendSuite()
    suite.name = "lif"
    outcomes = list(run(suite))
    assert {outcome.status for outcome in outcomes} == {"failed"}
    assert "lif is a neuron, and BackendSuite checks a backend" in outcomes[0].detail


def test_a_failure_names_the_smallest_example_and_is_the_same_every_time():
    suite = BackendSuite()
    said = []
    for _ in range(2):

        def check(number):
            assert number < 10, "too large"

        with pytest.raises(AssertionError, match="too large") as raised:
            suite.for_all(st.integers(0, 1000), check)
        said.append(raised.value.__notes__)
    assert said[0] == said[1]
    assert "on 10" in said[0]


def margins(distance, scale=1.0, slopes=1.0):
    shape = (1, 3, 2)
    values = {"spikes": distance, "scale": scale, "slopes": slopes}
    return {name: torch.full(shape, value, dtype=torch.float64) for name, value in values.items()}


def test_a_spike_may_differ_only_within_rounding_of_the_threshold():
    expected = torch.zeros(1, 3, 2, dtype=torch.float64)
    spikes = torch.zeros(1, 3, 2)
    spikes[0, 1, 0] = 1
    close = 0.5 * float(reach(margins(0.0)["scale"], torch.float32)[0, 1, 0])
    assert spikes_differ(spikes, expected, margins(close), feedback=False) is None
    assert "spikes differ beyond rounding, first at recording 0, step 1, neuron 0" in spikes_differ(
        spikes, expected, margins(0.1), feedback=False
    )
    assert "1 of 6 spikes differ" in spikes_differ(spikes, expected, None, feedback=False)
    assert spikes_differ(spikes[:, :2], expected, None, feedback=False) == "spikes have shape (1, 2, 2), not (1, 3, 2)"


def test_after_a_spike_that_rounding_moved_the_history_is_another():
    expected, spikes = torch.zeros(1, 3, 2, dtype=torch.float64), torch.zeros(1, 3, 2)
    spikes[0, 0, 0] = spikes[0, 2, 0] = 1
    close = margins(0.1)
    close["spikes"][0, 0, 0] = 0.0
    assert spikes_differ(spikes, expected, close, feedback=False) is None
    spikes[0, 2, 1] = 1
    assert "neuron 1" in spikes_differ(spikes, expected, close, feedback=False)
    assert spikes_differ(spikes, expected, close, feedback=True) is None


def test_gradients_beside_a_jump_are_not_compared():
    assert not decided_by_rounding(margins(0.1), torch.float32)
    assert decided_by_rounding(margins(1e-7), torch.float32)
    assert decided_by_rounding(margins(0.1, slopes=1e-7), torch.float32)
    assert not decided_by_rounding(margins(1e-7), torch.float64)


def test_values_are_compared_by_their_largest_or_the_definitions_own_error():
    expected = torch.tensor([1.0, 1e-3], dtype=torch.float64)
    assert values_differ(expected + 5e-6, expected, torch.float32) is None
    assert "off by 2e-05" in values_differ(expected + 2e-5, expected, torch.float32)
    assert values_differ(expected + 2e-5, expected, torch.float32, lambda: [expected, expected + 1e-5]) is None
    assert "off by" in values_differ(expected + 5e-6, expected, torch.float64)
    assert values_differ(expected[:1], expected, torch.float64) == "shape (1,), not (2,)"


def check_plugin(capsys, *arguments):
    code = main(["check-plugin", "-P", str(PLUGIN), *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_prints_a_table_and_passes(capsys):
    code, out, err = check_plugin(capsys, "mlp", "exact", "--examples", "5")
    assert code == 0, (out, err)
    assert "network mlp" in out
    assert "backend exact" in out
    assert "passed" in out
    assert "2 of 2 components conform" in out


def test_the_command_leaves_nothing_in_the_users_folder(tmp_path):
    """hypothesis keeps what it learns in ``.hypothesis`` of the working folder unless it is told otherwise."""
    environment = {name: value for name, value in os.environ.items() if name != "HYPOTHESIS_STORAGE_DIRECTORY"}
    done = subprocess.run(
        [sys.executable, "-m", "harness", "check-plugin", "mlp", "accuracy", "--examples", "2"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("cache", "results", "data")] == []


def test_the_command_fails_where_a_check_fails_and_says_on_what(capsys):
    code, out, _ = check_plugin(capsys, "early", "--examples", "20")
    assert code == 3
    assert "failed" in out
    assert "differ beyond rounding" in " ".join(out.split())
    assert "0 of 1 components conform" in out


@pytest.mark.parametrize(
    ("name", "reason"), [("absent", "it is not installed here"), ("shd", "SHD train data not found")]
)
def test_a_component_of_which_nothing_was_checked_fails(capsys, name, reason):
    code, out, _ = check_plugin(capsys, name)
    assert code == 3
    assert f"{name}: nothing was checked: {reason}" in " ".join(out.split())


def test_the_command_speaks_json(capsys):
    code, out, _ = check_plugin(capsys, "mlp", "--json")
    told = json.loads(out)
    assert code == 0
    assert told[0]["name"] == "mlp"
    assert {check["status"] for check in told[0]["checks"]} == {"passed"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["liff"], "nothing is named 'liff' (did you mean 'lif'"),
        ([], "Missing argument 'NAMES...'"),
        (["lif", "--examples", "0"], "0 is not in the range x>=1"),
    ],
)
def test_mistakes_are_one_line(capsys, arguments, message):
    code, _, err = check_plugin(capsys, *arguments)
    assert code == 4
    assert message in err
    assert len(err.strip().splitlines()) == 1
