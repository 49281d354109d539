"""A trained network back from its record, and every way in which that can fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import frames, specification

from harness import Registry, load_model
from harness.errors import DataError
from harness.initialisation import initialise
from harness.model import build
from harness.records import Record, Status
from harness.reload import weights_hash
from harness.store import Store, pack

REGISTRY = Registry.discover()


@pytest.fixture
def saved(tmp_path):
    """The path of a record, and the model that it was written for."""
    spec = specification(network={"hidden": (8,), "recurrent": True})
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, frames(), np.arange(60), 0)
    record = Record(
        key="k" * 20,
        row=spec.row,
        label="x s0",
        seed=0,
        attempt=1,
        status=Status.OK,
        specification=spec.to_json(),
        started="2026-01-01",
        harness="0",
        data={"shape": [140], "classes": [str(k) for k in range(20)]},
        outcome={"weights": weights_hash(model.state_dict())},
    )
    arrays = {f"weights/{name}": value.numpy() for name, value in model.state_dict().items()}
    return Store(tmp_path).create("x").write(record, pack(arrays)), model


def test_a_model_comes_back_in_one_line(saved):
    path, model = saved
    x = torch.rand(3, 12, 140)
    loaded = load_model(path)
    assert not loaded.training
    assert torch.equal(loaded(x), model(x))


def test_the_hash_sees_names_shapes_types_and_bytes_but_no_order():
    state = {"a": torch.arange(6.0), "b": torch.zeros(2)}
    assert weights_hash(state) == weights_hash(dict(reversed(state.items())))
    for other in (
        {"a": state["a"].reshape(2, 3), "b": state["b"]},
        {"a": state["a"].double(), "b": state["b"]},
        {"c": state["a"], "b": state["b"]},
        {"a": state["a"] + 1e-7, "b": state["b"]},
    ):
        assert weights_hash(other) != weights_hash(state)


def damage(path, how):
    arrays = next(path.parent.glob("*.npz"))
    if how == "missing":
        arrays.unlink()
    elif how == "truncated":
        arrays.write_bytes(arrays.read_bytes()[:-200])
    elif how == "foreign":
        arrays.write_bytes(b"not an archive")
    elif how == "changed":
        with np.load(arrays) as stored:
            content = {name: stored[name] for name in stored.files}
        content["weights/weights.0.weight"][0, 0] += 1
        arrays.write_bytes(pack(content))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "missing"),
        ("truncated", "damaged"),
        ("foreign", "damaged"),
        ("changed", "not what was written with its record"),
    ],
)
def test_wrong_weights_are_one_line(saved, how, message):
    path, _ = saved
    damage(path, how)
    with pytest.raises(DataError, match=rf"\.npz: .*{message}") as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_a_record_without_weights_says_how_its_trial_ended(saved, tmp_path):
    path, _ = saved
    failed = Record.from_text(path.read_text(), "x")
    from dataclasses import replace

    other = Store(tmp_path / "other").create("x").write(replace(failed, status=Status.FAILED))
    with pytest.raises(DataError, match="holds no weights: the trial ended as failed"):
        load_model(other)
    with pytest.raises(DataError, match="No such file"):
        load_model(tmp_path / "none.json")


def test_nothing_in_an_archive_is_ever_executed(saved):
    path, _ = saved
    arrays = next(path.parent.glob("*.npz"))
    with arrays.open("wb") as file:
        np.savez(file, **{"weights/a": np.array([object()], dtype=object)})
    with pytest.raises(DataError, match="damaged"):
        load_model(path)
