"""What a command line asks for: an experiment file with the options over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UsageError
from ..experiment import Experiment, parse_seeds, parse_setting

_UNASKED: Mapping[str, Any] = {
    "plugins": None,
    "settings": (),
    "seeds": None,
    "recipe": None,
    "epochs": None,
    "limit": None,
    "report_inflation": False,
    "metrics": None,
}


def asked(from_file: Mapping[str, Any], words: Mapping[str, Any] | None = None) -> Experiment:
    """The file's experiment with the command line's ``words`` over it, where there are any; raises :class:`UsageError`."""
    given = {**_UNASKED, **(words or {})}
    names = _names(given["plugins"] if given["plugins"] is not None else from_file.get("plugins", []))
    metrics = given["metrics"] if given["metrics"] is not None else from_file.get("metrics")
    if not names:
        raise UsageError("nothing to run: name components with --plugins, such as --plugins shd-synthetic,lif")
    settings: dict[str, list[Any]] = dict(from_file.get("settings", {}))
    for text in given["settings"]:
        path, values = parse_setting(text)
        settings[path] = list(values)
    epochs = given["epochs"] if given["epochs"] is not None else from_file.get("epochs")
    if epochs is not None:
        settings["recipe.epochs"] = [epochs]
    return Experiment(
        plugins=names,
        settings=settings,
        seeds=parse_seeds(given["seeds"] if given["seeds"] is not None else from_file.get("seeds", 1)),
        recipe=given["recipe"] or from_file.get("recipe", "default"),
        limit=given["limit"] if given["limit"] is not None else from_file.get("limit"),
        report_inflation=given["report_inflation"] or from_file.get("report_inflation", False),
        metrics=None if metrics is None else _names(metrics),
    )


def _names(given: str | Iterable[object]) -> tuple[str, ...]:
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(str(name).strip() for name in parts if str(name).strip())
