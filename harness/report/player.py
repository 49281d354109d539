"""A page that plays recordings of a camera: one HTML file that asks nothing of anybody, and runs no script but its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..environment import harness_version
from ..inspection.wording import encoding_words
from .event_images import in_cells
from .inspection_titles import end_ms, label, qualified, recording_name, used_ms
from .page.elements import Markup, tag
from .page.shell import packaged, self_contained, theme_button

if TYPE_CHECKING:
    from ..inspection.findings import Inspection, Shown

_SIDE = 180  # pixels of a picture's longer side, at most: places of either polarity then fit two bytes
_EVENTS = 900_000  # that a page holds, two bytes each: about 2.4 MB as text
_TICKS = 20_000  # of the longest recording, at most
_SPEEDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
_USUAL = 50.0  # ms in a picture at first, or the encoding's own where that is finer, but not so fine that hardly an event is in it
_WINDOWS = (5.0, 20.0, _USUAL, 100.0, 200.0)


def player(inspection: Inspection) -> str:
    """The whole page of the recordings shown. The same inspection gives the same text."""
    name = inspection.dataset + qualified(inspection)
    data, notes = _data(inspection)
    return self_contained(
        f"{name}: events",
        tag("header", tag("p", "snn-harness inspect", class_="eyebrow"), tag("h1", tag("bdi", name)), theme_button()),
        tag("main", _stage(inspection), _controls(inspection), tag("p", " ".join(notes), class_="note")),
        tag(
            "noscript", tag("p", "Playing needs JavaScript, which is off here; events.gif beside this page needs none.")
        ),
        tag(
            "footer",
            tag(
                "p",
                f"Made by snn-harness {harness_version()}. This file holds everything that it shows; it loads nothing.",
            ),
        ),
        # Not a script: text that the script reads. A sign that could end the element is written as a number.
        tag("script", Markup(json.dumps(data).replace("<", "\\u003c")), type="application/json", id="events"),
        style=packaged(Path(__file__).with_name("player.css")),
        script=packaged(Path(__file__).with_name("player.js")),
    )


def _stage(inspection: Inspection) -> Markup:
    key = [
        tag("span", tag("span", class_=f"ink {ink}"), words)
        for ink, words in (("on", "ON (p = 1)"), ("off", "OFF (p = 0)"), ("both", "both"))
    ]
    return tag(
        "div",
        tag("canvas", id="picture", role="img", aria_label="events of the last moments by place"),
        tag(
            "div",
            tag("p", id="label", class_="label"),
            tag("p", id="about", class_="muted"),
            tag("p", tag("span", "0", id="time"), tag("span", " ms", class_="unit"), class_="time"),
            tag("p", id="count", class_="muted"),
            tag("p", key, class_="key") if inspection.sensor_size[2] == 2 else None,
            class_="aside",
        ),
        class_="stage",
    )


def _controls(inspection: Inspection) -> Markup:
    dt = inspection.encoding.dt
    tick_us = _tick_us(inspection)
    windows = sorted(ms for ms in {*_WINDOWS, dt} if not round(1000 * ms) % tick_us) or [tick_us / 1000]
    usual = max((ms for ms in windows if ms <= max(_WINDOWS[0], min(dt, _USUAL))), default=windows[0])
    whole = round(1000 * dt) % tick_us == 0
    step = (
        f"one step of the encoding ({dt:g} ms)"
        if whole
        else f"{max(1, round(1000 * dt / tick_us)) * tick_us / 1000:g} ms"
    )
    choices = [f"{label(inspection, shown)} ({recording_name(shown)})" for shown in inspection.shown]
    return tag(
        "div",
        tag("canvas", id="activity", aria_hidden="true"),
        tag("input", type="range", id="scrub", min=0, max=1, value=0, step=1, aria_label="time"),
        tag(
            "div",
            tag("button", "Play", type="button", id="play", class_="tool main"),
            _select("recording", "Recording", [(str(place), text) for place, text in enumerate(choices)], "0"),
            _select("speed", "Speed", [(f"{speed:g}", f"{speed:g}x") for speed in _SPEEDS], "0.25"),
            _select(
                "window",
                "Each picture holds",
                [(f"{ms:g}", f"{ms:g} ms" + " (dt)" * (ms == dt)) for ms in windows],
                f"{usual:g}",
            ),
            tag("label", tag("input", type="checkbox", id="loop", checked=True), " again from the start"),
            class_="row",
        ),
        tag(
            "p",
            [
                tag("kbd", "Space"),
                " play or pause, ",
                tag("kbd", "←"),
                " ",
                tag("kbd", "→"),
                f" {step}, with ",
            ],
            [
                tag("kbd", "Shift"),
                " one of the player, ",
                tag("kbd", "Home"),
                " ",
                tag("kbd", "End"),
                " start and end, ",
                tag("kbd", "↑"),
                " ",
                tag("kbd", "↓"),
                " other recordings",
            ],
            class_="note",
        ),
        class_="controls",
    )


def _select(name: str, words: str, choices: Sequence[tuple[str, str]], chosen: str) -> Markup:
    options = [tag("option", text, value=value, selected=value == chosen) for value, text in choices]
    return tag("label", f"{words} ", tag("select", options, id=name))


def _tick_us(inspection: Inspection) -> int:
    """Microseconds of the finest moment played: about a millisecond, of which bins and windows are multiples where they can be."""
    longest = round(1000 * max(map(end_ms, inspection.shown)))
    least = max(1, -(-longest // _TICKS))
    dt = inspection.encoding.microseconds(inspection.encoding.dt)
    for whole in (gcd(dt, round(1000 * _WINDOWS[0])), dt):
        parts = [whole // count for count in range(1, min(whole // least, _TICKS) + 1) if whole % count == 0]
        near = [part for part in parts if part <= max(1000, 5 * least)]
        if near:
            return max((part for part in near if part <= 1000), default=min(near))
    return -(-least // 1000) * 1000


def _data(inspection: Inspection) -> tuple[dict[str, Any], list[str]]:
    """What the script plays, and sentences on what it is not exact in."""
    shown = inspection.shown
    tick_us = _tick_us(inspection)
    # Thinned where all would not fit, every recording alike; what is counted stays exact.
    every = max(1, -(-sum(len(item.events.t) for item in shown) // _EVENTS))
    width, height, _ = inspection.sensor_size
    _, (rows, columns) = in_cells(shown[0].events, inspection.sensor_size, _SIDE)
    notes = [f"Frames: {encoding_words(inspection.encoding, inspection.sensor_size)}."]
    if any(used_ms(inspection, item) is not None for item in shown):
        notes.append("Grey in the strip above: what the encoding leaves out.")
    if every > 1:
        notes.append(f"One of {every} events is drawn, or this file would be too large; all are counted.")
    by = -(-max(width, height) // max(rows, columns))
    if by > 1:
        notes.append(f"{by} x {by} pixels of the sensor are one here.")
    return {
        "width": columns,
        "height": rows,
        "polarities": inspection.sensor_size[2],
        "tick_ms": tick_us / 1000,
        "dt_ms": inspection.encoding.dt,
        "every": every,
        "recordings": [_recording(inspection, item, tick_us, every) for item in shown],
    }, notes


def _recording(inspection: Inspection, shown: Shown, tick_us: int, every: int) -> dict[str, Any]:
    """One recording: events a tick (uint32), and the places of those drawn, in order of ticks (uint16), as base64."""
    cells, _ = in_cells(shown.events, inspection.sensor_size, _SIDE)
    ticks = shown.events.t // tick_us
    order = np.argsort(ticks, kind="stable")
    counts = np.bincount(ticks, minlength=1)
    return {
        "label": label(inspection, shown),
        "about": recording_name(shown),
        "events": len(ticks),
        "used_ms": used_ms(inspection, shown),
        "counts": _packed(counts, "<u4"),
        "cells": _packed(cells[order][::every], "<u2"),
    }


def _packed(values: Any, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
