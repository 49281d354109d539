"""The registry through its public interface: what loads, what is left out, and what a user is told."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from harness.components import load_reference
from harness.errors import PluginError, UsageError
from harness.registry import PluginWarning, Registry

PLUGIN = """
from harness import Neuron, hookimpl

@hookimpl
def register_neurons(register):
    register(Neuron(name={name!r}, summary="a test neuron"))
"""


@pytest.fixture
def plugin(tmp_path):
    written = []

    def write(stem, text):
        path = tmp_path / f"{stem}.py"
        path.write_text(text)
        written.append(path)
        return path

    yield write
    for path in written:
        sys.modules.pop(path.stem, None)


def test_installed_plugins_are_found_with_their_distribution():
    registered = Registry.discover().find("lif")
    assert registered.component.kind == "neuron"
    assert (registered.supplier.plugin, registered.supplier.distribution) == ("neurons", "snn-harness")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"nothing is named 'liff' \(did you mean 'lif'"):
        Registry.discover().find("liff")


def test_a_single_file_plugin_is_loaded(plugin):
    registry = Registry.discover(files=[plugin("mine", PLUGIN.format(name="izhikevich"))])
    assert registry.find("izhikevich").supplier.plugin == "mine"


def test_one_name_from_two_plugins_names_both_and_is_resolved_by_the_entry_point(plugin):
    registry = Registry.discover(files=[plugin("mine", PLUGIN.format(name="lif"))])
    with pytest.raises(UsageError, match=r"'lif' is offered by neurons \(snn-harness .*say neurons:lif or mine:lif"):
        registry.find("lif")
    assert registry.find("mine:lif").component.summary == "a test neuron"
    assert registry.find("iaf").component.name == "iaf"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import no_such_module_at_all", "No module named"),
        (PLUGIN.format(name="Bad Name"), "lower-case words"),
        (PLUGIN.format(name="good") + "    raise RuntimeError('boom')", "boom"),
        (PLUGIN.format(name="good").replace("register_neurons", "register_neuron"), "did you mean 'register_neurons'"),
        (PLUGIN.format(name="good").replace("(register)", "(wrong)"), "hook"),
        ("from harness import hookimpl\n@hookimpl\ndef register_neurons(register):\n    register(3)", "no Neuron"),
    ],
)
def test_a_plugin_that_fails_costs_itself_alone(plugin, text, cause):
    path = plugin("broken", text)
    with pytest.warns(PluginWarning, match=f"(?s)plugin broken .*{cause}"):
        registry = Registry.discover(files=[path])
    assert "broken" not in {entry.supplier.plugin for entry in registry.components()}
    assert registry.find("lif").supplier.plugin == "neurons"
    assert len(registry.failures) == 1
    with pytest.raises(PluginError, match="broken"):
        Registry.discover(files=[path], strict=True)


def test_plugins_are_blocked_and_limited_by_name(monkeypatch):
    assert Registry.discover(block=["neurons"]).components("neuron") == []
    monkeypatch.setenv("HARNESS_PLUGINS", "neurons")
    assert {entry.component.name for entry in Registry.discover().components()} == {"iaf", "lif", "alif", "definition"}
    with pytest.raises(UsageError, match=r"no plugin is named 'neuron' \(did you mean 'neurons'"):
        Registry.discover(block=["neuron"])


def test_a_missing_entry_point_module_is_a_warning():
    point = EntryPoint("gone", "no_such_module_at_all", "harness")
    with pytest.warns(PluginWarning, match="gone"):
        assert Registry.discover(points=[point]).components() == []


def test_a_recipe_and_an_encoding_are_shown_as_components_are(capsys):
    from harness import recipe
    from harness.cli.main import main
    from harness.components import Encoding

    assert main(["plugins", "recipe", "encoding"]) == 0
    said = capsys.readouterr().out
    for owner, parameters in (("recipe", recipe.PARAMETERS), ("encoding", Encoding.PARAMETERS)):
        assert f"parameters (set with -o {owner}.parameter=value; commas sweep):" in said
        assert all(f"    {item.name} " in said and item.summary in said for item in parameters)
    assert main(["plugins", "recipe", "lif", "--json"]) == 0
    shown, neuron = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in shown["parameters"]] == [item.name for item in recipe.PARAMETERS]
    assert neuron["kind"] == "neuron"


def test_discovery_imports_nothing_heavy():
    heavy = ("torch", "numpy", "pandas", "scipy", "matplotlib", "sinabs", "tonic")
    code = (
        "import sys; from harness import Registry; assert Registry.discover().components();"
        f"sys.exit(','.join(name for name in {heavy!r} if name in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_whose_name_is_a_module_already_is_left_out(plugin):
    path = plugin("colorsys", "")
    import colorsys

    assert colorsys.__file__ != str(path)
    with pytest.warns(PluginWarning, match="a module named 'colorsys' is imported already; rename the file"):
        Registry.discover(files=[path])


def test_a_reference_into_a_single_file_plugin_is_found(plugin):
    text = PLUGIN.format(name="mine").replace('summary="a test neuron"', 'summary="s", reference="own:layer"')
    entry = Registry.discover(files=[plugin("own", text + "\ndef layer(): return 3\n")]).find("mine")
    assert load_reference(entry.component.reference)() == 3


def test_a_hook_that_raises_is_one_sentence(plugin):
    text = "from harness import hookimpl\n@hookimpl\ndef run_finished(run):\n    raise KeyError('x')\n"
    registry = Registry.discover(files=[plugin("loud", text)])
    assert registry.notify("run_finished", run={}) == ["plugin loud failed in run_finished: KeyError: 'x' (loud.py:4)"]


@pytest.mark.parametrize("text", ["red \x1b[31m", "bell \x07", "\u202eexe.txt", "half \ud800", "\x9bA"])
def test_a_descriptor_that_would_write_to_the_terminal_is_left_out(plugin, text):
    path = plugin("mine", PLUGIN.format(name="lif2").replace("a test neuron", ascii(text)[1:-1]))
    with pytest.warns(PluginWarning, match="characters that cannot be shown") as caught:
        registry = Registry.discover(files=[path])
    assert text not in str(caught[0].message)
    with pytest.raises(UsageError, match="nothing is named 'lif2'"):
        registry.find("lif2")


def test_a_hook_without_its_mark_is_named(plugin):
    path = plugin("mine", PLUGIN.format(name="lif2").replace("@hookimpl\n", ""))
    with pytest.warns(PluginWarning, match="its 'register_neurons' is not marked with @hookimpl"):
        Registry.discover(files=[path])


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    with pytest.warns(PluginWarning, match="a folder; name a Python file in it"):
        Registry.discover(files=[tmp_path])
