"""``harness``: find plugins, build the group of commands, and turn errors into one line and an exit status."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..environment import harness_version
from ..errors import ExitCode, HandledError, PluginCodeError, UsageError
from ..foreign import describe, is_users_interrupt, raise_interrupt
from ..places import REFUSED, cache_folder, kernels_environment, reason
from ..registry import PluginWarning, Registry
from ..store import DamagedRecordWarning
from .baseline import baseline
from .cache import cache
from .check import check
from .check_plugin import check_plugin
from .compare import compare
from .concluding import readers_may_leave, say_no_more
from .inspect import inspect
from .leaving import readers_leave_freely
from .neurons import neurons
from .new_plugin import new_plugin
from .noise import noise
from .plugins import plugins
from .report import report
from .run import run
from .runs import runs
from .surrogates import surrogates
from .terminal_size import drop_unusable_sizes
from .track import track
from .trend import trend


@dataclass
class Early:
    """Options that decide which plugins load; they may stand anywhere on the command line."""

    block: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    strict: bool = False
    traceback: bool = False
    rest: list[str] = field(default_factory=list)

    def registry_config(self) -> dict[str, Any]:
        """What a child needs to load the same plugins."""
        named = os.environ.get("HARNESS_PLUGINS", "")
        only = [name.strip() for name in named.split(",") if name.strip()] or None
        return {"block": self.block, "only": only, "files": [str(Path(name).absolute()) for name in self.files]}


def parse_early(arguments: Sequence[str]) -> Early:
    """Take ``-p``, ``-P``, ``--strict-plugins`` and ``--traceback`` out of ``arguments``; raises :class:`UsageError`."""
    early = Early()
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            early.rest += [argument, *waiting]
        elif argument == "--strict-plugins":
            early.strict = True
        elif argument == "--traceback":
            early.traceback = True
        elif argument[:2] in ("-p", "-P") and not argument.startswith("--"):
            value = argument[2:].removeprefix("=") or next(waiting, "")
            if not value:
                raise UsageError(f"{argument[:2]} needs a value: -p no:NAME or -P FILE.py")
            if argument[:2] == "-P":
                early.files.append(value)
            elif value.startswith("no:"):
                early.block.append(value.removeprefix("no:"))
            else:
                raise UsageError(f"-p {value}: expected no:NAME, which leaves the plugin NAME out")
        else:
            early.rest.append(argument)
    return early


class Commands(click.Group):
    """A group whose commands may write to a pipe that nobody reads, and that names the plugin's command that raised."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            # click would make status 1 of a reader that left.
            with readers_may_leave():
                return super().invoke(ctx)
            return ExitCode.OK
        except (click.ClickException, click.exceptions.Exit, click.Abort, HandledError):
            raise
        except BaseException as error:
            name = ctx.invoked_subcommand or ""
            own = cli.commands.get(name) is self.commands.get(name)
            if own or is_users_interrupt(error) or (isinstance(error, OSError) and error.errno in REFUSED):
                raise
            raise PluginCodeError(f"command {name}: {describe(error)}") from error


@click.group(
    name="harness",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 ok, 1 regression found, 2 interrupted, 3 a trial or a check failed or an internal error, 4 usage, "
    "5 nothing ran, 6 baseline missing or not comparable.",
)
@click.version_option(harness_version(), prog_name="snn-harness", message="%(prog)s %(version)s")
@click.option("-p", "blocked", metavar="no:NAME", help="Leave the plugin NAME out (may stand after the command too).")
@click.option("-P", "files", metavar="FILE.py", help="Load a single-file plugin.")
@click.option("--strict-plugins", is_flag=True, help="A plugin that fails to load is an error, not a warning.")
@click.option("--traceback", "show_traceback", is_flag=True, help="Show where an error came from.")
def cli(**_: Any) -> None:
    """Benchmark spiking neural networks: every dataset, neuron and backend asked for, one honest record a trial."""


for command in (
    run,
    runs,
    report,
    compare,
    check,
    baseline,
    noise,
    track,
    trend,
    inspect,
    neurons,
    surrogates,
    plugins,
    check_plugin,
    new_plugin,
    cache,
):
    cli.add_command(command)


