"""Records folded to one row a configuration: seeds become a mean with its interval."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..metric_rows import meaning, stands_for
from ..records import Record, Status
from ..specification import differing_paths, leaves, stated
from .statistics import Interval, apart, mean_interval

_PARTS = ("dataset", "network", "neuron", "backend")
_DUST = 1e-12  # relative: means that differ by less differ by how they were added up


@dataclass(frozen=True)
class Column:
    """One value ``name`` of ``metric`` in every row.

    ``key`` is ``split.name`` or ``timing.name``. If a second metric returns that name, or the same one returned it with
    another unit, direction or kind, the second column's key is ``split.metric.name``.
    """

    key: str
    title: str
    unit: str
    direction: str
    kind: str
    role: str
    metric: str = ""
    name: str = ""

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return True if a metric row is of this value, or the error of it: rows of another meaning are never averaged."""
        if row["metric"] != self.metric or not stands_for(row, self.name):
            return False
        return "error" in row or (row["unit"], row["direction"], row["kind"]) == (self.unit, self.direction, self.kind)


@dataclass(frozen=True)
class Cell:
    """A figure over the seeds of a row, or why there is none.

    ``reasons`` are sentences: of seeds without a value, of a metric that failed. ``notes`` say what the figure is made of.
    """

    interval: Interval | None = None
    error: str = ""
    best: bool = False
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One configuration. ``names`` are the words that tell it from the other rows; ``notes`` number footnotes from 1."""

    row: str
    names: Mapping[str, str]
    dataset: str
    statuses: Mapping[str, int]
    cells: Mapping[str, Cell]
    label: str
    notes: tuple[int, ...] = ()
    error: str = ""

    @property
    def trials(self) -> str:
        """How its trials ended, such as ``5 ok (2 cached), 1 timeout``."""
        counts = dict(self.statuses)
        cached = counts.pop("cached", 0)
        words = [
            f"{count} {status}" + (f" ({cached} cached)" if status == "ok" and cached else "")
            for status, count in counts.items()
        ]
        return ", ".join(words)


@dataclass(frozen=True)
class Summary:
    """Rows, the columns that they have in common, what holds for all of them, and footnotes."""

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    name_columns: tuple[str, ...]
    caption: tuple[str, ...]
    footnotes: tuple[str, ...]
    synthetic: frozenset[str] = frozenset()
    limit: int | None = None
    harness: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Numbered:
    """Sentences numbered from 1 in the order in which they are first used; each lookup takes the same time."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, sentence: str) -> int:
        """Return the number of ``sentence``, which joins the others if it is new."""
        return self._numbers.setdefault(sentence, len(self._numbers) + 1)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)


