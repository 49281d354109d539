"""The pytest plugin: experiment files as tests, an item a trial, and the fixture ``harness_trial``.

Light: whatever needs more than pytest and the standard library is imported when an experiment is collected or run.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .settings import SETTINGS, add_options, read_settings, with_experiments

if TYPE_CHECKING:
    from .collection import ExperimentFile
    from .factory import TrialFactory

_SESSION = "harness-session"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini values; see docs/pytest.md."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings once, and let a plain ``pytest`` collect the experiment files that are named in them."""
    from .session import Session

    settings = config.stash[SETTINGS] = read_settings(config)
    with_experiments(config, settings)
    config.pluginmanager.register(Session(config, settings), _SESSION)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ExperimentFile | None:
    """An experiment file that was named; no other file is touched."""
    named = file_path in parent.config.stash[SETTINGS].experiments
    if not named and not (file_path.suffix == ".toml" and parent.session.isinitpath(file_path)):
        return None
    from .collection import ExperimentFile

    return ExperimentFile.from_parent(parent, path=file_path)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell in the report of a trial what only its item knows."""
    report = yield
    tell: Any = getattr(
        item, "tell_harness", None
    )  # by name, so that tests of other kinds import nothing of the harness
    if tell is not None:
        tell(report)
    return report


@pytest.fixture(scope="session")
def harness_trial(pytestconfig: pytest.Config) -> TrialFactory:
    """Trains and measures one trial: ``harness_trial("shd-synthetic,lif", epochs=2)["test.accuracy"]``; see docs/pytest.md."""
    from .factory import TrialFactory

    return TrialFactory(pytestconfig)
