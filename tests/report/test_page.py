"""The page of a run: what it shows, that hostile text stays text, that it asks nothing of anybody, and how several runs merge."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import re
import shlex
import warnings
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_records import accuracy, figure, record, seeds
from made_runs import EVIL, curve, good, histogram, hostile, made_run, timings

from harness.cli.main import main
from harness.experiment import parse_seeds, parse_setting
from harness.report.page.chart import BOTTOM, LEFT, RIGHT, TOP
from harness.report.page.document import page
from harness.report.page.elements import escaped, tag
from harness.report.page.gathering import gather
from harness.report.page.pareto import front
from harness.report.page.reproduction import command
from harness.report.page.scales import axis
from harness.store import DamagedRecordWarning

VOID = {"br", "hr", "input", "link", "meta"}


class Parsed(HTMLParser):
    """A page taken apart; what is not nested well is an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self):
        return "\n".join(data for name, data in self.texts if name not in ("style", "script"))

    def of(self, name, **wanted):
        return [
            attributes
            for found, attributes in self.elements
            if found == name and all(attributes.get(key) == value for key, value in wanted.items())
        ]


def shown(*runs, place=None):
    """The page of ``runs``, as text."""
    return page(gather(runs), place or runs[0].path)


@pytest.fixture
def run(tmp_path):
    records = good()
    failing = record("alif", status="failed")
    logs = {failing.key: "".join(f"line {number}\n" for number in range(100)), records[0].key: "fine\n"}
    return made_run(tmp_path, [*records, failing], logs=logs, timings=timings(records[0], records[3]))


# -- one run ----------------------------------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_every_link_within_it_leads_somewhere(run):
    parsed = Parsed(shown(run))
    names = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(names) == len(set(names))
    targets = [
        attributes["href"][1:] for _, attributes in parsed.elements if attributes.get("href", "").startswith("#")
    ]
    assert targets
    assert set(targets) <= set(names)
    for section in ("summary", "tradeoffs-0", "learning-0", "curves-0", "classes-0", "confusion-0", "distributions-0"):
        assert section in names
    for section in ("layers-0", "failures", "figures-all", "records", "environment", "reproduce"):
        assert section in names


def test_it_asks_for_nothing_and_runs_no_script_but_its_own(run):
    text = shown(run)
    parsed = Parsed(text)
    for name, attributes in parsed.elements:
        for attribute, value in attributes.items():
            assert not attribute.startswith("on"), (name, attribute)
            assert attribute not in ("src", "srcset", "style", "action", "xlink:href"), (name, attribute)
            if attribute == "href" and name != "link":
                assert ":" not in value.partition("#")[0], value
    assert [attributes["href"] for attributes in parsed.of("link")] == ["data:,"]
    (style,), (script,) = ([data for name, data in parsed.texts if name == wanted] for wanted in ("style", "script"))
    assert not re.search(r"url\(|@import|//", style)
    assert not re.search(r"fetch|XMLHttp|import\(|innerHTML|eval|document\.write|https?:", script)
    (policy,) = (item["content"] for item in parsed.of("meta", **{"http-equiv": "Content-Security-Policy"}))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for rule, content in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_the_same_records_give_the_same_bytes(run):
    assert shown(run) == shown(run)


def test_links_lead_to_records_and_logs_from_wherever_the_page_lies(run, tmp_path):
    for place in (run.path, tmp_path / "elsewhere" / "deep"):
        place.mkdir(parents=True, exist_ok=True)
        parsed = Parsed(shown(run, place=place))
        links = [item["href"] for item in parsed.of("a") if not item["href"].startswith("#")]
        assert len(links) == 7 + 2 + 2  # a record a trial, two logs, and both again at the failure
        assert all((place / unquote(link)).is_file() for link in links)


def test_the_table_can_be_sorted_by_number_whatever_unit_its_cells_are_in(run):
    parsed = Parsed(shown(run))
    keys = [item.get("data-key") for item in parsed.of("th", **{"data-sort": "number"})]
    assert "test.accuracy" in keys
    assert "test.synops" in keys
    assert "timing.clock" in keys
    values = {float(item["data-v"]) for item in parsed.of("td") if "data-v" in item}
    assert {12_400.0, 9_000.0} <= values
    assert any(math.isclose(value, 0.52) for value in values)


