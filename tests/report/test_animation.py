"""Animations of a camera's events: what moves in the GIF, what the player holds, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import tempfile
from dataclasses import replace

import numpy as np
import pytest
from browser import CHROMIUM, Browser, Tab
from hypothesis import given, settings
from hypothesis import strategies as st
from made_inspections import channels, events, inspection, vision
from PIL import Image

from harness import Encoding
from harness.report.animation import events_gif, write_animations
from harness.report.player import player

EVIL = "</script><img src=x onerror=alert(1)> $x$ \u202e\x07\ud800"


def camera(recordings, size=(32, 24, 2), **encoding):
    """An inspection that shows all of ``recordings``."""
    held = (recordings, [number % 3 for number in range(len(recordings))], None)
    shown = [("train", number) for number in range(len(recordings))]
    return inspection({"train": held}, size, ("wave", "clap", "roll"), Encoding(**{"dt": 50, **encoding}), shown=shown)


def one(*found):
    """A recording of (t, x, y, p)."""
    made = np.zeros(len(found), dtype=[("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.int8)])
    made[:] = sorted(found)
    return made


def pictures(gif):
    """Every picture's colours and milliseconds on the screen."""
    with Image.open(io.BytesIO(gif)) as image:
        for number in range(image.n_frames):
            image.seek(number)
            yield np.asarray(image.convert("RGB")).astype(int), image.info["duration"]


def held(page):
    """What the page's script reads."""
    return json.loads(re.search(r'<script type="application/json" id="events">(.*?)</script>', page, re.DOTALL)[1])


def unpacked(recording):
    counts = np.frombuffer(base64.b64decode(recording["counts"]), "<u4")
    return counts, np.frombuffer(base64.b64decode(recording["cells"]), "<u2")


