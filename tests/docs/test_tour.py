"""The tour in the documentation: executed as its readers would, in real processes, and held to what it says and shows."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

TOUR = Path(__file__).resolve().parent.parent.parent / "docs" / "tour"
PAGE = (TOUR / "README.md").read_text(encoding="utf-8")


def _program():
    spec = importlib.util.spec_from_file_location("tour_execute", TOUR / "execute.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tour = _program()
BLOCKS = tour.read(PAGE)
SHOWN = [name for block in BLOCKS for name in block.pictures]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The page, executed once."""
    return tour.execute(PAGE, tmp_path_factory.mktemp("tour") / "run")


@pytest.fixture(scope="module")
def as_kept():
    """As if executing had given what the page says and shows, so that what is changed below is all that differs."""
    outputs = [[lines for _, lines in block.said()] for block in BLOCKS]
    return tour.Executed(outputs, TOUR / "pictures", [])


@pytest.fixture
def copy(tmp_path):
    """A copy to change, its pictures drawn with what is installed here."""
    folder = Path(shutil.copytree(TOUR, tmp_path / "copy"))
    (folder / "pictures" / tour.VERSIONS).write_text(json.dumps(tour.versions()))
    return folder


def edit(copy, pattern, new):
    text = (copy / "README.md").read_text(encoding="utf-8")
    changed, count = re.subn(pattern, new, text, count=1)
    assert count == 1, pattern
    assert changed != text
    (copy / "README.md").write_text(changed, encoding="utf-8")


def test_it_says_and_shows_what_its_commands_print_and_draw(executed):
    assert "\n\n".join(tour.differences(TOUR, executed)) == ""


def test_five_parts_each_have_commands_and_pictures():
    titles = re.findall(r"^## Part (\d)", PAGE, re.MULTILINE)
    assert titles == ["1", "2", "3", "4", "5"]
    for part in range(1, 6):
        blocks = [block for block in BLOCKS if block.part == part]
        assert any(block.language == "console" for block in blocks)
        assert any(block.pictures for block in blocks)
    printed = [lines for block in BLOCKS for _, lines in block.said()]
    assert all(printed), "a block says that it prints nothing: is there a text block behind every program?"


def test_what_it_links_to_is_there_and_pictures_stay_small():
    for address in re.findall(r"\]\(([^)\s]+)\)", PAGE):
        assert address.startswith("https://") or (TOUR / address.partition("#")[0]).is_file(), address
    sizes = {name: (TOUR / "pictures" / name).stat().st_size for name in SHOWN}
    assert {name: size for name, size in sizes.items() if size > (500e3 if name.endswith(".gif") else 150e3)} == {}
    assert sum(sizes.values()) < 1.5e6
    assert len(sizes) == len(SHOWN), "two pictures of one name: the later one would replace the earlier"


def test_every_part_says_how_to_do_it_with_real_data_and_what_is_synthetic():
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[3:6]:
        assert "```sh\nharness " in part
        assert "--data data" in part
    for block in BLOCKS:
        for command, lines in block.said():
            if "inspect" in command or "--quiet" in command:
                assert "synthetic" in "\n".join(lines)


@pytest.mark.parametrize(
    ("pattern", "new", "found"),
    [
        (r"(iaf +definition +)23", r"\g<1>24", "printed otherwise"),
        (r"(lost to crop at 700 ms +)\d", r"\g<1>9", "printed otherwise"),
        (r"in neurons: neurons.png", "in neurons: neuron.png", "printed otherwise"),
        (r"(\niaf +)\d\d\.\d( ±)", r"\g<1>5.0\2", "on the page"),
        (r"(\ntest\.accuracy +)0\.\d+", r"\g<1>0.050", "on the page"),
        (r"epochs 8, batch", "epochs 9, batch", "8 printed"),
        (r"(\niaf [^\n]*)3 ok", r"\g<1>2 ok", "3 printed"),
        (r"\$ harness surrogates ", "$ harness surrogates\n$ harness surrogates ", "commands"),
        (r"```console trained\n", "```sh\n", "blocks"),
        (r"!\[[^]]+\]\(pictures/neurons/raster.png\)", "", "does not show"),
    ],
)
def test_a_page_that_says_something_else_is_found_out(as_kept, copy, pattern, new, found):
    edit(copy, pattern, new)
    said = tour.differences(copy, as_kept)
    assert said
    assert found in said[0]


@pytest.mark.parametrize(
    ("pattern", "new"),
    [
        (r"\d{8}-\d{6}-alif-iaf-lif-shd-synthetic-[0-9a-f]{4}", "20991231-235959-alif-iaf-lif-shd-synthetic-0000"),
        (r"(\niaf +)\d\d\.\d ± \d+\.\d", r"\g<1>33.3 ± 0.1"),
        (r"(\niaf +)(\d\d\.\d ± \d+\.\d)( +)", r"\g<1>  \2 \3"),
    ],
)
def test_another_run_and_other_rounding_are_let_pass(as_kept, copy, pattern, new):
    edit(copy, pattern, new)
    assert tour.differences(copy, as_kept) == []


