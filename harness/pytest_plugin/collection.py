"""An experiment file as a collector, and its trials as items."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pytest

from ..errors import HandledError
from ..experiment import read_toml
from ..plan import Planned
from ..records import Status
from ..registry import PluginWarning
from .asking import Asked, ask
from .naming import item_names
from .results import Ended, Results
from .settings import SETTINGS
from .trials import Trial

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

_RESULTS = pytest.StashKey[Results]()


def trial(request: pytest.FixtureRequest) -> None:
    """What an item of an experiment file calls."""
    request.node.perform()


def timed_trial(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> None:
    """What it calls where pytest-benchmark takes times."""
    request.node.perform(benchmark)


class ExperimentFile(pytest.Module):
    """An experiment file. It stands in for a Python module, so that fixtures and their scopes work as everywhere."""

    asked: Asked

    def _getobj(self) -> ModuleType:
        module = ModuleType(self.path.stem, f"The experiment {self.nodeid}.")
        module.__file__ = str(self.path)
        return module

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """An item a trial; raises :class:`pytest.Collector.CollectError`, a line, for an experiment that cannot be meant."""
        settings = self.config.stash[SETTINGS]
        try:
            self.asked = ask(read_toml(self.path), settings.plugin_files)
        except (HandledError, PluginWarning) as error:
            message = " ".join(str(error).removeprefix(f"{self.path}: ").split())
            raise self.CollectError(f"{self.nodeid}: {message}") from None
        function = timed_trial if settings.wall_clock and self.asked.timed else trial
        for name, planned in zip(item_names(self.asked.plan), self.asked.plan.trials, strict=True):
            item: TrialItem = TrialItem.from_parent(self, name=name, callobj=function)
            item.planned = planned
            if self.config.pluginmanager.hasplugin("xdist"):
                # With --dist loadgroup the seeds of a configuration go to one worker, so that none waits for another.
                item.add_marker(pytest.mark.xdist_group(name=planned.row))
            if planned.skip:
                item.add_marker(pytest.mark.skip(reason=planned.skip))
            yield item


class TrialItem(pytest.Function):
    """One trial as a test. Its trial runs when the first item of its group does, or when :attr:`trial` is asked for."""

    planned: Planned
    waited = 0.0

    @property
    def experiment(self) -> ExperimentFile:
        """The file that it comes from."""
        return cast(ExperimentFile, self.parent)

    @property
    def row(self) -> str:
        """The digest of its configuration."""
        return self.planned.row

    @property
    def identity(self) -> tuple[Path, str]:
        """What tells it from all other items."""
        return self.path, self.name

    @property
    def trial(self) -> Trial | None:
        """Its trial, run now where it has not run, however it ended; None where it could not run at all."""
        return self._ended().trial

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where a report says that it stands."""
        return self.path, 0, self.name

    def _ended(self) -> Ended:
        stash = self.config.stash
        if _RESULTS not in stash:
            stash[_RESULTS] = Results(self.config, stash[SETTINGS])
        return stash[_RESULTS].of(self)

    def perform(self, benchmark: BenchmarkFixture | None = None) -> None:
        """Run the trial and pass, fail or skip as it says."""
        __tracebackhide__ = True
        started = time.perf_counter()
        ended = self._ended()
        self.waited = time.perf_counter() - started
        found = ended.trial
        failure = found.failure() if found is not None else ended.error
        if found is not None and found.record.status is Status.SKIPPED:
            pytest.skip(found.record.message)
        if found is None or failure:
            self._fail(failure or f"{self.planned.label}: it did not run", found, benchmark)
            return
        self.user_properties.extend((name, value) for name, value in _reported(found).items())
        self.add_report_section("call", "harness", _about(found, ended, self._untimed()))
        if benchmark is not None:
            from .wall_clock import time_inference

            time_inference(benchmark, found, self.experiment.asked, _reported(found))
        if ended.error:
            pytest.fail(ended.error, pytrace=False)
        if ended.compared is not None and ended.compared.failures:
            pytest.fail("\n".join(ended.compared.failures), pytrace=False)

    def _fail(self, message: str, found: Trial | None, benchmark: BenchmarkFixture | None) -> None:
        __tracebackhide__ = True
        if found is not None:
            self.add_report_section("call", "harness", str(found.path))
            self.add_report_section("call", "harness log", found.log())

        def fail() -> None:
            pytest.fail(message, pytrace=False)

        # A benchmark fixture that nothing was called through would be warned about beside the failure.
        benchmark(fail) if benchmark is not None else fail()

    def _untimed(self) -> str | None:
        """Why no times are taken, where they would be otherwise."""
        return self.config.stash[SETTINGS].untimed if self.experiment.asked.timed else None

    def tell_harness(self, report: pytest.TestReport) -> None:
        """Put into the report what the trial took, and how it stands to the baseline."""
        results = self.config.stash.get(_RESULTS, None)
        ended = results.known(self) if results is not None else None
        if report.when != "call" or ended is None:
            return
        told: dict[str, Any] = {}
        if ended.compared is not None:
            told["compared"] = {"row": self.row, **ended.compared.to_json()}
        if untimed := self._untimed():
            told["untimed"] = untimed
        report.harness = told  # type: ignore[attr-defined]  # reports carry what plugins add, from worker to controller too
        if ended.trial is None:
            return
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            report.longrepr = (str(self.path), 1, report.longrepr[2])
        # The item that asked first waited for all the others of its group.
        own = 0.0 if ended.trial.record.cached else sum(ended.trial.record.timings.values())
        report.duration = max(report.duration - self.waited, 0.0) + own


def _reported(found: Trial) -> dict[str, float]:
    """The figures of the trained network that have a value."""
    return {
        name: value
        for name, value in found.figures.items()
        if value is not None and not name.startswith(("before.", "training."))
    }


def _about(found: Trial, ended: Ended, untimed: str | None) -> str:
    record = found.record
    how = f"cached (from {record.provenance['cached_from']})" if record.cached else "trained now"
    lines = [f"{record.label}: {how}; {found.path}", *record.warnings]
    if ended.compared is not None:
        lines += ended.compared.lines
    return "\n".join([*lines, untimed] if untimed else lines)
