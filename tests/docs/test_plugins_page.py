"""The plugins of docs/plugins.md, loaded, checked and run as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from harness.cli.main import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(), flags=re.S))
COMPONENTS = {
    "tones.py": ["tones"],
    "leaky.py": ["leaky"],
    "stepwise.py": ["stepwise"],
    "shallow.py": ["shallow"],
    "responding.py": ["responding"],
}


@pytest.fixture
def files(places, monkeypatch):
    monkeypatch.chdir(places)
    for name, text in BLOCKS.items():
        (places / name).write_text(text)
    yield [word for name in BLOCKS for word in ("-P", name)]
    for name in BLOCKS:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_there_is_an_example_of_every_kind():
    assert set(BLOCKS) == {*COMPONENTS, "greeting.py"}
    assert PAGE.read_text().count("```python") == len(BLOCKS)


@pytest.mark.parametrize("name", COMPONENTS)
def test_an_example_conforms(files, capsys, name):
    assert main([*files, "--strict-plugins", "check-plugin", *COMPONENTS[name], "--examples", "3"]) == 0
    assert f"{len(COMPONENTS[name])} of {len(COMPONENTS[name])} components conform" in capsys.readouterr().out


def test_the_examples_run_together(files, capsys):
    small = ("--epochs", "1", "--no-timing", "--no-plots", "--quiet", "--strict-plugins")
    assert main(["run", *files, "--plugins", "tones,leaky,shallow", *small]) == 0
    said = capsys.readouterr().out
    assert "responding" in said
    assert "1 ok" in said
    assert main(["run", *files, "--plugins", "tones,lif,mlp,stepwise", *small]) == 0


def test_the_command_answers(files, capsys):
    assert main([*files, "greet", "world"]) == 0
    assert re.fullmatch(r"hello world: \d+ components\n", capsys.readouterr().out)
