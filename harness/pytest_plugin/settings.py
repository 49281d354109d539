"""What the plugin is told: options of the command line, and values of the ini file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The plugin's settings. ``results`` and ``data`` are None where environment variables or defaults decide.

    ``shared`` is a folder that xdist's workers share, and None in a process that runs its items alone; ``wall_clock`` says whether
    pytest-benchmark will take times here, and ``untimed`` why it will not where it otherwise would.
    """

    experiments: tuple[Path, ...] = ()
    baseline: str | None = None
    strict: bool = False
    results: str | None = None
    data: str | None = None
    plugin_files: tuple[str, ...] = ()
    force: bool = False
    root: Path = Path()
    shared: Path | None = None
    wall_clock: bool = False
    untimed: str | None = None

    def results_folder(self) -> Path:
        """Where runs go: the option, the ini value, ``HARNESS_RESULTS``, or ``results`` below pytest's root folder."""
        given = self.results or os.environ.get("HARNESS_RESULTS")
        return Path(given).expanduser().absolute() if given else self.root / "results"


SETTINGS = pytest.StashKey[Settings]()


def add_options(parser: pytest.Parser) -> None:
    """Declare them to pytest."""
    group = parser.getgroup("harness", "spiking-network benchmarks (snn-harness)")
    group.addoption(
        "--harness-baseline",
        metavar="NAME|PATH",
        help="Fail a trial whose configuration became worse than this baseline.",
    )
    group.addoption(
        "--harness-strict",
        action="store_true",
        help="With a baseline: fail a trial whose configuration, or any figure of it, cannot be compared.",
    )
    group.addoption(
        "--harness-results",
        metavar="DIR",
        help="Folder of runs (default: HARNESS_RESULTS, or results below the root folder).",
    )
    group.addoption("--harness-data", metavar="DIR", help="Folder of datasets (default: HARNESS_DATA).")
    group.addoption(
        "--harness-plugin",
        action="append",
        default=[],
        metavar="FILE.py",
        help="Load a single-file plugin of the harness; may be given more than once.",
    )
    group.addoption("--harness-force", action="store_true", help="Run trials again that are finished already.")
    parser.addini(
        "harness_experiments", "experiment files that are collected, an item a trial", type="paths", default=[]
    )
    parser.addini("harness_plugins", "single-file plugins of the harness to load", type="paths", default=[])
    for name in ("baseline", "results", "data"):
        parser.addini(f"harness_{name}", f"like --harness-{name}; a path is relative to the ini file", default="")


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this process."""
    inifile = config.inipath
    base = inifile.parent if inifile is not None else config.rootpath
    here = config.invocation_params.dir

    def place(name: str) -> str | None:
        if given := config.getoption(f"harness_{name}"):
            return str(_absolute(here, given))
        named = config.getini(f"harness_{name}")
        return str(_absolute(base, named)) if named else None

    baseline = config.getoption("harness_baseline") or config.getini("harness_baseline") or None
    for folder in (here, base):
        # A name is looked up among the baselines, so only what is a file is a path.
        if baseline is not None and (folder / baseline).is_file():
            baseline = str(_absolute(folder, baseline))
    workerinput = getattr(config, "workerinput", None)
    shared = workerinput.get("harness_shared") if workerinput is not None else None
    wall_clock, untimed = _wall_clock(config)
    return Settings(
        experiments=tuple(_absolute(base, path) for path in config.getini("harness_experiments")),
        baseline=baseline,
        strict=config.getoption("harness_strict"),
        results=place("results"),
        data=place("data"),
        plugin_files=(
            *(str(_absolute(base, path)) for path in config.getini("harness_plugins")),
            *(str(_absolute(here, path)) for path in config.getoption("harness_plugin")),
        ),
        force=config.getoption("harness_force"),
        root=config.rootpath,
        shared=Path(shared) if shared else None,
        wall_clock=wall_clock,
        untimed=untimed,
    )


def _absolute(base: Path, path: str | Path) -> Path:
    return Path(os.path.abspath(base / Path(path).expanduser()))


def _wall_clock(config: pytest.Config) -> tuple[bool, str | None]:
    """Whether pytest-benchmark takes times here, and why not where nobody said so."""
    if not config.pluginmanager.hasplugin("benchmark"):
        return False, None
    if config.getoption("benchmark_disable", False) and not config.getoption("benchmark_enable", False):
        return False, None
    if hasattr(config, "workerinput") or config.getoption("dist", "no") != "no":
        return False, "no wall-clock time was taken: under xdist trials share the processors"
    return True, None


def with_experiments(config: pytest.Config, settings: Settings) -> None:
    """Add the experiment files of the ini file to what a plain ``pytest`` collects; raises :class:`pytest.UsageError`."""
    source = pytest.Config.ArgsSource
    if config.args_source is source.ARGS:
        return
    for path in settings.experiments:
        if not path.is_file():
            raise pytest.UsageError(f"{config.inipath}: harness_experiments: {path}: no such file")
    if config.args_source is not source.TESTPATHS:
        return
    given = [_absolute(config.invocation_params.dir, arg.partition("::")[0]) for arg in config.args]
    config.args += [
        str(path)
        for path in dict.fromkeys(settings.experiments)
        if not any(path.is_relative_to(folder) for folder in given)
    ]
