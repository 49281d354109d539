"""Files of code behind a component: its import packages, or its one file, and the helper modules that they import."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from .components import Component
from .errors import PluginError

# Where installed distributions lie. What a plugin imports from there has a version, and may be as large as torch.
_INSTALLED = frozenset({"site-packages", "dist-packages"})
# The harness hashes what it needs of itself; the versions of the other two enter every key.
_NEVER_FOLLOWED = frozenset({"harness", "torch", "numpy"})
_LARGEST = 16 * 2**20
_FILE_NAME = re.compile(r"/?[\w.-][\w./ -]{0,200}\.\w{1,12}")
# Whole statements, so that prose in docstrings is none.
_FROM = re.compile(rb"^[ \t]*from[ \t]+([A-Za-z_]\w*)[\w.]*[ \t]+import\b", re.MULTILINE)
_ONE = rb"[A-Za-z_][\w.]*(?:[ \t]+as[ \t]+\w+)?"
_IMPORT = re.compile(
    rb"^[ \t]*import[ \t]+(" + _ONE + rb"(?:[ \t]*,[ \t]*" + _ONE + rb")*)[ \t]*(?:#.*)?\r?$", re.MULTILINE
)


class CodeHashes:
    """Hashes of the code behind components; every file is read and parsed once, however many components share it."""

    def __init__(self) -> None:
        self._by_modules: dict[tuple[str, ...], str] = {}
        self._names: dict[Path, tuple[frozenset[str], frozenset[str]]] = {}
        self._content: dict[Path, bytes] = {}
        self._plugins: frozenset[str] | None = None

    def of(self, component: Component) -> str:
        """Return sixteen hexadecimal digits over the code that ``component`` refers to.

        Hashed are all files of the import packages of its references, or the one file of each; and, followed through
        import statements and through texts that name a neighbouring module or file (``import_module("helper")``,
        ``np.load(folder / "weights.npy")``), every module and file beside a single file, every other plugin, and every
        package that is not installed but lies in a folder of its own, such as a checkout. Nothing is imported.

        Raises:
            PluginError: a reference names a module that does not exist.
        """
        tops = tuple(sorted({reference.split(":")[0].split(".")[0] for reference in component.references().values()}))
        if tops not in self._by_modules:
            for top in tops:
                if not _places(top):
                    raise PluginError(
                        f"{component.kind} {component.name}: there is no module {top!r} behind its reference"
                    )
            state = hashlib.sha256()
            for name, path in sorted(self._files(tops).items()):
                state.update(name.encode() + b"\0" + self._read(path) + b"\0")
            self._by_modules[tops] = state.hexdigest()[:16]
        return self._by_modules[tops]

    def _files(self, tops: Iterable[str]) -> dict[str, Path]:
        """Every file by the name under which its module is imported."""
        found: dict[str, Path] = {}
        waiting = [place for top in tops for place in _places(top)]
        known: set[Path] = set()
        while waiting:
            place = waiting.pop()
            if place in known:
                continue
            known.add(place)
            for path in _files_at(place):
                found[str(path.relative_to(place.parent))] = path
                if path.suffix == ".py":
                    alone = place.is_file() and not _INSTALLED & set(place.parts)
                    waiting += self._imported(path, beside=place.parent if alone else None)
        return found

    def _imported(self, path: Path, beside: Path | None) -> Iterator[Path]:
        """Yield the files and folders of modules that ``path`` names, if their code is part of what it does."""
        imported, texts = self._named(path, beside is not None)
        for top in sorted(imported | texts):
            near: list[Path] = []
            # A path joined to a folder may leave it; only names of modules and relative names of files are looked for.
            if beside is not None and top.isidentifier():
                near = [place for place in (beside / f"{top}.py", beside / top) if _is_module(place)]
            if beside is not None and top in texts and not near:
                # A file that is read or run by its name, such as weights or "lib/helper-two.py".
                near = [place for place in [beside / top.lstrip("/")] if _FILE_NAME.fullmatch(top) and place.is_file()]
            if near:
                yield from near
            elif top in imported and top not in sys.stdlib_module_names:
                yield from (place for place in _places(top) if self._followed(top, place))

    def _followed(self, top: str, place: Path) -> bool:
        if self._plugins is None:
            self._plugins = frozenset(
                point.value.split(":")[0].split(".")[0] for point in entry_points(group="harness")
            )
        return top in self._plugins or not _INSTALLED & set(place.parts)

    def _named(self, path: Path, alone: bool) -> tuple[frozenset[str], frozenset[str]]:
        """Return the first parts of all modules that ``path`` imports, and, of one ``alone``, texts that may name one."""
        if path not in self._names:
            imported, texts = _names_in(self._read(path)) if alone else (_imports_in(self._read(path)), set())
            ignored = _NEVER_FOLLOWED | {path.stem}
            self._names[path] = frozenset(imported - ignored), frozenset(texts - ignored)
        return self._names[path]

    def _read(self, path: Path) -> bytes:
        if path not in self._content:
            # What is as large as this holds data or weights, and need not stay in memory.
            if path.stat().st_size <= _LARGEST:
                self._content[path] = path.read_bytes()
            else:
                with path.open("rb") as file:
                    self._content[path] = hashlib.file_digest(file, "sha256").digest()
        return self._content[path]


def _places(top: str) -> list[Path]:
    """Return the folders of the package ``top``, or its one file; nothing for what is built in or does not exist."""
    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):  # a module that was made by hand has no specification
        file = getattr(sys.modules.get(top), "__file__", None)
        return [Path(file)] if file and Path(file).is_file() else []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations if Path(place).is_dir()]
    return [Path(spec.origin)] if spec.origin is not None and Path(spec.origin).is_file() else []


def _is_module(place: Path) -> bool:
    return place.is_file() or (place.is_dir() and any(place.glob("*.py")))


def _files_at(place: Path) -> Iterator[Path]:
    """Yield ``place``, or all files below it but hidden ones and what Python compiles."""
    if place.is_file():
        yield place
        return
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        ignored = any(part.startswith(".") or part == "__pycache__" for part in parts) or path.name.endswith("~")
        if not ignored and path.is_file():
            yield path


def _imports_in(content: bytes) -> set[str]:
    """Return the first parts of modules that Python code imports, by its lines: parsing whole packages takes long."""
    found = {match[1].decode() for match in _FROM.finditer(content)}
    for match in _IMPORT.finditer(content):
        found |= {part.split()[0].split(b".")[0].decode() for part in match[1].split(b",")}
    return found


def _names_in(content: bytes) -> tuple[set[str], set[str]]:
    """Return the first parts of modules that Python code imports, and texts in it that may name a module."""
    imported: set[str] = set()
    texts: set[str] = set()
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError, RecursionError):
        return imported, texts
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imported.add(node.module.split(".")[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # As in import_module("helper"), run_path("helper.py") and np.load(folder / "weights.npy").
            name = node.value.removesuffix(".py").split(".")[0]
            if name.isidentifier():
                texts.add(name)
            if _FILE_NAME.fullmatch(node.value):
                texts.add(node.value)
    return imported, texts
