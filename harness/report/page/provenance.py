"""Where the numbers come from: data, who supplied what, and what the trials ran on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...records import Record
from .elements import Markup, tag
from .gathering import Material, Trial
from .reproduction import command


def environment(material: Material) -> Markup:
    """A column an environment that trials ran in; what differs between them is marked."""
    held: dict[str, tuple[dict[str, str], list[Trial]]] = {}
    for trial in material.trials:
        flat = {"harness": trial.record.harness, **dict(_flat(trial.record.environment))}
        flat.pop("executable", None)
        held.setdefault(json.dumps(flat, sort_keys=True), (flat, []))[1].append(trial)
    columns = list(held.values())
    names = list(dict.fromkeys(name for flat, _ in columns for name in flat))
    head = [tag("th", "", scope="col"), *(tag("th", _whose(trials, material), scope="col") for _, trials in columns)]
    body = []
    for name in names:
        values = [flat.get(name, "-") for flat, _ in columns]
        differs = len(set(values)) > 1
        body.append(
            tag(
                "tr",
                tag("th", name, tag("span", " differs", class_="badge") if differs else None, scope="row"),
                [tag("td", value, class_="words") for value in values],
                class_="differs" if differs else None,
            )
        )
    return _scrolled(head, body, "environment")


def _whose(trials: Sequence[Trial], material: Material) -> str:
    count = len(trials)
    words = f"{count} trial{'s' * (count != 1)}"
    runs = list(dict.fromkeys(trial.run.id for trial in trials))
    return f"{words} of {', '.join(runs)}" if len(material.runs) > 1 else words


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in data.items():
        if isinstance(value, dict):
            inner = "" if name == "packages" else f"{prefix}{name} "
            yield from _flat(value, inner)
        else:
            yield f"{prefix}{name}", "none" if value is None else str(value)


def _scrolled(head: Sequence[Markup], body: Sequence[Markup], label: str) -> Markup:
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", body), class_="facts")
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


def suppliers(records: Sequence[Record]) -> Markup | None:
    """Which plugin supplied each component, in which version."""
    found: dict[tuple[str, ...], None] = {}
    for record in records:
        for kind, given in record.suppliers.items():
            several = kind == "metrics" and isinstance(given, dict)
            for item in given.values() if several else (given,):
                if isinstance(item, dict):
                    words = [
                        str(item.get(part, "")) for part in ("name", "plugin", "distribution", "version", "source")
                    ]
                    found[("metric" if several else str(kind), *words)] = None
    if not found:
        return None
    titles = ("kind", "name", "plugin", "distribution", "version", "source hash")
    head = [tag("th", title, scope="col") for title in titles]
    body = [tag("tr", [tag("td", word, class_="words") for word in words]) for words in found]
    return _scrolled(head, body, "suppliers")


def data(records: Sequence[Record]) -> Markup | None:
    """What each dataset held: recordings and events a split, and a fingerprint of all of it."""
    found: dict[tuple[str, ...], None] = {}
    for record in records:
        splits = record.data.get("splits")
        for split, held in splits.items() if isinstance(splits, dict) else ():
            if isinstance(held, dict):
                counts = [_count(held.get(part)) for part in ("recordings", "samples", "events", "cropped")]
                without = held.get("without_sample")
                if (
                    isinstance(without, dict)
                    and isinstance(without.get("count"), int)
                    and isinstance(held.get("recordings"), int)
                ):
                    counts[0] = f"{_count(held['recordings'] - without['count'])} of {counts[0]}"
                found[
                    str(record.specification["dataset"]["name"]),
                    "synthetic" if record.synthetic else "recorded",
                    str(split),
                    *counts,
                    str(record.data.get("fingerprint", "")),
                ] = None
    if not found:
        return None
    titles = ("dataset", "", "split", "recordings", "samples", "events", "events cropped", "fingerprint")
    head = [tag("th", title, scope="col") for title in titles]
    body = [
        tag("tr", [tag("td", word, class_=None if word.replace(",", "").isdigit() else "words") for word in words])
        for words in found
    ]
    return _scrolled(head, body, "data")


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def commands(material: Material) -> Markup:
    """A command a run, to be copied."""
    blocks = []
    for number, item in enumerate(material.runs):
        mine = [trial.record for trial in material.trials if trial.run == item.run]
        git = item.about.get("environment", {}).get("git") if isinstance(item.about.get("environment"), dict) else None
        commit = ""
        if isinstance(git, dict) and git.get("commit"):
            commit = f"in a checkout of {git['commit']}" + (
                ", which had uncommitted changes" if git.get("dirty") else ""
            )
        blocks.append(
            tag(
                "div",
                tag("h4", tag("code", item.run.id)) if len(material.runs) > 1 else None,
                tag("pre", command(item.about, mine), id=f"command-{number}", class_="command", tabindex=0),
                tag("button", "Copy", type="button", data_copy=f"command-{number}", class_="tool"),
                tag("p", commit, class_="note") if commit else None,
                class_="reproduce",
            )
        )
    return tag("div", blocks)
