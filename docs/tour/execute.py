"""Execute the tour: run the commands of its page, and write or check what they print and draw.

    python docs/tour/execute.py            rewrite outputs and pictures
    python docs/tour/execute.py --check    print what differs; status 1 if anything does

A ``console`` block holds commands behind ``$`` and what each prints; a ``python`` block is a program, and the ``text`` block
behind it what it prints, on standard output. Blocks in other languages are left alone. A picture's path below ``pictures/``
is the path that the block above it writes it to. The blocks of one part (``##``) run in order in a fresh folder, on the
processor even where there is a GPU; parts know nothing of each other.

Outputs must be equal but for run ids. The word ``trained`` behind a block's language says that its figures come from training,
which processors round differently: there measured numbers (with a point, an interval or a factor such as k) may be up to twice
or down to half of those on the page, and half widths of intervals anything; pictures must have the size and the ink of those
kept. Other pictures must be equal but for the rounding of pixels where system and drawing libraries are those noted, else look alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

TOUR = Path(__file__).resolve().parent
TRAINED = 0.5  # of the larger number
INK = 0.25  # of the darker picture, summed over all that is not white
EQUAL = 0.02  # of 255, between pixels: processors that round otherwise move an edge by a level; a word that changed makes up more
ALIKE = 5.0  # of 255, between means of 16 x 16 pixels: a shift by three pixels makes up to 5, another input of the same neurons 9
COLOURS = 256  # of a kept picture: half the size, and the eye sees no difference
SECONDS = 300  # that a command may take
VOLATILE = ((re.compile(r"\b\d{8}-\d{6}-[\w-]+-[0-9a-f]{4}\b"), "RUN"),)
NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?: ± (\d+(?:\.\d+)?))?( [kMGT]\b)?")
PICTURE = re.compile(r"!\[[^]]+\]\(pictures/([^)\s]+)\)")
VERSIONS = "drawn-with.json"


@dataclass
class Block:
    """A fenced block; lines count from 0, its own fences left out."""

    language: str
    part: int
    first: int
    lines: list[str]
    trained: bool
    pictures: list[str] = field(default_factory=list)
    printed: Block | None = None  # of a program

    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command and what the page says that it prints."""
        found: list[tuple[str, list[str]]] = []
        for line in self.lines:
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            elif not found:
                raise ValueError(f"line {self.first + 1}: a console block begins with '$ ' and a command")
            elif found[-1][0].endswith("\\"):
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            else:
                found[-1][1].append(line)
        return found

    def said(self) -> list[tuple[str, list[str]]]:
        """As ``commands``, of a program too."""
        if self.language == "console":
            return self.commands()
        return [("the program", self.printed.lines if self.printed else [])]


@dataclass(frozen=True)
class Executed:
    """What the blocks gave: lines by block and command, pictures below a folder, and what went wrong."""

    outputs: list[list[list[str]]]
    pictures: Path
    problems: list[str]


def read(page: str) -> list[Block]:
    """The blocks of a page that are executed, in order."""
    blocks: list[Block] = []
    part, opened, waiting = 0, None, None
    for number, line in enumerate(page.splitlines()):
        if opened is not None:
            if line == "```":
                if opened.language == "text" and waiting is not None:
                    waiting.printed, waiting = opened, None
                elif opened.language in ("console", "python"):
                    blocks.append(opened)
                    waiting = opened if opened.language == "python" else None
                opened = None
            else:
                opened.lines.append(line)
        elif line.startswith("```"):
            language, *words = line[3:].split()
            opened = Block(language, part, number + 1, [], "trained" in words)
        elif line.startswith("## "):
            part += 1
        elif blocks:
            blocks[-1].pictures += PICTURE.findall(line)
    return blocks


