"""A network plugin with one fault per value of its parameter, and neurons that only a reference defines."""

ODD = '''
import math
import torch
from torch import nn
from harness import Network, Neuron, Parameter, hookimpl

FAULTS = ("none", "ignores", "unused", "idle", "own", "tuple", "rank", "outputs", "few", "time", "integers", "meta",
          "weightless", "raises", "exits", "returns-none", "no-module", "shape", "int-shape", "recurrent", "detached",
          "forward-raises", "in-place", "nan", "frozen", "brings", "constant")


class Odd(nn.Module):
    def __init__(self, inputs, classes, spiking_layer, fault):
        super().__init__()
        self.fault = fault
        outputs = classes + {"outputs": 3, "few": -3}.get(fault, 0)
        if fault != "weightless":
            self.first, self.last = nn.Linear(inputs, 8), nn.Linear(8, outputs)
        if fault == "ignores":
            return
        shape = {"shape": (9,), "int-shape": 8}.get(fault, (8,))
        self.spikes = spiking_layer(shape, nn.Linear(8, 8) if fault == "recurrent" else None)
        self.out = spiking_layer((outputs,))
        if fault == "own":
            import sinabs.layers as layers
            self.mine = layers.IAF()
        if fault == "nan":
            self.gain = nn.Parameter(torch.tensor(float("nan")))
        if fault == "frozen":
            self.first.requires_grad_(False)
        with torch.no_grad():
            if fault == "brings":
                self.first.weight.copy_(torch.linspace(-1, 1, 8 * inputs).reshape(8, inputs))
            if fault == "constant":
                self.first.weight.zero_()

    def forward(self, x):
        fault = self.fault
        if fault == "forward-raises":
            raise ValueError("no way")
        x = x.flatten(2)
        if fault == "in-place":
            x *= 1
        if fault == "weightless":
            return self.out(x[:, :, : self.out.shape[0]])
        x = self.first(x)
        if fault == "ignores":
            return torch.relu(self.last(torch.relu(x)))
        if fault == "unused":
            self.spikes(x)
            return self.last(torch.relu(x))
        x = self.last(torch.relu(x) if fault == "idle" else self.spikes(x))
        out = self.out(x)
        changed = {"own": lambda: self.mine(out), "tuple": lambda: (out, None), "rank": lambda: out.sum(1),
                   "time": lambda: out[:, 1:], "integers": lambda: out.long(), "meta": lambda: out.to("meta"),
                   "detached": lambda: out.detach()}
        return changed[fault]() if fault in changed else out


def build(input_shape, classes, spiking_layer, fault):
    if fault == "raises":
        raise KeyError("no weights here")
    if fault == "exits":
        raise SystemExit(3)
    if fault == "returns-none":
        return None
    if fault == "no-module":
        return lambda x: x
    return Odd(math.prod(input_shape), classes, spiking_layer, fault)


class Layer(nn.Module):
    """v <- leak v + x; a spike at the threshold of 1, subtracted."""

    def __init__(self, neuron, recurrent):
        super().__init__()
        self.leak = nn.Parameter(torch.tensor(neuron["leak"]))
        self._recurrent = (recurrent,)

    def forward(self, x):
        return self.trace(x)[0]

    def trace(self, x, state=None):
        v, s, spikes, seen = torch.zeros_like(x[:, 0]), None, [], []
        for step in range(x.shape[1]):
            fed_back = 0.0 if self._recurrent[0] is None or s is None else self._recurrent[0](s)
            v = self.leak * v + x[:, step] + fed_back
            s = (v >= 1).to(v.dtype) + (v - v.detach())
            v = v - s
            spikes.append(s)
            seen.append(v)
        return torch.stack(spikes, 1), {"v_mem": torch.stack(seen, 1)}


def layer(neuron, shape, recurrent=None):
    return Layer(neuron, recurrent)


@hookimpl
def register_networks(register):
    register(Network(name="odd", summary="s", build="odd:build", parameters=(
        Parameter(name="fault", default="none", kind="str", choices=FAULTS, summary="what is wrong"),)))


@hookimpl
def register_neurons(register):
    leak = Parameter(name="leak", default=0.9, kind="float", above=0, maximum=1, summary="s")
    register(Neuron(name="mine", summary="s", reference="odd:layer", parameters=(leak,)))
    register(Neuron(name="bare", summary="s"))
'''