def test_what_leads_is_said_with_how_sure_that_is(tmp_path):
    clear = made_run(tmp_path, [*seeds("iaf", [0.80, 0.81, 0.82]), *seeds("lif", [0.40, 0.41, 0.42])], "clear")
    assert "clear: its 95 % interval touches no other's (n = 3)" in Parsed(shown(clear)).text
    close = made_run(tmp_path, [*seeds("iaf", [0.5, 0.6, 0.4]), *seeds("lif", [0.48, 0.52, 0.56])], "close")
    assert "not separated from iaf: intervals overlap (n = 3)" in Parsed(shown(close)).text
    single = made_run(tmp_path, [record("iaf", test=0.5), record("lif", test=0.6)], "single")
    text = Parsed(shown(single)).text
    assert "one seed, no interval: chance is not excluded" in text
    assert "the same for all" in text  # SynOps
    alone = made_run(tmp_path, [record("iaf")], "alone")
    assert "the only configuration with this figure" in Parsed(shown(alone)).text


def cards(text):
    """What stands in each card, by its heading."""
    found = re.findall(r'<div class="card"><h4>(.*?)</h4>(.*?)</div>', text)
    return {title: " ".join(unescape(re.sub("<.*?>", " ", rest)).split()) for title, rest in found}


# (0.14 + 0.10) / 2 is no double of 0.12's.
DUST = [*seeds("iaf", [0.12, 0.12], synops=9_000.0), *seeds("lif", [0.14, 0.10], synops=12_000.0)]


def test_what_differs_by_rounding_alone_is_alike_in_cards_fronts_and_tables(tmp_path):
    text = shown(made_run(tmp_path, DUST))
    assert cards(text)["highest test accuracy"] == "2 alike: iaf lif 12.0 % the same for all"
    parsed = Parsed(text)
    labels = [item.get("aria-label", "") for item in parsed.of("svg")]
    assert "test accuracy against SynOps, a point a configuration; on the front: iaf" in labels
    table = text[text.index('id="comparison"') :]
    assert table[: table.index("</table>")].count('data-v="0.12"') == 2


def test_rounding_makes_no_best(tmp_path):
    text = shown(made_run(tmp_path, [*seeds("iaf", [0.3, 0.3, 0.3]), *seeds("lif", [0.1 + 0.2] * 3)]))
    assert not Parsed(text).of("td", **{"class": "best"})
    assert cards(text)["highest test accuracy"] == "2 alike: iaf lif 30.0 ± 0.0 % the same for all"


def test_what_is_really_apart_stays_apart_however_close():
    assert front([(1.0, 0.5), (2.0, 0.5 + 1e-9)], "lower", "higher") == [0, 1]
    assert front([(1.0, 0.5), (2.0, 0.5 + 1e-14)], "lower", "higher") == [0]
    assert front([(0.0, 0.5), (1e-300, 0.5)], "lower", "higher") == [0]


def test_those_that_lead_together_are_named_and_no_rivals_of_each_other(tmp_path):
    close = [*seeds("iaf", [0.6, 0.5]), *seeds("lif", [0.5, 0.6]), *seeds("alif", [0.4, 0.55])]
    said = cards(shown(made_run(tmp_path, close, "close")))["highest test accuracy"]
    assert said.startswith("2 alike: iaf lif 55.0 ±")
    assert said.endswith("not separated from alif: intervals overlap (n = 2)")
    clear = [*seeds("iaf", [0.80, 0.81, 0.82]), *seeds("lif", [0.82, 0.81, 0.80]), *seeds("alif", [0.4, 0.41, 0.42])]
    said = cards(shown(made_run(tmp_path, clear, "clear")))["highest test accuracy"]
    assert said.endswith("clear: their 95 % intervals touch no others' (n = 3)")
    many = [one for name in "abcde" for one in seeds(name, [0.5, 0.6])] + seeds("f", [0.3, 0.4])
    said = cards(shown(made_run(tmp_path, many, "many")))["highest test accuracy"]
    assert said.startswith("5 alike: a b c and 2 more 55.0 ±")


