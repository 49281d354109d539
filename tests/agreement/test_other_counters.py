"""What other libraries' counters get wrong: the true figure by hand, ours beside it, and theirs where they are installed.

A peer that no longer gives its wrong figure fails its test: the table in docs/metrics/other-counters.md is then out of date.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import peers
from agreement.models import Affine, Timed, filled, passing
from agreement.peers import still
from sinabs import layers as sinabs_layers
from torch import nn

from harness import Registry
from harness.evaluation import evaluate
from harness.events.frames import Frames
from harness.model import SpikingLayer, context
from harness.testing import measure

REGISTRY = Registry.discover()


def ours(model, x, metric="synops", **more):
    return {name: value.value for name, value in measure(metric, model, x, registry=REGISTRY, **more).items()}


def tensor(x):
    return torch.tensor(x, dtype=torch.float32)


def linear(inputs, outputs, value=1.0):
    return filled(nn.Linear(inputs, outputs, bias=False), value)


# sinabs


def test_an_average_pool_scales_no_counts():
    """16 events in windows of four, then three weights each: 48."""
    net = nn.Sequential(nn.AvgPool2d(2), filled(nn.Conv2d(1, 3, 1, bias=False)))
    x = np.ones((1, 1, 1, 4, 4))
    assert ours(Timed(net), x)["synops"] == 16 * 3
    analyzer = peers.analyzer(net, tensor(x[:, 0]))
    assert analyzer.get_layer_statistics()["parameter"]["1"]["synops"].item() == 48
    still("sinabs' SNNAnalyzer, model total behind an average pool,", analyzer.get_model_statistics()["synops"], 12)


def test_signed_events_do_not_cancel():
    """Events 1, -2 and -3 on three weights each: 18."""
    net = nn.Sequential(linear(2, 3))
    x = [[[4, 1], [3, 0]]]
    assert ours(nn.Sequential(Affine(offset=-3), passing(), *net), x)["synops"] == (1 + 2 + 3) * 3
    signed = tensor(x) - 3
    still("sinabs' SNNAnalyzer on signed events", peers.analyzer(net, signed).get_model_statistics()["synops"], -12)
    # Two steps, so that the mean over both is half of it.
    still("sinabs.hooks on signed events", peers.hooks(net, signed[0]), -6)


@pytest.mark.parametrize(
    ("weight", "x", "spikes", "last", "rate"),
    [
        (1.0, [[[1, 0], [1, 0], [0, 0]]], [[1, 0], [2, 1], [3, 3]], 12, float("inf")),
        (-1.0, [[[1, 0], [0, 0], [0, 0]]], [[1, 0], [0, 0], [0, 0]], 0, float("nan")),
    ],
)
def test_recurrent_weights_count_at_every_step(weight, x, spikes, last, rate):
    """Every spike goes over two recurrent weights, whatever the step that it comes in."""
    back = linear(2, 2, weight)
    neurons = sinabs_layers.IAFRecurrent(rec_connect=lambda spikes: back(spikes))

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.back = back
            self.spikes = SpikingLayer(neurons, back)

        def forward(self, x):
            return self.spikes(x)

    found = ours(Recurrent(), x, classes=2)
    assert found["synops_recurrent"] == found["synops"] == np.sum(spikes) * 2
    net = nn.Sequential(sinabs_layers.IAFRecurrent(rec_connect=back))
    analyzer = peers.analyzer(net, tensor(x))
    assert analyzer.get_layer_statistics()["spiking"]["0"]["output"].tolist() == [spikes]
    still("sinabs' SNNAnalyzer on recurrent weights", analyzer.get_model_statistics()["synops"], last)
    per_second = analyzer.get_layer_statistics()["parameter"]["0.rec_connect"]["SynOps/s"]
    still("sinabs' SNNAnalyzer, operations a second of recurrent weights,", per_second.item(), rate)


def test_batches_of_unequal_size_are_averaged_by_recording():
    """Six events on 1000 weights in one of nine recordings: 6000 / 9."""
    net = nn.Sequential(linear(1, 1000))
    x = np.zeros((9, 1, 1))
    x[8] = 6
    assert ours(net, x, batch_size=8)["synops"] == 6000 / 9
    figures = peers.analyzer(net, tensor(x[:8]), tensor(x[8:])).get_model_statistics(average=True)
    still("sinabs' SNNAnalyzer over batches of 8 and 1", figures["synops"], 3000)


def test_batches_of_unequal_size_do_not_raise():
    net = nn.Sequential(linear(1, 4), passing())
    assert ours(net, np.ones((5, 2, 1)), batch_size=3)["synops"] == 2 * 4
    spiking = nn.Sequential(linear(1, 4), sinabs_layers.IAF())
    with pytest.raises(RuntimeError, match="size of tensor"):
        peers.analyzer(spiking, torch.ones(3, 2, 1), torch.ones(2, 2, 1))


def test_a_weight_of_zero_is_no_synapse():
    """One event on five weights, two of them zero: 3."""
    net = nn.Sequential(linear(1, 5))
    net[0].weight.data[:2] = 0
    assert ours(net, [[[1]]])["synops"] == 3
    still(
        "sinabs' SNNAnalyzer on pruned weights",
        peers.analyzer(net, torch.ones(1, 1, 1)).get_model_statistics()["synops"],
        5,
    )
    still("sinabs.hooks on pruned weights", peers.hooks(net, torch.ones(1, 1)), 5)


def test_a_one_dimensional_convolution_is_counted():
    """Four events on three weights each."""
    net = nn.Sequential(filled(nn.Conv1d(1, 3, 1, bias=False)))
    assert ours(Timed(net), np.ones((1, 1, 1, 4)))["synops"] == 12
    still("sinabs' SNNAnalyzer on Conv1d", peers.analyzer(net, torch.ones(1, 1, 4)).get_model_statistics()["synops"], 0)
    more = nn.Sequential(*net, nn.Flatten(), linear(12, 2))
    assert ours(Timed(more), np.ones((1, 1, 1, 4)))["synops"] == 12 + 12 * 2
    still("sinabs.hooks on Conv1d before a linear layer", peers.hooks(more, torch.ones(1, 1, 4)), 24)


def test_a_step_is_a_step_in_the_layout_that_sinabs_layers_use():
    """Two events a step on three weights: 6 a step, and 30 in the five steps of a recording."""
    net = nn.Sequential(linear(2, 3))
    x = np.ones((4, 5, 2))
    found = measure("synops", net, x, registry=REGISTRY)["synops"]
    assert (found.value, found.arrays["per_step"]) == (30, [6.0] * 5)
    assert peers.hooks(net, tensor(x).flatten(0, 1)) == 6
    still("sinabs.hooks, operations a time step on (batch, time, channels),", peers.hooks(net, tensor(x)), 30)


# NeuroBench


def test_accumulate_or_multiply_is_decided_by_element():
    """Eight events on two weights each, and one real value: 16 accumulates and 2 multiply-accumulates in four recordings."""
    net = nn.Sequential(Affine(0.5), linear(3, 2))
    x = np.array([[2, 0, 2], [0, 2, 2], [1, 0, 0], [2, 2, 4]])[:, None]
    wrong = {1: (2.0, 2.0), 2: (2.0, 2.0), 4: (0.0, 4.0)}
    for size in wrong:
        found = ours(net, x, batch_size=size)
        assert (found["accumulates"], found["multiply_accumulates"]) == (16 / 4, 2 / 4)
        assert found["synops_active"] == (4 + 4 + 2 + 6) / 4
    for size, (accumulates, multiplied) in wrong.items():
        found = peers.neurobench(net, tensor(x), batch_size=size)["SynapticOperations"]
        still(f"NeuroBench, accumulates at batch size {size},", found["Effective_ACs"], accumulates)
        still(f"NeuroBench, multiply-accumulates at batch size {size},", found["Effective_MACs"], multiplied)


class Memory(nn.LSTM):
    """A recurrent layer of torch's, whose weights no counter here understands."""

    def forward(self, x):
        return super().forward(x)[0]


