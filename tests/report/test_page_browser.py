"""The page in a real browser without a network: nothing is asked for, scripts work, keys reach everything, paper and small screens."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser, Tab
from made_records import record
from made_runs import EVIL, good, hostile, made_run, timings

from harness.report.page.document import write_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install one to try the page in a browser")


@pytest.fixture(scope="module")
def browser():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Browser(folder)
        yield made
        made.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page of three configurations, one of which failed."""
    folder = tmp_path_factory.mktemp("page")
    records = good()
    failing = record("alif", status="failed")
    logs = {failing.key: "the last words\n"}
    run = made_run(folder, [*records, failing], logs=logs, timings=timings(records[0], records[3]))
    write_page([run], run.path / "report.html")
    return (run.path / "report.html").as_uri()


UNMET = "document.querySelector('#summary p[role=status]')?.textContent ?? null"
FRONTS = "[...document.querySelectorAll('.front')].filter(e => getComputedStyle(e).display !== 'none').length"
ROWS = "[...document.querySelectorAll('#comparison tbody tr')].filter(r => !r.hidden).map(r => r.cells[1].textContent).join()"


def test_it_asks_for_nothing_and_complains_of_nothing(browser, address):
    tab = Tab(browser, address)
    assert tab("document.documentElement.dataset.ready") == "yes"
    tab("window.scrollTo(0, document.body.scrollHeight); new Promise(done => setTimeout(done, 100))")
    assert [request for request in tab.requests() if not request.startswith("data:")] == [address]
    assert tab.complaints() == []
    assert tab.picture().startswith(b"\x89PNG")


def test_hostile_text_runs_nothing_and_neither_does_a_script_that_is_not_the_page_s(browser, tmp_path):
    run = made_run(tmp_path, hostile(EVIL), logs={"f" * 20: EVIL}, error=EVIL)
    write_page([run], run.path / "report.html")
    tab = Tab(browser, (run.path / "report.html").as_uri())
    assert tab("document.documentElement.dataset.ready") == "yes"
    assert tab.complaints() == []
    assert tab.heard("Page.javascriptDialogOpening") == []
    assert tab("document.scripts.length") == 1
    assert tab("document.querySelectorAll('img, iframe, object, embed').length") == 0
    assert EVIL in tab("document.getElementById('failures').textContent")
    tab("const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s)")
    assert tab("window.owned") is None
    assert any("Content Security Policy" in item["entry"]["text"] for item in tab.heard("Log.entryAdded"))


def test_the_table_is_sorted_with_the_keyboard_and_what_has_no_value_stays_last(browser, address):
    tab = Tab(browser, address)
    assert tab(ROWS) == "iaf,lif,alif"
    tab("document.querySelector('[data-key=\"test.synops\"] button').focus()")
    sorted_by = "document.querySelector('[data-key=\"test.synops\"]').getAttribute('aria-sort')"
    tab.press("Enter")
    assert (tab(sorted_by), tab(ROWS)) == ("ascending", "lif,iaf,alif")
    tab.press("Enter")
    assert (tab(sorted_by), tab(ROWS)) == ("descending", "iaf,lif,alif")
    assert tab("document.querySelectorAll('[aria-sort]').length") == 1


def test_an_address_can_ask_for_an_order_and_a_filter(browser, address):
    tab = Tab(browser, f"{address}?sort=test.synops:asc&filter=I&theme=dark")
    assert tab(ROWS) == "lif,iaf,alif"
    assert tab("document.documentElement.dataset.theme") == "dark"
    tab = Tab(browser, f"{address}?sort=nothing&filter=%3Cscript%3E&theme=__proto__")
    assert tab(ROWS) == ""
    assert "sort=nothing names no column and direction. There are: neuron, test.accuracy" in tab(UNMET)
    assert tab.complaints() == []
    assert tab("document.querySelectorAll('.front').length") > 0
    assert tab(FRONTS) == 0
    assert tab("[...document.querySelectorAll('[data-chip]')].every(e => getComputedStyle(e).display === 'none')")


@pytest.mark.parametrize(("asked", "met"), [("test.synops", True), ("neuron:desc", True), ("test.synops:up", False)])
def test_an_order_that_cannot_be_had_is_said(browser, address, asked, met):
    tab = Tab(browser, f"{address}?sort={asked}")
    assert (tab(UNMET) is None) == met
    assert tab("document.querySelectorAll('[aria-sort]').length") == met