def summarise(records: Sequence[Record], timings: Mapping[str, Any] | None = None) -> Summary:
    """Fold ``records`` by configuration, in their order; ``timings`` is what timings.json holds."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.row, []).append(record)
    firsts = [group[0] for group in groups.values()]
    names = _names(firsts)
    columns = _columns(records, timings)
    notes = Numbered()
    rows = [
        _row(group, names[row], columns, (timings or {}).get("rows", {}).get(row, {}), notes)
        for row, group in groups.items()
    ]
    rows = _mark_best(rows, columns)
    rows = _note_figures(rows, columns, notes)
    footnotes = list(notes)
    several = any(cell.interval and cell.interval.n > 1 for row in rows for cell in row.cells.values())
    if not several and any(record.status is Status.OK for record in records):
        footnotes.append("one seed: no interval, and no best; use --seeds 5")
    elif any(cell.best for row in rows for cell in row.cells.values()):
        footnotes.append("* best: its 95 % interval (Student t over seeds) touches no other row's")
    limits = {record.specification["limit"] for record in records}
    return Summary(
        rows=tuple(rows),
        columns=tuple(columns),
        name_columns=tuple(dict.fromkeys(name for row in rows for name in row.names)),
        caption=_caption(records, timings),
        footnotes=tuple(footnotes),
        synthetic=frozenset(record.specification["dataset"]["name"] for record in records if record.synthetic),
        limit=next((limit for limit in limits if limit is not None), None),
        harness=records[-1].harness if records else "",
    )


def levelled(values: Sequence[float]) -> list[float]:
    """``values`` with those made equal that differ by rounding alone: by a relative 1e-12 at most from the lowest of them."""
    levels: dict[float, float] = {}
    level = -math.inf
    for value in sorted(set(values)):
        if not math.isclose(value, level, rel_tol=_DUST, abs_tol=0.0):
            level = value
        levels[value] = level
    return [levels[value] for value in values]


def alike(first: float, second: float) -> bool:
    """Whether two values differ by rounding alone."""
    return len(set(levelled([first, second]))) == 1


def limited_to(limit: int) -> str:
    """``limited to 4 recordings a split``."""
    return f"limited to {limit} recording{'s' * (limit != 1)} a split"


def metric_rows(record: Record, phase: str = "after") -> Iterable[Mapping[str, Any]]:
    """The metric rows that ``record`` holds for ``phase``."""
    return (row for row in record.figures() if row["phase"] == phase)


def folded(rows: Sequence[Mapping[str, Any]]) -> Cell:
    """The cell of one figure: ``rows`` are its metric rows, one a seed, and the errors of its metric."""
    errors = [f"{row['metric']}: {row['error']}" for row in rows if "error" in row]
    values = [float(row["value"]) for row in rows if row.get("value") is not None]
    without = [row for row in rows if "error" not in row and row.get("value") is None]
    # A reason beside a number says of how many seeds it speaks, or it would read as the number's own.
    some = f"{len(without)} of {len(rows)} seeds: " if values else ""
    reasons = [some + row["reason"] for row in without if row.get("reason")]
    # A failure never hides behind the seeds that went well.
    return Cell(
        interval=mean_interval(values) if values and not errors else None,
        error="error" if errors else "",
        reasons=tuple(dict.fromkeys([*errors, *reasons])),
        notes=tuple(dict.fromkeys(row["note"] for row in rows if row.get("note"))),
    )


def failures(group: Iterable[Record]) -> list[str]:
    """A sentence for every trial in ``group`` that did not end well."""
    return [
        f"{record.label}: {record.message}"
        if record.not_started and record.message
        else f"{record.label}: {record.status}: {record.message_and_log or record.status}"
        for record in group
        if record.status is not Status.OK
    ]


def _columns(records: Sequence[Record], timings: Mapping[str, Any] | None) -> list[Column]:
    found: dict[tuple[str, ...], Column] = {}
    for record in records:
        for row in metric_rows(record):
            wanted = row.get("role") == "quality" and row["split"] in ("test", "train")
            if "error" not in row and (wanted or (row.get("role") == "cost" and row["split"] == "test")):
                title = row["title"] if row["split"] == "test" else f"{row['split']} {row['title']}"
                if row["role"] == "quality" and row["split"] == "test":
                    title = f"test {row['title']}"
                _add(found, row["split"], title, row)
    for timed in (timings or {}).get("rows", {}).values():
        for row in timed["metrics"]:
            if "error" not in row and row.get("role") in ("quality", "cost"):
                _add(found, "timing", row["title"], row)
    order = {"quality": 0, "cost": 1}
    first = {"test": 0, "train": 1}
    columns = sorted(found.values(), key=lambda item: (order[item.role], first.get(item.key.partition(".")[0], 2)))
    return distinct(columns)


def _add(found: dict[tuple[str, ...], Column], split: str, title: str, row: Mapping[str, Any]) -> None:
    identity = (split, *meaning(row))
    held = found.setdefault(identity, column_of(row, f"{split}.{row['name']}", title))
    # Datasets may qualify a title, "accuracy (slices)": over all of them stands what they have in common.
    if len(title) < len(held.title):
        found[identity] = replace(held, title=title)


def distinct(columns: Sequence[Column]) -> list[Column]:
    """Return ``columns`` with a key of its own for each, and the metric in the title if several return one name."""
    metrics: dict[str, set[str]] = {}
    for column in columns:
        metrics.setdefault(column.key, set()).add(column.metric)
    taken: set[str] = set()
    made = []
    for column in columns:
        key = column.key
        if key in taken:
            begin = key.removesuffix(column.name)
            wanted = f"{begin}{column.metric}.{column.name}"
            free = (wanted if number == 1 else f"{wanted}-{number}" for number in itertools.count(1))
            key = next(name for name in free if name not in taken)
        taken.add(key)
        title = f"{column.title} ({column.metric})" if len(metrics[column.key]) > 1 else column.title
        made.append(replace(column, key=key, title=title))
    return made


def column_of(row: Mapping[str, Any], key: str, title: str) -> Column:
    """The column ``key`` of the value in the metric row ``row``."""
    parts = row["unit"], row["direction"], row["kind"], row.get("role", "detail"), row["metric"], row["name"]
    return Column(key, title, *parts)


def _row(
    group: Sequence[Record],
    names: Mapping[str, str],
    columns: Sequence[Column],
    timed: Mapping[str, Any],
    footnotes: Numbered,
) -> Row:
    statuses: dict[str, int] = {}
    for record in group:
        statuses[record.ending] = statuses.get(record.ending, 0) + 1
    cached = sum(record.cached for record in group)
    if cached:
        statuses["cached"] = cached
    done = [record for record in group if record.status is Status.OK]
    cells: dict[str, Cell] = {}
    notes: dict[int, None] = {}

    def note(sentence: str) -> None:
        notes[footnotes.number(sentence)] = None

    for column in columns:
        cells[column.key] = folded(_rows_of(column, done, timed))
        for sentence in cells[column.key].reasons:
            note(sentence)
    for record in done:
        for sentence in record.warnings:
            note(sentence)
        for metric in record.figures():
            if "error" in metric:
                note(f"{metric['metric']}: {metric['error']}")
    for metric in timed.get("metrics", ()):
        if "error" in metric:
            note(f"{metric['metric']}: {metric['error']}")
    failed = [record for record in group if record.status is not Status.OK]
    for sentence in failures(failed):
        note(sentence)
    return Row(
        row=group[0].row,
        names=names,
        dataset=str(group[0].specification["dataset"]["name"]),
        statuses=statuses,
        cells=cells,
        label=group[0].label.rpartition(" ")[0],
        notes=tuple(notes),
        error=failed[0].message if failed and not done else "",
    )


def _rows_of(column: Column, done: Sequence[Record], timed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    split = column.key.partition(".")[0]
    if split == "timing":
        given = list(timed.get("metrics", ()))
    else:
        given = [row for record in done for row in metric_rows(record) if row["split"] == split]
    return [row for row in given if column.holds(row)]


def _mark_best(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Mark a cell whose interval touches no other row's on the same dataset."""
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(row.dataset, []).append(place)
    marked = list(rows)
    for places in groups.values():
        for column in columns:
            best = _best([rows[place].cells[column.key].interval for place in places], column)
            if best is not None:
                row = marked[places[best]]
                cell = replace(row.cells[column.key], best=True)
                marked[places[best]] = replace(row, cells={**row.cells, column.key: cell})
    return marked


