"""What an experiment file may say of checks."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.experiment import read_toml
from harness.gate import Gate


def read(tmp_path, text):
    path = tmp_path / "experiment.toml"
    path.write_text(f'plugins = ["shd-synthetic", "lif"]\n{text}')
    return read_toml(path)["gate"]


def test_a_file_without_a_gate_has_the_default_one(tmp_path):
    gate = read(tmp_path, "")
    assert gate == Gate()
    assert gate.confidence == 0.99
    assert (gate.margin("accuracy", "fraction"), gate.margin("synops", "operations/recording")) == (0.01, 0.05)
    assert gate.seed_noise("accuracy") is None
    assert (gate.reckoned_noise("fraction"), gate.reckoned_noise("operations/recording")) == (0.15, 0.3)
    assert (gate.threshold("training_step"), gate.tolerance("parameters", 3.0)) == (0.05, 3.0)


def test_a_file_sets_limits_by_figure(tmp_path):
    gate = read(
        tmp_path,
        '[gate]\nconfidence = 0.95\nfigures = ["accuracy"]\n'
        "[gate.accuracy]\nmargin = 0.02\nseed_noise = 0.03\n[gate.training_step]\nthreshold = 0.1\n[gate.parameters]\ntolerance = 1\n",
    )
    assert (gate.confidence, gate.figures) == (0.95, ("accuracy",))
    assert (gate.margin("accuracy", "fraction"), gate.seed_noise("accuracy")) == (0.02, 0.03)
    assert (gate.threshold("training_step"), gate.tolerance("parameters", 0.0)) == (0.1, 1.0)
    assert Gate.from_data(gate.to_json(), "here") == gate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gate]\nconfidence = 1.0\n", r"confidence = 1.0: expected a number between 0.5 and 1"),
        ("[gate]\nconfidence = true\n", r"confidence = True: expected a number between 0.5 and 1"),
        ("[gate]\nconfidense = 0.9\n", r"expected confidence, figures, or a table .*did you mean 'confidence'"),
        ("[gate.accuracy]\nmargins = 0.1\n", r"\[gate.accuracy\] has no 'margins' \(did you mean 'margin'"),
        ("[gate.accuracy]\nmargin = -1\n", r"margin = -1: expected a number >= 0"),
        ("[gate.accuracy]\nmargin = nan\n", r"margin = nan: expected a number >= 0"),
        ('[gate.accuracy]\nmargin = "1 %"\n', r"margin = '1 %': expected a number >= 0"),
        (
            "[gate.trainingstep]\nthreshold = 0.1\n",
            r"times are those of training_step and inference \(did you mean 'training_step'",
        ),
        ("[gate.accuracy]\nthreshold = 0.1\n", r"\[gate.accuracy\] threshold: times are those of training_step and"),
        ("[gate]\nfigures = 3\n", r"figures = 3: expected a list of names"),
        ("gate = 3\n", r"gate must be a table"),
        (f"[gate.accuracy]\nmargin = 1{'0' * 400}\n", r"expected a number >= 0 below"),
    ],
)
def test_what_cannot_be_meant_is_one_line_that_names_the_file(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
