"""A label for every element of the memory of tensors, so that views and writes in place need no rule of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from .origins import CONSTANT, ZERO, Origin
from .synapses import NotUnderstood

# One label for all elements, or one each as whole numbers in float32, which every operation that moves data takes.
Labels = int | torch.Tensor


class Shadow:
    """Origins of elements by where they lie; memory that was never written into holds constants."""

    def __init__(self) -> None:
        self._origins: list[Origin] = []
        self._numbers: dict[Origin, int] = {}
        self._memory: dict[int, tuple[StorageWeakRef, Labels]] = {}
        self.zero, self.constant = self.number(ZERO), self.number(CONSTANT)

    def number(self, origin: Origin) -> int:
        """The label of ``origin``."""
        if origin not in self._numbers:
            self._numbers[origin] = len(self._origins)
            self._origins.append(origin)
        return self._numbers[origin]

    def origin(self, label: float) -> Origin:
        """The origin that has the label."""
        return self._origins[int(label)]

    def follows(self, tensor: torch.Tensor) -> bool:
        """Whether anything in the memory of ``tensor`` may depend on the input."""
        return _key(tensor) in self._memory

    def labels(self, tensor: torch.Tensor) -> Labels:
        """The labels of ``tensor``; those of a constant are told by its values."""
        found = self._memory.get(_key(tensor))
        if found is None:
            return self._of_constant(tensor)
        return found[1] if isinstance(found[1], int) else collapsed(_lying(found[1], tensor))

    def write(self, tensor: torch.Tensor, labels: Labels) -> None:
        """Note what ``tensor`` now holds; the rest of its memory is as before."""
        key = _key(tensor)
        found = self._memory.get(key)
        everything = tensor.numel() == _elements(tensor)
        before = None if found is None else found[1]
        if isinstance(labels, int) and (everything or (isinstance(before, int) and before == labels)):
            self._memory[key] = (StorageWeakRef(tensor.untyped_storage()), labels)
            return
        flat = self._flat(tensor, before, everything)
        _lying(flat, tensor).copy_(torch.as_tensor(labels, dtype=torch.float32).expand(tensor.shape))
        self._memory[key] = (StorageWeakRef(tensor.untyped_storage()), flat)
        self._purge()

    def follow(self, tensor: torch.Tensor) -> None:
        """Begin to follow the memory of a constant that is about to be written into."""
        if not self.follows(tensor):
            whole = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(tensor.untyped_storage())
            labels = self._of_constant(whole)
            if not isinstance(labels, int):
                labels = labels.contiguous()
            self._memory[_key(tensor)] = (StorageWeakRef(tensor.untyped_storage()), labels)

    def map(self, operands: Sequence[Labels], rule: Callable[[list[Origin]], Origin]) -> Labels:
        """Labels of what an operation makes element by element, as ``rule`` says for the origins of its operands."""
        if all(isinstance(labels, int) for labels in operands):
            return self.number(rule([self.origin(labels) for labels in operands if isinstance(labels, int)]))
        together = torch.stack(
            torch.broadcast_tensors(*(torch.as_tensor(one, dtype=torch.float32) for one in operands))
        )
        flat = together.reshape(len(operands), -1)
        if not flat.shape[1]:
            return self.constant
        combinations, which = torch.unique(flat, dim=1, return_inverse=True)
        made = [self.number(rule([self.origin(label) for label in one])) for one in combinations.T.tolist()]
        return collapsed(torch.tensor(made, dtype=torch.float32)[which].reshape(together.shape[1:]))

    def windows(
        self, labels: Labels, largest: Callable[[torch.Tensor], torch.Tensor], rule: Callable[[list[Origin]], Origin]
    ) -> Labels:
        """Labels of what comes of many elements at once; ``largest`` takes the maximum over each of the same windows."""
        if isinstance(labels, int):
            return self.number(rule([self.origin(labels)]))
        present = labels.unique().tolist()
        inside = torch.stack([largest((labels == label).float()) for label in present])
        flat = inside.reshape(len(present), -1)
        combinations, which = torch.unique(flat, dim=1, return_inverse=True)
        made = []
        for one in combinations.T.tolist():
            origins = [self.origin(label) for label, there in zip(present, one, strict=True) if there > 0]
            made.append(self.number(rule(origins or [ZERO])))
        return collapsed(torch.tensor(made, dtype=torch.float32)[which].reshape(inside.shape[1:]))

    def origins(self, labels: Labels) -> list[Origin]:
        """The origins that are among ``labels``."""
        return [self.origin(label) for label in ([labels] if isinstance(labels, int) else labels.unique().tolist())]

    def _of_constant(self, tensor: torch.Tensor) -> Labels:
        zero = (tensor == 0).cpu()
        if zero.all():
            return self.zero
        if not zero.any():
            return self.constant
        return torch.where(zero, float(self.zero), float(self.constant))

    def _flat(self, tensor: torch.Tensor, before: Labels | None, everything: bool) -> torch.Tensor:
        if isinstance(before, torch.Tensor):
            return before
        if before is None and not everything:
            self.follow(tensor)
            before = self._memory[_key(tensor)][1]
            if isinstance(before, torch.Tensor):
                return before
        return torch.full((_elements(tensor),), float(before or 0))

    def _purge(self) -> None:
        """Forget memory that is gone; until then its address names nothing else."""
        if len(self._memory) % 256 == 0:
            self._memory = {key: found for key, found in self._memory.items() if not found[0].expired()}


def collapsed(labels: torch.Tensor) -> Labels:
    """One label where all are the same."""
    if labels.numel() and bool((labels == labels.reshape(-1)[0]).all()):
        return int(labels.reshape(-1)[0])
    return labels


def spread(labels: Labels, shape: Sequence[int]) -> torch.Tensor:
    """One label an element."""
    return torch.as_tensor(labels, dtype=torch.float32).expand(tuple(shape))


def _key(tensor: torch.Tensor) -> int:
    try:
        key: int = tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError) as error:
        raise NotUnderstood(f"a tensor of layout {tensor.layout} cannot be followed through the network") from error
    return key


def _elements(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def _lying(flat: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """The labels of memory as ``tensor`` lies in it."""
    if len(flat) != _elements(tensor):
        raise NotUnderstood("a tensor that is read as another type of element cannot be followed through the network")
    return flat.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())