def test_charts_say_what_they_show_to_who_cannot_see_them(run):
    parsed = Parsed(shown(run))
    labels = [item.get("aria-label", "") for name, item in parsed.elements if name in ("svg", "g")]
    assert "test accuracy against SynOps, a point a configuration; on the front: iaf, lif" in labels
    assert "test accuracy against wall clock, a point a configuration; on the front: iaf" in labels
    assert any(
        re.match(r"iaf: test accuracy 52\.0 ± \d\.\d %, SynOps .*, n = 3, on the front", label) for label in labels
    )
    assert "loss over epochs, a line a configuration" in labels
    assert "anytime accuracy over time, a line a configuration" in labels
    assert "distribution of firing rate over neurons, an outline a configuration" in labels
    assert "firing rate by layer, a marker a configuration" in labels
    assert any(label.startswith("confusion of lif: 6 of 6 right") for label in labels)


def test_a_gap_stays_a_gap_and_uneven_bins_are_named_by_their_edges(run):
    text = shown(run)
    section = text.split('id="curves-0"')[1].split("</section>")[0]
    curves = re.findall(r'<g class="s c0" data-r="0">.*?<path d="([^"]*)" class="l"/>', section)
    assert [line.count("M") for line in curves] == [2]
    uneven = text.split("firing rate: uneven")[1].split("</figure>")[0]
    for edge in ("0", "0.001", "0.01", "1"):
        assert f">{edge}</text>" in uneven


def test_several_confusion_matrices_of_one_configuration_are_told_apart_by_their_figure(tmp_path):
    one = record()
    one.outcome["metrics"].append(
        accuracy(0.5, title="accuracy by recording", arrays={"confusion": [[1, 0], [1, 0]]}) | {"name": "by_recording"}
    )
    parsed = Parsed(shown(made_run(tmp_path, [one])))
    titles = [data for name, data in parsed.texts if name == "h4"]
    assert titles[-2:] == ["accuracy", "accuracy by recording"]
    assert [item["data-classes"] for item in parsed.of("div") if "data-classes" in item] == ["a\nb\nc", "0\n1"]


def test_failures_come_with_the_end_of_their_log(run):
    parsed = Parsed(shown(run))
    pieces = [data for name, data in parsed.texts if name == "pre"]
    (log,) = (piece for piece in pieces if "line 99" in piece)
    assert log.split("\n") == [f"line {number}" for number in range(70, 100)]
    assert "RuntimeError: boom [red] | _x_" in parsed.text
    assert "1 of 7 trials did not end well" in parsed.text


def test_logs_are_text_whatever_they_hold(tmp_path):
    failing = [record(neuron, status="failed") for neuron in ("iaf", "lif")]
    logs = {
        failing[0].key: f"\x1b[31mred\x1b[0m {EVIL}\n10%\r100%\r\n{'x' * 5000}\n\x07\n",
        failing[1].key: b"\xff\xfe\x00binary\x9b",
    }
    text = shown(made_run(tmp_path, failing, logs=logs))
    parsed = Parsed(text)
    assert f"red {EVIL}\n100%\n{'x' * 400}…\n␇" in parsed.text
    assert "binary" in parsed.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert len(parsed.of("script")) == 1


def test_it_says_loudly_what_is_synthetic_limited_or_unfinished(tmp_path):
    generated = {"synthetic": True, "classes": ["a", "b", "c"]}
    run = made_run(
        tmp_path,
        [record(data=generated, limit=50)],
        state="interrupted",
        trials=[{"label": "toy lif s0", "status": "ok"}, {"label": "toy lif s1", "status": None}],
        error="the server died",
    )
    text = Parsed(shown(run)).text
    assert "Synthetic data: toy." in text
    assert "Limited to 50 recordings a split: no number here is comparable" in text
    assert "is interrupted" in text
    assert "never started: toy lif s1" in text
    assert "the server died" in text


def test_datasets_have_sections_of_their_own_and_configurations_one_look_in_all_charts(tmp_path):
    records = [record(neuron, dataset=dataset) for dataset in ("one", "two") for neuron in ("iaf", "lif")]
    text = shown(made_run(tmp_path, records))
    parsed = Parsed(text)
    assert [item["id"] for item in parsed.of("section", **{"class": "dataset"})] == ["dataset-0", "dataset-1"]
    looks = {}
    for _, item in parsed.elements:
        if "data-r" in item and item.get("class", "").startswith("s "):
            looks.setdefault(item["data-r"], set()).update(item["class"].replace(" dominated", "").split())
    assert looks == {"0": {"s", "c0"}, "1": {"s", "c1"}, "2": {"s", "c0"}, "3": {"s", "c1"}}


