"""A fresh process that times pieces of work for whoever started it: ``python -m harness.execution.worker``.

JSON lines come on standard input and go to standard output. It says hello (``protocol``, harness, where that lies, Python, hash of the
deciding source, versions) and answers each of these with one line; lines of ``progress`` may come before:

- ``{"do": "open", "registry", "threads"}``: load plugins; answers with ``devices``
- ``{"do": "load", "piece", "specification", "seed", "device", "data", "cache"}``: prepare frames, build and initialise; answers
  with the ``identity`` of the recordings
- ``{"do": "measure", "piece", "work", "repeats"}``: answers with ``seconds``, one a repetition
- ``{"do": "quit"}``, or the end of input

What goes wrong is ``{"event": "failed", "message"}``, and the process lives on. Whatever else prints lands on standard error.
"""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from .. import keys
from ..devices import present, synchronise
from ..environment import harness_version
from ..errors import HandledError
from ..foreign import describe, foreign_code
from .child import open_registry
from .guard import run_guarded

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..registry import Registry
    from ..specification import Specification
    from ..training import Step

PROTOCOL = 1


class Work(Protocol):
    """One piece of work: ``ready`` brings everything back to where it was, ``__call__`` is what is timed."""

    def ready(self) -> None: ...

    def __call__(self) -> None: ...


def main() -> int:
    """Answer until input ends."""
    incoming, outgoing = _own_pipes()

    def send(event: str, **content: Any) -> None:
        outgoing.write((json.dumps({"event": event, **content}, allow_nan=False) + "\n").encode())
        outgoing.flush()

    send(
        "hello",
        protocol=PROTOCOL,
        harness=harness_version(),
        file=str(Path(__file__).parents[1]),
        python=platform.python_version(),
        source=keys.core_source(),
        versions=keys.versions_of(()),
    )
    answering = _Answering(lambda stage, done, total: send("progress", stage=stage, done=done, total=total))
    for line in incoming:
        message = json.loads(line)
        if message["do"] == "quit":
            break
        try:
            with foreign_code():
                answer = answering(message)
            send("done", **answer)
        except HandledError as error:
            send("failed", message=str(error))
        except Exception as error:
            traceback.print_exc()
            send("failed", message=describe(error))
    return 0


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and output, out of reach of everything that reads or prints."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Its end is a kill: what it printed must be in the log by then.
        sys.stdout.reconfigure(line_buffering=True)
    return incoming, outgoing


class _Answering:
    """What has been loaded, and the answers to messages."""

    def __init__(self, report: Callable[[str, int, int], None]) -> None:
        self.report = report
        self.registry: Registry | None = None
        self.threads = 1
        self.pieces: dict[int, dict[str, Work]] = {}

    def __call__(self, message: Mapping[str, Any]) -> dict[str, Any]:
        known = {"open": self._open, "load": self._load, "measure": self._measure}
        if message["do"] not in known:
            raise HandledError(f"this harness knows no message {message['do']!r}")
        return known[message["do"]](message)

    def _open(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self.registry = open_registry(message["registry"])
        self.threads = message["threads"]
        return {"devices": present()}

    def _load(self, message: Mapping[str, Any]) -> dict[str, Any]:
        from ..specification import Specification
        from ..trial import settle

        assert self.registry is not None
        settle(self.threads, message["device"])
        specification = Specification.from_json(message["specification"])
        prepared = _prepare(self.registry, specification, message, self.report)
        self.pieces[message["piece"]] = _works(
            self.registry, specification, prepared, message["seed"], message["device"]
        )
        return {"identity": prepared["identity"]}

    def _measure(self, message: Mapping[str, Any]) -> dict[str, Any]:
        work = self.pieces[message["piece"]][message["work"]]
        seconds = []
        for _ in range(message["repeats"]):
            work.ready()
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds}


