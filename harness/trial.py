"""One trial, from its seed to its record."""

from __future__ import annotations

import hashlib
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .components import Choice, Dataset, Metric
from .devices import is_cuda, synchronise, use
from .environment import harness_version
from .errors import HandledError, TrainingError
from .exhausted import is_out_of_memory
from .exhausted import sentence as exhausted
from .foreign import describe, foreign_code, origin
from .memory import Peak, peak_memory
from .npz import pack
from .observation import Training
from .records import Record, Status, read
from .registry import Registry
from .specification import Specification, seed_for
from .text import one_line

if TYPE_CHECKING:
    import torch

    from .events.access import SplitEvents
    from .events.prepare import Frames

Report = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class TrialJob:
    """All that a process needs to run one trial; JSON throughout.

    ``metrics`` are ``{"name": "entrypoint:name", "parameters": {...}}``; ``events`` is the folder of datasets, for metrics that
    need events. Where ``weights`` names a finished record, nothing is trained: its weights are measured by ``metrics``.
    """

    specification: Mapping[str, Any]
    seed: int
    key: str
    row: str
    label: str
    device: str
    threads: int
    frames: str
    data: Mapping[str, Any]
    suppliers: Mapping[str, Any]
    environment: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    run: str
    events: str = ""
    report_inflation: bool = False
    weights: str | None = None

    def record(self, status: Status, **content: Any) -> Record:
        """The record of this job with what it is known by filled in."""
        base: dict[str, Any] = {
            "key": self.key,
            "row": self.row,
            "label": self.label,
            "seed": self.seed,
            "attempt": 1,
            "status": status,
            "specification": self.specification,
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "harness": harness_version(),
            "suppliers": self.suppliers,
            "data": self.data,
            "environment": {
                **self.environment,
                "device": self.device,
                "threads": self.threads,
                "gpu": _gpu(self.device),
            },
        }
        return Record(**{**base, **content})


def _gpu(device: str) -> str | None:
    """The name of a CUDA device, where this process has one in use; the parent of a run never asks torch."""
    torch = sys.modules.get("torch")
    if not is_cuda(device) or torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name(device))


@dataclass
class Clock:
    """Seconds by phase, each waited for until ``device`` was done with it; ``phase`` is the last one that began."""

    device: str = "cpu"
    began: Callable[[str], None] = lambda phase: None
    phase: str = ""
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        self.phase = phase
        self.began(phase)
        started = time.perf_counter()
        try:
            yield
            synchronise(self.device)
        finally:
            self.phases[phase] = self.phases.get(phase, 0.0) + time.perf_counter() - started