def row_of(model, x):
    """What an evaluation with this metric leaves in its rows."""
    told = context(model, classes=["0", "1"], split="test", phase="after", dt_ms=1.0, batch_size=3, device="cpu")
    synops = REGISTRY.find("synops").component
    frames = Frames(x.astype(np.uint8), np.zeros(len(x), dtype=np.int64), np.arange(len(x)), None, None)
    (row,) = evaluate(model, frames, batch_size=3, context=told, metrics=[(synops, synops.choose())]).metrics
    return row


def test_what_cannot_be_counted_is_an_error_in_its_row():
    model, x = nn.Sequential(Memory(3, 2, batch_first=True)), np.ones((4, 2, 3))
    row = row_of(model, x)
    assert "Memory" in row["error"]
    assert "value" not in row
    found = peers.neurobench(model, tensor(x), batch_size=4)["SynapticOperations"]
    still("NeuroBench on an LSTM that it cannot count, in one batch,", found, 0.0)
    found = peers.neurobench(model, tensor(x), batch_size=3)["SynapticOperations"]
    still("NeuroBench on an LSTM that it cannot count, in two batches,", found["Effective_MACs"], 0.0)


def test_a_layer_that_returns_more_than_a_tensor_is_an_error_in_the_row_too():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 2, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0]

    assert "LSTM" in row_of(Around(), np.ones((4, 2, 3)))["error"]


def test_a_metric_that_raises_is_no_zero():
    """Predictions of the wrong shape: NeuroBench's accuracy raises, and its row says that nothing was right."""
    net, x, labels = nn.Sequential(linear(3, 2)), torch.ones(4, 1, 3), torch.zeros(4, dtype=torch.int64)
    right = {"workload": ["ClassificationAccuracy"], "labels": labels, "batch_size": 4}
    assert peers.neurobench(net, x, **right)["ClassificationAccuracy"] == 1.0
    found = peers.neurobench(net, x, **right, read=lambda outputs: outputs)["ClassificationAccuracy"]
    still("NeuroBench, accuracy that raises,", found, 0.0)


