"""Other libraries' counters, each called as its documentation says; a test that asks for one that is not installed is skipped."""

from __future__ import annotations

import pytest
import torch
from sinabs.synopcounter import SNNAnalyzer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def still(peer, figure, wrong):
    """The figure of ``peer`` is the wrong one that our documentation states."""
    assert figure == pytest.approx(wrong, rel=1e-6, nan_ok=True), (
        f"{peer} counts {figure} where docs/metrics/other-counters.md says {wrong}. "
        "If it was mended, take the row out of the table and turn this test into one of agreement."
    )


def installed(name):
    """The module ``name``, or a skip."""
    return pytest.importorskip(name, reason=f"{name} is not installed; tox -e counters installs it")


def analyzer(model, *batches):
    """sinabs' SNNAnalyzer after a pass over each of the batches."""
    with pytest.warns(DeprecationWarning, match=r"sinabs\.hooks"):
        made = SNNAnalyzer(model)
    with torch.no_grad():
        for batch in batches:
            model(batch)
    return made


def hooks(model, x):
    """Synaptic operations a time step of the Sequential ``model`` on (recordings x steps, ...), by sinabs.hooks."""
    from sinabs.hooks import register_synops_hooks

    register_synops_hooks(model)
    with torch.no_grad():
        model(x)
    return model.hook_data["total_synops_per_timestep"].item()


def neurobench(model, x, workload=("SynapticOperations",), static=(), labels=None, read=None, **loader):
    """NeuroBench's figures by metric; ``read`` makes predictions of outputs, and what else is given goes to the loader."""
    benchmarks = installed("neurobench.benchmarks")
    from neurobench.metrics import static as statics
    from neurobench.metrics import workload as workloads
    from neurobench.models import TorchModel

    data = TensorDataset(x, torch.zeros(len(x), dtype=torch.int64) if labels is None else labels)
    read = read or (lambda outputs: outputs.sum(1).argmax(-1))
    metrics = [[getattr(statics, name) for name in static], [getattr(workloads, name) for name in workload]]
    benchmark = benchmarks.Benchmark(TorchModel(model), DataLoader(data, **loader), [], [read], metrics)
    with torch.no_grad():
        return benchmark.run(quiet=True)


def spikingjelly(model, x, mode=torch.no_grad):
    """SpikingJelly's count of synaptic operations in one pass."""
    counters = installed("spikingjelly.activation_based.op_counter")
    counter = counters.SynOpCounter()
    with mode(), counters.DispatchCounterMode([counter]):
        model(x)
    return counter.get_total()


def syops(model, x, monkeypatch):
    """syops' accumulates of a sample, of all samples in one batch."""
    neuron = installed("spikingjelly.activation_based.neuron")
    installed("progress")
    # It names neurons that SpikingJelly no longer has; what it counts of weights does not need them.
    for name in ("MultiStepIFNode", "MultiStepLIFNode", "MultiStepParametricLIFNode"):
        if not hasattr(neuron, name):
            monkeypatch.setattr(neuron, name, type(name, (nn.Module,), {}), raising=False)
    counter = installed("syops")
    batches = DataLoader(TensorDataset(x, torch.zeros(len(x))), batch_size=len(x))
    figures, _ = counter.get_model_complexity_info(
        nn.Sequential(model), tuple(x.shape[1:]), batches, as_strings=False, print_per_layer_stat=False
    )
    return figures[1]
