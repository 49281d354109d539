"""``harness neurons`` and ``harness surrogates`` as a user runs them."""

import json


def test_neurons_shows_a_recorded_channel_and_says_what_is_wrong(cli):
    shown = cli("neurons", "lif", "--input", "shd-synthetic", "--channel", "60", "--weight", "1", "--output", "n")
    assert shown.returncode == 0, shown.stderr
    assert "Hz" in shown.stdout
    assert (cli.folder / "n" / "neurons.png").is_file()
    wrong = cli("neurons", "lif", "--input", "shd-synthetic", "--channel", "9999")
    assert wrong.returncode == 4
    assert wrong.stderr == "error: channel 9999: shd-synthetic has 0 to 139\n"


def test_neurons_prints_json(cli):
    shown = cli("neurons", "iaf", "--input", "constant", "--weight", "0.5", "--steps", "10", "--json")
    (neuron,) = json.loads(shown.stdout)["neurons"]
    assert neuron["spikes"] == sum(neuron["output"])
    assert len(neuron["states"]["v_mem"]) == 10


def test_surrogates_draws_and_lists_them(cli):
    shown = cli("surrogates", "--output", "s")
    assert shown.returncode == 0, shown.stderr
    assert "sigmoid" in shown.stdout
    assert "tanh" in shown.stdout
    assert (cli.folder / "s" / "surrogates.png").is_file()
    assert "(1 + tanh((v - th) / w)) / 2" in shown.stdout
    (found,) = json.loads(cli("surrogates", "tanh", "--width", "0.25", "--json").stdout)
    assert (found["surrogate"], found["width"], found["peak"]) == ("tanh", 0.25, 2.0)
    assert len(found["v"]) == len(found["derivative"]) == len(found["smooth"])
    wrong = cli("surrogates", "--width", "0")
    assert wrong.returncode == 4
    assert wrong.stderr.startswith("error: width 0:")
