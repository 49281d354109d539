"""The page in a real browser without a network: nothing is asked for, scripts work, keys reach everything, paper and small screens."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from made_records import record
from made_runs import EVIL, good, hostile, made_run, timings

from harness.report.page.document import write_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install one to try the page in a browser")
FLAGS = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"),
    *("--proxy-server=127.0.0.1:9", "--remote-debugging-pipe", "--window-size=1280,900"),
)
# The browser reads what it is told from descriptor 3 and answers on 4.
START = (
    "import fcntl, os, sys\n"
    "ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 20) for end in sys.argv[1:3]]\n"
    "os.dup2(ends[0], 3); os.dup2(ends[1], 4)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


class Browser:
    """A headless Chromium that is spoken to over a pipe."""

    def __init__(self, folder):
        told, self.tell = os.pipe()
        self.hear, answered = os.pipe()
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(told), str(answered), *command],
            pass_fds=(told, answered), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(told)
        os.close(answered)
        self.number, self.rest, self.events = 0, b"", []

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        os.write(self.tell, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            heard = self.listen()
            if heard.get("id") == self.number:
                assert "error" not in heard, (method, heard)
                return heard["result"]
            self.events.append(heard)

    def listen(self, seconds=60):
        deadline = time.monotonic() + seconds
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.hear], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "the browser says nothing"
            more = os.read(self.hear, 1 << 20)
            assert more, "the browser is gone"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def close(self):
        with contextlib.suppress(OSError):
            os.write(self.tell, b'{"id": 0, "method": "Browser.close"}\0')
        os.close(self.tell)
        os.close(self.hear)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Tab:
    """One page of it; remembers what was asked for and what went wrong."""

    def __init__(self, browser, address, *, script=True, dark=False, width=1280, height=900):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        if not script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        browser.events.clear()
        self.call("Page.navigate", url=address)
        while not self.heard("Page.loadEventFired"):
            browser.events.append(browser.listen())

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def heard(self, method):
        return [event["params"] for event in self.browser.events if event.get("method") == method]

    def __call__(self, script):
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, *keys):
        for key in keys:
            text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
            more = {"text": text} if text else {}
            code = {"Enter": 13, " ": 32, "Tab": 9, "Escape": 27, "ArrowDown": 40, "ArrowRight": 39}.get(key, 0)
            for kind in ("keyDown", "keyUp"):
                given = more if kind == "keyDown" else {}
                self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **given)

    def requests(self):
        return [event["request"]["url"] for event in self.heard("Network.requestWillBeSent")]

    def complaints(self):
        return (
            self.heard("Log.entryAdded")
            + self.heard("Runtime.exceptionThrown")
            + self.heard("Runtime.consoleAPICalled")
        )

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


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
    assert tab.complaints() == []


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
