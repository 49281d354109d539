"""Content keys: everything that decides a trial is hashed, and nothing else has to be."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

import harness
from harness.keys import core_source, deciding_files

PACKAGE = Path(harness.__file__).parent
# Reached from trial.py and not hashed, each for a reason that a reviewer can check.
DECIDES_NOTHING = {
    "environment.py": "describes the machine for the record; what of it decides (versions) enters keys by itself",
    "errors.py": "exceptions and exit statuses",
    "exhausted.py": "tells that memory ran out; a trial that does has no outcome",
    "foreign.py": "describes what foreign code raised, and keeps it from ending the process",
    "hookspecs.py": "docstrings of hooks; the parts that answer them are hashed by component",
    "keys.py": "makes the key: another formula is another key",
    "memory.py": "measures peak memory, which is noisy and stands apart from the outcome",
    "metric_rows.py": "checks what metrics return, and metrics are no part of the key",
    "npz.py": "packs and unpacks arrays bit by bit, checked by their sums",
    "places.py": "says where files lie",
    "processes.py": "says whether the process of a run still lives",
    "reading.py": "opens files and refuses damaged ones; what is read is what was written",
    "records.py": "the form in which an outcome is written down",
    "registry.py": "finds components, whose own code is hashed",
    "run_state.py": "says how a run ended",
    "schema.py": "refuses what is not of a declared form, and changes nothing",
    "schemas.py": "the declared forms of files",
    "store.py": "writes and reads what was computed",
    "text.py": "makes messages printable",
    "code_files.py": "finds the files that are hashed: other files are another hash",
}


def modules():
    """File by dotted name, for every module of the core."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name, known):
    """Modules of the core that ``name`` imports, also inside functions and for types only."""
    path = known[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                if whole in known or base in known:
                    yield whole if whole in known else base


def reached(start):
    known, found, waiting = modules(), set(), [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imported(name, known)
    return {known[name].relative_to(PACKAGE) for name in found}


def test_every_module_that_a_trial_imports_is_hashed_or_argued_to_decide_nothing():
    hashed = {path.relative_to(PACKAGE) for path in deciding_files()}
    left = {str(path) for path in reached("harness.trial") - hashed - {Path("__init__.py")}}
    assert left <= set(DECIDES_NOTHING), f"neither hashed nor argued: {sorted(left - set(DECIDES_NOTHING))}"
    # What is no longer reached, or is hashed after all, needs no argument.
    assert set(DECIDES_NOTHING) <= left


def test_the_walk_finds_imports_inside_functions_and_for_types():
    found = {str(path) for path in reached("harness.trial")}
    assert {"training.py", "events/splits.py", "observation.py", "devices.py", "tally_kernels.py"} <= found


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("observation.py", "return outputs.sum(1)", "return outputs.amax(1)"),
        ("devices.py", "torch.backends.cudnn.allow_tf32 = False", "torch.backends.cudnn.allow_tf32 = True"),
        ("events/encode.py", "np.arange(width, dtype=np.uint32) // factor", "np.arange(width, dtype=np.uint32)"),
        ("events/splits.py", "share * len(groups)", "share * 2 * len(groups)"),
        ("recipe.py", 'name="batch_size", default=64', 'name="batch_size", default=32'),
    ],
)
def test_a_change_of_what_decides_is_another_hash(tmp_path, file, old, new):
    copy = tmp_path / "harness"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = core_source(copy)
    assert before == core_source()
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    assert core_source(copy) != before


@pytest.mark.parametrize("file", ["report/tables.py", "cli/progress.py", "comparison/summary.py", "store.py"])
def test_a_change_of_how_results_are_shown_is_the_same_hash(tmp_path, file):
    copy = tmp_path / "harness"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = core_source(copy)
    (copy / file).write_text((copy / file).read_text(encoding="utf-8") + "\n# another line\n", encoding="utf-8")
    assert core_source(copy) == before
