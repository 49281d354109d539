"""The page: one HTML file that asks nothing of anybody, and runs no script but its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...comparison.figures import all_figures
from ...comparison.summary import limited_to
from ...records import Status
from ...run_state import shown
from ...store import Run, write_atomically
from . import looks
from .elements import Child, Markup, tag
from .failures import failures
from .gathering import Material, gather, statuses
from .headline import headline
from .provenance import commands, data, environment, suppliers
from .sections import dataset_sections, framed
from .series import Series, series_of
from .shell import packaged, self_contained, theme_button
from .tables import comparison, every_figure, every_trial

Section = tuple[str, str, Markup]
"""Identifier, title and content."""


def write_page(runs: Sequence[Run], path: Path) -> None:
    """Write the page of ``runs`` to ``path``, its links to records relative to it.

    Raises :class:`DataError` for a damaged run, ``OSError`` where the file cannot be written.
    """
    write_atomically(path, page(gather(runs), path.parent).encode())


def page(material: Material, place: Path) -> str:
    """The whole page, for a file in the folder ``place``. The same records give the same text."""
    place = place.resolve()
    sections = [*_sections(material, place)]
    title = _title(material)
    return self_contained(
        title,
        tag("a", "Skip to the comparison", href="#summary", class_="skip"),
        looks.symbols(),
        _header(title, material),
        _navigation(sections),
        tag("main", [content for _, _, content in sections]),
        _footer(material),
        tag("div", id="tip", role="status", hidden=True),
        style=packaged(Path(__file__).with_name("page.css")) + looks.style(),
        script=packaged(Path(__file__).with_name("page.js")),
        made_by=material.summary.harness,
    )


def _title(material: Material) -> str:
    specifications = [trial.record.specification for trial in material.trials]
    words = {
        part: list(dict.fromkeys(str(item[part]["name"]) for item in specifications)) for part in ("dataset", "neuron")
    }
    return f"{_listed(words['neuron'])} on {_listed(words['dataset'])}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def _sections(material: Material, place: Path) -> list[Section]:
    """Every section of the page in its order."""
    summary, records = material.summary, material.records
    sheet = all_figures(records, material.timings)
    by_dataset = series_of(summary)
    series = [one for group in by_dataset.values() for one in group]
    found: list[Section] = [
        _section(
            "summary",
            "Comparison",
            tag("div", _caption(summary.caption), _leaders(by_dataset, material), comparison(summary, series)),
        )
    ]
    shown = [line for line in sheet.lines if line.phase in ("after", "timing")]
    for number, (dataset, group) in enumerate(by_dataset.items()):
        done = [
            item for item in records if item.status is Status.OK and item.specification["dataset"]["name"] == dataset
        ]
        parts = dataset_sections(number, group, done, summary, shown, material.timings)
        content = framed(number, dataset, group, summary, parts)
        found.append((f"dataset-{number}", dataset, content))
        if len(by_dataset) == 1:
            found += [(name, title, Markup()) for name, title, _ in parts]
    found += [
        _section("failures", *failures(material, place)),
        _section("figures-all", "All figures", every_figure(sheet.lines, series)),
        _section("records", "Trials", every_trial(material.trials, place, len(material.runs) > 1)),
        _section("environment", "Environment", _environment(material)),
        _section("reproduce", "Reproduce", commands(material)),
    ]
    return [(name, title, content) for name, title, content in found if name and (content or title)]


def _leaders(by_dataset: Mapping[str, Sequence[Series]], material: Material) -> list[Child]:
    """What leads on each dataset."""
    several = len(by_dataset) > 1
    return [
        [
            tag("h3", "On ", tag("bdi", dataset)) if several else None,
            headline(group, material.summary, material.timings),
        ]
        for dataset, group in by_dataset.items()
    ]


def _section(name: str, title: str, content: Child) -> Section:
    if content is None:
        return "", "", Markup()
    return name, title, tag("section", tag("h2", title), content, id=name)


def _caption(lines: Sequence[str]) -> list[Markup]:
    return [tag("p", line, class_="caption") for line in lines]


def _environment(material: Material) -> Markup:
    parts: list[tuple[str, Markup | None]] = [
        ("", environment(material)),
        ("Data", data(material.records)),
        ("Suppliers", suppliers(material.records)),
    ]
    return tag("div", [[tag("h3", title) if title else None, part] for title, part in parts if part is not None])


def _header(title: str, material: Material) -> Markup:
    summary = material.summary
    runs = material.runs
    counts = statuses(material.trials)
    cached = sum(trial.record.cached for trial in material.trials)
    words = [
        ", ".join(f"{count} {status}" for status, count in counts.items()) + (f" ({cached} reused)" if cached else "")
    ]
    words.append(f"{len(summary.rows)} configuration{'s' * (len(summary.rows) != 1)}")
    if len(runs) == 1:
        about = runs[0].about
        words += [str(about.get(name, ""))[:19].replace("T", " ") for name in ("started",)]
        seconds = about.get("seconds")
        words += [f"took {_duration(seconds)}"] if isinstance(seconds, (int, float)) else []
    devices = list(
        dict.fromkeys(str(item.environment["device"]) for item in material.records if "device" in item.environment)
    )
    words += [_listed(devices)] if devices else []
    return tag(
        "header",
        tag("p", "snn-harness report", class_="eyebrow"),
        tag("h1", tag("bdi", title)),
        tag("p", " · ".join(word for word in words if word), class_="meta"),
        tag("p", runs[0].run.id if len(runs) == 1 else f"{len(runs)} runs merged", class_="run"),
        _banners(material),
        theme_button(),
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.0f} s"


def _banners(material: Material) -> list[Markup]:
    """What must be known before any number is read."""
    summary = material.summary
    said: list[Child] = []
    if summary.synthetic:
        said.append(
            f"Synthetic data: {', '.join(sorted(summary.synthetic))}. These accuracies say nothing about recorded data."
        )
    if summary.limit is not None:
        said.append(f"L{limited_to(summary.limit)[1:]}: no number here is comparable with a full run.")
    failed = len(material.failed)
    if failed or material.problems or material.unstarted:
        parts = []
        if failed:
            count = len(material.trials)
            parts.append(f"{failed} of {count} trial{'s' * (count != 1)} did not end well")
        if material.unstarted:
            parts.append(f"{len(material.unstarted)} never started")
        if material.problems:
            parts.append(f"{len(material.problems)} note{'s' * (len(material.problems) != 1)} on what was read")
        said.append([f"{'; '.join(parts)}: ", tag("a", "see failures", href="#failures")])
    states = [
        f"{item.run.id} is {shown(item.about)}"
        for item in material.runs
        if item.about.get("state") in ("running", "interrupted")
    ]
    said += states
    return [tag("p", sentence, class_="banner") for sentence in said]


def _navigation(sections: Sequence[Section]) -> Markup:
    links = [tag("a", tag("bdi", title), href=f"#{name}") for name, title, _ in sections]
    return tag("nav", links, aria_label="sections")


def _footer(material: Material) -> Markup:
    version = material.summary.harness
    return tag(
        "footer",
        tag(
            "p",
            f"Made by snn-harness {version} from records alone. This file holds everything that it shows; it loads nothing.",
        ),
    )