def execute(page: str, folder: Path) -> Executed:
    """Run every block of ``page`` below ``folder``, two parts at a time."""
    blocks = read(page)
    executed = Executed([[] for _ in blocks], folder / "pictures", [])

    def run_part(part: int) -> None:
        place = folder / f"part-{part}"
        place.mkdir(parents=True)
        for index, block in enumerate(blocks):
            if block.part == part:
                executed.outputs[index], problems = _run_block(block, place, executed.pictures)
                executed.problems.extend(problems)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run_part, sorted({block.part for block in blocks})))
    return executed


def _run_block(block: Block, place: Path, pictures: Path) -> tuple[list[list[str]], list[str]]:
    outputs, problems = [], []
    for name in block.pictures:
        # A picture that an earlier block left would pass for this one's.
        (place / name).unlink(missing_ok=True)
    if block.language == "python":
        commands = [[sys.executable, "-c", "\n".join(block.lines)]]
    else:
        commands = [["bash", "-o", "pipefail", "-c", command] for command, _ in block.commands()]
    for command in commands:
        done = subprocess.run(
            command,
            cwd=place,
            env=_environment(place),
            stdin=subprocess.DEVNULL,
            # Standard error is not shown: libraries say there what concerns a machine alone, such as a cache of fonts being built.
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        outputs.append([line.rstrip() for line in done.stdout.splitlines()])
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".rstrip()
            problems.append(f"line {block.first + 1}: status {done.returncode}: {command[-1]}\n{said}")
    for name in block.pictures:
        if not (place / name).is_file():
            problems.append(f"line {block.first + 1}: the block does not write {name}")
            continue
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        _keep(place / name, pictures / name)
    return outputs, problems


def _environment(place: Path) -> dict[str, str]:
    """The reader's own, but for what decides what is printed, where it lies, and what computes."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "FORCE_", "PY_COLORS"))
    }
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HARNESS_CACHE": str(place / "cache"),
    }


def _keep(source: Path, target: Path) -> None:
    if source.suffix != ".png":
        target.write_bytes(source.read_bytes())
        return
    with Image.open(source) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def rewritten(page: str, executed: Executed) -> str:
    """The page with what the blocks printed."""
    lines = page.splitlines()
    blocks = read(page)
    for block, outputs in reversed(list(zip(blocks, executed.outputs, strict=True))):
        if block.language == "console":
            new: list[str] = []
            for (command, _), output in zip(block.commands(), outputs, strict=True):
                new += [*f"$ {command}".splitlines(), *output]
            lines[block.first : block.first + len(block.lines)] = new
        elif block.printed is not None:
            lines[block.printed.first : block.printed.first + len(block.printed.lines)] = outputs[0]
    return "\n".join(lines) + "\n"


def differences(tour: Path, executed: Executed) -> list[str]:
    """What the page and pictures in ``tour`` say otherwise than what was executed; a line or more each."""
    blocks = read((tour / "README.md").read_text(encoding="utf-8"))
    if len(blocks) != len(executed.outputs):
        return [f"the page has {len(blocks)} blocks, {len(executed.outputs)} were executed"]
    found = list(executed.problems)
    noted = tour / "pictures" / VERSIONS
    alike = noted.is_file() and json.loads(noted.read_text(encoding="utf-8")) == versions()
    for block, outputs in zip(blocks, executed.outputs, strict=True):
        said = block.said()
        if len(said) != len(outputs):
            found.append(f"line {block.first + 1}: {len(said)} commands, {len(outputs)} were executed")
            continue
        for (command, lines), output in zip(said, outputs, strict=True):
            said_by_page, printed = "\n".join(lines), "\n".join(output)
            why = _apart(said_by_page, printed, trained=block.trained)
            if why:
                found.append(f"line {block.first + 1}: {command}: {why}\npage:\n{said_by_page}\nprinted:\n{printed}")
        for name in block.pictures:
            if (executed.pictures / name).is_file():
                why = _unlike(tour / "pictures" / name, executed.pictures / name, equal=alike, trained=block.trained)
                found += [f"pictures/{name}: {why}"] if why else []
    used = {name for block in blocks for name in block.pictures} | {VERSIONS}
    present = {path.relative_to(tour / "pictures").as_posix() for path in _files(tour / "pictures")}
    found += [f"pictures/{name}: the page does not show it" for name in sorted(present - used)]
    return found


def _apart(page: str, printed: str, *, trained: bool) -> str | None:
    for pattern, word in VOLATILE:
        page, printed = pattern.sub(word, page), pattern.sub(word, printed)
    if not trained:
        return None if page == printed else "printed otherwise"
    # Columns are as wide as their numbers, and lines break where they end.
    page, printed = " ".join(page.split()), " ".join(printed.split())
    if NUMBER.sub("#", page) != NUMBER.sub("#", printed):
        return "printed otherwise"
    for ours, theirs in zip(NUMBER.finditer(page), NUMBER.finditer(printed), strict=True):
        if not _close(ours, theirs):
            return f"{ours[0]} on the page, {theirs[0]} printed"
    return None


def _close(ours: re.Match[str], theirs: re.Match[str]) -> bool:
    if not any("." in match[1] or match[2] or match[3] for match in (ours, theirs)):
        return ours[0] == theirs[0]
    one, other = _value(ours), _value(theirs)
    return abs(one - other) <= TRAINED * max(one, other)


def _value(number: re.Match[str]) -> float:
    return float(number[1]) * 1000.0 ** " kMGT".index((number[3] or " ")[-1])


def _unlike(kept: Path, made: Path, *, equal: bool, trained: bool) -> str | None:
    if not kept.is_file():
        return "missing"
    if kept.read_bytes() == made.read_bytes():
        return None
    ours, theirs = _frames(kept), _frames(made)
    if [frame.size for frame in ours] != [frame.size for frame in theirs]:
        return "another size or number of frames"
    if trained:
        ink = [np.mean([255.0 - _values(frame, 1).mean() for frame in frames]) for frames in (ours, theirs)]
        alike = abs(ink[0] - ink[1]) <= INK * max(ink)
        return None if alike else f"{ink[0]:.1f} of 255 are ink, {ink[1]:.1f} were drawn"
    blocks = 1 if equal else 16
    pairs = zip(ours, theirs, strict=True)
    apart = max(float(np.abs(_values(one, blocks) - _values(other, blocks)).mean()) for one, other in pairs)
    allowed = EQUAL if equal else ALIKE
    return f"differs by {apart:.3g} of 255 in the mean, allowed {allowed:g}" if apart > allowed else None


def _frames(path: Path) -> list[Image.Image]:
    with Image.open(path) as image:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


def _values(frame: Image.Image, blocks: int) -> np.ndarray:
    return np.asarray(frame.reduce(blocks) if blocks > 1 else frame, np.float32)


def versions() -> dict[str, str]:
    """What decides the pixels of a picture."""
    import matplotlib
    import PIL
    from matplotlib import ft2font

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "matplotlib": matplotlib.__version__,
        "freetype": ft2font.__freetype_version__,
        "pillow": PIL.__version__,
    }


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []


def _write(tour: Path, page: str, executed: Executed) -> None:
    (tour / "README.md").write_text(rewritten(page, executed), encoding="utf-8")
    for path in _files(tour / "pictures"):
        path.unlink()
    for path in _files(executed.pictures):
        target = tour / "pictures" / path.relative_to(executed.pictures)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tour / "pictures" / VERSIONS).write_text(json.dumps(versions(), indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Execute the tour and rewrite its outputs and pictures.")
    parser.add_argument("--check", action="store_true", help="print what differs and change nothing")
    check = parser.parse_args().check
    page = (TOUR / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        executed = execute(page, Path(folder))
        if check or executed.problems:
            found = differences(TOUR, executed) if check else executed.problems
            print("\n\n".join(found) or "the tour is as executed")
            return 1 if found else 0
        _write(TOUR, page, executed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
