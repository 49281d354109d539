"""Find, load, name and block plugins; look components up. One that fails costs itself alone."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from . import hookspecs
from .components import KINDS, Component, call_reference
from .errors import HandledError, PluginCodeError, PluginError, UsageError, nearest
from .foreign import describe, foreign_code, plugin_code
from .text import one_line

GROUP = "harness"
DISTRIBUTION = "snn-harness"


class PluginWarning(UserWarning):
    """A plugin that was left out, with the reason."""


@dataclass(frozen=True)
class Supplier:
    """Where a component comes from."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution} {self.version})".replace(" )", ")")

    def to_json(self) -> dict[str, str]:
        """Plain JSON values."""
        return {"plugin": self.plugin, "distribution": self.distribution, "version": self.version}


@dataclass(frozen=True)
class Registered:
    """A component and who supplies it."""

    component: Component
    supplier: Supplier

    @property
    def qualified(self) -> str:
        """``entrypoint:name``, which is never ambiguous."""
        return f"{self.supplier.plugin}:{self.component.name}"

    def unusable(self) -> str | None:
        """Why this component cannot be used here, or None. Cheap: it looks, it does not probe."""
        available = getattr(self.component, "available", "")
        if not available:
            return None
        try:
            reason = call_reference(available)
        except Exception as error:  # a stranger's code: the reason is the answer
            return describe(error)
        return None if reason is None else one_line(reason)