def test_every_recording_counts_once_in_what_it_is_divided_by():
    """Four recordings, all predicted right, three a batch."""
    net, x = nn.Sequential(linear(3, 2)), np.ones((4, 1, 3))
    assert ours(net, x, "accuracy", batch_size=3)["accuracy"] == 1.0
    found = peers.neurobench(net, tensor(x), ["ClassificationAccuracy"], batch_size=3, drop_last=True)
    still("NeuroBench, accuracy with the last batch dropped,", found["ClassificationAccuracy"], 0.75)


def test_footprint_does_not_grow_with_the_batch():
    """Six weights and a threshold of four bytes each, and neurons whose state is as large as the batch last seen."""

    def model():
        return nn.Sequential(linear(3, 2), SpikingLayer(sinabs_layers.IAF(), None))

    small, large = (ours(model(), np.ones((64, 5, 3)), "footprint", classes=2, batch_size=size) for size in (32, 64))
    assert small == large
    assert small["parameter_bytes"] == 7 * 4
    for size, wrong in ((1, 28 + 8), (64, 28 + 64 * 8)):
        used = model()
        used(torch.ones(size, 5, 3))
        found = peers.neurobench(used, torch.ones(size, 5, 3), [], ["Footprint"], batch_size=size)
        still(f"NeuroBench, footprint after a batch of {size},", found["Footprint"], wrong)


# SpikingJelly


def test_inference_mode_hides_nothing():
    """Three events on three weights, in two recordings; our evaluation always runs in inference mode."""
    net, x = linear(2, 3, 0.5), [[[1, 0]], [[1, 1]]]
    assert ours(nn.Sequential(net), x)["synops"] == 9 / 2
    still("SpikingJelly, total of two recordings,", peers.spikingjelly(net, tensor(x)), 9)
    still("SpikingJelly under inference_mode", peers.spikingjelly(net, tensor(x), torch.inference_mode), 0)


def test_a_count_of_two_hides_nothing():
    """Four events, two of them in one element, on three weights."""
    net, x = linear(2, 3, 0.5), [[[2, 0]], [[1, 1]]]
    found = ours(nn.Sequential(net), x)
    assert (found["synops"], found["synops_active"]) == (4 * 3 / 2, 3 * 3 / 2)
    still("SpikingJelly with a count of 2", peers.spikingjelly(net, tensor(x)), 0)


def test_spikingjelly_counts_weights_of_zero():
    """Two events on three weights, one of them zero."""
    net = linear(1, 3, 0.5)
    net.weight.data[0] = 0
    assert ours(nn.Sequential(net), [[[1], [1]]])["synops"] == 2 * 2
    still("SpikingJelly on pruned weights", peers.spikingjelly(net, torch.ones(1, 2, 1)), 6)


# syops


@pytest.mark.parametrize(("place", "true"), [((0, 0), 4), ((0, 1), 6), ((1, 1), 9)])
def test_an_event_at_an_edge_meets_the_weights_that_lie_inside(place, true, monkeypatch):
    """A kernel of 3 x 3 over 3 x 3 elements with padding 1: an average event meets 9 x 9 / 9 = 9 weights for syops."""
    net, x = filled(nn.Conv2d(1, 1, 3, padding=1, bias=False), 0.5), np.zeros((1, 1, 1, 3, 3))
    x[0, 0, 0][place] = 1
    assert ours(Timed(nn.Sequential(net)), x)["synops"] == true
    still(f"syops, one event at {place},", peers.syops(net, tensor(x[:, 0]), monkeypatch), 9)


def test_bias_and_state_updates_are_no_synaptic_operations(monkeypatch):
    """Two events on three weights: 6. Half of the input is active, and so syops adds half of three additions of a bias."""
    net, x = filled(nn.Linear(4, 3), 0.5), [[[1, 0, 1, 0]]]
    found = ours(nn.Sequential(net, passing()), x)
    assert (found["synops"], found["bias_additions"], found["neuron_updates"]) == (6, 3, 3)
    still("syops with a bias", peers.syops(net, tensor(x)[:, 0], monkeypatch), 6 + 1.5)
    neuron = peers.installed("spikingjelly.activation_based.neuron")
    with_neurons = nn.Sequential(linear(4, 3, 0.5), neuron.IFNode())
    still("syops with neurons", peers.syops(with_neurons, tensor(x)[:, 0], monkeypatch), 6 + 3)


# Norse, whose release 1.1.0 has no counter to run


def test_stride_decides_how_many_weights_an_event_meets():
    """25 events, a kernel of 3 x 3 with stride 2 at 2 x 2 places: 4 x 9, where 25 x 9 would ignore stride and edges."""
    net = nn.Sequential(filled(nn.Conv2d(1, 1, 3, stride=2, bias=False)))
    assert ours(Timed(net), np.ones((1, 1, 1, 5, 5)))["synops"] == 4 * 9
