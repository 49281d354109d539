"""Isolation of observers from the network and from each other: what they must leave as it is, checked and restored.

An evaluation is checked in passing, which costs little. If anything was changed, it is repeated with every call of an
observer apart, so that the one that did it has an error and the others have the right values.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class Disturbance(Exception):
    """An observer changed what is not its own; the message says what."""


class RandomState:
    """The state of every global random generator: torch's, numpy's and Python's."""

    def __init__(self) -> None:
        self._torch = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        numpy = sys.modules.get("numpy.random")
        self._numpy: Any = numpy.get_state() if numpy is not None else None
        self._python = random.getstate()

    def like(self, other: RandomState) -> bool:
        """Return True if Python's and numpy's generators are in the same state."""
        return self._python == other._python and (
            self._numpy is None or other._numpy is None or _same_numpy(self._numpy, other._numpy)
        )

    def restore(self) -> None:
        """Make every generator draw again what it would have drawn."""
        torch.set_rng_state(self._torch)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
        if self._numpy is not None:
            sys.modules["numpy.random"].set_state(self._numpy)
        random.setstate(self._python)


def _same_numpy(one: Any, two: Any) -> bool:
    return bool(one[0] == two[0] and (one[1] == two[1]).all() and one[2:] == two[2:])


_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's default type": (torch.get_default_dtype, torch.set_default_dtype),
    "deterministic algorithms": (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    ),
    "whether gradients are recorded": (torch.is_grad_enabled, torch.set_grad_enabled),
    "hooks on every module": (lambda: tuple(map(dict, _global_hooks())), lambda value: _restore_hooks(value)),
}


def _global_hooks() -> tuple[dict[int, Any], ...]:
    module = torch.nn.modules.module
    return module._global_forward_pre_hooks, module._global_forward_hooks


def _restore_hooks(saved: tuple[dict[int, Any], ...]) -> None:
    for hooks, content in zip(_global_hooks(), saved, strict=True):
        hooks.clear()
        hooks.update(content)


class Mark:
    """What is cheap to compare: modes, hooks and versions of the network's tensors, and torch's settings."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modes = [module.training for module in modules]
        self.hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules]
        # A write into a parameter raises its version. Buffers may hold the state of neurons, which passes change.
        self.versions = [
            (id(tensor), -1 if tensor.is_inference() else tensor._version, tensor.requires_grad)
            for module in modules
            for tensor in module._parameters.values()
            if tensor is not None
        ]
        self.settings = {name: read() for name, (read, _) in _SETTINGS.items()}

    def changes(self, now: Mark) -> list[str]:
        """Return what another mark of the same network shows to have changed."""
        found = [f"torch: {name}" for name, value in self.settings.items() if now.settings[name] != value]
        if self.modes != now.modes:
            found.append("the mode of the network (train or eval)")
        if self.hooks != now.hooks:
            found.append("the hooks of the network")
        if self.versions != now.versions:
            found.append("the weights of the network")
        return found


class Copy:
    """Everything in a network that an observer could change, to be compared and restored."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = [(module, _shallow(vars(module))) for module in model.modules()]
        self._tensors = [
            (tensor, tensor.detach().clone(), tensor.requires_grad)
            for module in model.modules()
            for tensor in (*module._parameters.values(), *module._buffers.values())
            if tensor is not None
        ]

    def changes(self) -> list[str]:
        """Return what has changed since."""
        found = []
        if any(not _alike({name: saved[name] for name in _STRUCTURE}, vars(module)) for module, saved in self._modules):
            found.append("the layers, the mode or the hooks of the network")
        if any(not _equal(tensor, saved) or tensor.requires_grad != grad for tensor, saved, grad in self._tensors):
            found.append("the weights of the network")
        return found

    def weights_changed(self) -> bool:
        """Return True if a parameter has another value; buffers may hold the state of neurons, which changes rightly."""
        return any(not _equal(tensor, saved) for tensor, saved, _ in self._tensors if isinstance(tensor, nn.Parameter))

    def restore(self) -> None:
        """Put back every attribute, hook and value."""
        for module, saved in self._modules:
            _put_back(vars(module), saved)
        for tensor, value, grad in self._tensors:
            if tensor.requires_grad != grad:
                tensor.requires_grad_(grad)
            if not _equal(tensor, value):
                with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                    if tensor.shape != value.shape:
                        tensor.resize_(value.shape)
                    tensor.copy_(value)


