"""Write the distribution of a new plugin from the templates of its kind."""

from __future__ import annotations

import keyword
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from string import Template

from ..components import KINDS, NAME
from ..errors import UsageError
from ..places import reason

SUFFIX = ".template"
# Words that stand for something else in a path of settings such as neuron.tau_mem.
_RESERVED = frozenset({*KINDS, "recipe", "encoding"})
# A directory of this name in the templates becomes the import package.
_PACKAGE = "package"
_TRIED_WITH = {
    "dataset": "{name}",
    "neuron": "shd-synthetic,{name}",
    "backend": "shd-synthetic,lif,{name}",
    "network": "shd-synthetic,lif,{name}",
    "metric": "shd-synthetic,lif",
}


@dataclass(frozen=True)
class Distribution:
    """The names of a new plugin: of its component, its import package and its distribution."""

    kind: str
    name: str

    @property
    def package(self) -> str:
        """The import package; its prefix keeps it from hiding a module of another name."""
        return f"harness_{self.name.replace('-', '_')}"

    @property
    def tried_with(self) -> str:
        """The value of ``--plugins`` of a first run."""
        return _TRIED_WITH[self.kind].format(name=self.name)

    def fields(self) -> dict[str, str]:
        """What templates may name."""
        words = "".join(word.title() for word in self.name.split("-"))
        return {
            "kind": self.kind,
            "name": self.name,
            "package": self.package,
            "distribution": self.package.replace("_", "-"),
            "suite": f"{self.kind.title()}Suite",
            "title": words,
            "identifier": self.name.replace("-", "_"),
            "tried_with": self.tried_with,
        }


def check_name(name: str, taken: Iterable[str]) -> None:
    """Raise :class:`UsageError` for a name that no new component can have; ``taken`` are those that exist."""
    if not NAME.match(name):
        raise UsageError(f"{name!r}: not a name: expected lower-case words joined by hyphens, such as my-tones")
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r}: a word of Python; choose another name")
    if name in _RESERVED:
        raise UsageError(f"{name!r}: a word of settings such as {name}.parameter=value; choose another name")
    if name in set(taken):
        raise UsageError(f"{name!r}: an installed plugin or component has that name; 'harness plugins' lists them")


def write_distribution(distribution: Distribution, folder: Path) -> list[Path]:
    """Write the distribution into the new ``folder``, whole or not at all.

    Returns:
        The files, relative to ``folder``.

    Raises:
        UsageError: if ``folder`` exists or cannot be written, or if the import package is importable already.
    """
    if os.path.lexists(folder):
        raise UsageError(f"{folder}: exists already; name another folder with --path")
    if find_spec(distribution.package) is not None:
        raise UsageError(f"{distribution.name!r}: the package {distribution.package} is installed; choose another name")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name[:100]}.", dir=folder.parent))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {reason(error)}") from None
    try:
        written = list(_fill(distribution, made))
        made.chmod(0o755)
        made.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {reason(error)}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return written


def _fill(distribution: Distribution, folder: Path) -> Iterator[Path]:
    templates = files(__package__) / "templates"
    for part in ("common", distribution.kind):
        for place, template in _templates(templates / part, Path()):
            own = [distribution.package if piece == _PACKAGE else piece for piece in place.parts]
            name = own[-1].removesuffix(SUFFIX).replace(_PACKAGE, distribution.package)
            path = Path(*own[:-1], name)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            text = Template(template.read_text(encoding="utf-8")).substitute(distribution.fields())
            (folder / path).write_text(text, encoding="utf-8")
            yield path


def _templates(folder: Traversable, place: Path) -> Iterator[tuple[Path, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _templates(item, place / item.name)
        elif item.name.endswith(SUFFIX):
            yield place / item.name, item
