"""Hold a validation split out of the training recordings; the test set is never looked at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..specification import seed_for

Indices = npt.NDArray[np.int64]


def hold_out(
    labels: Indices,
    groups: npt.NDArray[np.str_] | None,
    recordings: Indices,
    share: float,
    seed: int,
) -> tuple[Indices, Indices, str]:
    """Sample indices for training and for validation, and a sentence on how they were chosen.

    Whole groups (speakers, subjects) are held out until ``share`` of the samples is, so that the two are disjoint in
    groups; where there are no groups, recordings stratified by class. Samples of one recording stay together. At least
    one group, or one recording a class where there are several, stays in training.
    """
    everything = np.arange(len(labels))
    if share <= 0:
        return everything, everything[:0], "no validation split: the last epoch is used"
    random = np.random.default_rng(seed_for(seed, "split"))
    if groups is not None and len(np.unique(groups)) > 1:
        held = _whole_groups(groups, share, random)
        chosen = np.isin(groups, held)
        how = f"validation holds out {len(held)} of {len(np.unique(groups))} groups: {', '.join(sorted(held))}"
    else:
        chosen = np.isin(recordings, _stratified(labels, recordings, share, random))
        how = f"validation holds out {share:.0%} of the recordings of each class"
    return everything[~chosen], everything[chosen], how


def _whole_groups(groups: npt.NDArray[np.str_], share: float, random: np.random.Generator) -> list[str]:
    names, sizes = np.unique(groups, return_counts=True)
    wanted = share * len(groups)
    held: list[str] = []
    total = 0
    for index in random.permutation(len(names)):
        closer = abs(total + sizes[index] - wanted) < abs(total - wanted)
        if not held or (closer and len(held) < len(names) - 1):
            held.append(str(names[index]))
            total += int(sizes[index])
    return held


def _stratified(labels: Indices, recordings: Indices, share: float, random: np.random.Generator) -> Indices:
    names, first = np.unique(recordings, return_index=True)
    held = []
    for label in np.unique(labels):
        of_class = random.permutation(names[labels[first] == label])
        held.append(of_class[: min(max(round(share * len(of_class)), 1), len(of_class) - 1)])
    return np.concatenate(held) if held else names[:0]
