"""Hold a validation split out of the training recordings; the test set is never looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..specification import seed_for
from ..text import one_line

Indices = npt.NDArray[np.int64]
_NONE = "no validation split: the last epoch is used"
_SHOWN = 8  # names that a sentence lists


def hold_out(
    labels: Indices,
    groups: npt.NDArray[np.str_] | None,
    recordings: Indices,
    share: float,
    seed: int,
) -> tuple[Indices, Indices, str]:
    """Return sample indices for training and for validation, and a sentence on how they were chosen.

    Whole groups (speakers, subjects) are held out until ``share`` of the samples is, so that the two are disjoint in
    groups; without groups, recordings stratified by class. Samples of one recording stay together. At least one group, or
    one recording per class, stays in training, so nothing is held out if there is one recording per class.
    :func:`split_warnings` says how far the result is from what was asked for.
    """
    everything = np.arange(len(labels))
    if share <= 0:
        return everything, everything[:0], _NONE
    random = np.random.default_rng(seed_for(seed, "split"))
    if groups is not None and len(np.unique(groups)) > 1:
        held = _whole_groups(groups, share, random)
        chosen = np.isin(groups, held)
        how = f"validation holds out {len(held)} of {len(np.unique(groups))} groups: {', '.join(sorted(held))}"
    else:
        held_recordings = _stratified(labels, recordings, share, random)
        chosen = np.isin(recordings, held_recordings)
        how = f"validation holds out {share:.0%} of the recordings of each class"
        if not len(held_recordings):
            how = _NONE
        elif _is_far(len(held_recordings) / len(np.unique(recordings)), share) or len(np.unique(labels[chosen])) < len(
            np.unique(labels)
        ):
            count = len(np.unique(recordings))
            how = f"validation holds out {len(held_recordings)} of {count} recordings, stratified by class"
    return everything[~chosen], everything[chosen], how


def split_warnings(
    labels: Indices,
    groups: npt.NDArray[np.str_] | None,
    held: Indices,
    share: float,
    classes: Sequence[str],
) -> list[str]:
    """Return sentences on where a split is not what ``share`` of the training samples leads one to expect.

    Args:
        labels: (samples,) of the whole training split, as ``groups``.
        held: the indices that :func:`hold_out` chose for validation.
        share: what was asked for, from 0 to 1.
        classes: their names.
    """
    if share <= 0:
        return []
    if not len(held):
        return [
            f"validation of {share:.0%} was asked for, but every class has one training recording: nothing is held out, "
            "and the last epoch is used"
        ]
    found = []
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[held] = True
    actual = len(held) / len(labels)
    if groups is not None and len(np.unique(groups)) == 1:
        found.append(
            f"all training recordings are of one group, {one_line(groups[0], 40)}: validation shares it with training, so "
            "validation accuracy says nothing of new groups"
        )
    if _is_far(actual, share):
        why = "classes have few recordings"
        if groups is not None and len(np.unique(groups)) > 1:
            names, sizes = np.unique(groups[chosen], return_counts=True)
            largest = int(sizes.argmax())
            why = f"group {one_line(names[largest], 40)} alone holds {sizes[largest] / len(labels):.0%}"
        found.append(
            f"validation holds out {actual:.0%} of the training samples where {share:.0%} were asked for ({why}): the network "
            f"trains on {1 - actual:.0%} of them"
        )
    known = set(np.unique(labels).tolist())
    for part, own, effect in (
        ("training", ~chosen, "the network is never trained on them"),
        ("validation", chosen, "the epoch is chosen without them"),
    ):
        missing = sorted(known - set(np.unique(labels[own]).tolist()))
        if missing:
            named = ", ".join(one_line(classes[index], 40) for index in missing[:_SHOWN])
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            found.append(f"the {part} part holds no sample of {len(missing)} classes: {named}{more}; {effect}")
    return found


def _is_far(actual: float, share: float) -> bool:
    return abs(actual - share) > share / 2


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