def test_a_filter_hides_configurations_in_the_charts_too(browser, address):
    tab = Tab(browser, address)
    drawn = "[...document.querySelectorAll('#tradeoffs-0 [data-r]')].filter(e => getComputedStyle(e).display !== 'none').length"
    before = tab(drawn)
    tab("document.querySelector('[data-filter=comparison]').focus()")
    tab.press("l", "i", "f")
    assert tab(ROWS) == "lif,alif"
    assert tab("document.querySelector('[data-count=comparison]').textContent") == "2 of 3"
    assert 0 < tab(drawn) < before


def test_the_legend_switches_a_configuration_off_and_on(browser, address):
    tab = Tab(browser, address)
    tab("document.querySelector('[data-chip=\"0\"]').focus()")
    shown = "getComputedStyle(document.querySelector('#learning-0 [data-r=\"0\"].s')).display"
    assert tab(shown) != "none"
    tab.press(" ")
    assert (tab(shown), tab("document.activeElement.getAttribute('aria-pressed')")) == ("none", "false")
    tab.press(" ")
    assert tab(shown) != "none"


def test_points_speak_in_focus(browser, address):
    tab = Tab(browser, address)
    tab("document.querySelector('#tradeoffs-0 g[tabindex]').focus()")
    said = tab("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent")
    assert said.startswith(("iaf: test accuracy", "lif: test accuracy"))
    tab.press("Escape")
    assert tab("document.getElementById('tip').hidden") is True


def test_cells_of_a_confusion_matrix_are_walked_with_arrow_keys(browser, address):
    tab = Tab(browser, address)
    tab("document.querySelector('.matrix').focus()")
    tab.press("ArrowDown", "ArrowRight")
    assert tab("document.querySelector('.readout').textContent") == "a taken for b: 0 of 3 (0.0 %)"
    tab.press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight")
    assert tab("document.querySelector('.readout').textContent") == "c recognised: 3 of 3 (100.0 %)"


def test_tab_reaches_every_control(browser, address):
    tab = Tab(browser, address)
    reached = set()
    for _ in range(60):
        tab.press("Tab")
        reached.add(
            tab(
                "document.activeElement.className?.baseVal ?? (document.activeElement.id || document.activeElement.className)"
            )
        )
    assert {"skip", "theme", "sorter", "chip"} <= reached


def test_light_and_dark_follow_the_system_and_the_button(browser, address):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert Tab(browser, address)(ground) == "rgb(255, 255, 255)"
    tab = Tab(browser, address, dark=True)
    dark = tab(ground)
    assert dark != "rgb(255, 255, 255)"
    tab("document.getElementById('theme').focus()")
    tab.press("Enter")
    assert (tab("document.getElementById('theme').textContent"), tab(ground)) == ("Theme: light", "rgb(255, 255, 255)")
    tab.press("Enter")
    assert tab(ground) == dark
    tab.press("Enter")
    assert tab("document.getElementById('theme').textContent") == "Theme: as the system"


def test_without_scripts_everything_can_be_read(browser, address):
    tab = Tab(browser, address, script=False)
    text = tab("document.body.innerText")
    for words in ("Comparison", "clear: its 95 % interval", "the last words", "harness run --plugins toy,lif"):
        assert words in text
    assert "Filter configurations" not in text
    assert "Theme" not in text


def test_a_small_screen_scrolls_tables_but_never_the_page_sideways(browser, address):
    tab = Tab(browser, address, width=400, height=800)
    assert tab("document.documentElement.scrollWidth") <= 400


def test_on_paper_failures_are_unfolded_and_the_ground_is_white(browser, address, tmp_path):
    tab = Tab(browser, address, dark=True)
    tab("document.querySelector('.failure').open = false")
    tab(
        "window.opened = null; addEventListener('beforeprint', () => { window.opened = document.querySelector('.failure').open })"
    )
    paper = base64.b64decode(tab.call("Page.printToPDF", printBackground=True)["data"])
    assert paper.startswith(b"%PDF")
    assert tab("window.opened") is True
    assert tab("document.querySelector('.failure').open") is False
    tab.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert tab("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab("getComputedStyle(document.querySelector('nav')).display") == "none"
    Path(tmp_path / "page.pdf").write_bytes(paper)