def with_plugin_commands(registry: Registry) -> click.Group:
    """The group of commands with those of plugins added, built afresh so that nothing is left behind."""
    group = Commands(
        name=cli.name,
        commands=dict(cli.commands),
        params=cli.params,
        callback=cli.callback,
        help=cli.help,
        epilog=cli.epilog,
        context_settings=cli.context_settings,
    )
    for sentence in registry.notify("register_commands", cli=group):
        click.echo(f"warning: {sentence}", err=True)
    return group


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``harness`` with ``arguments`` (default: the process's) and return its exit status."""
    with readers_leave_freely():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    traced = "--traceback" in given
    drop_unusable_sizes(os.environ)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a mark shows a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with _recognisable_interrupts(last=arguments is None), _one_line_warnings():
            early = parse_early(given)
            with contextlib.suppress(UsageError):  # without a home folder: said by what needs one
                os.environ.update(kernels_environment(cache_folder()))
            registry = Registry.discover(
                strict=early.strict, block=early.block, files=[Path(name) for name in early.files]
            )
            group = with_plugin_commands(registry)
            result = group.main(
                args=early.rest,
                prog_name="harness",
                standalone_mode=False,
                obj={"registry": registry, "config": early.registry_config()},
            )
        return _status(result)
    except HandledError as error:
        return _failed(str(error), error.exit_code, traced)
    except click.exceptions.Exit as error:
        return ExitCode.USAGE if error.exit_code else ExitCode.OK
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.USAGE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see '{context.command_path} --help'" if context else ""
        return _failed(f"{error.format_message().rstrip('.')}{hint}", ExitCode.USAGE, traced)
    except (KeyboardInterrupt, click.exceptions.Abort) as error:
        raised = error.__cause__ if isinstance(error.__cause__, KeyboardInterrupt) else error
        if isinstance(raised, KeyboardInterrupt) and not is_users_interrupt(raised):
            return _foreign(raised, traced)
        return _failed("interrupted", ExitCode.INTERRUPTED, traced)
    except OSError as error:
        if _working_folder_is_gone():
            return _failed(
                "the folder that this was started in is gone; change to one that exists", ExitCode.USAGE, traced
            )
        if error.errno not in REFUSED:
            return _internal(error, traced)
        if error.filename is None:
            say_no_more()  # what is left in its buffer would be tried again at the end
        place = error.filename or "standard output or a file"
        return _failed(f"{place}: cannot be read or written: {reason(error)}", ExitCode.USAGE, traced)
    except Exception as error:
        return _internal(error, traced)
    except BaseException as error:  # only the user's own signal ends a command
        return _foreign(error, traced)


def _working_folder_is_gone() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _status(result: object) -> int:
    """The exit status that a command returned; one that the system would cut to another number is a failure."""
    if not isinstance(result, int):
        return ExitCode.OK
    return int(result) if 0 <= result <= 255 else ExitCode.FAILED


def _internal(error: Exception, traced: bool) -> int:
    return _failed(f"internal error: {describe(error)}; run again with --traceback", ExitCode.FAILED, traced)


def _foreign(error: BaseException, traced: bool) -> int:
    return _failed(f"code of a plugin raised {describe(error)}; run again with --traceback", ExitCode.FAILED, traced)


def _failed(message: str, code: ExitCode, traced: bool) -> int:
    with contextlib.suppress(OSError):  # a log on a full disk: the status still says it
        if traced:
            traceback.print_exc()
        click.echo(f"error: {' '.join(message.split())}", err=True)
    return code


@contextlib.contextmanager
def _recognisable_interrupts(last: bool) -> Iterator[None]:
    """Handle SIGINT so that the user's own signal can be told from a plugin's ``raise KeyboardInterrupt``.

    If ``last``, the process ends with this command, and an interrupted one ignores further signals: its last line comes whole.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, raise_interrupt)
    after: Any = signal.default_int_handler
    try:
        yield
    except KeyboardInterrupt:
        after = signal.SIG_IGN if last else after
        raise
    finally:
        signal.signal(signal.SIGINT, after)


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Show our own warnings as one line each; leave the rest to Python's filters."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, (PluginWarning, DamagedRecordWarning)):
                click.echo(f"warning: {' '.join(str(message).split())}", err=True)
            else:
                shown(message, category, *where, **more)

        warnings.simplefilter("always", PluginWarning)
        warnings.simplefilter("always", DamagedRecordWarning)
        warnings.showwarning = show
        yield
