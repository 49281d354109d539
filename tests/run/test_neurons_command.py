"""``harness neurons`` and ``harness surrogates`` as a user runs them."""

import json

import pytest

from harness.cli.main import main


def test_neurons_shows_a_recorded_channel_and_says_what_is_wrong(tmp_path, capsys):
    recorded = ["neurons", "lif", "--input", "shd-synthetic", "-o", "encoding.dt=20", "--channel"]
    assert main([*recorded, "60", "--weight", "1", "--output", str(tmp_path / "n")]) == 0
    assert "Hz" in capsys.readouterr().out
    assert (tmp_path / "n" / "neurons.png").is_file()
    assert main([*recorded, "9999"]) == 4
    assert capsys.readouterr().err == "error: channel 9999: shd-synthetic has 0 to 139\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["neurons", "--rate", "0.5", "--input", "constant"], "rate: concerns random input alone"),
        (["neurons", "--json", "--output", "x"], "--output: --json draws nothing"),
        (["surrogates", "--json", "--output", "x"], "--output: --json draws nothing"),
        (["neurons", "lif,fused"], "fused is a backend, not a neuron; there are: alif, iaf, lif"),
        (["surrogates", "sigmoid,tnh"], "did you mean 'tanh'"),
        (["surrogates", "--width", "0"], "error: width 0:"),
        (["neurons", "lif", "--weight", "1e300"], "weight 1e+300: not a number that is finite in float32"),
    ],
)
def test_what_cannot_be_meant_is_one_line(arguments, said, capsys):
    assert main(arguments) == 4
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["neurons", "surrogates"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for output, why in (("file", "it is no folder"), ("file/below", "Not a directory")):
        assert main([command, "--output", output]) == 4
        out, error = capsys.readouterr()
        assert out == ""  # no table
        assert error == f"error: {output}: cannot be written: {why}; name a folder with --output\n"


@pytest.mark.parametrize("arguments", [["neurons", "lfi"], ["surrogates", "tahn"]])
def test_a_mistake_leaves_no_folder_behind(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--output", "a/b"]) == 4
    assert "did you mean" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_neurons_prints_json(capsys):
    assert main(["neurons", "iaf", "--input", "constant", "--weight", "0.5", "--steps", "10", "--json"]) == 0
    (neuron,) = json.loads(capsys.readouterr().out)["neurons"]
    assert neuron["spikes"] == sum(neuron["output"])
    assert len(neuron["states"]["v_mem"]) == 10


def test_surrogates_draws_and_lists_them(tmp_path, capsys):
    assert main(["surrogates", "sigmoid,tanh", "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "sigmoid" in shown
    assert "(1 + tanh((v - th) / w)) / 2" in shown
    assert (tmp_path / "surrogates.png").is_file()
    assert main(["surrogates", "tanh", "--width", "0.25", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["surrogate"], found["width"], found["peak"]) == ("tanh", 0.25, 2.0)
    assert len(found["v"]) == len(found["derivative"]) == len(found["smooth"])
