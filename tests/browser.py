"""A headless Chromium without a network, as tests drive it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
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
            code = {
                "Enter": 13,
                " ": 32,
                "Tab": 9,
                "Escape": 27,
                "ArrowDown": 40,
                "ArrowRight": 39,
                "ArrowLeft": 37,
                "Home": 36,
                "End": 35,
            }.get(key, 0)
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
