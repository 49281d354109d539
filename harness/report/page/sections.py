"""The charts of one dataset, a section a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...comparison.figures import Line
from ...comparison.summary import Summary, levelled, limited_to
from ...records import Record
from ..drawings import curves, histograms
from .arrays import by_class, by_layer, class_names, confusions
from .confusion import confusion_matrices
from .elements import Child, Markup, tag
from .histograms import histogram_charts
from .lines import learning_curves, metric_curves
from .pareto import Figure, directed, pareto
from .parts import by_part
from .series import Series, legend, printed_legend

_MORE = 8  # further axes of the trade-off, at most
_REPEATED = 12  # configurations, at most, whose legend stands over every section on paper


def dataset_sections(
    number: int,
    all_of_them: Sequence[Series],
    done: Sequence[Record],
    summary: Summary,
    lines: Sequence[Line],
    timings: Mapping[str, Any] | None,
) -> list[tuple[str, str, Markup]]:
    """Identifier, title and content of every section that the records give."""
    found = [
        ("tradeoffs", "Trade-offs", _tradeoffs(all_of_them, summary, lines)),
        ("learning", "Learning", _charts(learning_curves(all_of_them, done))),
        ("curves", "Curves", _curves(all_of_them, done, timings)),
        ("classes", "Classes", _classes(all_of_them, done)),
        ("confusion", "Confusion", _confusion(all_of_them, done)),
        ("distributions", "Distributions", _distributions(all_of_them, done)),
        ("layers", "Layers", _layers(all_of_them, done)),
    ]
    return [(f"{name}-{number}", title, content) for name, title, content in found if content is not None]


def framed(
    number: int,
    dataset: str,
    all_of_them: Sequence[Series],
    summary: Summary,
    parts: Sequence[tuple[str, str, Markup]],
) -> Markup:
    """One dataset: the legend that stays in sight, and its sections."""
    marks = []
    if dataset in summary.synthetic:
        marks.append(tag("span", "synthetic", class_="badge warn"))
    if summary.limit is not None:
        marks.append(tag("span", limited_to(summary.limit), class_="badge warn"))
    few = len(all_of_them) <= _REPEATED
    sections = [
        tag("section", tag("h3", title), printed_legend(all_of_them) if few or not index else None, content, id=name)
        for index, (name, title, content) in enumerate(parts)
    ]
    return tag(
        "section",
        tag("h2", tag("bdi", dataset), " ", marks),
        legend(all_of_them, f"configurations on {dataset}") if sections else None,
        sections,
        id=f"dataset-{number}",
        class_="dataset" if few else "dataset many",
    )


def _charts(charts: Sequence[Markup]) -> Markup | None:
    return tag("div", charts, class_="charts") if charts else None


def _folded(title: str, charts: Sequence[Markup]) -> Markup | None:
    return tag("details", tag("summary", title), _charts(charts), class_="more") if charts else None


def _together(*parts: Markup | None) -> Markup | None:
    kept: list[Child] = [part for part in parts if part is not None]
    return tag("div", kept) if kept else None


def _tradeoffs(all_of_them: Sequence[Series], summary: Summary, lines: Sequence[Line]) -> Markup | None:
    columns = [
        Figure(column, {one.row.row: one.row.cells[column.key] for one in all_of_them}) for column in summary.columns
    ]
    qualities = [
        figure for figure in columns if figure.column.role == "quality" and not figure.column.key.startswith("train.")
    ]
    costs = [figure for figure in columns if figure.column.role == "cost"]
    more = [
        Figure.of_line(line)
        for line in lines
        if line.column.role == "detail" and line.split == "test" and directed(line.column)
    ]
    more = [figure for figure in more if _varied(figure, all_of_them)][:_MORE]
    main = [pareto(all_of_them, cost, quality) for quality in qualities for cost in costs]
    # The numbers of these stand among all figures.
    others = [pareto(all_of_them, cost, quality, numbers=False) for quality in qualities for cost in more]
    if not any(main) and not any(others):
        return None
    said = (
        "Line: the front, which no other configuration betters in both. It is drawn through means; where intervals overlap, another "
        "seed may redraw it. Faint: behind the front. Bars: 95 % intervals over seeds; where "
        "one ends without a cap, it goes on."
    )
    return _together(
        tag("p", said, class_="lead"),
        _charts([made for made in main if made is not None]),
        _folded("Against further figures", [made for made in others if made is not None]),
    )


def _varied(figure: Figure, all_of_them: Sequence[Series]) -> bool:
    """Whether the figure tells configurations apart."""
    means = [interval.mean for one in all_of_them if (interval := figure.interval(one)) is not None]
    return len(set(levelled(means))) > 1


def _curves(all_of_them: Sequence[Series], done: Sequence[Record], timings: Mapping[str, Any] | None) -> Markup | None:
    rows = [one.row for one in all_of_them]
    return _charts([made for item in curves(rows, done, timings) for made in metric_curves(item, all_of_them)])


def _distributions(all_of_them: Sequence[Series], done: Sequence[Record]) -> Markup | None:
    rows = [one.row for one in all_of_them]
    return _charts([made for item in histograms(rows, done) for made in histogram_charts(item, all_of_them)])


def _classes(all_of_them: Sequence[Series], done: Sequence[Record]) -> Markup | None:
    parts = [(part.role, by_part(part, all_of_them, "class")) for part in by_class(done)]
    first = [made for role, made in parts if made is not None and role == "quality"]
    return _together(
        _charts(first),
        _folded("Costs by class", [made for role, made in parts if made is not None and role != "quality"]),
    )


def _layers(all_of_them: Sequence[Series], done: Sequence[Record]) -> Markup | None:
    parts = [(part.role, by_part(part, all_of_them, "layer")) for part in by_layer(done)]
    first = [made for role, made in parts if made is not None and role == "cost"]
    return _together(
        _charts(first),
        _folded("Further figures by layer", [made for role, made in parts if made is not None and role != "cost"]),
    )


def _confusion(all_of_them: Sequence[Series], done: Sequence[Record]) -> Markup | None:
    found: list[tuple[str, Markup | None]] = []
    for (_, title, _), by_row in confusions(done).items():
        size = max((len(counts) for given in by_row.values() for counts in given), default=0)
        names = class_names(done[0], size)
        found.append(
            (title, confusion_matrices(by_row, names, all_of_them, f"classes-{all_of_them[0].number}-{len(found)}"))
        )

    said = (
        "True classes down, predicted classes across; the stronger, the larger the share of its class (by square root). Seeds are "
        "added up. Point at a cell, or walk with the arrow keys."
    )
    shown = [(title, charts) for title, charts in found if charts is not None]
    if not shown:
        return None
    titled = [tag("div", tag("h4", title) if len(shown) > 1 else None, charts) for title, charts in shown]
    return _together(tag("p", said, class_="lead"), *titled)
