"""The outside of every page: one file that asks nothing of anybody, whose policy names its own style and script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from ...environment import harness_version
from .elements import Markup, tag


def self_contained(title: str, *body: Markup | None, style: str, script: str, made_by: str = "") -> str:
    """A whole page of ``body``, with ``style`` and, after what every page does, ``script``; ``made_by`` is a version of the harness.

    Nothing that stands in ``body`` can run, since the policy allows this style and this script alone.
    """
    script = packaged(Path(__file__).with_name("theme.js")) + script
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"snn-harness {made_by or harness_version()}"),
        # Without one, browsers ask the server of a page for it.
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{title} - snn-harness"),
        tag("style", Markup(style)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', *body, tag('script', Markup(script))), lang='en')}\n"


def theme_button() -> Markup:
    """What ``theme.js`` makes work."""
    return tag("button", "Theme: as the system", type="button", id="theme", class_="tool")


@cache
def packaged(path: Path) -> str:
    """The text of a file that lies beside a module."""
    return path.read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
