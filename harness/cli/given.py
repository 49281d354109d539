"""Words and options as the user gave them: lists with commas, and options that would say nothing."""

from __future__ import annotations

import click
from click.core import ParameterSource

from ..errors import UsageError


def separate(*words: str) -> list[str]:
    """``a,b`` as ``a`` and ``b``, of every one of ``words``."""
    return [name.strip() for word in words for name in word.split(",") if name.strip()]


def told_by_user(context: click.Context) -> list[str]:
    """The parameters of the command that the user gave, in the order they are declared."""
    told = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    names = [str(item.name) for item in context.command.params]
    return [name for name in names if context.get_parameter_source(name) in told]


def refuse_beside_json(told: list[str]) -> None:
    """Raise :class:`UsageError` for a folder of figures where none are drawn."""
    if "output" in told:
        raise UsageError("--output: --json draws nothing; leave one of them out")