# Attributes that no pass changes; others may be the state of a network, or what it keeps for later.
_STRUCTURE = ("training", "_parameters", "_modules", "_forward_hooks", "_forward_pre_hooks", "_backward_hooks")

_Saved = dict[str, tuple[Any, Any]]  # by name: the value itself, and a copy of a container's content


def _shallow(attributes: dict[str, Any]) -> _Saved:
    return {
        name: (value, value.copy() if isinstance(value, (dict, set, list)) else None)
        for name, value in attributes.items()
    }


def _put_back(attributes: dict[str, Any], saved: _Saved) -> None:
    """Restore attributes, and containers in place: a handle of a hook refers to the very mapping that holds it."""
    if saved.keys() == attributes.keys() and _alike(saved, attributes):
        return
    attributes.clear()
    for name, (value, content) in saved.items():
        attributes[name] = value
        if isinstance(value, list):
            value[:] = content
        elif content is not None:
            value.clear()
            value.update(content)


def _alike(saved: _Saved, now: dict[str, Any]) -> bool:
    for name, (value, content) in saved.items():
        other: Any = now.get(name)
        if value is not other and not (isinstance(value, (bool, int, float, str)) and value == other):
            return False
        if isinstance(value, dict) and list(map(id, content.values())) != list(map(id, value.values())):
            return False
        if content is not None and list(map(id, content)) != list(map(id, value)) and list(content) != list(value):
            return False
    return True


def _equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    if one.shape != two.shape:
        return False
    # NaN equals nothing, itself neither; what was broken before is no change.
    return torch.equal(one.detach(), two) or bool(
        two.is_floating_point() and torch.allclose(one.detach(), two, rtol=0, atol=0, equal_nan=True)
    )


class Guard:
    """Checks of one evaluation of ``model``: in passing, or around every single call of an observer.

    Args:
        model: the network that is evaluated.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._modules = list(model.modules())
        self._random = RandomState()
        self._settings = {name: read() for name, (read, _) in _SETTINGS.items()}
        self._copy = Copy(model)
        self._streams: dict[object, RandomState] = {}
        self.disturbed = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note whether the code inside changes the network, torch's settings or a random generator."""
        mark, state = Mark(self._modules), torch.get_rng_state()
        try:
            yield
        finally:
            drawn = not torch.equal(state, torch.get_rng_state())
            self.disturbed = self.disturbed or drawn or bool(mark.changes(Mark(self._modules)))

    def found(self) -> bool:
        """Return True if anything was changed; what is not worth a look in every batch shows here."""
        # Of torch's generator a network may draw rightly.
        self.disturbed = self.disturbed or self._copy.weights_changed() or not self._random.like(RandomState())
        return self.disturbed

    def restore(self) -> None:
        """Put back all that the guard saw when it was made."""
        self._copy.restore()
        _restore_settings(self._settings)
        self._random.restore()
        self.disturbed = False

    @contextmanager
    def apart(self, observer: object) -> Iterator[None]:
        """Run one call of ``observer`` with random numbers of its own, and undo what it changes.

        Raises:
            Disturbance: if it changed the network or torch's settings.
        """
        around = RandomState()
        self._streams.get(observer, self._random).restore()
        copy, settings = Copy(self._model), {name: read() for name, (read, _) in _SETTINGS.items()}
        try:
            yield
        finally:
            changes = copy.changes() + [
                f"torch: {name}" for name, (read, _) in _SETTINGS.items() if read() != settings[name]
            ]
            copy.restore()
            _restore_settings(settings)
            self._streams[observer] = RandomState()
            around.restore()
        if changes:
            raise Disturbance(f"it changed what is not its own: {', '.join(changes)}")


def _restore_settings(settings: dict[str, Any]) -> None:
    for name, (read, write) in _SETTINGS.items():
        if read() != settings[name]:
            write(settings[name])