def test_what_trials_ran_on_is_marked_where_it_differs(tmp_path):
    here = {"python": "3.11.7", "packages": {"torch": "2.13"}, "device": "cpu", "threads": 1}
    records = [
        record("iaf", environment=here),
        record("lif", environment={**here, "packages": {"torch": "2.14"}}),
    ]
    text = shown(made_run(tmp_path, records))
    assert re.search(r'<tr class="differs"><th scope="row">torch<span class="badge"> differs</span></th>', text)
    assert not re.search(r'class="differs"><th scope="row">python', text)


@pytest.mark.parametrize("trials", [(100, 1), (20, 5)], ids=["configurations", "seeds"])
def test_a_hundred_trials_with_everything_are_less_than_three_megabytes(tmp_path, trials):
    rows, each = trials
    dice = random.Random(0)
    records = [_large(row, seed, dice) for row in range(rows) for seed in range(each)]
    logs = {one.key: "a line of a log\n" * 40 for one in records}
    size = len(shown(made_run(tmp_path, records, logs=logs)).encode())
    assert size < 3_000_000


def _large(row, seed, dice):
    classes, epochs = 20, 60
    one = record(
        ["iaf", "lif", "alif"][row % 3], seed, dice.random(), dice.random(), values={"tau_mem": float(row // 3)}
    )
    one.data["classes"] = [f"digit-{number}" for number in range(classes)]
    one.outcome["curves"] = {
        f"{split}_{score}": [dice.random() for _ in range(epochs)]
        for split in ("train", "validation")
        for score in ("loss", "accuracy")
    }
    per_class = [dice.random() for _ in range(classes)]
    confusion = [[dice.choice((0, 1, 2, 40)) for _ in range(classes)] for _ in range(classes)]
    layers = {f"spiking.{number}": dice.random() for number in range(3)}
    outlines = {name: histogram([dice.randrange(9) for _ in range(40)], [n / 40 for n in range(41)]) for name in layers}
    lines = {"c": curve(list(range(70)), [dice.random() for _ in range(70)])}
    one.outcome["metrics"] = [
        accuracy(dice.random(), arrays={"per_class": per_class, "confusion": confusion}),
        figure("synops", dice.random(), arrays={"layers": layers, "per_class": per_class}),
        figure("energy", dice.random(), arrays={"layers": layers}),
        figure("rate", dice.random(), arrays={"layers": layers}, histograms=outlines),
        figure("anytime", dice.random(), "detail", curves=lines),
        *(figure(f"detail {number}", dice.random(), "detail", phase=phase) for number in range(25) for phase in ("before", "after")),
    ]  # fmt: skip
    return one


# -- strangers' text and numbers --------------------------------------------------------------------------------------


@given(st.text())
def test_any_text_is_shown_as_it_is_and_can_be_written(text):
    made = tag("p", text, title=text)
    made.encode()
    parsed = Parsed(made)
    shown_as = "".join(data for _, data in parsed.texts)
    assert [name for name, _ in parsed.elements] == ["p"]
    assert shown_as == parsed.elements[0][1]["title"]
    plain = "".join(character for character in text if character.isprintable() and character.isascii())
    assert "".join(character for character in shown_as if character.isprintable() and character.isascii()) == plain


def test_elements_stay_elements_and_the_rest_is_text():
    assert tag("p", tag("b", "<"), None, ["&", 1]) == "<p><b>&lt;</b>&amp;1</p>"
    assert (
        tag("td", class_="a", data_v=0, hidden=True, title=None, open=False) == '<td class="a" data-v="0" hidden></td>'
    )
    assert escaped("a\x1bb\ud800\u202e") == "a␛b\ufffd\ufffd"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.just(EVIL), st.text(min_size=1, max_size=30).map(lambda text: f"{text}<script>{text}</script>")))
