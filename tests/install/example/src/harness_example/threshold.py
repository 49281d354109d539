"""The neuron's definition, which serves as its backend too."""

import torch


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, current, threshold):
        ctx.save_for_backward(current - threshold)
        return (current >= threshold).to(current.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (distance,) = ctx.saved_tensors
        return gradient * torch.exp(-distance.abs() / 0.5), None


class Threshold(torch.nn.Module):
    def __init__(self, threshold):
        super().__init__()
        self.threshold = threshold

    def forward(self, current):
        return _Step.apply(current, self.threshold)


def layer(neuron, shape, recurrent=None):
    return Threshold(neuron["threshold"])