def test_the_same_recordings_give_the_same_files_and_channels_give_none(tmp_path):
    first, second = write_animations(vision(), tmp_path / "a"), write_animations(vision(), tmp_path / "b")
    assert [path.name for path in first] == ["events.gif", "player.html"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    for nothing in (channels(), replace(vision(), shown=())):
        assert write_animations(nothing, tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_events_are_seen_in_their_time_and_place_in_the_hue_of_their_polarity():
    found = camera(
        [one((10_000, 3, 5, 1), (60_000, 20, 5, 0), (61_000, 30, 20, 1), (62_000, 30, 20, 0), (149_000, 0, 0, 1))]
    )
    (first, duration), (second, _), (third, _) = pictures(events_gif(found))
    assert duration == 50
    changed = [np.argwhere(np.abs(picture - first).sum(axis=2) > 60) for picture in (second, third)]
    left, top = 8, 67  # of the first recording's picture
    sides = 8  # each pixel of the sensor is drawn as 8 x 8

    def at(picture, x, y):
        return picture[top + y * sides + 4, left + x * sides + 4]

    blue, orange, dark = at(first, 3, 5), at(second, 20, 5), at(second, 30, 20)
    assert blue[2] > blue[0] + 50
    assert orange[0] > orange[2] + 50
    assert dark.sum() < min(blue.sum(), orange.sum())
    assert at(second, 3, 5).tolist() == [255, 255, 255]
    assert at(third, 0, 0).tolist() == blue.tolist()
    assert all(len(places) for places in changed)


@pytest.mark.parametrize(
    ("dt", "span", "shown_ms", "count"),
    [
        (100, 1.0, 50, 20),
        (50, 1.0, 50, 20),
        (40, 1.0, 40, 25),
        (10, 0.3, 20, 30),
        (1, 1.0, 20, 125),
        (300, 0.6, 50, 12),
    ],
)
def test_pictures_are_steps_or_finer_and_last_as_long_as_they_must(dt, span, shown_ms, count):
    end = round(span * 1e6)
    gif = events_gif(
        camera([one(*((t, t // 1000 % 32, 5, 1) for t in range(0, end, end // 500)), (end - 1, 1, 1, 0))], dt=dt)
    )
    durations = [duration for _, duration in pictures(gif)]
    assert sum(durations) == shown_ms * count


def test_a_stray_event_far_away_neither_fills_files_nor_stops_them():
    found = camera([one((5, 1, 1, 1), (10**9 + 7, 3, 3, 0))], crop=200)
    shown = [duration for _, duration in pictures(events_gif(found))]
    assert (len(shown), set(shown)) == (157, {1000})
    page = player(found)
    assert len(page) < 200_000
    counts, cells = unpacked(held(page)["recordings"][0])
    assert (counts[0], counts[-1], len(cells)) == (1, 1, 2)


def test_a_gif_that_would_be_too_large_becomes_smaller():
    busy = camera(
        [events(seed, 60_000, 2_000_000, (128, 128, 2)) for seed in range(5)], size=(128, 128, 2), dt=100, slice=1000
    )
    full, small = events_gif(busy), events_gif(busy, largest=150_000)
    assert len(small) <= 150_000 < len(full) <= 2_000_000
    with Image.open(io.BytesIO(full)) as image, Image.open(io.BytesIO(small)) as smaller:
        assert image.width > smaller.width > 200
        assert image.width < 4 * 270  # four of five recordings


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([(32, 24, 2), (1, 7, 1), (400, 3, 2), (640, 480, 2)]), st.integers(0, 300), st.integers(1, 90_000)
)
def test_the_player_holds_every_event_in_its_millisecond_and_pixel(size, count, until):
    recording = events(3, count, until, size)
    data = held(player(camera([recording, one()] if size[2] == 2 else [recording], size)))
    counts, cells = unpacked(data["recordings"][0])
    assert counts.tolist() == np.bincount(recording["t"] // 1000, minlength=1).tolist()
    by = -(-max(size[:2]) // max(data["width"], data["height"]))
    pixel = (recording["y"] // by) * data["width"] + recording["x"] // by
    polarity = recording["p"] if size[2] == 2 else 1
    assert cells.tolist() == (2 * pixel.astype(int) + polarity).tolist()
    assert 2 * data["width"] * data["height"] <= 2**16


@pytest.mark.parametrize(
    ("dt", "last_ms", "tick_ms", "window", "step"),
    [
        (100, 1450, 1, "50 ms", "one step of the encoding (100 ms)"),
        (0.5, 1450, 0.5, "5 ms", "one step of the encoding (0.5 ms)"),
        (1.5, 1450, 0.5, "5 ms", "one step of the encoding (1.5 ms)"),
        (5, 70_000, 5, "5 ms (dt)", "one step of the encoding (5 ms)"),
        (0.02, 1450, 1, "5 ms", "1 ms"),
        (0.2, 900_000, 45, "45 ms", "45 ms"),
    ],
)
def test_the_player_offers_what_it_can_show(dt, last_ms, tick_ms, window, step):
    page = player(camera([one((last_ms * 1000 - 1, 1, 1, 0))], dt=dt))
    assert held(page)["tick_ms"] == tick_ms
    offered = re.search(r'<select id="window">(.*?)</select>', page)[1]
    for value, text in re.findall(r'value="([\d.]+)"[^>]*>([\d.]+) ms', offered):
        assert value == text
        assert round(1000 * float(value)) % round(1000 * tick_ms) == 0
    assert re.search(r"<option [^>]*selected[^>]*>([^<]*)<", offered)[1] == window
    assert (f"{dt:g} ms (dt)" in offered) == (round(1000 * dt) % round(1000 * tick_ms) == 0)
    assert f" {step}, with " in page


def test_a_page_of_very_many_events_is_thinned_and_says_so():
    recordings = [events(seed, 700_000, 3_000_000, (128, 128, 2)) for seed in range(3)]
    page = player(camera(recordings, (128, 128, 2)))
    assert len(page) < 3_000_000
    assert "One of 3 events is drawn" in page
    data = held(page)
    counts, cells = unpacked(data["recordings"][0])
    assert (counts.sum(), data["recordings"][0]["events"], len(cells)) == (700_000, 700_000, 233_334)


def test_the_page_allows_its_own_style_and_script_alone_and_names_are_text():
    found = replace(vision(), classes=(EVIL, "b", "c"), dataset=EVIL, limit=7)
    page = player(found)
    page.encode()
    policy = html.unescape(re.search(r'Content-Security-Policy" content="(.*?)"', page)[1])
    style, script = (
        re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1],
        re.findall(r"<script>(.*?)</script>", page, re.DOTALL),
    )
    assert len(script) == 1
    for text in (style, script[0]):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert policy.startswith("default-src 'none'; ")
    assert "<img" not in page
    assert not re.search(r"https?:", page)
    assert "(synthetic), limited to 7 recordings a split" in page
    assert b"GIF89a" in events_gif(found)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium here: install one to try the player in a browser")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Browser(folder)
        yield made
        made.close()


@pytest.fixture
def address(tmp_path):
    """A page of three recordings of a camera, one of them without events."""
    return write_animations(replace(vision(), classes=(EVIL, "clap", "roll")), tmp_path)[1].as_uri()


TIME = "document.getElementById('time').textContent"
INKED = (
    "(() => { const c = document.getElementById('picture'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
    " const [r, g, b] = d; let n = 0; for (let k = 0; k < d.length; k += 4) n += d[k] !== {0} || d[k + 1] !== {1} || d[k + 2] !== {2};"
    " return n; })()"
)


def inked(tab, ground=(255, 255, 255)):
    """Pixels of the picture that hold events."""
    script = INKED
    for place, part in enumerate(ground):
        script = script.replace(f"{{{place}}}", str(part))
    return tab(script)


def test_it_is_steered_with_the_keyboard_asks_for_nothing_and_runs_nothing_of_others(browser, address):
    tab = Tab(browser, address)
    assert tab("document.documentElement.dataset.ready") == "yes"
    assert [request for request in tab.requests() if not request.startswith("data:")] == [address]
    tab.press("Home")
    assert (tab(TIME), inked(tab)) == ("0", 0)
    tab.press("ArrowRight", "ArrowRight")
    assert tab(TIME) == "100"  # two steps of 50 ms
    assert inked(tab) > 20
    tab.press("ArrowLeft")
    assert tab(TIME) == "50"
    tab.press("End")
    assert tab(TIME) == "450"
    assert tab("document.getElementById('count').textContent").startswith("3,000 of 3,000 events so far")
    assert "the encoding leaves out all from 400 ms on" in tab("document.getElementById('count').textContent")
    tab.press("ArrowDown", "ArrowDown")
    assert tab("document.getElementById('label').textContent") == "roll"
    tab.press("End", "ArrowDown", " ", " ")
    assert (tab("document.getElementById('recording').value"), inked(tab)) == ("2", 0)
    assert tab("document.scripts.length") == 2
    assert tab("document.images.length") == 0
    assert tab("document.querySelector('#recording option').textContent").startswith("</script><im")
    # Reading the picture back is this test's doing.
    assert [item for item in tab.complaints() if "readback" not in str(item)] == []
    assert tab.heard("Page.javascriptDialogOpening") == []


def test_a_picture_holds_the_events_of_its_window_in_the_hue_of_their_polarity(browser, tmp_path):
    recording = one(
        (0, 0, 0, 1), (60_000, 1, 0, 1), (70_000, 2, 0, 0), (80_000, 3, 0, 1), (81_000, 3, 0, 1), (100_000, 4, 0, 1)
    )
    page = write_animations(camera([recording], size=(8, 8, 2)), tmp_path)[1]
    tab = Tab(browser, f"{page.as_uri()}?t=100&theme=light")
    none, on, off, two, later = (
        tab(f"[...document.getElementById('picture').getContext('2d').getImageData({x}, 0, 1, 1).data].slice(0, 3)")
        for x in range(5)
    )
    assert none == later == [255, 255, 255]
    assert on[2] > on[0] + 50
    assert off[0] > off[2] + 50
    assert sum(two) < sum(on)
    assert two[2] > two[0] + 50
    assert tab("document.getElementById('count').textContent") == "5 of 6 events so far, 4 in this picture"
    tab(
        "document.getElementById('window').value = '100'; document.getElementById('window').dispatchEvent(new Event('change'))"
    )
    assert inked(tab) == 4


def test_it_plays_pauses_and_ends(browser, address):
    tab = Tab(browser, address)
    moved = "new Promise(done => {{ const wait = () => {} ? done(true) : setTimeout(wait, 10); wait(); }})"
    tab.press("Home", " ")
    assert tab(moved.format(f"Number({TIME}) > 5"))
    assert tab("document.getElementById('play').textContent") == "Pause"
    tab.press(" ")
    assert tab("document.getElementById('play').textContent") == "Play"
    still = tab(TIME)
    tab("new Promise(done => setTimeout(done, 60))")
    assert tab(TIME) == still
    tab("document.getElementById('loop').checked = false; document.getElementById('speed').value = '2'")
    tab.press("End", "ArrowLeft", " ")
    assert tab(moved.format("document.getElementById('play').textContent === 'Play'"))
    assert tab(TIME) == "450"


def test_it_is_dark_where_the_system_is_and_fits_a_small_screen(browser, address):
    tab = Tab(browser, f"{address}?t=120", dark=True, width=400, height=800)
    assert tab(TIME) == "120"
    assert tab("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert 20 < inked(tab, (12, 14, 17)) < 32 * 24
    assert tab("document.documentElement.scrollWidth") <= 400
    tab("document.getElementById('theme').click()")
    assert tab("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert 20 < inked(tab) < 32 * 24


def test_without_scripts_it_says_what_to_look_at_instead(browser, address):
    tab = Tab(browser, address, script=False)
    assert "events.gif" in tab("document.body.innerText")
    assert "Play" not in tab("document.body.innerText").split()
