"""What a model keeps between forward passes: put back as it was, reset by the library that keeps it, or found and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

# What modules of these libraries call to begin anew, by the package that they come from.
_RESETS = {
    "sinabs": ("reset_states",),
    "spikingjelly": ("reset",),
    "snntorch": ("reset_mem", "reset_hidden"),
}
# What is added to counts to drive every neuron.
_FAR = 100.0
# Of torch's own, none of which a forward pass changes.
_TORCH = frozenset(vars(nn.Module())) - {"_buffers"}


@dataclass(frozen=True)
class _Value:
    """A value: the object itself, and what it held: a copy of a tensor or an array, or the values in a list, tuple or dictionary."""

    itself: Any
    content: Any

    @classmethod
    def of(cls, value: Any) -> _Value:
        if isinstance(value, torch.Tensor):
            return cls(value, value.detach().clone())
        if isinstance(value, np.ndarray):
            return cls(value, value.copy())
        if isinstance(value, (list, tuple)):
            return cls(value, [cls.of(each) for each in value])
        if isinstance(value, dict):
            return cls(value, {key: cls.of(each) for key, each in value.items()})
        return cls(value, None)

    @property
    def held(self) -> Any:
        """A value that is equal to what the object was, of other objects."""
        if isinstance(self.itself, (torch.Tensor, np.ndarray)):
            return self.content
        if isinstance(self.itself, (list, tuple)):
            return [each.held for each in self.content]
        if isinstance(self.itself, dict):
            return {key: each.held for key, each in self.content.items()}
        return self.itself

    def put_back(self) -> Any:
        """The object itself, with what it held."""
        if isinstance(self.itself, torch.Tensor):
            if not _same(self.itself, self.content):
                # A tensor that was made in inference mode may be written into there alone.
                with torch.inference_mode():
                    self.itself.copy_(self.content)
        elif isinstance(self.itself, np.ndarray):
            if not _same(self.itself, self.content):
                self.itself[...] = self.content
        elif isinstance(self.itself, list):
            self.itself[:] = [each.put_back() for each in self.content]
        elif isinstance(self.itself, tuple):
            for each in self.content:
                each.put_back()
        elif isinstance(self.itself, dict):
            content = {key: each.put_back() for key, each in self.content.items()}
            self.itself.clear()
            self.itself.update(content)
        return self.itself


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last bit, where that can be told; other objects are taken for what they are."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if one.shape != other.shape or one.dtype != other.dtype or one.device != other.device:
            return False
        equal = one == other
        return bool((equal | ((one != one) & (other != other))).all())
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        # Bytes, since objects and texts have no NaN.
        return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (bool, int, float, complex, str, bytes)) or one is None:
        return type(one) is type(other) and (one == other or one != one)
    return one is other


def _attributes(model: nn.Module) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every attribute that a forward pass may change: its full name, the dictionary that holds it, and its key there."""
    for prefix, module in model.named_modules():
        path = f"{prefix}." if prefix else ""
        for holder in (module._buffers, vars(module)):
            for key in list(holder):
                if holder is module._buffers or (key not in _TORCH and key != "_buffers"):
                    yield path + key, holder, key


def _snapshot(model: nn.Module) -> dict[str, tuple[dict[str, Any], str, _Value]]:
    return {name: (holder, key, _Value.of(holder[key])) for name, holder, key in _attributes(model)}


def _put_back(before: Mapping[str, tuple[dict[str, Any], str, _Value]], model: nn.Module) -> None:
    for name, holder, key in list(_attributes(model)):
        if name not in before:
            del holder[key]
    for holder, key, value in before.values():
        holder[key] = value.put_back()


@contextmanager
def kept_state(model: nn.Module) -> Iterator[None]:
    """While inside, ``model`` may change what it keeps; afterwards its buffers and attributes are as they were before."""
    before = _snapshot(model)
    try:
        yield
    finally:
        _put_back(before, model)


def resets(model: nn.Module) -> list[Callable[[], object]]:
    """What makes every module of sinabs, snnTorch and SpikingJelly in ``model`` begin anew, as these libraries do it themselves."""
    found: list[Callable[[], object]] = []
    for module in model.modules():
        packages = {kind.__module__.partition(".")[0] for kind in type(module).__mro__}
        names = [name for package in sorted(packages & _RESETS.keys()) for name in _RESETS[package]]
        again = next((getattr(module, name) for name in names if hasattr(module, name)), None)
        if again is not None:
            found.append(again)
    return found


def reset(model: nn.Module) -> None:
    """Let every module of a library that is known to keep state begin anew."""
    # State that was computed in inference mode may be written into there alone.
    with torch.inference_mode():
        for again in resets(model):
            again()


def carried_state(model: nn.Module, x: torch.Tensor) -> list[str]:
    """Find what ``model`` carries from one forward pass into the next; it is left as it was before.

    A pass is repeated with the same random numbers: after itself, after a strongly driven one, and after everything that passes leave
    behind was moved far off, so that state is found which happens to change nothing on ``x``.

    Args:
        model: a network in evaluation mode; layers of libraries that are known are reset before every pass.
        x: counts of a few recordings (B, T, ...).

    Returns:
        Full names of attributes, or ``a value that is no attribute of a module``; empty where all modules put out the
        same in every pass.
    """
    with kept_state(model), torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
        seed = torch.initial_seed()

        def run(given: torch.Tensor) -> list[torch.Tensor]:
            reset(model)
            torch.manual_seed(seed)
            return _outputs(model, given)

        def left() -> dict[str, Any]:
            return {name: value.held for name, (_, _, value) in _snapshot(model).items()}

        first, once = run(x), left()
        again, twice = run(x), left()
        # A strong drive leaves behind what a weak one does not; a network may refuse it.
        with suppress(Exception):
            run(x + _FAR)
        driven = left()
        after = run(x)
        nothing = object()
        depends = [
            name
            for name, value in once.items()
            if not all(_same(value, other.get(name, nothing)) for other in (twice, driven))
        ]
        if not (_all_same(first, again) and _all_same(first, after)):
            return depends or ["a value that is no attribute of a module"]
        for far in (1e9, -1e9):
            for name, (holder, key, value) in _snapshot(model).items():
                if name in depends:
                    holder[key] = _filled(value.held, far)
            try:
                other = run(x)
            except Exception:  # what a layer cannot compute with is read by it
                return depends
            if not _all_same(first, other):
                return depends
    return []


def _filled(value: Any, far: float) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.full_like(value, far) if value.is_floating_point() else value
    if isinstance(value, np.ndarray):
        return np.full_like(value, far) if value.dtype.kind == "f" else value
    if isinstance(value, float):
        return far
    if isinstance(value, list):
        return [_filled(each, far) for each in value]
    if isinstance(value, tuple):
        return tuple(_filled(each, far) for each in value)
    if isinstance(value, dict):
        return {key: _filled(each, far) for key, each in value.items()}
    return value


def _outputs(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """What every module puts out, in order."""
    found: list[torch.Tensor] = []

    def see(module: nn.Module, given: Any, out: Any) -> None:
        for value in out if isinstance(out, (list, tuple)) else [out]:
            if isinstance(value, torch.Tensor):
                found.append(value.detach().clone())

    handles = [
        module.register_forward_hook(see)
        for module in model.modules()
        if not isinstance(module, torch.jit.ScriptModule)
    ]
    try:
        with torch.inference_mode():
            model(x.clone())
    finally:
        for handle in handles:
            handle.remove()
    return found


def _all_same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(_same, one, other))
