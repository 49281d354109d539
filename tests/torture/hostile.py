"""A single-file plugin that does harm in a chosen place, in a chosen way."""

import asyncio
import os
import signal

import numpy as np

from harness import Backend, Dataset, Encoding, Metric, MetricValue, Network, Parameter, hookimpl


class Broken(Exception):
    def __str__(self):
        raise SystemExit(0)


class NoText(Exception):
    def __str__(self):
        return None


class Harm(BaseException):
    pass


def recurse(depth=0):
    return recurse(depth + 1)


def close_descriptors():
    os.closerange(3, 256)
    raise OSError("no descriptors are left")


def clear_environment():
    os.environ.clear()
    raise RuntimeError("no environment is left")


def chained():
    error = ValueError("its own cause")
    error.__cause__ = error
    raise error


def end(number, pid):
    os.kill(pid, number)
    raise RuntimeError("after a signal")


RAISED = {
    "exit-0": lambda: SystemExit(0),
    "exit-3": lambda: SystemExit(3),
    "exit-text": lambda: SystemExit("bye"),
    "interrupt": KeyboardInterrupt,
    "generator-exit": GeneratorExit,
    "base": lambda: Harm("of another kind"),
    "stop": StopIteration,
    "memory": MemoryError,
    "broken-text": Broken,
    "no-text": NoText,
    "surrogate": lambda: ValueError("half \ud800"),
    "escape": lambda: ValueError("\x1b[2J\x07\x9b31m"),
    "bidi": lambda: ValueError("\u202etxt.exe"),
    "megabytes": lambda: ValueError("x" * 5_000_000),
    "nul": lambda: ValueError("a\x00b"),
    "group": lambda: ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    "base-group": lambda: BaseExceptionGroup("several", [SystemExit(0), ValueError("two")]),
    "pipe": lambda: BrokenPipeError(32, "Broken pipe"),
    "cancelled": asyncio.CancelledError,
    "decode": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
}
DONE = {
    "recursion": recurse,
    "loop": chained,
    "leave-0": lambda: os._exit(0),
    "leave-3": lambda: os._exit(3),
    "killed": lambda: end(signal.SIGKILL, os.getpid()),
    "crash": lambda: end(signal.SIGSEGV, os.getpid()),
    "kill-server": lambda: end(signal.SIGKILL, os.getppid()),
    "stop-server": lambda: end(signal.SIGSTOP, os.getppid()),
    "no-descriptors": close_descriptors,
    "no-environment": clear_environment,
}


def harm(how):
    if how in DONE:
        DONE[how]()
    elif how in RAISED:
        raise RAISED[how]()


HOOK, HOW = os.environ.get("HOSTILE_HOOK", ""), os.environ.get("HOSTILE_HOW", "none")
if HOOK == "import":
    harm(HOW)
CHOICES = (
    Parameter(name="how", default="none", kind="str", summary="what it does"),
    Parameter(name="place", default="", kind="str", summary="where it does it"),
)


@hookimpl
def register_datasets(register):
    if HOOK == "register":
        harm(HOW)
    register(
        Dataset(
            name="hostile-data",
            summary="recordings that do harm",
            parameters=CHOICES,
            sensor_size=(8, 1, 1),
            classes=("a", "b"),
            source="hostile:Source",
            encodings={"default": Encoding(crop=100, dt=10)},
            defaults={"network": "mlp", "neuron": "lif"},
        )
    )


@hookimpl
def register_networks(register):
    register(Network(name="hostile-net", summary="a network that does harm", parameters=CHOICES, build="hostile:build"))


@hookimpl
def register_backends(register):
    register(
        Backend(
            name="hostile-layer",
            summary="a layer that does harm",
            parameters=CHOICES,
            layer="hostile:layer",
            neurons=("lif",),
            devices=("cpu",),
        )
    )


@hookimpl
def register_metrics(register):
    for place in ("create", "start", "batch", "result", "value", "title"):
        for how in (*RAISED, "recursion", "loop"):
            register(
                Metric(
                    name=f"hostile-{place}-{how}",
                    summary="a metric that does harm",
                    parameters=(
                        Parameter(name="how", default=how, kind="str", summary="what it does"),
                        Parameter(name="place", default=place, kind="str", summary="where it does it"),
                    ),
                    observer="hostile:Observer",
                    on=False,
                )
            )


class Source:
    labels = (0, 1) * 20

    def __init__(self, root, split, how, place):
        self.how, self.place = how, place
        if place == "source":
            harm(how)

    def __len__(self):
        return 40

    def __getitem__(self, index):
        if not 0 <= index < 40:
            raise IndexError(index)
        if self.place == "item" and index == 7:
            harm(self.how)
        events = np.zeros(10, [("t", "i8"), ("x", "i2")])
        events["t"] = np.arange(10) * 9000
        events["x"] = (index + np.arange(10)) % 8
        return events, index % 2


def build(input_shape, classes, spiking_layer, how, place):
    from torch import nn

    harm(how)
    return nn.Sequential(nn.Linear(input_shape[0], classes, bias=False), spiking_layer((classes,)))


def layer(neuron, shape, recurrent=None, how="none", place=""):
    import torch
    from harness_sinabs.layers import layer as made

    if place == "layer":
        harm(how)
    inner = made(neuron, shape, recurrent)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return x.clone()

        @staticmethod
        def backward(context, gradient):
            harm(how if place == "backward" else "none")
            return gradient

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            if place == "forward":
                harm(how)
            return self.inner(Function.apply(x))

    return Layer()


class Observer:
    def __init__(self, how, place):
        self.how, self.place = how, place
        self._at("create")

    def _at(self, place):
        if self.place == place:
            harm(self.how)

    def start(self, model, context):
        self._at("start")

    def batch(self, view):
        self._at("batch")

    def merge(self, other):
        pass

    def result(self):
        self._at("result")

        class Value(float):
            def __float__(value):
                harm(self.how)
                return 1.0

        class Other:
            def __float__(value):
                harm(self.how)
                return 1.0

        text = "a title"
        if self.place == "title":
            text = {"surrogate": "half \ud800", "escape": "\x1b[2J\x07", "bidi": "\u202etxt.exe", "nul": "a\x00b"}.get(
                self.how, text
            )
        value = Other() if self.place == "value" else 1.0
        return {
            f"{self.place}-{self.how}": MetricValue(value=value, unit="u", direction="none", kind="seeded", title=text)
        }


@hookimpl
def trial_started(trial):
    harm(HOW if HOOK == "trial_started" else "none")


@hookimpl
def epoch_finished(trial, epoch, scores):
    harm(HOW if HOOK == "epoch_finished" else "none")


@hookimpl
def trial_finished(record):
    harm(HOW if HOOK == "trial_finished" else "none")


@hookimpl
def run_finished(run):
    harm(HOW if HOOK == "run_finished" else "none")