def _best(intervals: Sequence[Interval | None], column: Column) -> int | None:
    """Return which interval is better than all others; None if none is, or if one is missing or alone."""
    known = [interval for interval in intervals if interval is not None]
    if len(known) < 2 or len(known) < len(intervals):
        return None
    # Only the one with the extreme mean can be apart from all others.
    extreme = max if column.direction == "higher" else min
    place = extreme(range(len(known)), key=lambda index: known[index].mean)
    rivals = (other for index, other in enumerate(known) if index != place)
    return place if all(_better(known[place], other, column) for other in rivals) else None


def _better(own: Interval, other: Interval, column: Column) -> bool:
    return apart(own, other, column.direction) and not alike(own.mean, other.mean)


def _note_figures(rows: Sequence[Row], columns: Sequence[Column], footnotes: Numbered) -> list[Row]:
    """Add what the columns' figures say of themselves: once where all rows say the same, else at each row."""
    common: dict[str, list[str]] = {}
    own: dict[str, list[str]] = {}
    for column in columns:
        said = {row.row: row.cells[column.key].notes for row in rows if row.cells[column.key].notes}
        if len(set(said.values())) == 1:
            for sentence in next(iter(said.values())):
                common.setdefault(sentence, []).append(column.title)
        else:
            for key, sentences in said.items():
                own.setdefault(key, []).extend(f"{column.title}: {sentence}" for sentence in sentences)
    noted = []
    for row in rows:
        mine = own.get(row.row, [])
        numbers = [footnotes.number(sentence) for sentence in mine]
        noted.append(replace(row, notes=tuple(dict.fromkeys([*row.notes, *numbers]))))
    for sentence, titles in common.items():
        footnotes.number(f"{', '.join(titles)}: {sentence}")
    return noted


