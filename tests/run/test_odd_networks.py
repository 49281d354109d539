"""Networks, weights and neurons of a plugin, as a user runs them."""

from __future__ import annotations

import numpy as np
import pytest
from odd_network import ODD
from small_job import UNTIMED

from harness.records import Record

AT = UNTIMED.index("mlp.hidden=[8]")
JOB = (*UNTIMED[: AT - 1], *UNTIMED[AT + 1 :])


@pytest.fixture
def odd(fresh):
    (fresh.folder / "odd.py").write_text(ODD)
    return fresh


def records(cli, owner, parameter):
    (folder,) = cli.runs()
    found = [Record.from_text(path.read_text(), str(path)) for path in (folder / "trials").glob("*.json")]
    return folder, {record.specification[owner]["parameters"][parameter]: record for record in found}


def test_each_fault_of_a_network_costs_its_own_row_and_says_where_it_lies(odd):
    faults = "none,ignores,outputs,weightless,raises,exits,forward-raises,nan,own"
    done = odd("run", "-P", "odd.py", "--plugins", "shd-synthetic,lif,odd", "-o", f"odd.fault={faults}", *JOB)
    assert done.returncode == 3, done.stderr
    _, found = records(odd, "network", "fault")
    assert {name for name, record in found.items() if str(record.status) == "ok"} == {"none", "own"}
    messages = {name: record.message for name, record in found.items()}
    assert messages["ignores"].startswith(
        "network odd runs no spiking layer, so that its results would say nothing about lif on fused"
    )
    assert (
        messages["outputs"]
        == "network odd: expected an output of shape (batch, time, classes) = (2, 70, 20), got (2, 70, 23)"
    )
    assert messages["weightless"] == "the network has no parameters to train; evaluate it as it is with --epochs 0"
    assert messages["raises"].startswith("KeyError: 'no weights here' (odd.py:")
    assert messages["exits"].startswith("SystemExit: 3 (odd.py:")
    assert messages["forward-raises"].startswith("ValueError: no way (odd.py:")
    assert messages["nan"] == "gain is not finite before training; the network starts with that value"
    assert "network odd has neurons of its own besides lif on fused: mine (IAF)" in found["own"].warnings


def test_pretrained_weights_are_kept_where_that_is_asked_for_and_else_missed_aloud(odd):
    done = odd(
        "run", "-P", "odd.py", "--plugins", "shd-synthetic,lif,odd", "-o", "odd.fault=brings",
        "-o", "recipe.init=calibrated,keep", *JOB, "--epochs", "0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder, found = records(odd, "recipe", "init")
    expected = np.linspace(-1, 1, 8 * 140, dtype=np.float32).reshape(8, 140)
    weights = {
        init: np.load(folder / "trials" / str(record.arrays))["weights/first.weight"] for init, record in found.items()
    }
    np.testing.assert_allclose(weights["keep"], expected, atol=1e-6)
    assert not np.allclose(weights["calibrated"], expected)
    sentence = "init=calibrated replaces weights that the network odd brings (first.weight)"
    assert any(sentence in warning for warning in found["calibrated"].warnings)
    assert not any("brings" in warning for warning in found["keep"].warnings)
    assert sentence in " ".join(done.stdout.split())


def test_a_neuron_with_a_reference_alone_runs_and_its_source_enters_the_key(odd):
    words = ("run", "-P", "odd.py", "--plugins", "shd-synthetic,mine,lif", "-o", "mlp.recurrent=true", *UNTIMED)
    first = odd(*words)
    assert first.returncode == 0, first.stderr
    (folder,) = odd.runs()
    before = {
        record.specification["neuron"]["name"]: record
        for record in (Record.from_text(path.read_text(), str(path)) for path in (folder / "trials").glob("*.json"))
    }
    assert {name: record.specification["backend"]["name"] for name, record in before.items()} == {
        "mine": "definition",
        "lif": "fused",
    }
    (odd.folder / "odd.py").write_text(ODD.replace("(v >= 1)", "(v >= 1.5)"))
    second = odd(*words)
    assert second.returncode == 0, second.stderr
    last = max(odd.runs())
    after = {
        record.specification["neuron"]["name"]: record
        for record in (Record.from_text(path.read_text(), str(path)) for path in (last / "trials").glob("*.json"))
    }
    assert (after["lif"].cached, after["mine"].cached) == (True, False)
    assert after["mine"].key != before["mine"].key


def test_a_neuron_without_a_reference_is_one_line(odd):
    done = odd("run", "-P", "odd.py", "--plugins", "shd-synthetic,bare", *UNTIMED)
    assert done.returncode == 4
    assert "no usable backend computes bare" in done.stderr
    named = odd("run", "-P", "odd.py", "--plugins", "shd-synthetic,bare,definition", *UNTIMED)
    assert "definition does not compute bare" in named.stdout
    assert named.returncode == 5
