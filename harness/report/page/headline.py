"""What a reader wants to know first: the best of every figure, and whether chance may have made it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...comparison.statistics import Interval, apart
from ...comparison.summary import Column, Summary, levelled
from ..formats import interval_text, shown_unit
from .elements import Child, Markup, tag
from .gathering import phases_of
from .looks import swatch
from .series import Series

_NAMED = 3  # configurations in one sentence, at most

Held = tuple[Series, Interval]


def headline(all_of_them: Sequence[Series], summary: Summary, timings: Mapping[str, Any] | None) -> Markup | None:
    """A card a column: the configuration that leads on one dataset, its figure, and how sure that is."""
    one_phase = len(phases_of([one.row for one in all_of_them], timings)) <= 1
    cards = [
        _card(column, all_of_them, one_phase=one_phase or not column.key.startswith("timing."))
        for column in summary.columns
        if column.direction in ("higher", "lower") and not column.key.startswith("train.")
    ]
    made = [card for card in cards if card is not None]
    return tag("div", made, class_="cards") if made else None


def _card(column: Column, all_of_them: Sequence[Series], *, one_phase: bool) -> Markup | None:
    held: list[Held] = [
        (one, interval) for one in all_of_them if (interval := one.row.cells[column.key].interval) is not None
    ]
    if not held:
        return None
    means = levelled([interval.mean for _, interval in held])
    lead = (max if column.direction == "higher" else min)(means)
    best = [item for item, mean in zip(held, means, strict=True) if mean == lead]
    rivals = [item for item, mean in zip(held, means, strict=True) if mean != lead]
    sure, said = _verdict(best, rivals, column, one_phase=one_phase)
    return tag(
        "div",
        tag("h4", f"{'highest' if column.direction == 'higher' else 'lowest'} {column.title}"),
        tag("p", _leader(best), class_="leader"),
        tag("p", _value(best, column), " ", tag("span", shown_unit(column.unit), class_="unit"), class_="value"),
        tag("p", said, class_="sure" if sure else "unsure"),
        class_="card",
    )


def _leader(best: Sequence[Held]) -> list[Child]:
    """Who leads; of several alike, the first ones."""
    named = [tag("span", swatch(one.index), tag("bdi", one.name), class_="chip") for one, _ in best[:_NAMED]]
    if len(best) == 1:
        return [*named]
    more = f"and {len(best) - _NAMED} more" if len(best) > _NAMED else None
    return [f"{len(best)} alike: ", *((chip, " ") for chip in named), more]


def _value(best: Sequence[Held], column: Column) -> str:
    """The leading figure, with its interval where that of all who lead is the same."""
    texts = {interval_text(interval, column.unit) for _, interval in best}
    interval = best[0][1]
    return texts.pop() if len(texts) == 1 else interval_text(replace(interval, low=None, high=None), column.unit)


def _verdict(best: Sequence[Held], rivals: Sequence[Held], column: Column, *, one_phase: bool) -> tuple[bool, str]:
    """Whether the lead of ``best``, all alike, is beyond chance, and the sentence that says so."""
    if len(best) == 1 and not rivals:
        return False, "the only configuration with this figure"
    if not one_phase:
        return False, "timed in several phases, which compare nothing"
    if not rivals:
        return False, "the same for all"
    if column.kind == "exact":
        return True, "exact"
    counts = sorted({interval.n for _, interval in best})
    n = f"n = {' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}"
    close = [item for item in rivals if not all(apart(interval, item[1], column.direction) for _, interval in best)]
    if not close:
        whose = "its 95 % interval touches no other's" if len(best) == 1 else "their 95 % intervals touch no others'"
        return True, f"clear: {whose} ({n})"
    if any(interval.low is None for _, interval in best) or all(item[1].low is None for item in close):
        if column.key.startswith("timing."):
            return False, "one network timed a configuration: no interval over seeds"
        return False, "one seed, no interval: chance is not excluded"
    close.sort(key=lambda item: item[1].mean, reverse=column.direction == "higher")
    named = ", ".join(item[0].name for item in close[:_NAMED])
    more = f" and {len(close) - _NAMED} more" if len(close) > _NAMED else ""
    return False, f"not separated from {named}{more}: intervals overlap ({n})"