def run_trial(registry: Registry, job: TrialJob, report: Report) -> tuple[Record, bytes | None]:
    """Train, evaluate and measure; a failure becomes the record's status, never an exception."""
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    clock = Clock(job.device, lambda phase: report("phase", phase=phase))
    trial: _Trial | None = None
    caught: list[warnings.WarningMessage] = []
    try:
        with foreign_code(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trial = _Trial(registry, job, report, clock)
            outcome, sentences, arrays = trial.run()
    except HandledError as error:
        failure = {"type": type(error).__name__, "message": str(error), "traceback": None}
        return _failed(job, trial, Status.FAILED, started=started, error=failure, timings=clock.phases), None
    except Exception as error:
        status = Status.OOM if is_out_of_memory(error) else Status.FAILED
        message = describe(error)
        if status is Status.OOM:
            message = exhausted(error, clock.phase, Specification.from_json(job.specification).recipe["batch_size"])
        trace = traceback.format_exc()
        print(trace, flush=True)
        failure = {"type": type(origin(error)).__name__, "message": message, "traceback": trace}
        return _failed(job, trial, status, started=started, error=failure, timings=clock.phases), None
    sentences = [*sentences, *_sentences(caught)]
    record = job.record(
        Status.OK,
        started=started,
        outcome=outcome,
        noisy=tuple(trial.noisy),
        training=_measured(trial),
        timings=clock.phases,
        warnings=tuple(dict.fromkeys(sentences)),
    )
    return record, pack(arrays)


def _failed(job: TrialJob, trial: _Trial | None, status: Status, **content: Any) -> Record:
    return job.record(status, training={} if trial is None else _measured(trial), **content)


def _measured(trial: _Trial) -> dict[str, Any]:
    if trial.training is not None:
        return asdict(trial.training)
    # How far a training that failed got is what one wants to know of it.
    return {} if trial.peak is None else asdict(_training(trial.peak, ""))


def _training(peak: Peak, frames: str) -> Training:
    return Training(peak_memory_bytes=peak.bytes, memory=peak.what, peak_reserved_bytes=peak.reserved, frames=frames)


def _sentences(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    return [f"{item.category.__name__}: {one_line(item.message)}" for item in caught]


class _Trial:
    """The steps of one trial; holds what they share."""

    def __init__(self, registry: Registry, job: TrialJob, report: Report, clock: Clock) -> None:
        self.registry = registry
        self.job = job
        self.report = report
        self.clock = clock
        self.specification = Specification.from_json(job.specification)
        self.sentences: list[str] = []
        self.training: Training | None = None
        self.peak: Peak | None = None
        self.noisy: list[Mapping[str, Any]] = []
        self.metrics = [
            (cast(Metric, registry.find(item["name"]).component), Choice.from_json("metric", item))
            for item in job.metrics
        ]

    def run(self) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
        """Outcome, warning sentences and arrays."""
        settle(self.job.threads, self.job.device)
        from .events.prepare import open_split
        from .events.splits import hold_out, split_warnings
        from .finite import check_states
        from .initialisation import initialise
        from .probe import probe

        recipe = self.specification.recipe
        with self.clock("load"):
            self.train = open_split(Path(self.job.frames), "train")
            self.test = open_split(Path(self.job.frames), "test")
            held = hold_out(
                self.train.labels, self.train.groups, self.train.recordings, recipe["validation"], self.job.seed
            )
            self.train_indices, self.validation_indices, how = held
            self.sentences += [
                *self.job.data.get("warnings", ()),
                *split_warnings(
                    self.train.labels,
                    self.train.groups,
                    self.validation_indices,
                    recipe["validation"],
                    self.job.data["classes"],
                ),
            ]
        with self.clock("initialise"):
            classes = len(self.job.data["classes"])
            model, other = self._build("weights"), self._build("probe")
            self.sentences += probe(
                other,
                self.specification,
                self.train,
                classes=classes,
                device=self.job.device,
                trained=recipe["epochs"] > 0,
            )
            self.sentences += initialise(
                model,
                self.registry,
                self.specification,
                self.train,
                self.train_indices,
                self.job.seed,
                classes=classes,
                other=other,
            )
            del other
            model.to(self.job.device)
            self.sentences += _silence_taken_in(model, self.train)
        rows = self._measure(model, "before")
        if self.job.weights is not None:
            outcome, arrays = self._saved(model)
        else:
            outcome = self._train(model)
            arrays = {f"weights/{name}": value.detach().cpu().numpy() for name, value in model.state_dict().items()}
        outcome["split"] = how
        with self.clock("check"):
            check_states(model, self.test, batch_size=recipe["batch_size"], device=self.job.device)
        rows += self._measure(model, "after", arrays)
        outcome["predictions"] = hashlib.sha256(arrays["test/predictions"].tobytes()).hexdigest()[:20]
        # What differs when the same trial runs again is kept apart from what does not.
        self.noisy = [row for row in rows if row.get("kind") == "noisy"]
        outcome["metrics"] = [row for row in rows if row.get("kind") != "noisy"]
        return outcome, self.sentences, arrays

    def _build(self, purpose: str) -> torch.nn.Module:
        """Build the network, drawing what it draws under a seed of ``purpose``."""
        import torch

        from .initialisation import seed_of_weights
        from .model import build

        shape = tuple(self.train.frames.shape[2:])
        seed = seed_of_weights(self.specification, shape, self.job.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed if purpose == "weights" else seed_for(seed, purpose))
            return build(self.registry, self.specification, shape, len(self.job.data["classes"]))

    def _train(self, model: torch.nn.Module) -> dict[str, Any]:
        from .reload import weights_hash
        from .training import fit

        with self.clock("train"), peak_memory(self.job.device) as self.peak:
            fitted = fit(
                model,
                self.train,
                self.train_indices,
                self.validation_indices,
                self.specification.recipe,
                seed=self.job.seed,
                device=self.job.device,
                report=lambda epoch, epochs, scores: self.report("epoch", epoch=epoch, epochs=epochs, scores=scores),
                inflation=self.test if self.job.report_inflation else None,
            )
        self.training = _training(self.peak, "resident" if fitted.resident else "streamed")
        return {
            "weights": weights_hash(model.state_dict()),
            "selected_epoch": fitted.selected_epoch,
            "epochs_trained": fitted.epochs_trained,
            "refitted": fitted.refitted,
            "curves": fitted.curves,
        }

    def _saved(self, model: torch.nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
        """The outcome and the weights of a finished record, loaded into ``model``."""
        from .reload import load_state

        path = Path(str(self.job.weights))
        record = read(path)
        state = load_state(path, record)
        model.load_state_dict(state, strict=True)
        arrays = {f"weights/{name}": value.cpu().numpy() for name, value in state.items()}
        self.training = Training(**record.training) if record.training else None
        return dict(record.outcome), arrays

    def _measure(
        self, model: torch.nn.Module, phase: str, arrays: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The rows of every metric that runs in ``phase``; ``arrays`` receives the predictions of the one pass over test."""
        import numpy as np
        import torch

        from .activity import Activity
        from .evaluation import evaluate
        from .model import context

        parts: dict[str, tuple[Frames, Any]] = {
            "train": (self.train, self.train_indices),
            "validation": (self.train, self.validation_indices),
            "test": (self.test, None),
        }
        rows: list[dict[str, Any]] = []
        batch_size = self.specification.recipe["batch_size"]
        for split, (frames, indices) in parts.items():
            wanted = [pair for pair in self.metrics if phase in pair[0].phases and split in pair[0].splits]
            predicts = arrays is not None and split == "test"
            if not (wanted or predicts) or (indices is not None and len(indices) == 0):
                continue
            activity = Activity() if predicts else None
            # A network that draws at random, here too, draws the same whatever was trained or measured before.
            torch.manual_seed(seed_for(self.job.seed, "network", phase, split))
            with self.clock(f"measure {phase} {split}"):
                evaluation = evaluate(
                    model,
                    frames,
                    indices,
                    batch_size=batch_size,
                    device=self.job.device,
                    context=context(
                        model,
                        classes=self.job.data["classes"],
                        split=split,
                        phase=phase,
                        dt_ms=self.specification.encoding.dt,
                        batch_size=batch_size,
                        device=self.job.device,
                        training=self.training,
                        events=self._events("test" if split == "test" else "train", wanted),
                    ),
                    metrics=wanted,
                    activity=activity,
                )
            if not np.isfinite(evaluation.counts).all():
                raise TrainingError(f"the network's output on {split} recordings is not finite, {phase} training")
            rows += evaluation.metrics
            if arrays is not None and predicts:
                for name in ("predictions", "labels", "recordings", "counts"):
                    arrays[f"test/{name}"] = getattr(evaluation, name)
            if arrays is not None:
                arrays |= {f"metrics/{phase}/{split}/{name}": array for name, array in evaluation.stored.items()}
            if activity is not None:
                self.sentences += activity.warnings(split)
        return rows

    def _events(self, split: str, wanted: Sequence[tuple[Metric, Choice]]) -> SplitEvents | None:
        """The events behind ``split``, if a metric of ``wanted`` needs them."""
        if not any("events" in metric.needs for metric, _ in wanted):
            return None
        from .events.access import SplitEvents

        specification = self.specification
        supplier = self.job.suppliers["dataset"]
        dataset = cast(Dataset, self.registry.find(f"{supplier['plugin']}:{supplier['name']}").component)
        return SplitEvents(dataset, specification.dataset, specification.encoding, Path(self.job.events), split)


def _silence_taken_in(model: torch.nn.Module, frames: Frames) -> list[str]:
    """A sentence where a batch normalisation sees the steps that only pad a batch: a network is given no mask."""
    from torch.nn.modules.batchnorm import _BatchNorm

    if frames.lengths is None or not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return []
    return [
        "batch normalisation takes in the silence that recordings of unequal length are padded with; "
        "set encoding.crop or encoding.slice"
    ]


def settle(threads: int, device: str) -> None:
    """Pin threads and make every operation that can be deterministic so."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # torch would fill every new tensor with NaN, a tenth of a training step; nothing here reads what it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    use(device)
    if is_cuda(device):
        torch.backends.cudnn.benchmark = False
    # Whatever draws without a generator of its own draws the same in every trial.
    torch.manual_seed(0)
