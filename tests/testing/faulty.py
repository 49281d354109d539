"""A single-file plugin of backends with one fault each, and of one that has none: what the conformance kit must tell apart."""

from __future__ import annotations

import harness_neurons.reference as definition
import torch

from harness import Backend, Metric, MetricValue, hookimpl


class _Leaking(definition.Reference):
    """Keeps its state from call to call."""

    kept = None

    def forward(self, x):
        start = self.kept if self.kept is not None and self.kept["v_mem"].shape[0] == x.shape[0] else None
        spikes, self.kept = self.stream(x, start)
        return spikes


class _Early(definition.Reference):
    """Its threshold is a hundredth too low."""

    def forward(self, x):
        return super().forward(x * 1.01)


class _Steep(definition.Reference):
    """Its gradient is a thousandth too large."""

    def forward(self, x):
        return super().forward(x * 1.001 - (x * 0.001).detach())


class _Overwriting(definition.Reference):
    """Clears what it was given."""

    def forward(self, x):
        out = super().forward(x)
        with torch.no_grad():
            x.zero_()
        return out


class _Training(definition.Reference):
    """Computes otherwise in training."""

    def forward(self, x):
        return super().forward(x * 2 if self.training else x)


class _Mixing(definition.Reference):
    """Takes the mean over the batch off its input."""

    def forward(self, x):
        return super().forward(x - x.mean(0, keepdim=True)) if x.shape[0] else super().forward(x)


class _Forgetful(definition.Reference):
    """Its stream drops the state between pieces."""

    def stream(self, x, state=None):
        return super().stream(x, None)


class _Flat(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.detach().requires_grad_()


class _Once(definition.Reference):
    """Its first derivative does not depend on the input."""

    def forward(self, x):
        return super().forward(_Flat.apply(x))


class _Apart(definition.Reference):
    """A copy goes on calling the weights of the original."""

    def __deepcopy__(self, memo):
        made = definition.Reference(self.neuron, (), None)
        made.__dict__ = self.__dict__
        return made


class _Unmoved(definition.Reference):
    """Its time constants are not in state_dict."""

    def state_dict(self, *arguments, **options):
        return {}

    def load_state_dict(self, *arguments, **options):
        pass


def exact(neuron, shape, recurrent=None):
    return definition.Reference(neuron, shape, recurrent)


FAULTS = {
    "leaking": _Leaking,
    "early": _Early,
    "steep": _Steep,
    "overwriting": _Overwriting,
    "training": _Training,
    "mixing": _Mixing,
    "forgetful": _Forgetful,
    "once": _Once,
    "apart": _Apart,
    "unmoved": _Unmoved,
}
leaking, early, steep, overwriting, training = (
    FAULTS[n] for n in ("leaking", "early", "steep", "overwriting", "training")
)
mixing, forgetful, once, apart, unmoved = (FAULTS[n] for n in ("mixing", "forgetful", "once", "apart", "unmoved"))


def absent():
    return "it is not installed here"


class Mean:
    """Averages batch means: another figure for other batches."""

    def start(self, model, context):
        self.means = []

    def batch(self, view):
        self.means.append(float(view.outputs.mean()))

    def merge(self, other):
        self.means += other.means

    def result(self):
        value = sum(self.means) / len(self.means)
        return {"mean": MetricValue(value=value, unit="", direction="none", kind="seeded", title="mean")}


class Potential:
    """Sound: the mean potential after a step of every spiking layer, over real steps. Needs what is inside of neurons."""

    def start(self, model, context):
        self.total = self.count = 0.0

    def batch(self, view):
        for layer in view.layers.values():
            if layer.spiking:
                inside = layer.states["v_mem"].double().flatten(2)
                inside = inside if view.mask is None else inside * view.mask[:, :, None]
                self.total += float(inside.sum())
                steps = inside.shape[0] * inside.shape[1] if view.mask is None else float(view.mask.sum())
                self.count += steps * inside.shape[2]

    def merge(self, other):
        self.total += other.total
        self.count += other.count

    def result(self):
        value = self.total / self.count if self.count else None
        title, reason = "mean potential", "" if self.count else "no steps"
        return {
            "potential": MetricValue(
                value=value, reason=reason, unit="threshold", direction="none", kind="seeded", title=title
            )
        }


class Greedy(Potential):
    """Asks for spikes alone and reads what was not kept."""

    def batch(self, view):
        for layer in view.layers.values():
            if layer.spiking:
                self.total += float(layer.input.sum())
                self.count += 1


@hookimpl
def register_backends(register):
    for name in ("exact", *FAULTS):
        register(Backend(name=name, summary=name, layer=f"faulty:{name}", neurons=("iaf", "lif", "alif"), speed=0.0))
    register(
        Backend(
            name="absent",
            summary="absent",
            layer="faulty:exact",
            neurons=("lif",),
            available="faulty:absent",
            speed=0.0,
        )
    )


@hookimpl
def register_metrics(register):
    register(Metric(name="batch-mean", summary="mean of batch means", observer="faulty:Mean", on=False))
    register(Metric(name="potential", summary="s", observer="faulty:Potential", needs=frozenset({"states"}), on=False))
    register(Metric(name="greedy", summary="s", observer="faulty:Greedy", needs=frozenset({"spikes"}), on=False))