def test_hostile_text_is_text_wherever_it_stands(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("hostile")
    experiment = {"plugins": [text], "settings": {text: [text]}, "seeds": [0], "recipe": text}
    plain = Parsed(shown(made_run(folder, hostile("plain"), experiment=experiment, logs={"f" * 20: "plain"})))
    run = made_run(
        folder, hostile(text), "evil", experiment=experiment, error=text, logs={"f" * 20: text}, started=text,
        trials=[{"label": text, "status": None}], environment={"git": {"commit": text}},
    )  # fmt: skip
    written = shown(run)
    written.encode()
    parsed = Parsed(written)
    assert {name for name, _ in parsed.elements} <= {name for name, _ in plain.elements} | {"ul", "li", "p", "a"}
    assert len(parsed.of("script")) == 1
    for _, attributes in parsed.elements:
        assert not any(name.startswith("on") or name in ("src", "style") for name in attributes)


NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
JUNK = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_cannot_be_drawn_is_left_out(tmp_path_factory, data):
    one = record()
    junk = data.draw(JUNK)
    kind = data.draw(st.sampled_from(["curves", "histograms", "layers", "per_class", "confusion", "scores", "data"]))
    if kind in ("curves", "histograms"):
        given_back = curve([1, 2], [1, 2]) if kind == "curves" else histogram([1, 2, 3])
        drawing = {**given_back, data.draw(st.sampled_from(sorted(given_back))): junk}
        one.outcome["metrics"].append(
            figure("any", 1.0, **{kind: data.draw(st.sampled_from([junk, {"c": junk}, {"c": drawing}]))})
        )
    elif kind == "scores":
        one.outcome["curves"] = data.draw(st.sampled_from([junk, {"train_loss": junk, "validation_loss": [1.0]}]))
        one.outcome["selected_epoch"] = junk
    elif kind == "data":
        one = replace(
            one,
            data={"classes": junk, "splits": junk, "fingerprint": junk},
            suppliers={"neuron": junk, "metrics": junk},
        )
        one = replace(
            one, timings={"a": junk}, provenance={"cached_from": junk}, environment={"device": junk, "git": junk}
        )
    else:
        one.outcome["metrics"].append(figure("any", 1.0, arrays={kind: junk}))
    run = made_run(tmp_path_factory.mktemp("junk"), [])
    (run.trials / f"{one.key}.1.json").write_text(json.dumps(one.to_json()))
    with warnings.catch_warnings():  # some junk makes it a record that is not read at all
        warnings.simplefilter("ignore", DamagedRecordWarning)
        Parsed(shown(run))


@pytest.mark.parametrize(
    "change",
    [
        {"specification": {}},
        {"environment": None},
        {"seed": "0"},
    ],
    ids=["specification", "environment", "seed"],
)
def test_a_record_of_another_kind_is_left_out_and_named(tmp_path, change):
    run = made_run(tmp_path, [record("iaf"), replace(record("lif"), **change)])
    with pytest.warns(DamagedRecordWarning, match="expected|missing"):
        material = gather([run])
    assert len(material.trials) == 1
    (problem,) = material.problems
    assert "set aside as damaged, and not shown" in problem
    assert problem in Parsed(page(material, tmp_path)).text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "?: the record cannot be used: metric: missing"),
        (
            {**accuracy(0.5), "value": "much"},
            "accuracy: the record cannot be used: value: expected a number, not 'much'",
        ),
    ],
    ids=["empty", "value"],
)
def test_a_row_of_another_kind_is_an_error_of_its_metric_and_the_record_is_shown(tmp_path, row, said):
    one = record("lif")
    one.outcome["metrics"].append(row)
    run = made_run(tmp_path, [record("iaf"), one])
    material = gather([run])
    assert len(material.trials) == 2
    assert material.problems == ()
    assert said in Parsed(page(material, tmp_path)).text


# -- the front --------------------------------------------------------------------------------------------------------

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25)
DIRECTIONS = st.sampled_from(["higher", "lower"])


@given(POINTS, DIRECTIONS, DIRECTIONS)
def test_the_front_is_what_no_other_point_betters(points, x_direction, y_direction):
    def at_least_as_good(a, b, direction):
        return a >= b if direction == "higher" else a <= b

    def bettered(point):
        return any(
            other != point
            and at_least_as_good(other[0], point[0], x_direction)
            and at_least_as_good(other[1], point[1], y_direction)
            for other in points
        )

    found = front(points, x_direction, y_direction)
    assert sorted(found) == [index for index, point in enumerate(points) if not bettered(point)]
    assert [points[index][0] for index in found] == sorted(points[index][0] for index in found)


def test_a_figure_without_a_better_side_has_no_front(tmp_path):
    records = good()
    for one in records:
        one.outcome["metrics"].append(figure("size", 5.0 + one.seed, direction="none", title="size"))
    parsed = Parsed(shown(made_run(tmp_path, records)))
    assert any(
        item.get("aria-label", "").endswith("against size, a point a configuration; no front")
        for item in parsed.of("svg")
    )


