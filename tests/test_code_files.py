"""Which files count as the code of a component."""

from __future__ import annotations

import sys

import pytest

from harness import Dataset, Encoding
from harness.code_files import CodeHashes
from harness.errors import PluginError


def component(reference):
    return Dataset(
        name="mine",
        summary="s",
        sensor_size=(4, 1, 1),
        classes=("a", "b"),
        source=reference,
        encodings={"default": Encoding(crop=10, dt=1)},
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that modules are imported from; nothing of it stays imported."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def hashed(reference="alone_plugin:source"):
    return CodeHashes().of(component(reference))


@pytest.mark.parametrize(
    ("line", "helper"),
    [
        ("import alone_helper", "alone_helper.py"),
        ("from alone_helper import f", "alone_helper.py"),
        ("def source(root, split):\n    import alone_helper", "alone_helper.py"),
        ("import importlib\nimportlib.import_module('alone_helper')", "alone_helper.py"),
        ("import runpy\nrunpy.run_path('alone_helper.py')", "alone_helper.py"),
        ("import alone_helper.deep", "alone_helper/deep.py"),
        ("import alone_first", "alone_helper.py"),
        ("import numpy\nnumpy.load(FOLDER / 'weights.npy')", "weights.npy"),
        ("import runpy\nrunpy.run_path(f'{FOLDER}/lib/helper-two.py')", "lib/helper-two.py"),
        ("exec((FOLDER / 'fix.txt').read_text())", "fix.txt"),
    ],
)
def test_modules_beside_a_single_file_are_its_code(folder, line, helper):
    (folder / "alone_plugin.py").write_text(f"{line}\n")
    (folder / "alone_first.py").write_text("import alone_helper\n")
    (folder / helper).parent.mkdir(exist_ok=True)
    (folder / helper).write_text("VALUE = 1\n")
    before = hashed()
    (folder / "stranger.py").write_text("VALUE = 1\n")
    assert hashed() == before
    (folder / helper).write_text("VALUE = 2\n")
    assert hashed() != before


def test_every_file_of_a_package_is_its_code_and_so_is_a_package_that_it_imports_from_a_folder(folder):
    for name in ("own_package", "next_package"):
        (folder / name / "deep").mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
    (folder / "own_package" / "reader.py").write_text("from next_package.deep import table\n")
    table = folder / "next_package" / "deep" / "table.py"
    constants = folder / "own_package" / "deep" / "constants.json"
    for path in (table, constants):
        path.write_text("1")
    hashes = [hashed("own_package.reader:source")]
    for path in (table, constants):
        path.write_text("2")
        hashes.append(hashed("own_package.reader:source"))
    assert len(set(hashes)) == 3
    (folder / "own_package" / "__pycache__").mkdir()
    (folder / "own_package" / "__pycache__" / "reader.cpython.pyc").write_bytes(b"x")
    assert hashed("own_package.reader:source") == hashes[-1]


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        ("import os, next_package.deep as deep  # why", True),
        ("    from next_package import deep", True),
        ("import next_package\r", True),
        ("it comes from next_package imports", False),
        ("an import next_package", False),
        ("from next_package", False),
    ],
)
def test_statements_of_a_package_are_told_from_prose(folder, line, follows):
    for name in ("own_package", "next_package"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("")
    (folder / "own_package" / "__init__.py").write_bytes(f"if True:\n    0\n{line}\n".encode())
    before = hashed("own_package:source")
    (folder / "next_package" / "__init__.py").write_text("VALUE = 2\n")
    assert (hashed("own_package:source") != before) == follows


def test_installed_libraries_are_known_by_their_versions_and_not_read(folder):
    (folder / "alone_plugin.py").write_text("import numpy, torch, click\n")
    before = hashed()
    (folder / "alone_plugin.py").write_text("import numpy, torch\n")
    files = CodeHashes()
    assert hashed() != before
    assert [path.name for path in files._files(("alone_plugin",)).values()] == ["alone_plugin.py"]


def test_code_that_is_no_python_is_hashed_as_it_is(folder):
    (folder / "alone_plugin.py").write_text("def broken(:\n")
    before = hashed()
    (folder / "alone_plugin.py").write_text("def broken(::\n")
    assert hashed() != before


def test_a_reference_to_nothing_is_named():
    with pytest.raises(PluginError, match="there is no module 'no_such_module_here'"):
        hashed("no_such_module_here:source")