def swap(folder, one, other):
    first, second = folder / "pictures" / one, folder / "pictures" / other
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)


@pytest.mark.parametrize("same_libraries", [True, False])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("neurons/neurons.png", "neurons/raster.png"),
        ("neurons/neurons.png", "constant/neurons.png"),
        ("inspect-shd-synthetic/rasters.png", "inspect-shd-synthetic/frames.png"),
        (
            "results/latest/plots/shd-synthetic-accuracy-against-cost.png",
            "results/latest/plots/shd-synthetic-learning-curves.png",
        ),
    ],
)
def test_swapped_pictures_are_found_out(as_kept, copy, one, other, same_libraries):
    if not same_libraries:
        (copy / "pictures" / tour.VERSIONS).write_text("{}")
    swap(copy, one, other)
    said = [line.partition(":")[0] for line in tour.differences(copy, as_kept)]
    assert sorted(said) == sorted([f"pictures/{one}", f"pictures/{other}"])


def test_a_few_letters_count_where_the_libraries_are_the_same(as_kept, copy):
    path = copy / "pictures" / "neurons" / "neurons.png"
    with Image.open(path) as image:
        changed = image.convert("RGB")
    changed.paste((255, 0, 0), (200, 200, 225, 225))
    changed.save(path)
    assert [line.partition(":")[0] for line in tour.differences(copy, as_kept)] == ["pictures/neurons/neurons.png"]
    (copy / "pictures" / tour.VERSIONS).write_text("{}")
    assert tour.differences(copy, as_kept) == []


@pytest.mark.parametrize("name", [SHOWN[0], SHOWN[-1]])
def test_missing_blank_and_unused_pictures_are_found_out(as_kept, copy, name):
    path = copy / "pictures" / name
    with Image.open(path) as image:
        size = image.size
    Image.new("RGB", size, "white").save(path)
    assert [line.partition(":")[0] for line in tour.differences(copy, as_kept)] == [f"pictures/{name}"]
    path.unlink()
    assert tour.differences(copy, as_kept) == [f"pictures/{name}: missing"]
    (copy / "pictures" / "left-over.png").write_bytes(b"")
    assert tour.differences(copy, as_kept)[1:] == ["pictures/left-over.png: the page does not show it"]


def test_what_went_wrong_in_a_command_is_said(as_kept, copy):
    failed = replace(as_kept, problems=["line 9: status 3: false"])
    assert tour.differences(copy, failed) == ["line 9: status 3: false"]


SMALL = """# Small

```console
$ echo one; echo never shown >&2
old
$ echo "[$FORCE_COLOR$HARNESS_DATA]"
$ printf 'a\\n\\nb  \\n' | \\
    cat
```

## Part

```python
print("two")
```

```text
```

```console
$ {python} -c "from PIL import Image; Image.new('RGB', (64, 64), 'red').save('drawn.png')"; pwd | grep -o part-1
```

![Red](pictures/drawn.png)

```sh
exit 1
```
"""


def test_the_program_rewrites_and_checks(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shutil.copy(TOUR / "execute.py", tmp_path)
    page = tmp_path / "README.md"
    page.write_text(SMALL.replace("{python}", sys.executable))

    def call(*arguments):
        command = [sys.executable, str(tmp_path / "execute.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    before = call("--check")
    assert before.returncode == 1
    assert "printed otherwise" in before.stdout
    assert "pictures/drawn.png: missing" in before.stdout
    assert call().returncode == 0
    text = page.read_text(encoding="utf-8")
    assert "never shown >&2\none\n$ echo" in text
    assert 'HARNESS_DATA]"\n[]\n$ printf' in text
    assert "    cat\na\n\nb\n```" in text
    assert "```text\ntwo\n```" in text
    assert "part-1\npart-1\n```" in text
    assert call("--check").stdout == "the tour is as executed\n"
    page.write_text(text.replace("$ echo one;", "$ exit 7;").replace("pictures/drawn", "pictures/undrawn"))
    kept = page.read_text(encoding="utf-8")
    wrong = call()
    assert wrong.returncode == 1
    assert "line 4: status 7: exit 7; echo never shown >&2" in wrong.stdout
    assert "does not write undrawn.png" in wrong.stdout
    assert page.read_text(encoding="utf-8") == kept
    page.write_text(text.replace('print("two")', 'raise SystemExit("three")'))
    assert "status 1: raise SystemExit" in call("--check").stdout
