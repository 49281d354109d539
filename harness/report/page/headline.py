"""What a reader wants to know first: the best of every figure, and whether chance may have made it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...comparison.statistics import Interval, apart
from ...comparison.summary import Column, Summary
from ..formats import interval_text, shown_unit
from .elements import Markup, tag
from .gathering import phases_of
from .looks import swatch
from .series import Series

_RIVALS = 3  # named, at most

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
    choose = max if column.direction == "higher" else min
    best = choose(held, key=lambda item: item[1].mean)
    equal = [item for item in held if item[1].mean == best[1].mean]
    sure, said = _verdict(best, held, column, one_phase=one_phase)
    leader = tag("span", swatch(best[0].index), tag("bdi", best[0].name), class_="chip")
    unit = tag("span", shown_unit(column.unit), class_="unit")
    return tag(
        "div",
        tag("h4", f"{'highest' if column.direction == 'higher' else 'lowest'} {column.title}"),
        tag("p", leader if len(equal) == 1 else f"{len(equal)} alike", class_="leader"),
        tag("p", interval_text(best[1], column.unit), " ", unit, class_="value"),
        tag("p", said, class_="sure" if sure else "unsure"),
        class_="card",
    )


def _verdict(best: Held, held: Sequence[Held], column: Column, *, one_phase: bool) -> tuple[bool, str]:
    """Whether the lead is beyond chance, and the sentence that says so."""
    one, interval = best
    rivals = [item for item in held if item[0] is not one]
    if not rivals:
        return False, "the only configuration with this figure"
    if not one_phase:
        return False, "timed in several phases, which compare nothing"
    if all(other.mean == interval.mean for _, other in rivals):
        return False, "the same for all"
    if column.kind == "exact":
        return True, "exact"
    close = [item for item in rivals if not apart(interval, item[1], column.direction)]
    if not close:
        return True, f"clear: its 95 % interval touches no other's (n = {interval.n})"
    if interval.low is None or all(item[1].low is None for item in close):
        if column.key.startswith("timing."):
            return False, "one network timed a configuration: no interval over seeds"
        return False, "one seed, no interval: chance is not excluded"
    close.sort(key=lambda item: item[1].mean, reverse=column.direction == "higher")
    named = ", ".join(item[0].name for item in close[:_RIVALS])
    more = f" and {len(close) - _RIVALS} more" if len(close) > _RIVALS else ""
    return False, f"not separated from {named}{more}: intervals overlap (n = {interval.n})"