def test_bars_end_at_the_frame_and_points_lie_above_all_bars(tmp_path):
    wide = [*seeds("iaf", [0.9, 0.1]), *seeds("lif", [0.50, 0.52]), *seeds("alif", [0.3, 0.34])]
    for one in wide:
        next(item for item in one.outcome["metrics"] if item["name"] == "synops")["value"] = 100.0 + 80.0 * one.seed
    text = shown(made_run(tmp_path, wide))
    picture = text[text.index("test accuracy against SynOps") :]
    picture = picture[: picture.index("</figure>")]
    bars = re.findall(r'd="([^"]*)" class="bar"', picture)
    assert len(bars) == 3
    for bar in bars:
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", bar):
            assert LEFT - 3 <= float(x) <= RIGHT + 3
            assert TOP - 3 <= float(y) <= BOTTOM + 3
    # The 95 % interval of two such seeds leaves 0 to 100 %: no cap at either of its ends, so two lines and one cap fewer than four.
    assert sorted(bar.count("M") for bar in bars) == [3, 5, 5]
    assert picture.rindex('class="bar"') < picture.index("<use")


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=5), st.booleans(), st.sampled_from(["", "fraction", "ms"]))
def test_an_axis_holds_its_values_and_names_some_numbers(values, zero, unit):
    made = axis("any", unit, values, 10, 110, zero=zero)
    assert made.low < made.high
    assert all(9.99 <= made.of(value) <= 110.01 for value in values)
    ticks = made.ticks()
    assert 2 <= len(ticks) <= 12 or made.high - made.low < 1e-9
    assert [place for place, _ in ticks] == sorted(place for place, _ in ticks)


# -- the command ------------------------------------------------------------------------------------------------------

SETTINGS = st.dictionaries(
    st.sampled_from(["lif.tau_mem", "mlp.hidden", "recipe.epochs", "toy.name with blanks", "toy.$HOME"]),
    st.lists(
        st.sampled_from(["2", "0.1", "[64,64]", "a b", "it's", "$(reboot)", "none", "true"]), min_size=1, max_size=3
    ),
    max_size=4,
)
SEEDS = st.one_of(
    st.integers(1, 9).map(lambda n: list(range(n))), st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)
)


@given(
    SETTINGS, SEEDS, st.one_of(st.none(), st.integers(1, 99)), st.sampled_from(["default", "tutorial"]), st.booleans()
)
def test_the_command_asks_for_the_same_again(wanted, seeds_wanted, limit, recipe, inflation):
    asked = {
        "plugins": ["toy", "lif"], "settings": wanted, "seeds": seeds_wanted, "limit": limit, "recipe": recipe,
        "report_inflation": inflation,
    }  # fmt: skip
    words = shlex.split(command({"experiment": asked}, [record(environment={"device": "cpu", "threads": 2})]))
    assert words[:2] == ["harness", "run"]
    given_back = dict(pairwise(words))
    assert given_back["--plugins"] == "toy,lif"
    assert dict(parse_setting(words[at + 1]) for at, word in enumerate(words) if word == "-o") == wanted
    assert list(parse_seeds(given_back["--seeds"])) == seeds_wanted
    assert given_back.get("--limit") == (None if limit is None else str(limit))
    assert given_back.get("--recipe", "default") == recipe
    assert ("--report-inflation" in words) == inflation
    assert (given_back["--device"], given_back["--threads"]) == ("cpu", "2")


def test_the_command_names_what_was_loaded_and_left_out():
    about = {
        "experiment": {"plugins": ["lif"], "settings": {"mlp.hidden": [[64, 64], None]}, "seeds": [0]},
        "options": {"device": "auto", "threads": 4, "timing": False, "data": "/my data", "time_limit": 60.0},
        "loading": {"block": ["sinabs"], "only": ["neurons", "my own"], "files": ["/tmp/my plugin.py"]},
    }
    assert command(about, [record()]) == (
        "HARNESS_PLUGINS='neurons,my own' harness run -p no:sinabs -P '/tmp/my plugin.py' --plugins lif "
        "-o 'mlp.hidden=[64,64],none' --seeds 1 --device auto --threads 4 "
        "--data '/my data' --time-limit 60.0 --no-timing"
    )


def test_a_single_file_plugin_is_known_from_the_records_too():
    supplied = {"neuron": {"name": "lif", "plugin": "mine", "distribution": "mine.py", "version": ""}}
    assert "-P mine.py" in command({}, [record(suppliers=supplied)])


