"""What concerns the whole session: workers of xdist, and the summary in the terminal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .settings import Settings

# The marks of a configuration that was compared, what matters most first.
ORDER = ("worse", "better", "inconclusive", "not worse", "same")


class Session:
    """Gathers what reports tell. It lives in the process that prints; under xdist that is the controller."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._settings = settings
        self._rows: dict[str, dict[str, Any]] = {}
        self._untimed: dict[str, str] = {}
        self._shared: Path | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give xdist's workers a folder through which they share results."""
        if self._shared is None:
            self._shared = Path(tempfile.mkdtemp(prefix="snn-harness-"))
        node.workerinput["harness_shared"] = str(self._shared)

    def pytest_unconfigure(self) -> None:
        """Take that folder away."""
        if self._shared is not None:
            shutil.rmtree(self._shared, ignore_errors=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what a trial's report tells."""
        told = getattr(report, "harness", None) or {}
        if "compared" in told:
            self._rows[told["compared"]["row"]] = told["compared"]
        if "untimed" in told:
            self._untimed[report.nodeid] = told["untimed"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A line on the baseline and one on times, so that nothing was left out in silence."""
        for line in self.lines():
            terminalreporter.write_line(line)

    def lines(self) -> list[str]:
        """What the summary says."""
        said = []
        if self._rows:
            first = next(iter(self._rows.values()))
            checked = [row["mark"] for row in self._rows.values() if row["mark"] in ORDER]
            left = [row for row in self._rows.values() if row["mark"] not in ORDER]
            counts = ", ".join(f"{checked.count(mark)} {mark}" for mark in ORDER if mark in checked)
            said.append(
                f"harness: {len(checked)} configuration{'s' * (len(checked) != 1)} checked against {first['baseline']}"
                + (f", which holds {first['holds']}" if len(checked) < first["holds"] else "")
                + (f": {counts}" if counts else "")
                + (f"; {len(left)} not comparable:" if left else "")
            )
            said += [f"  {row['lines'][0]}" for row in left]
        for reason in dict.fromkeys(self._untimed.values()):
            said.append(f"harness: {reason}")
        return said


def say_now(config: pytest.Config, text: str) -> None:
    """Write a line to the terminal at once, past the capture of a test's output."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if terminal is None:
        return
    if capture is None:
        terminal.write_line(text)
        return
    with capture.global_and_fixture_disabled():
        terminal.write_line(text)
