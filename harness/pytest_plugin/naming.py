"""Names of items: the plan's labels, fit for node ids and ``-k``."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..plan import Plan, Planned


def item_names(plan: Plan) -> list[str]:
    """A name for each trial, such as ``shd-lif-fused-tau_mem:5-s0``; unique, and the backend is always said."""
    names = [_slug(_labelled(planned)) for planned in plan.trials]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{name}-{planned.row[:8]}"
        for name, planned in zip(names, plan.trials, strict=True)
    ]


def _labelled(planned: Planned) -> str:
    """The plan's label; it names the backend only where several are compared, so the backend is put in."""
    told = planned.specification
    words = planned.label.split(" ")
    # A label begins with dataset, network where there are several, neuron, and backend where there are several.
    place = 3 if words[1:3] == [told.network.name, told.neuron.name] else 2
    if words[place : place + 1] != [told.backend.name]:
        words.insert(place, told.backend.name)
    return " ".join(words)


def _slug(label: str) -> str:
    """``-k`` reads letters, digits and ``_ . : + -``; brackets would be taken for parameters."""
    return re.sub(r"[^\w.:+-]+", "-", label.replace("=", ":").replace("[", "").replace("]", ""))