# -- several runs -----------------------------------------------------------------------------------------------------


def test_a_trial_that_several_runs_hold_is_shown_once(tmp_path):
    one = record("iaf")
    first = made_run(tmp_path, [one], "first")
    second = made_run(tmp_path, [replace(one, provenance={"cached_from": "first"}), record("lif")], "second")
    material = gather([second, first, first])
    assert [(trial.record.label, trial.run.id) for trial in material.trials] == [
        ("toy iaf s0", "first"),
        ("toy lif s0", "second"),
    ]
    parsed = Parsed(page(material, tmp_path))
    assert "2 runs merged" in parsed.text
    assert "1 trial that several runs hold is shown once" in parsed.text
    # Which is no failure, and nothing that must be known before the numbers.
    headings = [text for name, text in parsed.texts if name == "h2"]
    assert "Notes" in headings
    assert "Failures" not in headings
    assert [item for item in parsed.of("p") if item.get("class") == "banner"] == []


def test_a_failure_beside_what_was_merged_is_called_one(tmp_path):
    one = record("iaf")
    first = made_run(tmp_path, [one, record("lif", status="failed")], "first")
    second = made_run(tmp_path, [replace(one, provenance={"cached_from": "first"})], "second")
    parsed = Parsed(page(gather([first, second]), tmp_path))
    assert "Failures" in [text for name, text in parsed.texts if name == "h2"]
    assert "is shown once" in parsed.text


def test_notes_are_numbered_as_rows_are_marked(tmp_path):
    parsed = Parsed(shown(made_run(tmp_path, [record("iaf"), record("lif", status="failed")])))
    assert [item["value"] for item in parsed.of("li") if item.get("id") == "note-1"] == ["1"]
    assert not [item for item in parsed.of("li") if item.get("id") == "note-2"]
    (said,) = [name for name, text in parsed.texts if text.startswith("one seed: no interval, and no best")]
    assert said == "p"


def test_more_seeds_are_asked_for_only_where_a_trial_ended_well(tmp_path):
    text = Parsed(shown(made_run(tmp_path, [record("iaf", status="timeout", limit=1)]))).text
    assert "one seed: no interval" not in text
    assert "1 of 1 trial did not end well" in text
    assert "Limited to 1 recording a split: no number here" in text
    assert "limited to 1 recording a split: no number here" in text
    assert "1 recordings" not in text


def test_a_trial_that_ended_well_later_has_not_failed(tmp_path):
    first = made_run(tmp_path, [record("iaf", status="failed")], "first")
    second = made_run(tmp_path, [record("iaf")], "second")
    assert gather([first, second]).failed == []


def test_one_seed_trained_by_different_code_is_a_row_a_run(tmp_path):
    first = made_run(tmp_path, seeds("lif", [0.4, 0.5]), "first")
    second = made_run(tmp_path, [replace(one, key=f"{one.seed}" * 20) for one in seeds("lif", [0.6, 0.7])], "second")
    material = gather([first, second])
    assert [dict(row.names)["run"] for row in material.summary.rows] == ["first", "second"]
    means = [row.cells["test.accuracy"].interval.mean for row in material.summary.rows]
    assert means == [pytest.approx(0.45), pytest.approx(0.65)]
    assert "lif run=second" in Parsed(page(material, tmp_path)).text


def test_times_of_several_timing_phases_are_not_compared(tmp_path):
    iaf, lif = record("iaf"), record("lif")
    runs = [made_run(tmp_path, [one], one.label[4:7], timings=timings(one)) for one in (iaf, lif)]
    text = Parsed(shown(*runs)).text
    assert "timed in several phases, which compare nothing" in text
    assert "across runs they compare nothing" in text
    together = made_run(tmp_path, [iaf, lif], "together", timings=timings(iaf, lif))
    assert "which compare nothing" not in Parsed(shown(together)).text


# -- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def test_by_default_the_newest_run_gets_its_page(results, capsys):
    made_run(results, [record("iaf")], "20260101-old")
    newest = made_run(results, [record("lif")], "20260102-new")
    assert main(["report"]) == 0
    assert capsys.readouterr().out == "results/20260102-new/report.html\n"
    assert "lif on toy" in (newest.path / "report.html").read_text()
    assert main(["report", "20260101"]) == 0
    assert (results / "20260101-old" / "report.html").is_file()


