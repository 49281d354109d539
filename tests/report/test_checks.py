"""A check as a person and as a machine reads it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from harness.comparison.verdicts import Check, Mark, Verdict
from harness.gate import Gate
from harness.report.checks import markdown, terminal
from harness.report.junit import junit


def verdict(mark, **more):
    base = {
        "row": "r",
        "label": "toy lif",
        "figure": "accuracy",
        "title": "accuracy",
        "unit": "fraction",
        "direction": "higher",
        "kind": "seeded",
        "old": 0.8,
        "new": 0.75,
        "change": -0.05,
        "margin": 0.01,
        "detectable": 0.034,
        "basis": "5 seeds x 500 recordings",
    }
    return Verdict(mark=mark, **{**base, **more})


SYNOPS = {"figure": "synops", "title": "SynOps", "unit": "operations/recording", "direction": "lower", "relative": True}
WHOLE = Verdict(row="s", label="toy [red]iaf|_x_", mark=Mark.NOT_COMPARABLE, reason="other <data> & more\x1b[31m")


def check(*verdicts, notes=()):
    return Check(old="main", new="latest", gate=Gate(), verdicts=verdicts, notes=notes)


FULL = check(
    verdict(Mark.WORSE),
    verdict(Mark.SAME, **SYNOPS, old=1e5, new=1.01e5, change=0.01, margin=0.05),
    WHOLE,
    notes=("other versions: mine 1 -> 2",),
)


def shown(found, width, code=1):
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(terminal(found, code=code))
    return capture.get()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_fits_its_terminal_and_cuts_no_figure(width):
    text = shown(FULL, width)
    assert all(len(line) <= width for line in text.splitlines())
    for word in ("▼ worse", "= same", "80.0", "75.0", "-5 pp", "+1 %", "3.4 pp", "100 k", "101 k"):
        assert word in text
    assert "[red]iaf" in text
    assert "failed: latest against main: 1 worse, 1 same, 1 not comparable" in " ".join(text.split())


def test_markdown_shows_hostile_names_as_they_are():
    text = markdown(FULL, code=1)
    assert text.startswith("**failed: latest against main: 1 worse")
    assert "toy \\[red\\]iaf\\|\\_x\\_" in text
    assert "\\<data\\>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_an_empty_check_is_said_to_be_one():
    assert "not comparable: latest against main: nothing to compare" in shown(check(), 100, code=6)


@pytest.mark.parametrize(
    ("options", "failures", "skipped"), [({}, 1, 1), ({"strict": True}, 2, 0), ({"fail_inconclusive": True}, 1, 1)]
)
def test_junit_counts_what_fails(options, failures, skipped):
    suite = ET.fromstring(junit(FULL, **options))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", str(failures), str(skipped))
    assert len(suite.findall("testcase/failure")) == failures
    assert len(suite.findall("testcase/skipped")) == skipped


def test_junit_of_an_empty_check_fails_as_its_status_does():
    suite = ET.fromstring(junit(check()))[0]
    assert (suite.get("tests"), suite.get("failures"), len(suite.findall("testcase/failure"))) == ("1", "1", 1)


def test_nothing_in_a_name_or_a_message_steers_the_terminal():
    hostile = Verdict(row="s", label="a\x1b[2J", mark=Mark.WORSE, figure="x", title="t\x07", reason="no\x1b[31m")
    found = check(hostile, notes=("n\x1b[1m",))
    assert "\x1b" not in shown(found, 80) + markdown(found, code=1)
    assert "\x07" not in shown(found, 80)


def test_junit_of_nothing_comparable_fails():
    suite = ET.fromstring(junit(check(WHOLE)))[0]
    assert suite.get("failures") == "1"
    assert "other <data> & more?[31m" in suite[0][0].get("message")