def _prepare(
    registry: Registry,
    specification: Specification,
    message: Mapping[str, Any],
    report: Callable[[str, int, int], None],
) -> Mapping[str, Any]:
    """The summary of prepared frames, with ``classes``, how many there are."""
    from ..components import Dataset
    from ..events.prepare import prepare

    # Datasets unpack to the cache by this alone.
    os.environ["HARNESS_CACHE"] = str(message["cache"])
    dataset = cast(Dataset, registry.find(specification.dataset.name).component)
    summary = prepare(
        dataset,
        specification.dataset,
        specification.encoding,
        data=Path(message["data"]),
        cache=Path(message["cache"]),
        limit=specification.limit,
        report=report,
    )
    return {**summary, "classes": len(dataset.classes)}


def _works(
    registry: Registry, specification: Specification, prepared: Mapping[str, Any], seed: int, device: str
) -> dict[str, Work]:
    """The works on the network as a trial starts with it, in evaluation and training on the first batch of a trial."""
    import numpy as np
    import torch

    from ..evaluation import batch_of
    from ..events.prepare import open_split
    from ..events.splits import hold_out
    from ..initialisation import initialise
    from ..model import build
    from ..specification import seed_for
    from ..training import Step

    train, test = (open_split(Path(prepared["path"]), split) for split in ("train", "test"))
    recipe = specification.recipe
    indices, _, _ = hold_out(train.labels, train.groups, train.recordings, recipe["validation"], seed)
    model = build(registry, specification, tuple(train.frames.shape[2:]), prepared["classes"])
    initialise(model, registry, specification, train, indices, seed)
    model.to(device)
    size = recipe["batch_size"]
    order = torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed_for(seed, "order")))
    step = Step(model, recipe, recipe["epochs"] * -(-len(indices) // size))
    return {
        "training_step": _TrainingStep(step, batch_of(train, indices[order[:size].numpy()], device)),
        "inference": _Inference(model, batch_of(test, np.arange(min(size, len(test))), device)[0]),
    }


class _Kept:
    """Tensors as they are now."""

    def __init__(self, tensors: Iterable[Any]) -> None:
        self.pairs = [(tensor, tensor.detach().clone()) for tensor in tensors]

    def restore(self) -> None:
        import torch

        with torch.no_grad():
            for tensor, value in self.pairs:
                tensor.copy_(value)


class _TrainingStep:
    """One step of training on one batch, always from the same weights and optimiser state."""

    def __init__(self, step: Step, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]) -> None:
        self.step, self.batch = step, batch
        self.kept: _Kept | None = None

    def ready(self) -> None:
        import torch

        self.step.model.train()
        if self.kept is None:
            # The optimiser's state exists after its first step alone.
            self.step(*self.batch)
            states = [value for state in self.step.optimiser.state.values() for value in state.values()]
            held = [value for value in states if isinstance(value, torch.Tensor)]
            self.kept = _Kept([*held, *_state(self.step.model)])
        self.kept.restore()
        synchronise(self.batch[0].device)

    def __call__(self) -> None:
        self.step(*self.batch)
        synchronise(self.batch[0].device)


class _Inference:
    """One batch of the test split, from inputs on the device to output spikes there, with the initial weights."""

    def __init__(self, model: nn.Module, inputs: torch.Tensor) -> None:
        self.model, self.inputs = model, inputs
        self.kept = _Kept(_state(model))

    def ready(self) -> None:
        self.model.eval()
        self.kept.restore()
        synchronise(self.inputs.device)

    def __call__(self) -> None:
        import torch

        with torch.inference_mode():
            self.model(self.inputs)
        synchronise(self.inputs.device)


def _state(model: nn.Module) -> Iterable[torch.Tensor]:
    """The weights and buffers themselves."""
    found: dict[str, torch.Tensor] = model.state_dict(keep_vars=True)
    return found.values()


if __name__ == "__main__":
    sys.exit(run_guarded(main))
