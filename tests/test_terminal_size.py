"""COLUMNS and LINES as shells and CI set them, right or wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.cli.terminal_size import drop_unusable_sizes


@pytest.mark.parametrize("text", ["0", "-5", "", "wide", "1", "19", "1e3", "²", "9" * 5000, "10001", " 80"])
def test_a_size_that_no_terminal_has_is_ignored(text):
    environment = {"COLUMNS": text, "LINES": text if text != "19" else "0"}
    drop_unusable_sizes(environment)
    assert environment == {}


def test_a_usable_size_stays():
    environment = {"COLUMNS": "20", "LINES": "2", "OTHER": "0"}
    drop_unusable_sizes(environment)
    assert environment == {"COLUMNS": "20", "LINES": "2", "OTHER": "0"}


@pytest.mark.parametrize("command", [["plugins", "lif", "mlp"], ["surrogates"]])
def test_a_table_is_printed_whatever_columns_says(command, tmp_path):
    def printed(**size):
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | size
        words = [sys.executable, "-m", "harness", *command]
        done = subprocess.run(
            words, env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    usual = printed(COLUMNS="80")
    assert len(usual.splitlines()) > 3
    assert printed(COLUMNS="0", LINES="0") == usual
