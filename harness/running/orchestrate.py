"""The steps of one run, in order: prepare data, run trials, time them, report."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from ..components import Backend, Dataset, Metric, Network, Neuron
from ..devices import is_cuda
from ..environment import describe, usable_cpus
from ..errors import DataError, ExitCode, HandledError, PluginCodeError, UsageError
from ..execution.child import log_of
from ..execution.guarded import Guarded
from ..execution.local import Local, ServerError
from ..execution.tasks import Executor, Limits, Message, Outcome, Task
from ..exhausted import beyond_limit
from ..foreign import describe as describe_error
from ..places import (
    CACHE,
    RESULTS,
    cache_folder,
    check_writable,
    data_folder,
    kernels_environment,
    results_folder,
    writing,
)
from ..plan import Plan, refusal
from ..processes import this_process
from ..reading import read_json, read_tail
from ..records import Record, Status
from ..registry import Registry
from ..run_state import RUNNING, ended_as
from ..store import Store, read_record
from ..text import clean, one_line
from .account import told
from .device import device_for
from .hearing import Heard
from .jobs import Entry, make_jobs, metric_payload
from .options import Finished, Listener, Options, check_options


def execute(
    plan: Plan,
    registry: Registry,
    registry_config: Mapping[str, Any],
    options: Options,
    listener: Listener,
) -> Finished:
    """Run ``plan``; every trial that ends leaves its record at once, and an interrupted run keeps them all."""
    check_options(options)
    if options.executor == "local":  # another's trials may run where this folder is another
        check_writable(cache_folder(options.cache), CACHE)
    return _Running(plan, registry, registry_config, options, cast(Listener, Heard(listener))).execute()


class _Running:
    """The steps of one run; holds what they share."""

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        registry_config: Mapping[str, Any],
        options: Options,
        listener: Listener,
    ) -> None:
        self.plan = plan
        self.registry = registry
        self.options = options
        self.listener = listener
        self.store = Store(results_folder(options.results))
        self.environment = describe()
        self.process = this_process()
        self.started = time.time()
        names = sorted(
            {name.partition(" ")[2] for name in plan.components if name.partition(" ")[0] in ("dataset", "neuron")}
        )
        self.run = self.store.create("-".join(names))
        self.entries = [Entry(item) for item in plan.trials]
        self.prepared: dict[str, dict[str, Any]] = {}
        self.unprepared: dict[str, dict[str, Any]] = {}
        self.timings: Mapping[str, Any] | None = None
        self.summary: dict[str, Any] = {}
        self.loading = registry_config
        self.executor = self._executor(registry_config)

    def _executor(self, registry_config: Mapping[str, Any]) -> Executor:
        name = self.options.executor
        if name == "local":
            memory, cache = self.options.memory_limit_mb, cache_folder(self.options.cache)
            return Local(
                registry_config,
                preload=self._preload(),
                threads=self.options.threads,
                limits=Limits(
                    seconds=self.options.time_limit,
                    prepare_seconds=self.options.prepare_limit,
                    timing_seconds=self.options.timing_limit,
                    private_bytes=None if memory is None else int(memory * 2**20),
                ),
                log=self.run.logs / "server.log",
                on_interrupt=self.listener.interrupted,
                # Datasets unpack to the cache, and look there again, by this alone.
                environment={"HARNESS_CACHE": str(cache), **kernels_environment(cache)},
            )
        try:
            made = self.registry.make_executor(name, {})
            if made is None:
                raise UsageError(f"--executor {name!r}: no plugin makes one; the harness's own is 'local'")
        except HandledError:
            self._remove_if_empty()
            raise
        return Guarded(name, made)

    def _preload(self) -> list[str]:
        """Modules that every trial imports: the server imports them once."""
        modules = ("trial", "training", "initialisation", "reload", "timing", "events.prepare", "events.splits")
        references: list[str] = [f"harness.{name}:" for name in modules]
        for entry in self.plan.components.values():
            component = entry.component
            if isinstance(component, Backend):
                references.append(component.layer)
            elif isinstance(component, Network):
                references.append(component.build)
            elif isinstance(component, Neuron) and component.reference:
                references.append(component.reference)
            elif isinstance(component, Metric):
                references.append(component.observer)
        return list(dict.fromkeys(reference.partition(":")[0] for reference in references))

    def execute(self) -> Finished:
        executor = self.executor
        listening = executor.listening() if isinstance(executor, Local) else nullcontext()
        with listening:
            try:
                self._write_run(RUNNING)
                hello = executor.start()
                device = self._device(hello)
                self._prepare()
                self._name(device)
                # With their keys, by which whoever reads a run that was killed finds what finished.
                self._write_run(RUNNING)
                self._train(device)
                self._time(device)
                self._write_run(self._ended_as())
            # Everything, since the process of a notebook lives on: its run would seem to go on too.
            except BaseException as error:
                with suppress(UsageError):  # of a full disk, which is what the error is about
                    self._write_run(self._ended_as(error), error=clean(error))
                if isinstance(error, ServerError) and any(entry.record for entry in self.entries):
                    self.listener.note(str(error))
                    return self._report()
                handled = isinstance(error, (KeyboardInterrupt, HandledError, ServerError))
                if handled and not isinstance(error, PluginCodeError):  # whose log says more
                    self._remove_if_empty()
                raise
            finally:
                executor.close()
        return self._report()

    def _remove_if_empty(self) -> None:
        """A run that a usage or data error ended before its first record leaves no folder, so that ``latest`` stays true."""
        if any(self.run.trials.iterdir()):
            return
        shutil.rmtree(self.run.path)
        self.store.repair_latest()

    @property
    def _interrupted(self) -> bool:
        return bool(getattr(self.executor, "interrupts", 0))

    def _device(self, hello: Mapping[str, Any]) -> str:
        for module, cause in hello.get("failed", {}).items():
            self.listener.note(f"{module} could not be imported: {cause}")
        return device_for(self.options.device, hello, self.plan)

    def _task(self, name: str, kind: Any, label: str, payload: Mapping[str, Any]) -> Task:
        return Task(id=name, kind=kind, label=label, payload=payload, log=str(self.run.logs / f"{name}.log"))

    # -- data ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Fetch, check and encode each dataset x encoding once, in turn."""
        parts = {
            entry.data_key: entry.planned.specification for entry in reversed(self.entries) if not entry.planned.skip
        }
        for name, specification in reversed(parts.items()):
            entry = self.plan.components[f"dataset {specification.dataset.name}"]
            folder = self.run.logs / f"prepare-{name}.json"
            payload = {
                "dataset": entry.qualified,
                "choice": specification.dataset.to_json(),
                "encoding": specification.encoding.to_json(),
                "data": str(data_folder(self.options.data)),
                "cache": str(cache_folder(self.options.cache)),
                "limit": specification.limit,
                "summary": str(folder),
            }
            task = self._task(f"prepare-{name}", "prepare", specification.dataset.name, payload)
            outcome = self._alone(task)
            if outcome.how == "interrupted":
                raise KeyboardInterrupt
            if outcome.how != "done":
                handled, traced = (bool(outcome.result.get(part)) for part in ("handled", "traced"))
                sentence = outcome.detail if handled else f"dataset {entry.component.name} failed: {outcome.detail}"
                more = log_of(task.log, self.run) if traced or not handled else {}
                self.unprepared[name] = {**_error("Data", sentence), **more}
                said = f"{sentence}; see {task.log}" if more else sentence
                if len(self.unprepared) == len(parts):
                    raise PluginCodeError(said) if more else DataError(said)
                self.listener.note(said)
                continue
            summary = read_json(folder)
            folder.unlink()
            summary["classes"] = [one_line(name) for name in cast(Dataset, entry.component).classes]
            self.prepared[name] = summary
            self.listener.prepared(specification.dataset.name, summary)
            for sentence in summary.get("warnings", ()):
                self.listener.note(f"{specification.dataset.name} {sentence}")

    def _alone(self, task: Task) -> Outcome:
        """Run one task with nothing beside it."""
        outcomes: list[Outcome] = []
        self.executor.run(
            [task], jobs=1, on_message=self._progress_message, on_outcome=lambda _, outcome: outcomes.append(outcome)
        )
        return outcomes[0]

    def _progress_message(self, task: Task, message: Message) -> None:
        if message["event"] == "progress":
            self.listener.progress(task.label, message["stage"], message["done"], message["total"])

    # -- trials -------------------------------------------------------------------------------------------------

    def _name(self, device: str) -> None:
        """Give every trial its key and its job, and find those that are finished already."""
        make_jobs(
            self.entries,
            self.plan,
            self.prepared,
            environment=self.environment,
            device=device,
            threads=self.options.threads,
            run=self.run,
            data_folder=data_folder(self.options.data),
        )
        finished = self.store.finder()
        for entry in self.entries:
            assert entry.job is not None
            backend = self.plan.components[f"backend {entry.planned.specification.backend.name}"]
            try:
                skip = entry.planned.skip or refusal(backend, entry.planned.specification, device)
            except PluginCodeError as error:
                self._end(entry, entry.job.record(Status.FAILED, error=_error("Plugin", str(error))))
                continue
            if skip:
                self._end(entry, entry.job.record(Status.SKIPPED, error=_error("Skipped", skip)))
            elif entry.data_key in self.unprepared:
                self._end(entry, entry.job.record(Status.FAILED, error=self.unprepared[entry.data_key]))
            elif not self.options.force:
                entry.reusable = finished(entry.job.key)

    def _train(self, device: str) -> None:
        waiting: dict[str, Entry] = {}
        reused, tasks = [], []
        for number, entry in enumerate(self.entries, start=1):
            if entry.reusable and entry.fully_measured() and self._reuse(entry):
                reused.append(entry)
                continue
            if entry.record:
                continue
            assert entry.job is not None
            name = f"trial-{number:03d}-{entry.job.key}"
            waiting[name] = entry
            tasks.append(self._task(name, "trial", entry.planned.label, entry.payload()))
        jobs = self._jobs(len(tasks), device)
        self.listener.trials(len(self.entries), len(reused), jobs, device, self.run.path)
        for entry in reused:
            assert entry.path is not None
            record = read_record(entry.path)
            assert record is not None
            self._end(entry, record, written=True)
        for entry in self.entries:
            if entry.record and not entry.record.cached:
                self.listener.trial_finished(entry.record)
        if tasks:
            self.executor.run(
                tasks,
                jobs=jobs,
                on_message=lambda task, message: self._trial_message(waiting[task.id], message),
                on_outcome=lambda task, outcome: self._trial_outcome(waiting[task.id], task, outcome),
            )

    def _reuse(self, entry: Entry) -> bool:
        """Copy the finished record; False if it was damaged since it was found, so that the trial runs again."""
        try:
            entry.path = self.run.reuse(*entry.reused())
        except DataError as error:
            self.listener.note(f"{error}; the trial runs again")
            entry.reusable = None
            return False
        return True

    def _jobs(self, tasks: int, device: str) -> int:
        if is_cuda(device):  # trials that share a GPU time and starve each other
            if (self.options.jobs or 1) > 1:
                self.listener.note(f"--jobs {self.options.jobs}: on {device} trials run one at a time")
            return 1
        return max(1, min(self.options.jobs or usable_cpus() // self.options.threads, max(tasks, 1)))

    def _trial_message(self, entry: Entry, message: Message) -> None:
        label = entry.planned.label
        if message["event"] == "forked":
            self.listener.trial_started(label)
            self._notify("trial_started", trial=entry.public())
        elif message["event"] == "phase":
            entry.phase = message["phase"]
        elif message["event"] == "epoch":
            self.listener.epoch(label, message["epoch"], message["epochs"], message["scores"])
            self._notify("epoch_finished", trial=entry.public(), epoch=message["epoch"], scores=message["scores"])

    def _trial_outcome(self, entry: Entry, task: Task, outcome: Outcome) -> None:
        assert entry.job is not None
        if outcome.how == "done":
            entry.path = Path(str(outcome.result["record"]))
            record = read_record(entry.path)
            if record is not None:
                self._end(entry, record, written=True)
                self.listener.trial_finished(record)
                return
            outcome = Outcome(how="crashed", detail=f"its record {entry.path} cannot be read")
        detail = outcome.detail
        if outcome.how == "oom" and entry.phase:
            detail += beyond_limit(entry.phase, entry.planned.specification.recipe["batch_size"])
        statuses = {"timeout": Status.TIMEOUT, "oom": Status.OOM, "interrupted": Status.INTERRUPTED}
        more = log_of(task.log, self.run) if outcome.how in ("failed", "crashed") else {}
        tail = read_tail(Path(task.log), 4000)
        record = entry.job.record(
            statuses.get(outcome.how, Status.FAILED),
            error={**_error(outcome.how, detail), "traceback": tail or None, **more},
            timings={"total": outcome.seconds},
        )
        self._end(entry, record)
        self.listener.trial_finished(record)

    def _end(self, entry: Entry, record: Record, *, written: bool = False) -> None:
        if not written:
            entry.path = self.run.write(record)
        entry.record = record
        if written and record.cached:
            self.listener.trial_finished(record)
        self._notify("trial_finished", record=record)

    def _notify(self, hook: str, **arguments: Any) -> None:
        for sentence in self.registry.notify(hook, **arguments):
            self.listener.note(sentence)

    # -- timing and reports -------------------------------------------------------------------------------------

    def _time(self, device: str) -> None:
        """Time the first finished trial of every row, alone on the machine."""
        metrics = [
            payload
            for payload, (item, _) in zip(metric_payload(self.plan), self.plan.metrics, strict=True)
            if "timing" in cast(Metric, item.component).phases
        ]
        if not metrics or not self.options.timing or self._interrupted:
            return
        configurations: dict[str, dict[str, Any]] = {}
        for entry in self.entries:
            record = entry.record
            if record and record.status is Status.OK and record.row not in configurations:
                assert entry.job is not None
                configurations[record.row] = {
                    "row": record.row,
                    "label": record.label.rpartition(" ")[0],
                    "key": record.key,
                    "record": str(entry.path),
                    "frames": entry.job.frames,
                }
        if not configurations:
            return
        payload = {
            "configurations": list(configurations.values()),
            "metrics": metrics,
            "device": device,
            "threads": self.options.threads,
            "path": str(self.run.path / "timings.json"),
        }
        task = self._task("timing", "timing", "timing", payload)
        outcome = self._alone(task)
        if outcome.how == "done":
            self.timings = self.run.timings()
        elif outcome.how != "interrupted":
            self.listener.note(f"the timing phase failed: {outcome.detail}; see {task.log}")

    def _write_run(self, state: str, error: str | None = None) -> None:
        summary = {
            "id": self.run.id,
            "state": state,
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self.started, 3),
            **told(self.plan, self.options, self.loading, self.entries),
            "process": self.process,
            "environment": self.environment,
            "error": error,
        }
        self.run.write_summary(summary)
        self.summary = summary

    def _report(self) -> Finished:
        with writing(self.run.path, RESULTS):
            return self._written()

    def _written(self) -> Finished:
        from ..comparison.summary import summarise
        from ..report.figures import write_figures
        from ..report.tables import write_tables

        records = tuple(entry.record for entry in self.entries if entry.record is not None)
        lost = bool(self.summary["error"])
        try:
            summary = summarise(records, self.timings)
        except Exception as error:
            self._lost("the table was", error)
            summary, lost = summarise(()), True
        reports: list[tuple[str, Callable[[], Sequence[Path]]]] = [
            ("the tables were", lambda: write_tables(summary, self.run.path)),
            ("the figures were", lambda: write_figures(records, self.timings, summary, self.run.path)),
        ]
        if self.options.plots:
            reports += [("the plots were", lambda: self._plots(records, summary)), ("report.html was", self._page)]
        files: list[Path] = []
        for what, write in reports:
            try:
                files += write()
            except Exception as error:
                # A full disk ends the command in its own words; the page comes last and costs itself only.
                if isinstance(error, (UsageError, OSError)) and write != self._page:
                    raise
                self._lost(what, error)
                lost = True
        # What hooks are given is what run.json holds, which was written before anything here could fail.
        self._notify("run_finished", run=self.summary)
        code = self._exit_code(records)
        return Finished(
            run=self.run,
            records=records,
            timings=self.timings,
            exit_code=ExitCode.FAILED if lost and code is ExitCode.OK else code,
            files=tuple(files),
            summary=summary,
            frames={entry.job.key: entry.job.frames for entry in self.entries if entry.job},
        )

    def _lost(self, what: str, error: Exception) -> None:
        """Say that a report failed: nothing that a stranger's metric hands over may cost more than that."""
        self.listener.note(f"{what} not written: {describe_error(error)}; the records are complete")

    def _plots(self, records: Sequence[Record], summary: Any) -> Sequence[Path]:
        from ..report.plots import write_plots

        return write_plots(records, summary, self.run.path / "plots", self.timings)

    def _page(self) -> Sequence[Path]:
        """Write all of the run as one page, which reads what was written."""
        from ..report.page.document import write_page

        place = self.run.path / "report.html"
        write_page([self.run], place)
        return [place]

    def _ended_as(self, error: BaseException | None = None) -> str:
        """Return the state of the run, which follows from its records; an interruption after the last one changes none."""
        if all(entry.record for entry in self.entries):
            return ended_as({entry.record.status for entry in self.entries if entry.record})
        return "interrupted" if self._interrupted or isinstance(error, KeyboardInterrupt) else "failed"

    def _exit_code(self, records: Sequence[Record]) -> ExitCode:
        statuses = {record.status for record in records}
        if Status.INTERRUPTED in statuses or self._interrupted:
            return ExitCode.INTERRUPTED
        if statuses & {Status.FAILED, Status.TIMEOUT, Status.OOM}:
            return ExitCode.FAILED
        if Status.OK not in statuses:
            return ExitCode.NOTHING_RAN
        return ExitCode.OK


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "traceback": None}
