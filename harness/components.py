"""What plugins hand over: frozen, light descriptors. The work sits behind ``"module:attribute"``, imported on use."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .errors import PluginError
from .parameters import Parameter, Value, resolve

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")


def load_reference(reference: str) -> Any:
    """The object behind ``"module:attribute"``; raises :class:`PluginError` when either part is missing."""
    module, _, attribute = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{reference}: cannot be loaded: {error}") from error


@dataclass(frozen=True)
class Choice:
    """A component that an experiment has chosen, with the value of every parameter it declares."""

    kind: str
    name: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __getitem__(self, parameter: str) -> Value:
        return self.values[parameter]


@dataclass(frozen=True, kw_only=True)
class Component:
    """What every component declares.

    ``presets`` names sets of values, such as ``{"tutorial": {"spikes": "multi"}}``, that a recipe of that name applies.
    """

    kind: ClassVar[str] = ""
    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    presets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""

    def choose(self, **given: object) -> Choice:
        """This component with ``given`` values and its defaults for the rest; raises ``UsageError``."""
        return Choice(self.kind, self.name, resolve(self.name, self.parameters, given))

    def references(self) -> dict[str, str]:
        """Field name to ``"module:attribute"`` for everything that is imported on use."""
        return {}

    def problems(self) -> list[str]:
        """What is wrong with this descriptor, in words; empty when it is sound."""
        found = []
        if not NAME.match(self.name):
            found.append(f"the name {self.name!r} is not lower-case words joined by hyphens")
        if not self.summary or "\n" in self.summary:
            found.append("the summary must be one line")
        names = [parameter.name for parameter in self.parameters]
        found += [f"parameter {name!r} is declared twice" for name in sorted(set(names)) if names.count(name) > 1]
        found += [
            f"{where} {reference!r} is not 'module:attribute'"
            for where, reference in self.references().items()
            if not REFERENCE.match(reference)
        ]
        for given in ({}, *self.presets.values()):
            try:
                self.choose(**given)
            except Exception as error:
                found.append(str(error))
        return found


@dataclass(frozen=True, kw_only=True)
class Neuron(Component):
    """A model of a spiking neuron and its parameters: declared, not computed.

    ``reference`` names the definition, ``reference(neuron, shape, recurrent=None) -> torch.nn.Module`` with
    (batch, time, ...) in and out; backends are compared with it.
    """

    kind: ClassVar[str] = "neuron"
    reference: str = ""

    def references(self) -> dict[str, str]:
        return {"reference": self.reference} if self.reference else {}
