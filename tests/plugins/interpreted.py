"""A single-file plugin: the kernels for CUDA as a backend on CPU tensors, which Triton's interpreter makes possible."""

from __future__ import annotations

from harness_fused.layer import FusedLayer

from harness import Backend, hookimpl


class Interpreted(FusedLayer):
    @staticmethod
    def _function(device):
        from harness_fused.cuda import TritonScan

        return TritonScan


def layer(neuron, shape, recurrent=None):
    return Interpreted(neuron, shape, recurrent)


@hookimpl
def register_backends(register):
    register(
        Backend(
            name="fused-interpreted",
            summary="the kernels for CUDA, interpreted",
            layer="interpreted:layer",
            neurons=("iaf", "lif", "alif"),
            devices=("cpu",),
            speed=0.0,
        )
    )