class Registry:
    """The components that loaded plugins offer. It is passed along; there is no global one."""

    def __init__(self, *, strict: bool = False) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._strict = strict
        self._components: dict[str, list[Registered]] = {}
        self._suppliers: dict[str, Supplier] = {}
        self.failures: dict[Supplier, str] = {}

    @classmethod
    def discover(
        cls,
        *,
        strict: bool = False,
        block: Iterable[str] = (),
        only: Iterable[str] | None = None,
        files: Iterable[Path] = (),
        points: Iterable[EntryPoint] | None = None,
    ) -> Registry:
        """Load every installed plugin (entry-point group ``harness``) and every single-file plugin in ``files``.

        ``only`` limits the entry points to those names (default: ``HARNESS_PLUGINS``, comma separated, where set);
        ``block`` leaves names out. Under ``strict`` a plugin that fails raises :class:`PluginError`.
        """
        registry = cls(strict=strict)
        found = list(entry_points(group=GROUP)) if points is None else list(points)
        if only is None and os.environ.get("HARNESS_PLUGINS"):
            only = [name.strip() for name in os.environ["HARNESS_PLUGINS"].split(",") if name.strip()]
        blocked = set(block)
        names = {point.name for point in found}
        for name in sorted((blocked | set(only or ())) - names):
            raise UsageError(f"no plugin is named {name!r}{nearest(name, names)}; 'harness plugins' lists them")
        for point in sorted(found, key=lambda item: item.name):
            if point.name not in blocked and (only is None or point.name in only):
                dist = point.dist
                supplier = Supplier(point.name, dist.name if dist else "unknown", dist.version if dist else "")
                registry._load(supplier, point.load)
        for path in files:
            registry._load(Supplier(path.stem, str(path), ""), partial(_module_from, path))
        return registry

    def _load(self, supplier: Supplier, load: Callable[[], Any]) -> None:
        # A plugin may raise anything at import or in a hook; it must not take the command with it.
        before = {name: list(entries) for name, entries in self._components.items()}
        plugin: Any = None
        try:
            if supplier.plugin in self._suppliers:
                raise PluginError(
                    f"a plugin named {supplier.plugin!r} is loaded from {self._suppliers[supplier.plugin]}"
                )
            with foreign_code():
                plugin = load()
                self._manager.register(plugin, supplier.plugin)
                self._refuse_unknown_hooks(plugin)
                for kind in KINDS:
                    self._caller(f"register_{kind}s", plugin)(register=partial(self._add, kind, supplier))
            self._suppliers[supplier.plugin] = supplier
        except Exception as error:
            self._components = before
            if plugin is not None and self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            cause = f"plugin {supplier} was left out: {_cause(error)}"
            if self._strict:
                raise PluginError(cause) from error
            self.failures[supplier] = cause
            warnings.warn(cause, PluginWarning, stacklevel=2)

    def _caller(self, name: str, plugin: Any) -> Any:
        """The hook ``name`` of ``plugin`` only, to call."""
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        return self._manager.subset_hook_caller(name, others)

    def make_executor(self, name: str, options: Mapping[str, str]) -> Any:
        """Return the first plugin's executor called ``name``, or None if no plugin makes one.

        Raises:
            PluginCodeError: if a plugin raised; it names the plugin.
        """
        for plugin_name, plugin in self._manager.list_name_plugin():
            with plugin_code(f"plugin {plugin_name} failed in make_executor"):
                made = self._caller("make_executor", plugin)(name=name, options=options)
            if made is not None:
                return made
        return None

    def notify(self, name: str, **arguments: Any) -> list[str]:
        """Call a notification hook of every plugin apart; return a sentence per plugin that raised."""
        failed = []
        for plugin_name, plugin in self._manager.list_name_plugin():
            try:
                with plugin_code(f"plugin {plugin_name} failed in {name}"):
                    self._caller(name, plugin)(**arguments)
            except PluginCodeError as error:
                failed.append(str(error))
            except HandledError as error:
                failed.append(f"plugin {plugin_name} failed in {name}: {error}")
        return failed

    def _refuse_unknown_hooks(self, plugin: Any) -> None:
        known = [name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction)]
        called = {caller.name for caller in self._manager.get_hookcallers(plugin) or []}
        for name in known:
            if name not in called and inspect.isfunction(getattr(plugin, name, None)):
                raise PluginError(f"its {name!r} is not marked with @hookimpl, so it would not be called")
        for caller in self._manager.get_hookcallers(plugin) or []:
            if not caller.has_spec():
                raise PluginError(f"{caller.name!r} is not a hook of the harness{nearest(caller.name, known)}")

    def _add(self, kind: str, supplier: Supplier, component: object) -> None:
        if not isinstance(component, KINDS[kind]):
            raise PluginError(f"register_{kind}s was handed {component!r}, which is no {KINDS[kind].__name__}")
        problems = component.problems()
        if problems:
            raise PluginError(f"{component.kind} {component.name!r}: {'; '.join(problems)}")
        entries = self._components.setdefault(component.name, [])
        if any(entry.supplier == supplier for entry in entries):
            raise PluginError(f"it offers the name {component.name!r} twice")
        entries.append(Registered(component, supplier))

    def components(self, kind: str | None = None) -> list[Registered]:
        """Every component, or every one of a kind, by name."""
        return [
            entry
            for name in sorted(self._components)
            for entry in self._components[name]
            if kind is None or entry.component.kind == kind
        ]

    def find(self, name: str) -> Registered:
        """The component called ``name``, or ``entrypoint:name`` where two plugins offer it.

        Raises :class:`UsageError` for an unknown name (with the nearest ones) and for one that two plugins offer.
        """
        plugin, colon, bare = name.rpartition(":")
        entries = [e for e in self._components.get(bare, []) if not colon or e.supplier.plugin == plugin]
        if not entries:
            failed = f"; {'; '.join(self.failures.values())}" if self.failures else ""
            close = nearest(bare, self._components)
            raise UsageError(f"nothing is named {name!r}{close}; 'harness plugins' lists every name{failed}")
        if len(entries) > 1:
            suppliers = " and ".join(str(entry.supplier) for entry in entries)
            ways = " or ".join(f"{entry.supplier.plugin}:{bare}" for entry in entries)
            raise UsageError(f"{bare!r} is offered by {suppliers}; say {ways}")
        return entries[0]


def _cause(error: Exception) -> str:
    """One line on why a plugin was left out; a mistake that the harness found in it needs no type or place."""
    return one_line(error) if isinstance(error, HandledError) else describe(error)


def _module_from(path: Path) -> Any:
    if path.is_dir():
        raise PluginError(f"{path}: a folder; name a Python file in it")
    if not path.is_file():
        raise PluginError(f"{path}: no such file")
    path = path.absolute()
    taken = sys.modules.get(path.stem)
    if taken is not None:
        if getattr(taken, "__file__", None) == str(path):
            return taken
        raise PluginError(f"{path}: a module named {path.stem!r} is imported already; rename the file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    # References such as "mine:layer" are imported by name, so the module must be found under its own.
    sys.modules[path.stem] = module
    # Modules beside it may be imported too; last, so that they hide nothing that is installed.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module
