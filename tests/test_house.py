"""Rules of the house that a machine can hold: light imports, and everything documented."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import harness
from harness import Registry, hookspecs
from harness.cli.main import with_plugin_commands

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "numpy", "pandas", "scipy", "matplotlib", "sinabs", "tonic", "h5py", "numba", "ruptures")
COMMANDS = (
    ["--help"],
    ["--version"],
    ["plugins"],
    ["plugins", "lif", "--json"],
    ["runs"],
    ["run", "--plugins", "shd-synthetic,iaf,lif,alif", "--dry-run"],
    ["run", "--help"],
    ["report", "--help"],
    ["inspect", "--help"],
    ["neurons", "--help"],
    ["surrogates", "--help"],
    ["new-plugin", "--help"],
    ["data", "synthesize", "--help"],
    ["baseline", "list"],
    ["check", "--help"],
    ["noise", "--help"],
    ["track", "--help"],
    ["trend", "--help"],
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_light_commands_import_nothing_heavy(arguments):
    code = (
        "import sys\nfrom harness.cli.main import main\n"
        f"status = main({arguments!r})\n"
        f"sys.exit(f'{{status}} ' + ','.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr.strip() == "0", done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "harness",
        "harness.pytest_plugin",
        "harness.notebook",
        "harness_shd",
        "harness_dvsgesture",
        "harness_exodus",
        "harness_synthetic",
        "harness_neurons",
        "harness_networks",
        "harness_metrics",
        "harness_sinabs",
        "harness_fused",
    ],
)
def test_the_top_of_every_package_is_light(name):
    code = f"import sys, {name}; sys.exit(','.join(heavy for heavy in {HEAVY!r} if heavy in sys.modules) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_name_of_the_face_resolves():
    for name in harness.__all__:
        assert getattr(harness, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        harness.nothing  # noqa: B018


def hooks():
    return [
        name
        for name, _ in inspect.getmembers(hookspecs, inspect.isfunction)
        if hasattr(getattr(hookspecs, name), "harness_spec")
    ]


@pytest.mark.parametrize("name", hooks())
def test_every_hook_has_a_docstring_and_stands_in_the_documentation(name):
    assert inspect.getdoc(getattr(hookspecs, name))
    assert f"`{name}(" in (ROOT / "docs" / "plugins.md").read_text()


def commands(group, prefix="harness"):
    for name, command in sorted(group.commands.items()):
        yield f"{prefix} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")


def test_every_command_and_option_stands_in_the_documentation():
    text = (ROOT / "docs" / "commands.md").read_text()
    found = dict(commands(with_plugin_commands(Registry.discover())))
    assert len(found) >= 6
    for name, command in found.items():
        assert f"## `{name}`" in text, name
        assert command.help, name
        section = text.split(f"## `{name}`")[1].split("\n## ")[0]
        for option in (item for item in command.params if isinstance(item, click.Option)):
            assert any(f"`{spelling}" in section for spelling in option.opts), (name, option.opts)


def test_every_recipe_parameter_stands_in_the_documentation():
    from harness import recipe

    text = (ROOT / "docs" / "recipe.md").read_text()
    for parameter in recipe.PARAMETERS:
        assert f"`{parameter.name}`" in text, parameter.name


def test_links_between_documents_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+\.md)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_ci_runs_exactly_the_readmes_test_command():
    run = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if "tox" in line]
    assert f"    {run[-1]}\n" in (ROOT / "README.md").read_text()


def test_the_architecture_names_every_module_of_the_core():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for path in sorted((ROOT / "harness").iterdir()):
        if path.name in ("__pycache__", "py.typed"):
            continue
        assert path.name in text, path.name
