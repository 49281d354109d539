"""Naming devices, and which one a run takes."""

from __future__ import annotations

import pytest
import torch

from harness import Backend, Registry
from harness.devices import check_name, is_cuda, pick, present, synchronise, use, why_no_cuda
from harness.errors import UsageError
from harness.experiment import Experiment
from harness.plan import make_plan
from harness.running.device import device_for

WITHOUT = {"devices": ["cpu"], "no_cuda": "torch 9 is built without CUDA"}
WITH = {"devices": ["cpu", "cuda:0", "cuda:1"], "no_cuda": ""}


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:13"])
def test_names_of_devices(name):
    check_name(name)
    assert is_cuda(name) == name.startswith("cuda")


@pytest.mark.parametrize(
    "name",
    ["mps", "gpu", "xpu:0", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "cuda:0:1", "", "CUDA", None, torch.device("cpu")],
)
def test_anything_else_is_refused_in_one_line_before_a_plan_exists(name):
    for refuse in (check_name, lambda name: make_plan(plan_of().experiment, Registry.discover(), name)):
        with pytest.raises(UsageError, match="expected auto, cpu, cuda or cuda:N") as refused:
            refuse(name)
        assert "\n" not in str(refused.value)


def plan_of(*names, registry=None):
    return make_plan(Experiment(plugins=("shd-synthetic", "lif", *names)), registry or Registry.discover())


def test_what_is_named_is_taken_where_it_is_there():
    assert [device_for(name, WITH, plan_of()) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda:0", "cuda:1"]
    assert device_for("auto", WITHOUT, plan_of()) == "cpu"


@pytest.mark.parametrize(
    ("name", "hello", "message"),
    [
        ("cuda", WITHOUT, "--device cuda: not here; there is: cpu (torch 9 is built without CUDA)"),
        ("cuda:9", WITH, "--device cuda:9: not here; there is: cpu, cuda:0, cuda:1"),
        ("cuda:0", {"devices": ["cpu"]}, "--device cuda:0: not here; there is: cpu"),
    ],
)
def test_what_is_not_there_is_one_line_that_names_what_is(name, hello, message):
    with pytest.raises(UsageError) as refused:
        device_for(name, hello, plan_of())
    assert str(refused.value) == message


def refuses_cuda(neuron, recurrent, device):
    return "something is not installed" if is_cuda(device) else None


def test_auto_takes_a_gpu_where_no_backend_would_refuse_more_there(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "backends_of_devices", sys.modules[__name__])
    made = {
        "anywhere": {},
        "declares-cpu": {"devices": ("cpu",)},
        "refuses-cuda": {"refuses": "backends_of_devices:refuses_cuda"},
        "cuda-alone": {"devices": ("cuda",)},
    }
    registry = Registry.discover()
    found = {}
    for name, more in made.items():
        backend = Backend(name=name, summary="s", layer="harness_neurons.reference:layer", neurons=("lif",), **more)
        plan = plan_of("sinabs", registry=registry)
        components = {**plan.components}
        entry = components["backend sinabs"]
        components["backend sinabs"] = type(entry)(**{**vars(entry), "component": backend})
        found[name] = device_for("auto", WITH, type(plan)(**{**vars(plan), "components": components}))
    assert found == {"anywhere": "cuda:0", "declares-cpu": "cpu", "refuses-cuda": "cpu", "cuda-alone": "cuda:0"}


def test_this_machine_is_told_as_torch_sees_it():
    there = present()
    assert there[0] == "cpu"
    assert len(there) - 1 == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert bool(why_no_cuda()) == (len(there) == 1)
    assert pick("cpu", there) == "cpu"
    for device in ("cpu", torch.device("cpu")):
        synchronise(device)
    use("cpu")