def _names(firsts: Sequence[Record]) -> dict[str, dict[str, str]]:
    """By row: what tells a configuration from the others. The neuron is always named."""
    flat = {record.row: leaves(stated(record.specification)) for record in firsts}
    parts = {part for part in _PARTS if len({record.specification[part]["name"] for record in firsts}) > 1} | {"neuron"}
    like: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for record in firsts:
        like.setdefault(_part_names(record), []).append(flat[record.row])
    differing = {names: differing_paths(group) for names, group in like.items()}
    names: dict[str, dict[str, str]] = {}
    for record in firsts:
        words = {part: str(record.specification[part]["name"]) for part in _PARTS if part in parts}
        for path, value in flat[record.row].items():
            if path in differing[_part_names(record)]:
                words[path.replace("parameters.", "")] = shown(value)
        names[record.row] = words
    return _short(names)


def _short(names: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """``neuron.tau_mem`` as ``tau_mem`` where no other part has a parameter of that name here."""
    paths = {path for words in names.values() for path in words}
    ends = Counter(path.rpartition(".")[2] for path in paths)
    return {
        row: {
            path.rpartition(".")[2] if ends[path.rpartition(".")[2]] == 1 else path: value
            for path, value in words.items()
        }
        for row, words in names.items()
    }


def _part_names(record: Record) -> tuple[str, ...]:
    return tuple(record.specification[part]["name"] for part in _PARTS)


def shown(value: Any) -> str:
    """A parameter's value as a person writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(shown(item) for item in value)}]"
    return str(value)


def _caption(records: Sequence[Record], timings: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What holds for every row."""
    if not records:
        return ()
    specifications = [record.specification for record in records]
    datasets = list(dict.fromkeys(item["dataset"]["name"] for item in specifications))
    generated = {record.specification["dataset"]["name"] for record in records if record.synthetic}
    words = [f"{name} (synthetic)" if name in generated else name for name in datasets]
    for part in ("network", "backend"):
        found = list(dict.fromkeys(item[part]["name"] for item in specifications))
        if len(found) == 1:
            words.append(found[0])
    recipes = [item["recipe"]["parameters"] for item in specifications]
    stated = {"learning_rate": "learning rate", "epochs": "epochs", "batch_size": "batch", "init": "init"}
    for name, title in stated.items():
        values = {shown(recipe[name]) for recipe in recipes}
        words.append(f"{title} {values.pop()}" if len(values) == 1 else f"{title} varies")
    seeds = sorted({record.seed for record in records})
    words.append(f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds")
    lines = [", ".join(words)]
    limits = {item["limit"] for item in specifications} - {None}
    if len(limits) == 1:
        lines.append(f"{limited_to(limits.pop())}: no number here is comparable")
    elif limits:
        lines.append(
            f"limited to {', '.join(map(str, sorted(limits)))} recordings a split: no number here is comparable"
        )
    if timings:
        lines.append(
            f"times: {timings['rounds']} interleaved rounds, {timings['threads']} thread"
            f"{'s' * (timings['threads'] != 1)}, {timings.get('device', 'cpu')}"
        )
    return tuple(lines)
