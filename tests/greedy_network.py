"""A network that asks for more memory than there is, and the smallest job with it."""

from __future__ import annotations

from small_job import UNTIMED

GREEDY = '''
"""A network with all that a state can hold, which fails at batches of more than ``most`` samples."""
import math
import torch
from torch import nn
from harness import Network, Parameter, hookimpl

ERRORS = {
    "cuda": lambda: torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 4.00 GiB of which 1.25 GiB is free."),
    "cpu": lambda: torch.empty(2**60, dtype=torch.uint8),
    "real": lambda: torch.empty(2**50, dtype=torch.uint8, device="cuda"),
}

class Greedy(nn.Module):
    def __init__(self, inputs, classes, spiking_layer, most, error, when):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, 8), nn.Linear(8, classes)
        self.norm, self.dropout = nn.BatchNorm1d(8), nn.Dropout(0.3)
        self.spikes, self.out = spiking_layer((8,)), spiking_layer((classes,))
        self.most, self.error, self.when = most, error, when

    def forward(self, x):
        if len(x) > self.most and self.when == ("train" if torch.is_grad_enabled() else "evaluation"):
            raise ERRORS[self.error]()
        hidden = self.norm(self.first(x.flatten(2)).flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.out(self.last(self.dropout(self.spikes(hidden))))

def build(input_shape, classes, spiking_layer, **given):
    return Greedy(math.prod(input_shape), classes, spiking_layer, **given)

@hookimpl
def register_networks(register):
    register(Network(name="greedy", summary="s", build="greedy:build", parameters=(
        Parameter(name="most", default=1000, kind="int", summary="s"),
        Parameter(name="error", default="cuda", kind="str", choices=tuple(ERRORS), summary="s"),
        Parameter(name="when", default="train", kind="str", choices=("train", "evaluation"), summary="s"))))
'''

AT = UNTIMED.index("mlp.hidden=[8]")
# What is asked for here, without what is said of another network.
JOB = ("--plugins", "shd-synthetic,lif,fused,greedy", "-o", "recipe.init=torch", *UNTIMED[: AT - 1], *UNTIMED[AT + 1 :])