def test_several_runs_go_where_one_is(results, tmp_path, capsys):
    made_run(results, [record("iaf")], "20260101-old")
    made_run(results, [record("lif")], "20260102-new")
    assert main(["report", "20260101", "latest", str(results / "20260101-old")]) == 0
    assert capsys.readouterr().out == "report.html\n"
    assert (
        "lif, iaf on toy" in (tmp_path / "report.html").read_text()
        or "iaf, lif on toy" in (tmp_path / "report.html").read_text()
    )


@pytest.mark.parametrize(
    ("kind", "begin"), [("md", "**toy"), ("csv", "row,label"), ("tex", "\\begin{table}"), ("html", "<!doctype")]
)
def test_other_formats_are_the_table_alone(results, capsys, kind, begin):
    run = made_run(results, [record("lif")], "only")
    assert main(["report", "--format", kind]) == 0
    assert (run.path / f"report.{kind}").read_text().startswith(begin)
    assert main(["report", "-o", f"new/deep/page.{kind.upper()}"]) == 0
    assert (results.parent / "new" / "deep" / f"page.{kind.upper()}").read_text().startswith(begin)
    assert main(["report", "--format", kind, "-o", "page.any"]) == 0
    assert (results.parent / "page.any").read_text().startswith(begin)
    capsys.readouterr()
    assert main(["report", "--format", kind, "-o", "-"]) == 0
    assert capsys.readouterr().out.startswith(begin)


def test_mistakes_are_one_line(results, capsys):
    def fails(code, said, *arguments):
        assert main(["report", *arguments]) == code
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1

    fails(4, "there is no run in")
    run = made_run(results, [record("lif")], "20260101-a")
    fails(4, "there is no run '20270101'", "20270101")
    fails(4, "'pdf' is not one of", "--format", "pdf")
    fails(4, "page.pdf: a report cannot be written as .pdf; expected .html, .md, .csv, .tex", "-o", "page.pdf")
    assert not (results.parent / "page.pdf").exists()
    fails(4, "cannot be written", "-o", str(results))
    fails(4, "cannot be written", "-o", str(run.path / "run.json" / "page.html"))
    empty = made_run(results, [], "20260102-b")
    fails(5, "no trial left a record: nothing to report")
    assert not (empty.path / "report.html").exists()
    (run.path / "timings.json").write_text("{")
    fails(4, "timings.json: damaged", "20260101")
    (run.path / "run.json").write_text("{")
    fails(4, "run.json: damaged", "20260101")


def test_a_damaged_record_is_named_and_the_others_are_shown(results, capsys):
    run = made_run(results, [record("iaf"), record("lif")], "only")
    damaged = run.path_of(record("iaf"))
    damaged.write_text(damaged.read_text()[:100])
    assert main(["report"]) == 0
    assert f"{damaged.name}.damaged" in capsys.readouterr().err
    assert main(["report"]) == 0  # once set aside it is still said
    assert f"set aside as damaged, and not shown: {damaged.name}.damaged" in capsys.readouterr().err
    assert f"{damaged.name}.damaged" in (run.path / "report.html").read_text()


def test_reading_warns_of_a_damaged_record(tmp_path):
    run = made_run(tmp_path, [record("iaf"), record("lif")])
    run.path_of(record("iaf")).write_text("{")
    with pytest.warns(DamagedRecordWarning):
        assert len(gather([run]).trials) == 1


def test_timings_of_another_kind_are_left_out_and_named(tmp_path):
    run = made_run(
        tmp_path, [record("iaf")], timings={"rounds": 3, "threads": 1, "rows": {"x": {"measured": [{"value": "much"}]}}}
    )
    material = gather([run])
    assert material.timings is None
    assert "timings.json: left out" in material.problems[0]


def test_seeds_on_other_data_are_no_more_seeds_of_one_configuration(tmp_path):
    data = [{"identity": name, "synthetic": False, "classes": ["a", "b", "c"]} for name in ("one", "two")]
    runs = [
        made_run(tmp_path, [record("lif", seed=seed, data=own)], f"20260101-00000{seed}-toy")
        for seed, own in enumerate(data)
    ]
    material = gather(runs)
    assert len(material.summary.rows) == 2
    assert [row.names["run"] for row in material.summary.rows] == [run.id for run in runs]
    alike = [
        made_run(tmp_path, [record("lif", seed=seed, data=data[0])], f"20260102-00000{seed}-toy") for seed in range(2)
    ]
    assert len(gather(alike).summary.rows) == 1
